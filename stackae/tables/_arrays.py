"""Arrays of numbers, which pass the encoder of tables as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from stackae.exceptions import DataError, DataTypeError
from stackae.serialization.table_info import ColumnInfo, TableInfo
from stackae.tables._categories import BinaryColumn
from stackae.tables._cells import Cells
from stackae.tables._column import Column
from stackae.tables._fitted import FittedTable
from stackae.tables._numbers import NumberColumn

Floats = npt.NDArray[np.floating]


def fit_array(X: Floats, numeric: str) -> FittedTable:
    """Columns as they are; with ``numeric="quantile"`` those of more than 0 and 1 as normal scores."""
    are_binary = ((X == 0) | (X == 1) | np.isnan(X)).all(axis=0)
    columns: list[Column] = []
    for place, is_binary in enumerate(are_binary.tolist()):
        if is_binary:
            columns.append(BinaryColumn((0, 1)))
        elif numeric == "quantile":
            columns.append(NumberColumn.fit(Cells(place, "numbers", X[:, place].astype(np.float64)), numeric))
        else:
            columns.append(NumberColumn.plain())
    n_missing = np.isnan(X).sum(axis=0).tolist()
    told = TableInfo(
        ColumnInfo(place, X.dtype.name, column.kind, 1, n, "")
        for place, (column, n) in enumerate(zip(columns, n_missing, strict=True))
    )
    return FittedTable(None, list(range(X.shape[1])), [], columns, told, X.dtype.name)


def mapped(array: Floats, fitted: FittedTable, *, back: bool) -> Floats:
    """An array as it is, but for the columns that go through quantiles, which are copied."""
    if not any(isinstance(column, NumberColumn) and len(column.knots) for column in fitted.columns):
        return array
    array = array.copy()
    for place, column in enumerate(fitted.columns):
        if isinstance(column, NumberColumn) and len(column.knots):
            knots = (column.scores, column.knots) if back else (column.knots, column.scores)
            array[:, place] = np.interp(array[:, place], *knots)
    return array


def as_array(encoder: BaseEstimator, X: Any, *, reset: bool) -> Floats:
    """What scikit-learn takes for an array of numbers; text that it would read as numbers is refused."""
    if isinstance(X, np.ma.MaskedArray):
        raise DataTypeError(
            "masked arrays are not accepted; fill the masked cells first, with X.filled(value)"
        )
    cells = np.asarray(X) if isinstance(X, (np.ndarray, list, tuple)) else np.empty(0)
    if cells.dtype.kind == "c":
        raise DataError("Complex data not supported; give real and imaginary parts as columns")
    if cells.dtype.kind in "USMm" or (
        cells.dtype.kind == "O" and any(isinstance(cell, (str, bytes)) for cell in cells.flat)
    ):
        raise DataTypeError("an array must hold numbers, got text or dates; give a data frame")
    try:
        array: Floats = validate_data(
            encoder, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )
    except TypeError as error:
        raise DataTypeError(str(error)) from None
    except ValueError as error:
        raise DataError(str(error)) from None
    return array
