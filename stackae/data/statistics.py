"""What is known of a matrix's columns: means, ranges, which hold two values only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stackae.data.matrix import Matrix

#: Fewer whole numbers in equal steps may be a coincidence.
_FEWEST_NUMBERED = 10


def are_numbered(values: npt.NDArray[Any]) -> bool:
    """Whether 10 or more numbers are whole, and in equal steps, as identifiers are; none may be missing.

    Examples
    --------
    >>> are_numbered(np.arange(120.0, 100.0, -2.0)), are_numbered(np.arange(9.0))
    (True, False)
    """
    if len(values) < _FEWEST_NUMBERED or not (values == np.round(values)).all():
        return False
    steps = np.diff(np.sort(values))
    return bool(steps[0] > 0 and (steps == steps[0]).all())


def column_means(
    X: Matrix,
    weights: npt.NDArray[np.float64] | None = None,
    function: Callable[[npt.NDArray[np.floating]], npt.NDArray[np.floating]] | None = None,
) -> npt.NDArray[np.float64]:
    """The mean of each column, or of a function of its values; missing cells (NaN) are passed over.

    ``weights`` (n_samples) says how often each sample counts; None: once.
    """
    sums, counts, start = [], [], 0
    for block in X.blocks():
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


def column_moments(
    X: Matrix, weights: npt.NDArray[np.float64] | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The mean and the variance of each column; missing cells (NaN) are passed over.

    What rounding leaves of a constant column is no variance: it is 0.
    """
    mean = column_means(X, weights)
    variance = column_means(X, weights, lambda block: np.square(block - mean))
    constant = np.sqrt(variance) <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(constant, 0.0, variance)


def column_covariances(
    X: Matrix, ranges: Sequence[tuple[int, int]], mean: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """The covariances of the columns of each range (start, stop), of these means; samples with missing cells
    (NaN) there are passed over."""
    products = [np.zeros((stop - start, stop - start)) for start, stop in ranges]
    counts = np.zeros(len(ranges))
    for block in X.blocks():
        for k, (start, stop) in enumerate(ranges):
            own = block[:, start:stop] - mean[start:stop]
            there = own[~np.isnan(own).any(1)]
            products[k] += there.T @ there
            counts[k] += len(there)
    return [product / max(1, count) for product, count in zip(products, counts, strict=True)]


def column_range(X: Matrix) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the greatest value of each column; inf and -inf where all are missing (NaN)."""
    low, high = (np.full(X.shape[1], bound) for bound in (np.inf, -np.inf))
    for block in X.blocks(dtype=None):
        least, greatest = block.min(0), block.max(0)
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
    for block in X.blocks(dtype=None):
        if not binary.any():
            break
        of_these = block[:, binary]
        binary[binary] = ((of_these == 0) | (of_these == 1) | np.isnan(of_these)).all(0)
    return binary
