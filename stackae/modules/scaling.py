"""The affine map between the user's units (or the codes below) and the units in which a layer works."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stackae.data.mapped import MappedRows
from stackae.data.sparse import SparseRows

#: A matrix of rows: in memory, on the disk, or on a device.
Matrix = npt.NDArray[np.floating] | MappedRows | SparseRows | Tensor

#: Rows are taken in blocks of about this many values: few enough to stay in a processor's cache.
_BLOCK = 2**20


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

    def forward(self, x: Tensor) -> Tensor:
        """From the outer units to the layer's, in the precision of ``x``."""
        # What changes nothing is left out where looking costs nothing; a GPU would have to be waited for.
        on_cpu = self.shift.device.type == "cpu"
        if not on_cpu or bool(self.shift.any()):
            x = x - self.shift.to(x.dtype)
        if not on_cpu or bool((self.factor != 1).any()):
            x = x / self.factor.to(x.dtype)
        return x

    def inverse(self, z: Tensor) -> Tensor:
        """Back to the outer units."""
        return torch.addcmul(self.shift.to(z.dtype), z, self.factor.to(z.dtype))


def fit_scaling(
    kind: str | None,
    X: Matrix,
    unit_columns: Sequence[int] = (),
    weights: npt.NDArray[np.float64] | None = None,
) -> Scaling:
    """Measure the scaling of a matrix of rows.

    Parameters
    ----------
    kind : {"standard", "minmax", "spread"} or None
        ``"standard"``: each column to mean 0 and standard deviation 1. ``"minmax"``: each column onto
        [0, 1]. ``"spread"``: all columns divided by one number, their common standard deviation, so that
        zero stays zero and the columns keep their proportions. None: nothing. Constant columns (and, for
        ``"spread"``, constant matrices) are divided by one.
    X : array, MappedRows or Tensor of shape (n_rows, n_features)
        Missing cells (NaN) are passed over.
    unit_columns : sequence of int, default=()
        Columns that are mapped onto [0, 1], whatever the kind.
    weights : array of shape (n_rows,) or None, default=None
        How often each row counts; None: once.

    Returns
    -------
    Scaling
    """
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
    mean = column_means(X, weights)
    variance = column_means(X, weights, lambda block: np.square(block - mean))
    # What rounding leaves of a constant column is no spread.
    constant = np.sqrt(variance) <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    if kind == "spread":
        spread = float(np.sqrt(np.where(constant, 0.0, variance).mean()))
        return _scaling(np.zeros(n_features), np.full(n_features, spread if spread > 0 else 1.0))
    return _scaling(mean, np.where(constant, 1.0, np.sqrt(variance)))


def column_means(
    X: Matrix,
    weights: npt.NDArray[np.float64] | None = None,
    function: Callable[[npt.NDArray[np.floating]], npt.NDArray[np.floating]] | None = None,
) -> npt.NDArray[np.float64]:
    """The mean of each column, or of a function of its values; missing cells (NaN) are passed over.

    ``weights`` (n_rows) says how often each row counts; None: once.
    """
    sums, counts, start = [], [], 0
    for block in blocks(X):
        values = block if function is None else function(block)
        weight = np.ones(len(block)) if weights is None else weights[start : start + len(block)]
        start += len(block)
        total = values.sum(0) if weights is None else weight @ values
        count = np.full(values.shape[1], weight.sum())
        if np.isnan(total).any():
            there = ~np.isnan(values)
            total, count = weight @ np.where(there, values, 0.0), weight @ there
        sums.append(total)
        counts.append(count)
    mean: npt.NDArray[np.float64] = np.sum(sums, 0) / np.sum(counts, 0)
    return mean


def column_range(X: Matrix) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the greatest value of each column; inf and -inf where all are missing (NaN)."""
    low, high = (np.full(X.shape[1], bound) for bound in (np.inf, -np.inf))
    for block in blocks(X, dtype=None):
        least, greatest = (values.numpy() for values in torch.aminmax(torch.from_numpy(block), dim=0))
        if np.isnan(least).any():
            least, greatest = np.fmin.reduce(block, 0), np.fmax.reduce(block, 0)
        np.fmin(low, least, out=low)
        np.fmax(high, greatest, out=high)
    return low, high


def two_valuedness(z: npt.NDArray[np.floating]) -> float:
    """The variance of columns in [0, 1] as a share of what it would be if they held zeros and ones only.

    Σ var / Σ p·(1 - p), with p the columns' means: 1 for binary columns, 1/3 for uniform noise.
    """
    mean = z.mean(0)
    most = float((mean * (1 - mean)).sum())
    return float(z.var(0).sum()) / most if most > 0 else 0.0


def binary_columns(
    X: Matrix, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Which columns, of these ranges, hold nothing but zeros and ones, and both of them."""
    binary: npt.NDArray[np.bool_] = (low == 0) & (high == 1)
    for block in blocks(X, dtype=None):
        if not binary.any():
            break
        of_these = block[:, binary]
        binary[binary] = ((of_these == 0) | (of_these == 1) | np.isnan(of_these)).all(0)
    return binary


def apply_scaling(scaling: Scaling, X: npt.NDArray[np.floating] | MappedRows | SparseRows) -> Tensor:
    """The scaled rows as one float32 tensor, not to be written: where nothing changes it is ``X`` itself."""
    scale = BlockScaling(scaling, X.dtype)
    if isinstance(X, np.ndarray) and X.dtype == np.float32 and X.flags.carray and scale.changes_nothing:
        return torch.from_numpy(X)
    rows = np.empty(X.shape, np.float32)
    start = 0
    for block in blocks(X, dtype=None):
        scale(block, rows[start : start + len(block)])
        start += len(block)
    return torch.from_numpy(rows)


class BlockScaling:
    """A scaling as NumPy computes it: by one thread, in the precision of the rows, which are not written.

    Parameters
    ----------
    scaling : Scaling
    dtype : float32 or float64
        Of the rows.
    """

    def __init__(self, scaling: Scaling, dtype: np.dtype[Any]) -> None:
        shift, factor = (values.cpu().numpy().astype(dtype) for values in (scaling.shift, scaling.factor))
        self._shift = shift if shift.any() else None
        self._factor = factor if (factor != 1).any() else None

    @property
    def changes_nothing(self) -> bool:
        """Whether it is the identity."""
        return self._shift is None and self._factor is None

    def __call__(self, rows: npt.NDArray[np.floating], out: npt.NDArray[np.float32]) -> None:
        """Write the scaled rows to ``out``, which may be the rows themselves."""
        if self._shift is not None:
            rows = np.subtract(rows, self._shift, out=out if out.dtype == rows.dtype else None)
        if self._factor is not None:
            rows = np.divide(rows, self._factor, out=out if out.dtype == rows.dtype else None)
        if rows is not out:
            out[:] = rows


def _scaling(shift: npt.NDArray[np.float64], factor: npt.NDArray[np.float64]) -> Scaling:
    return Scaling(
        torch.from_numpy(np.asarray(shift, np.float64)), torch.from_numpy(np.asarray(factor, np.float64))
    )


def blocks(X: Matrix, dtype: npt.DTypeLike | None = np.float64) -> Iterator[npt.NDArray[np.floating]]:
    """Consecutive blocks of rows, contiguous and writable as torch wants them, in ``dtype`` or their own."""
    size = max(1, _BLOCK // max(1, X.shape[1]))
    for start in range(0, X.shape[0], size):
        block = X[start : start + size]
        values = block.cpu().numpy() if isinstance(block, Tensor) else np.asarray(block)
        values = np.ascontiguousarray(values, dtype=dtype)
        yield values if values.flags.writeable else values.copy()
