"""The rows that an estimator is given: refused with row and column, or returned as a float matrix."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from stackae.data.mapped import MappedRows, is_mapped, release
from stackae.data.named_rows import NamedRows
from stackae.data.sparse import SparseRows
from stackae.exceptions import DataError, DataTypeError, StackaeWarning
from stackae.fitting.greedy import Input
from stackae.modules.scaling import blocks

#: Half of float32's range, so that differences stay within it.
_LARGEST = float(np.finfo(np.float32).max) / 2
_EXACT_INTEGERS = 2**53


def check_rows(
    estimator: BaseEstimator, X: Any, *, reset: bool, missing_values: float | None = None
) -> Input:
    """Validate ``X`` as scikit-learn does, and refuse what scikit-learn would silently convert.

    Parameters
    ----------
    estimator : BaseEstimator
        Its ``n_features_in_`` and ``feature_names_in_`` are set (``reset=True``) or compared.
    X : array-like, sparse matrix, MappedRows or NamedRows of shape (n_rows, n_features)
    reset : bool
    missing_values : float or None, default=None
        What stands for a missing cell; NaN where it is another number, too. None: no cell may be missing.

    Returns
    -------
    array, MappedRows or SparseRows of shape (n_rows, n_features)
        float32 or float64, the user's own memory where it was of that type already; never to be written.
        Missing cells are NaN. Memory maps are not loaded: they come as MappedRows. Sparse matrices come as
        SparseRows.

    Raises
    ------
    DataTypeError
        Text, dates, categories or masked cells.
    DataError
        Values that are infinite, missing, or over half of float32's range, with row and column; and whatever
        else scikit-learn refuses: shapes, complex values, other column names.
    """
    names = X.names if isinstance(X, NamedRows) else None
    if names is not None:
        X = X.rows
        if not reset:
            refuse_other_names(names, getattr(estimator, "feature_names_in_", names))
    X = _detach(X)
    if isinstance(X, SparseRows):
        X = X.matrix
    _refuse_silent_conversions(X)
    if is_mapped(X) and X.ndim == 2 and X.size and X.dtype.kind in "biuf":
        release(X)
        X = MappedRows([X])
    try:
        with warnings.catch_warnings():
            if names is not None:  # they were compared above
                warnings.filterwarnings("ignore", message="X does not have valid feature names")
            rows: Any = validate_data(
                estimator,
                X[:1] if isinstance(X, MappedRows) else X,
                reset=reset,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                ensure_all_finite=False,
            )
    except TypeError as error:
        raise DataTypeError(str(error)) from None
    except ValueError as error:
        raise DataError(str(error)) from None
    rows = X if isinstance(X, MappedRows) else SparseRows(rows) if issparse(rows) else rows
    if names is not None and reset:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)
    names = names if names is not None else getattr(estimator, "feature_names_in_", None)
    if missing_values is not None and not isinstance(rows, np.ndarray) and not np.isnan(missing_values):
        raise DataError(
            f"only np.nan can stand for missing values in rows that are sparse or on the disk, got"
            f" {missing_values:g}; load them, or replace it"
        )
    if missing_values is not None and not np.isnan(missing_values):
        rows = np.where(rows == missing_values, rows.dtype.type(np.nan), rows)
    _refuse_non_finite(rows, names, may_be_nan=missing_values is not None)
    checked: Input = rows
    return checked


def refuse_other_names(given: Sequence[str], fitted: Iterable[str]) -> None:
    """As scikit-learn does where data frames are given."""
    fitted = list(fitted)
    if fitted == list(given):
        return
    here, there = set(given), set(fitted)
    missing = [name for name in fitted if name not in here]
    unexpected = [name for name in given if name not in there]
    differences = [
        f"{word} {_listed(names)}"
        for word, names in (("missing", missing), ("unexpected", unexpected))
        if names
    ]
    raise DataError(
        "the feature names should match those that were fitted, in the same order:"
        f" {'; '.join(differences) or 'they are in another order'}"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _detach(X: Any) -> Any:
    return X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X


def _refuse_silent_conversions(X: Any) -> None:
    if type(X).__name__ == "LazyFrame":
        raise DataTypeError("lazy frames are not accepted; give what collect() makes of it")
    if isinstance(X, np.ma.MaskedArray):
        raise DataTypeError(
            "masked arrays are not accepted; fill the masked cells first, with X.filled(value)"
        )
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        if repeated := [str(name) for name, count in Counter(X.columns).items() if count > 1]:
            raise DataError(f"column names must differ, got {_listed(repeated)} more than once; rename them")
        for name, dtype in zip(X.columns, X.dtypes, strict=True):
            if not _is_numeric(dtype, X, name):
                raise DataTypeError(f"column {name!r} must be numeric, got {dtype}; encode or drop it")
            if _is_integer(dtype):
                column = X[name]
                _warn_of_rounding(column.min(), column.max())
        return
    if issparse(X):
        if X.dtype.kind in "iu":
            _warn_of_rounding(*_bounds(X.tocoo().data))
        return
    array = X if isinstance(X, np.ndarray) else None
    if array is None and isinstance(X, (list, tuple)):
        try:
            array = np.asarray(X)
        except ValueError:  # ragged: scikit-learn says so in its own words
            return
    if array is None:
        return
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported; give real and imaginary parts as columns")
    if array.dtype.kind in "USMm":
        raise DataTypeError(f"rows must be numeric, got {array.dtype}; convert or encode them first")
    if array.dtype.kind == "O" and array.ndim == 2:
        integers = [0]
        for (row, column), value in np.ndenumerate(array):
            if isinstance(value, Integral):
                integers.append(int(value))
            elif why := _no_number(value):
                raise DataTypeError(f"rows must be numeric, {why} in row {row}, column {column}")
        _warn_of_rounding(min(integers), max(integers))
    _warn_of_rounding(*_bounds(array))


def _no_number(cell: Any) -> str:
    """Why a cell of an object array is no number; empty where it is one, or is missing."""
    if isinstance(cell, (str, bytes)):
        return f"got text {cell!r}"
    try:
        float("nan" if cell is None else cell)
    except (TypeError, ValueError) as error:
        return f"{error},"
    return ""


def _bounds(array: np.ndarray) -> tuple[int, int]:
    """The least and the greatest, where they are integers that may be rounded."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or not array.size:
        return 0, 0
    return int(array.min()), int(array.max())


def _warn_of_rounding(least: Any, greatest: Any) -> None:
    """Warn where integers are too large for float64; bounds that are missing tell nothing."""
    known = [abs(int(bound)) for bound in (least, greatest) if isinstance(bound, Integral)]
    if known and max(known) > _EXACT_INTEGERS:
        warnings.warn(
            f"integers over 2**53 are rounded, got {max(known)}; shift or encode identifiers first",
            StackaeWarning,
            stacklevel=6,
        )


def _is_integer(dtype: Any) -> bool:
    """Whether a frame's column holds integers of 64 bits."""
    if hasattr(dtype, "is_integer"):  # polars
        return bool(dtype.is_integer())
    return getattr(dtype, "kind", "O") in "iu" and getattr(dtype, "itemsize", 0) >= 8


def _is_numeric(dtype: Any, X: Any, name: Any) -> bool:
    if hasattr(dtype, "is_numeric"):  # polars
        return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
    kind = getattr(dtype, "kind", "O")
    if kind == "O" and type(dtype).__name__.startswith("ObjectDType"):  # numpy's own: look inside
        return not any(_no_number(value) for value in X[name])
    return kind in "biuf"


def _refuse_non_finite(rows: Input, names: Sequence[str] | None, *, may_be_nan: bool) -> None:
    if isinstance(rows, SparseRows):
        if rows.stored.size and not np.abs(rows.stored).max() <= _LARGEST:
            place = int(np.argmin(np.abs(rows.stored) <= _LARGEST))
            row = int(np.searchsorted(rows.matrix.indptr, place, side="right")) - 1
            column, value = int(rows.matrix.indices[place]), float(rows.stored[place])
            raise _non_finite(value, row, str(column))
        return
    start = largest = 0
    for block in blocks(rows, dtype=None):
        low, high = torch.aminmax(torch.from_numpy(block))  # a NaN makes both NaN, and that compares false
        if not (low >= -_LARGEST and high <= _LARGEST):
            bad = ~(np.abs(block) <= _LARGEST)
            if may_be_nan:
                bad &= ~np.isnan(block)
            if bad.any():
                row, column = (int(i) for i in np.argwhere(bad)[0])
                label = repr(str(names[column])) if names is not None else str(column)
                raise _non_finite(float(block[row, column]), start + row, label)
        elif isinstance(rows, MappedRows) and rows.of_long_integers:
            largest = max(largest, -int(low), int(high))
        start += len(block)
    _warn_of_rounding(0, largest)


def _non_finite(value: float, row: int, column: str) -> DataError:
    what = (
        "NaN"
        if np.isnan(value)
        else f"{value:g}"
        if np.isinf(value)
        else f"{value:g}, over {_LARGEST:.1e}, half of float32's range"
    )
    mend = "drop such rows, or impute or rescale the column"
    if np.isnan(value):
        mend = "impute the column, or set missing_values=np.nan"
    return DataError(f"Input X contains {what} in row {row}, column {column}; {mend}")
