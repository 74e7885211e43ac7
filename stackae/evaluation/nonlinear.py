"""Rivals that bend: kernel principal components, and maps of neighbourhoods."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import KernelPCA

from stackae.exceptions import ParameterError

Floats = npt.NDArray[np.floating]
#: Rows that kernel PCA is fitted on at most, rows between which distances are measured, and rows that are
#: transformed at a time: the kernel of all rows with all would fill the memory.
_MOST_FITTED, _MOST_MEASURED, _BLOCK = 3000, 1000, 2000
#: Above this share of all components the whole spectrum costs no more.
_FEW_COMPONENTS = 0.1


class KernelComponents(TransformerMixin, BaseEstimator):
    """Kernel PCA with the kernel exp(-d² / (2·m²)), m the median distance between two rows.

    Of more than 3,000 rows so many are drawn: the kernel's spectrum grows with the cube of their number.
    Schölkopf, Smola & Müller (1998), Nonlinear component analysis as a kernel eigenvalue problem.

    Parameters
    ----------
    n_components : int
        Of fewer rows there are as many as rows.
    random_state : int, default=0
    """

    def __init__(self, n_components: int, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Find the bandwidth and the components."""
        rows = np.random.default_rng(self.random_state).permutation(len(X))
        drawn = np.asarray(X[np.sort(rows[:_MOST_FITTED])], np.float64)
        distances = pdist(np.asarray(X[rows[:_MOST_MEASURED]], np.float64))
        apart = distances[distances > 0]
        bandwidth = float(np.median(apart)) if apart.size else 1.0
        n_components = min(self.n_components, len(drawn))
        solver = "arpack" if n_components < _FEW_COMPONENTS * len(drawn) else "dense"
        self.model_ = KernelPCA(
            n_components,
            kernel="rbf",
            gamma=1 / (2 * bandwidth**2),
            eigen_solver=solver,
            random_state=self.random_state,
        ).fit(drawn)
        return self

    def transform(self, X: Floats) -> Floats:
        """Rows to components."""
        blocks = [X[start : start + _BLOCK] for start in range(0, len(X), _BLOCK)]
        return np.vstack([self.model_.transform(np.asarray(block, np.float64)) for block in blocks])


class NeighbourMap(TransformerMixin, BaseEstimator):
    """UMAP of so many dimensions, with umap-learn's defaults.

    McInnes, Healy & Melville (2018), UMAP: uniform manifold approximation and projection.

    Parameters
    ----------
    n_components : int
        Of few rows there are two fewer than rows at most.
    random_state : int, default=0

    Raises
    ------
    ParameterError
        umap-learn is not installed.
    """

    def __init__(self, n_components: int, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Lay the rows out."""
        umap = umap_class("method 'UMAP'")
        n = len(X)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="n_jobs value")  # a seed needs one
            self.model_ = umap(
                n_neighbors=min(15, n - 1),
                n_components=max(1, min(self.n_components, n - 2)),
                random_state=self.random_state,
            ).fit(X)
        return self

    def transform(self, X: Floats) -> Floats:
        """Lay other rows out beside them."""
        placed: Floats = self.model_.transform(X)
        return placed


def umap_class(what: str) -> Any:
    """umap-learn's class.

    Raises
    ------
    ParameterError
        It is not installed; ``what`` needs it.
    """
    try:
        from umap import UMAP
    except ImportError:
        raise ParameterError(f"{what} needs umap-learn; pip install 'stackae[umap]'") from None
    return UMAP
