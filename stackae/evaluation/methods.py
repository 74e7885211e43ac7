"""What codes are compared with: a table of other ways to so many features, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import NMF, PCA, FastICA
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from stackae._utils.threads import one_thread_for
from stackae.data.matrix import DenseMatrix
from stackae.estimators._base import BaseEncoder
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.stacked import StackedAutoencoder
from stackae.evaluation.nonlinear import KernelComponents, NeighbourMap
from stackae.evaluation.splits import Rows, encoder_of
from stackae.exceptions import ParameterError
from stackae.training.precision import computing

Floats = npt.NDArray[np.floating]
#: What a fitted stack is called in tables.
OURS = "stackae"
#: What its own predictions are called, where it was fitted with labels.
PREDICTOR = "stackae head"
#: What it is compared with first.
RIVAL = "PCA"
#: The rows themselves, which have one width only.
RAW = "raw rows"


class Features(Protocol):
    """What is judged: a fitted transformer."""

    def transform(self, X: Any) -> Floats:
        """Rows to features."""
        ...


class RandomFeatures(TransformerMixin, BaseEstimator):
    """max(0, X·W + b) with drawn W and b: a hidden layer that nobody trained.

    Rahimi & Recht (2008), Weighted sums of random kitchen sinks.
    """

    def __init__(self, n_components: int, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Draw the weights, and scale the preactivations by what the rows make of them."""
        rng = np.random.default_rng(self.random_state)
        weights = rng.standard_normal((X.shape[1], self.n_components)).astype(X.dtype)
        drive = X @ weights
        spread = drive.std(0)
        spread[spread == 0] = 1
        self.weights_ = weights / spread
        self.bias_ = (-drive.mean(0) / spread + rng.standard_normal(self.n_components)).astype(X.dtype)
        return self

    def transform(self, X: Floats) -> Floats:
        """Rows to features."""
        features: Floats = np.maximum(X @ self.weights_ + self.bias_, 0)
        return features


class _Filler(SimpleImputer):
    """Fills missing cells with the column's mean; on the way back nothing is taken out again."""

    def __init__(self) -> None:
        super().__init__(keep_empty_features=True)

    def inverse_transform(self, X: Floats) -> Floats:
        """Rows as they are."""
        return X


class _FromZero(TransformerMixin, BaseEstimator):
    """Moves columns that go below 0 up to it; what is lower still, later, is 0."""

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Find the least values."""
        self.floor_ = np.minimum(X.min(0), 0)
        return self

    def transform(self, X: Floats) -> Floats:
        """Move up."""
        moved: Floats = np.maximum(X - self.floor_, 0)
        return moved

    def inverse_transform(self, X: Floats) -> Floats:
        """Move down again."""
        moved: Floats = X + self.floor_
        return moved


class _Scaler(StandardScaler):
    """Standardises columns, but for those that are kept as they are.

    Parameters
    ----------
    kept : array of bool of shape (n_features,)
    with_mean : bool, default=True
    """

    def __init__(self, kept: npt.NDArray[np.bool_], *, with_mean: bool = True) -> None:
        super().__init__(with_mean=with_mean)
        self.kept = kept

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Find means and spreads of the columns that are not kept."""
        super().fit(X)
        self.mean_[self.kept], self.scale_[self.kept] = 0.0, 1.0
        return self


@dataclass(frozen=True)
class Task:
    """What a method is asked for.

    Parameters
    ----------
    X : array or Matrix of shape (n_samples, n_features)
        Training rows, in the user's units; of a table the encoded columns, with its encoder.
    width : int
        Features wanted.
    stack : StackedAutoencoder
        Unfitted, of that width; or the fitted model that is judged.
    seed : int
    test_has_gaps : bool, default=False
        Whether cells are missing in rows that features are asked for later.
    """

    X: Rows
    width: int
    stack: StackedAutoencoder
    seed: int
    test_has_gaps: bool = False

    @cached_property
    def numbers(self) -> Floats:
        """The training rows as rivals are given them: of a table the same encoded columns."""
        return np.asarray(self.X)

    @cached_property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which columns the stack takes as they are; it standardises the others, and so do all methods."""
        module = getattr(self.stack, "module_", None)
        if module is not None:
            parts = module[0].parts
        else:
            asked = clone(self.stack) if isinstance(self.stack, StackedAutoencoder) else Autoencoder(1)
            parts = asked.plan(self.X).layers[0].parts
        kept = np.full(self.X.shape[1], parts.scale is None)
        kept[list(parts.kept)] = True
        return kept

    def after_scaling(self, *transformers: Any, with_mean: bool = True) -> Any:
        """Transformers behind the scaling that the stack itself does."""
        steps = [_Scaler(self.kept, with_mean=with_mean), *transformers]
        return make_pipeline(*([_Filler()] if self.has_gaps else []), *steps)

    @cached_property
    def has_gaps(self) -> bool:
        """Whether cells are missing, which rivals are given as the column's mean."""
        return self.test_has_gaps or bool(np.isnan(self.numbers).any())

    @property
    def linear_width(self) -> int:
        """The width, or as many as there are columns and rows."""
        return min(self.width, len(self.numbers), len(self.numbers[0]))


def _stack(task: Task) -> Any:
    return task.stack


def _untrained(task: Task) -> Any:
    return clone(task.stack).set_params(pretrain=None, finetune=None)


def _end_to_end(task: Task) -> Any:
    return clone(task.stack).set_params(pretrain=None)


def _pca(task: Task) -> Any:
    return task.after_scaling(PCA(task.linear_width, random_state=task.seed))


def _whitened_pca(task: Task) -> Any:
    return task.after_scaling(PCA(task.linear_width, whiten=True, random_state=task.seed))


def _ica(task: Task) -> Any:
    return task.after_scaling(
        FastICA(task.linear_width, whiten="unit-variance", tol=1e-3, random_state=task.seed)
    )


def _nmf(task: Task) -> Any:
    # Where zero lies in the encoded columns of a table is the encoder's choice, not the user's.
    if np.nanmin(task.numbers) < 0 and encoder_of(task.X) is None:
        return None
    factors = NMF(task.linear_width, init="nndsvda", tol=1e-3, random_state=task.seed)
    # Columns of other units are brought to one spread, but not moved: they would be negative.
    return task.after_scaling(_FromZero(), factors, with_mean=False)


def _random_projection(task: Task) -> Any:
    projection = GaussianRandomProjection(task.width, compute_inverse_components=True, random_state=task.seed)
    # Centred, as PCA does it, so that what goes back starts from the mean.
    return task.after_scaling(StandardScaler(with_std=False), projection)


def _random_features(task: Task) -> Any:
    return task.after_scaling(RandomFeatures(task.width, task.seed))


def _nystroem(task: Task) -> Any:
    # The kernel exp(-γd²) at γ = 1 / (2 · columns · variance): as wide as the data.
    variance = float(np.where(task.kept, np.nanvar(task.numbers, 0), 1.0).sum())
    kernel = Nystroem(
        gamma=1 / max(2 * variance, 1e-12), n_components=min(task.width, len(task.X)), random_state=task.seed
    )
    return task.after_scaling(kernel)


def _kernel_pca(task: Task) -> Any:
    return task.after_scaling(KernelComponents(task.width, task.seed))


def _umap(task: Task) -> Any:
    return task.after_scaling(NeighbourMap(task.width, task.seed))


def _raw(task: Task) -> Any:
    return task.after_scaling(FunctionTransformer(check_inverse=False))


#: By name, what gives an unfitted transformer for a task, or None where rows do not suit it.
METHODS: dict[str, Callable[[Task], Any]] = {
    OURS: _stack,
    RIVAL: _pca,
    "whitened PCA": _whitened_pca,
    "ICA": _ica,
    "NMF": _nmf,
    "kernel PCA": _kernel_pca,
    "Nyström": _nystroem,
    "UMAP": _umap,
    "random projection": _random_projection,
    "random features": _random_features,
    "untrained stack": _untrained,
    "end to end": _end_to_end,
    RAW: _raw,
}
#: Those that train a stack.
TRAINED = (OURS, "end to end")
#: Those that need a package of an extra, as it is imported, installed, and called among the extras.
_OF_EXTRAS = {"UMAP": ("umap", "umap-learn", "umap")}


def refusal(method: str) -> str | None:
    """Why a method cannot be compared here: it is not known, or its package is not installed."""
    if method not in METHODS:
        return f"unknown method {method!r}; known are {', '.join(METHODS)}"
    module, package, extra = _OF_EXTRAS.get(method, ("sklearn", "", ""))
    if find_spec(module) is None:
        return f"method {method!r} needs {package}; pip install 'stackae[{extra}]'"
    return None


def with_width(stack: StackedAutoencoder, width: int, seed: int) -> StackedAutoencoder:
    """A copy of the stack, unfitted, whose last layer has so many units."""
    if isinstance(stack.layers, str):
        raise ParameterError(f"a width needs layers to be given, got layers={stack.layers!r}")
    layers: Any = width
    if not stack._follows_columns:
        *below, last = stack._listed
        of_width = clone(last).set_params(n_components=width) if isinstance(last, Autoencoder) else width
        layers = (*below, of_width)
    copy: StackedAutoencoder = clone(stack).set_params(layers=layers, random_state=seed)
    return copy


def fitted(method: str, task: Task) -> Any:
    """The method's transformer, fitted; None where rows do not suit it."""
    transformer = METHODS[method](task)
    if transformer is None:
        return None
    rows = given_to(transformer, task.X)
    if method in TRAINED:  # they see to their threads themselves
        return transformer.fit(rows)
    work = task.X.shape[0] * task.X.shape[1] * task.width
    with computing(torch.device("cpu"), work=work), one_thread_for(work):
        return transformer.fit(rows)


def given_to(features: Any, rows: Rows) -> Rows:
    """Rows as a transformer takes them: those of stackae's are told what the columns of a table are."""
    return rows if isinstance(features, BaseEncoder) else np.asarray(rows)


def back_from(features: Any, codes: Floats, rows: Rows) -> Floats | None:
    """What the codes of rows go back to, with columns as ``rows`` has them; None where they cannot."""
    back = getattr(features, "inverse_transform", None)
    if back is None:
        return None
    is_told = isinstance(features, BaseEncoder) and encoder_of(rows) is not None
    return np.asarray(back(DenseMatrix(codes).of_table(encoder_of(rows)) if is_told else codes))
