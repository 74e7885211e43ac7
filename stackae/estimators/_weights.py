"""How often rows count: ``sample_weight`` checked, and rows of no weight left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackae.data.mapped import MappedRows
from stackae.data.sparse import SparseRows
from stackae.exceptions import DataError
from stackae.fitting.greedy import Input

Floats = npt.NDArray[np.float64]

#: Up to so many rows, weights counted in, a fit does not depend on the order of the rows.
_FEW = 200


def weighed(
    rows: Input, sample_weight: Any, targets: Floats | None = None
) -> tuple[Input, Floats | None, Floats | None]:
    """The rows that count, how often an epoch visits each, and their targets.

    Whole numbers are counts: a row of weight 2 is the same as the row twice. Other weights are relative; they
    are divided by their mean over the rows that count. Where there are few rows they are put into an order of
    their own and repeated, so that whole weights and repeated rows give the same bits; where there are many
    they give the same expectation.

    Parameters
    ----------
    rows : array, MappedRows or SparseRows of shape (n_rows, n_features)
    sample_weight : array-like of shape (n_rows,) or None
    targets : array of shape (n_rows, n_targets) or None, default=None

    Returns
    -------
    rows, weights, targets
        ``weights`` is None where each row counts once.

    Raises
    ------
    DataError
        Weights of another length, negative, not finite, or all zero.
    """
    weights = None if sample_weight is None else check_weights(sample_weight, len(rows))
    if weights is not None and not weights.all():
        keep = np.flatnonzero(weights)
        rows, weights = taken(rows, keep), weights[keep]
        targets = None if targets is None else targets[keep]
    if weights is not None and not (weights == np.round(weights)).all():
        weights = weights / weights.mean()
    elif (len(rows) if weights is None else weights.sum()) <= _FEW:
        keys = rows[:] if targets is None else np.hstack([rows[:], targets])
        order = np.lexsort(keys.T[::-1])
        if weights is not None:
            order = np.repeat(order, weights[order].astype(np.int64))
        rows, targets = taken(rows, order), None if targets is None else targets[order]
        weights = None
    elif weights is not None and (weights == 1).all():
        weights = None
    return rows, weights, targets


def taken(rows: Input, index: npt.NDArray[np.integer]) -> Input:
    """Some of the rows, in the order given; those on the disk are read."""
    if isinstance(rows, MappedRows):
        return rows.take(index)
    return rows.chosen(index) if isinstance(rows, SparseRows) else rows[index]


def check_weights(sample_weight: Any, n_rows: int) -> Floats:
    """Weights as floats, one a row, or refused with row and value."""
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "biuf":
        weights = weights.astype(np.float64)
    if weights.ndim == 0:
        weights = np.full(n_rows, weights)
    if weights.shape != (n_rows,):
        raise DataError(f"sample_weight must have one number a row, {n_rows}, got shape {weights.shape}")
    weights = weights.astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        row = int(np.argmin(np.isfinite(weights) & (weights >= 0)))
        raise DataError(f"sample_weight must be finite and at least 0, got {weights[row]:g} in row {row}")
    if not weights.any():
        raise DataError("sample_weight must be above 0 for some row, got zeros only")
    return weights
