"""The affine map between the user's units (or the codes below) and the units in which a layer works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stackae.data.matrix import DenseMatrix, Matrix
from stackae.data.statistics import column_moments, column_range


class Scaling(nn.Module):
    """x ↦ (x - shift) / factor, one shift and factor a column, held in float64.

    Parameters
    ----------
    shift, factor : Tensor of shape (features,), float64
        In the units of x. A factor is never zero.
    """

    shift: Tensor
    factor: Tensor

    def __init__(self, shift: Tensor, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("factor", factor)

    @classmethod
    def identity(cls, n_features: int) -> Scaling:
        """The map that changes nothing."""
        return cls(torch.zeros(n_features, dtype=torch.float64), torch.ones(n_features, dtype=torch.float64))

    @property
    def n_columns(self) -> int:
        """Columns in the outer units."""
        return len(self.shift)

    def forward(self, x: Tensor) -> Tensor:
        """From the outer units to the layer's, in the precision of ``x``."""
        # What changes nothing is left out where looking costs nothing; a GPU would have to be waited for.
        on_cpu = self.shift.device.type == "cpu"
        moved = x - self.shift.to(x.dtype) if not on_cpu or bool(self.shift.any()) else x
        if on_cpu and not bool((self.factor != 1).any()):
            return moved
        factor = self.factor.to(x.dtype)
        return moved / factor if moved is x else moved.div_(factor)

    def inverse(self, z: Tensor) -> Tensor:
        """Back to the outer units."""
        return torch.addcmul(self.shift.to(z.dtype), z, self.factor.to(z.dtype))


def fit_scaling(
    kind: str | None,
    X: Matrix,
    unit_columns: Sequence[int] = (),
    weights: npt.NDArray[np.float64] | None = None,
    kept: Sequence[int] = (),
) -> Scaling:
    """Measure the scaling of a matrix.

    Parameters
    ----------
    kind : {"standard", "pareto", "minmax", "spread"} or None
        ``"standard"``: each column to mean 0 and standard deviation 1. ``"pareto"``: each to mean 0, and
        divided by the geometric mean of its standard deviation and the columns' mean one, so that the
        variances' mean is 1 (Pareto scaling, van den Berg et al. 2006). ``"minmax"``: each column onto
        [0, 1]. ``"spread"``: all columns divided by one number, their common standard deviation, so that zero
        stays zero and the columns keep their proportions. None: nothing. Constant columns (and, for
        ``"spread"``, constant matrices) are divided by one.
    X : Matrix of shape (n_samples, n_features)
        Missing cells (NaN) are passed over.
    unit_columns : sequence of int, default=()
        Columns that are mapped onto [0, 1], whatever the kind.
    weights : array of shape (n_samples,) or None, default=None
        How often each sample counts; None: once.
    kept : sequence of int, default=()
        Columns that stay as they are, whatever the kind.

    Returns
    -------
    Scaling
    """
    if len(kept):
        scaling = fit_scaling(kind, X, unit_columns, weights)
        scaling.shift[list(kept)], scaling.factor[list(kept)] = 0.0, 1.0
        return scaling
    if len(unit_columns):
        scaling, onto_unit = fit_scaling(kind, X, weights=weights), fit_scaling("minmax", X)
        for own, unit in ((scaling.shift, onto_unit.shift), (scaling.factor, onto_unit.factor)):
            own[list(unit_columns)] = unit[list(unit_columns)]
        return scaling
    n_features = X.shape[1]
    if kind is None:
        return Scaling.identity(n_features)
    if kind == "minmax":
        low, high = column_range(X)
        return _scaling(low, np.where(high > low, high - low, 1.0))
    mean, variance = column_moments(X, weights)
    if kind == "spread":
        spread = float(np.sqrt(variance.mean()))
        return _scaling(np.zeros(n_features), np.full(n_features, spread if spread > 0 else 1.0))
    deviation = np.sqrt(variance)
    varies = deviation > 0
    if kind == "pareto" and varies.any():
        deviation = np.sqrt(deviation * deviation[varies].mean())
    return _scaling(mean, np.where(varies, deviation, 1.0))


def apply_scaling(scaling: Scaling, X: Matrix) -> Tensor:
    """The scaled samples as one float32 tensor, not to be written: it may be the memory of ``X``."""
    scale = BlockScaling(scaling, X.dtype)
    if (
        isinstance(X, DenseMatrix)
        and X.dtype == np.float32
        and X.array.flags.carray
        and scale.changes_nothing
    ):
        return torch.from_numpy(X.array)
    scaled = np.empty(X.shape, np.float32)
    start = 0
    for block in X.blocks(dtype=None):
        scale(block, scaled[start : start + len(block)])
        start += len(block)
    return torch.from_numpy(scaled)


class BlockScaling:
    """A scaling as NumPy computes it: by one thread, in the precision of the samples, which are not written.

    Parameters
    ----------
    scaling : Scaling
    dtype : float32 or float64
        Of the samples.
    """

    def __init__(self, scaling: Scaling, dtype: np.dtype[Any]) -> None:
        shift, factor = (values.cpu().numpy().astype(dtype) for values in (scaling.shift, scaling.factor))
        self._shift = shift if shift.any() else None
        self._factor = factor if (factor != 1).any() else None

    @property
    def changes_nothing(self) -> bool:
        """Whether it is the identity."""
        return self._shift is None and self._factor is None

    def __call__(self, x: npt.NDArray[np.floating], out: npt.NDArray[np.float32]) -> None:
        """Write the scaled samples to ``out``, which may be the samples themselves."""
        if self._shift is not None:
            x = np.subtract(x, self._shift, out=out if out.dtype == x.dtype else None)
        if self._factor is not None:
            x = np.divide(x, self._factor, out=out if out.dtype == x.dtype else None)
        if x is not out:
            out[:] = x


def _scaling(shift: npt.NDArray[np.float64], factor: npt.NDArray[np.float64]) -> Scaling:
    return Scaling(
        torch.from_numpy(np.asarray(shift, np.float64)), torch.from_numpy(np.asarray(factor, np.float64))
    )
