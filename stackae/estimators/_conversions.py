"""What scikit-learn would silently convert, refused or warned of."""

from __future__ import annotations

import warnings
from collections import Counter
from numbers import Integral
from typing import Any

import numpy as np
from scipy.sparse import issparse

from stackae.exceptions import DataError, DataTypeError, StackaeWarning

_EXACT_INTEGERS = 2**53


def listed(names: list[str]) -> str:
    """Names for a message, five at most."""
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def refuse_silent_conversions(X: Any) -> None:
    """Refuse text, dates, categories, masked cells, and names that occur twice; warn of rounding."""
    if type(X).__name__ == "LazyFrame":
        raise DataTypeError("lazy frames are not accepted; give what collect() makes of it")
    if isinstance(X, np.ma.MaskedArray):
        raise DataTypeError(
            "masked arrays are not accepted; fill the masked cells first, with X.filled(value)"
        )
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        if repeated := [str(name) for name, count in Counter(X.columns).items() if count > 1]:
            raise DataError(f"column names must differ, got {listed(repeated)} more than once; rename them")
        for name, dtype in zip(X.columns, X.dtypes, strict=True):
            if not _is_numeric(dtype, X, name):
                raise DataTypeError(f"column {name!r} must be numeric, got {dtype}; encode or drop it")
            if _is_integer(dtype):
                column = X[name]
                warn_of_rounding(column.min(), column.max())
        return
    if issparse(X):
        if X.dtype.kind in "iu":
            warn_of_rounding(*_bounds(X.tocoo().data))
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
        warn_of_rounding(min(integers), max(integers))
    warn_of_rounding(*_bounds(array))


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


def warn_of_rounding(least: Any, greatest: Any) -> None:
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
