"""How much of the variance so many codes reconstruct, with PCA's beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import PCA

from stackae.data.matrix import DenseMatrix, Matrix
from stackae.data.statistics import column_means
from stackae.exceptions import DataError, ParameterError
from stackae.modules.truncation import is_ordered
from stackae.plotting._samples import refuse_unless, samples_of
from stackae.plotting.display import OURS, RIVAL, Display

Floats = npt.NDArray[np.float64]
#: PCA is drawn up to so many times the widest code, and up to so many components at least.
_FURTHER, _LEAST = 2, 10


class ScreeDisplay(Display):
    """A scree plot: R² of the reconstruction by the width of the code, for models and for PCA.

    Parameters
    ----------
    n_codes : sequence of int
        Width of the code at each point of the models' curve.
    r2 : sequence of float
        R² at each point.
    pca_r2 : array of shape (n_components,)
        R² of 1, 2, ... principal components.
    name : str, default="autoencoder"

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import StackedAutoencoder, Training
    >>> from stackae.plotting import ScreeDisplay
    >>> X = load_digits().data[:300] / 16
    >>> training = Training(max_epochs=3)
    >>> models = [StackedAutoencoder((32, k), pretrain=training, random_state=0).fit(X) for k in (2, 8)]
    >>> display = ScreeDisplay.from_estimator(models, X)
    >>> display.n_codes.tolist(), len(display.pca_r2)
    ([2, 8], 16)
    """

    def __init__(
        self, n_codes: Sequence[int], r2: Sequence[float], pca_r2: Any, *, name: str = "autoencoder"
    ) -> None:
        if len(n_codes) != len(r2) or not len(n_codes):
            raise ParameterError(f"one R² for each number of codes, got {len(r2)} and {len(n_codes)}")
        order = np.argsort(n_codes, kind="stable")
        self.n_codes = np.asarray(n_codes)[order]
        self.r2: Floats = np.asarray(r2, np.float64)[order]
        self.pca_r2: Floats = np.asarray(pca_r2, np.float64)
        self.name = name

    @classmethod
    def from_estimator(cls, models: Any, X: Any, *, ax: Any = None) -> Self:
        """Reconstruct samples by PCA and by a model, or by several models of different widths.

        All are judged on ``X``, encoded and scaled as in the first model: R² is
        1 - Σ(z - ẑ)² / Σ(z - mean)² or, of a table, the mean of that over columns, as in ``score``. PCA is
        fitted to ``X`` itself, which favours it if the models were fitted to other rows; its gaps are filled
        with column means. A single model with an ordered code has points at the widths 1, 2, 4, 8, ..., to
        which it can be cut.

        Parameters
        ----------
        models : Autoencoder, StackedAutoencoder or StackedAutoencoderDetector, or a sequence of them
        X : array-like of shape (n_samples, n_features)
            At least two different rows.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        ScreeDisplay

        Raises
        ------
        ParameterError
            A model does not reconstruct, or models were fitted on other columns.
        DataError
            No column varies.
        """
        models = list(models) if isinstance(models, Sequence) else [models]
        if not models:
            raise ParameterError("ScreeDisplay needs a model, got none")
        for model in models:
            refuse_unless(model, "reconstruct", cls.__name__, "reconstructs")
        if len(models) == 1:
            models = _prefixes_of(models[0])
        matrices = [samples_of(model, X) for model in models]
        first, widths = models[0], [model.module_.widths[-1] for model in models]
        if len({matrix.shape for matrix in matrices}) > 1:
            raise ParameterError(
                "the models encode X to different columns; give models that were fitted alike"
            )
        z = _scaled(first, matrices[0])
        with np.errstate(invalid="ignore"):  # columns without a value
            mean = column_means(DenseMatrix(z))
        varied = np.nansum(np.square(z - mean), 0)
        if not varied.any():
            raise DataError("X does not vary: there is nothing to explain")
        owner = np.arange(z.shape[1]) if first._table is None else np.asarray(first._table.column_of_)
        together = first._table is None
        r2 = [
            _r2(
                np.nansum(np.square(z - _scaled(first, matrix, model)), 0)[None],
                varied,
                owner,
                together=together,
            )[0]
            for model, matrix in zip(models, matrices, strict=True)
        ]
        filled = np.where(np.isnan(z), np.nan_to_num(mean), z)
        n_components = min(*filled.shape, max(_FURTHER * max(widths), _LEAST))
        # Of many rows through their covariances, which is many times faster; R² needs no last digits.
        solver = "covariance_eigh" if len(filled) > filled.shape[1] else "full"
        pca = PCA(n_components, svd_solver=solver).fit(filled)
        explained = np.square(pca.singular_values_)[:, None] * np.square(pca.components_)
        left = np.square(filled - filled.mean(0)).sum(0) - explained.cumsum(0)
        return cls(widths, r2, _r2(left, varied, owner, together=together)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        (own,) = self._take_axes(ax, height=3.0)
        number = np.arange(1, len(self.pca_r2) + 1)
        marker = "." if len(number) <= 30 else ""
        own.plot(number, self.pca_r2, color=RIVAL, linestyle="--", marker=marker, label="PCA")
        own.plot(self.n_codes, self.r2, color=OURS, marker="o", zorder=3, label=self.name)
        if max(number[-1], self.n_codes[-1]) > 100:
            own.set_xscale("log")
        else:
            own.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        own.set(xlabel="number of codes", ylabel="R² of the reconstruction")
        own.set_ylim(top=1.02, bottom=min(0.0, float(self.r2.min()) - 0.05))
        own.grid(alpha=0.3)
        own.spines[["top", "right"]].set_visible(False)
        own.legend(frameon=False, fontsize="small", loc="lower right")
        return self


def _prefixes_of(model: Any) -> list[Any]:
    """The models that one of ordered codes can be cut to, of 1, 2, 4, 8, ... codes and of all; or itself."""
    if not (hasattr(model, "truncated") and is_ordered(model.module_)):
        return [model]
    width = model.module_.widths[-1]
    return [*(model.truncated(2**k) for k in range((width - 1).bit_length())), model]


def _scaled(first: Any, matrix: Matrix, model: Any = None) -> Floats:
    """Samples, or what a model makes of them, in the units in which the first model works."""
    scaling = first.module_[0].scaling

    def scaled(module: Any, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = scaling(x if model is None else module(x))
        return result

    values: Floats = (model or first)._apply(matrix, scaled, matrix.shape[1])
    return values.astype(np.float64)


def _r2(left: Floats, varied: Floats, owner: npt.NDArray[np.integer], *, together: bool) -> Floats:
    """R² of squared errors (cases × encoded columns): of all, or the mean of each column's of a table."""
    if together:
        owner = np.zeros_like(owner)
    columns = np.unique(owner)
    total = np.array([varied[owner == column].sum() for column in columns])
    own = np.array([left[:, owner == column].sum(1) for column in columns]).T
    r2: Floats = (1 - own[:, total > 0] / total[total > 0]).mean(1)
    return r2
