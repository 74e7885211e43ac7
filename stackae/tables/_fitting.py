"""A table looked at, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw

from stackae._utils.threads import one_thread_for, side_by_side
from stackae.exceptions import DataError, ParameterError, did_you_mean
from stackae.serialization.table_info import ColumnInfo, TableInfo
from stackae.tables._cells import Cells, Name, missing
from stackae.tables._column import Column, Options
from stackae.tables._fitted import SMALL, FittedTable
from stackae.tables._kinds import KINDS, fit_column
from stackae.tables._numbers import DroppedColumn, NumberColumn
from stackae.tables._reading import Dtype, columns_of, dtype_of, library_of, listed, read


def fit_table(
    table: nw.DataFrame[Any],
    kinds: Mapping[Any, str],
    options: Options,
    read_cells: list[Cells] | None = None,
) -> FittedTable:
    """Learn what each column of a table is.

    Parameters
    ----------
    table : narwhals DataFrame
    kinds : mapping of column names to names in ``KINDS``
        What columns are told to be.
    options : Options
    read_cells : list or None, default=None
        Where the cells of each column are left, to be encoded.

    Raises
    ------
    ParameterError
        ``kinds`` names no column, or no kind.
    DataError
        A column cannot be encoded, or none is left.
    """
    names = [name for name, _ in columns_of(table)]
    _refuse_kinds(kinds, names)
    if not len(table) or not names:
        size = f"{len(table)} rows and {len(names)} columns"
        raise DataError(f"the table has {size}; give at least one of each")
    dtypes = [dtype_of(series) for _, series in columns_of(table)]

    def fitted(named: tuple[Name, nw.Series[Any]]) -> tuple[Column, Cells, ColumnInfo]:
        (name, series), kind = named, kinds.get(named[0])
        cells = missing(name, len(series)) if kind == "drop" else read(name, series)  # whatever is in it
        column, note = _fit_column(series, cells, kind, options)
        n_missing = int(series.null_count() if kind == "drop" else cells.gaps.sum())
        told = ColumnInfo(name, dtype_of(series)["native"], column.kind, column.n_encoded, n_missing, note)
        return column, cells if column.n_encoded else missing(name, len(series)), told

    is_small = len(table) * len(names) < SMALL
    with one_thread_for(0):  # the columns share the cores
        found = side_by_side(fitted, list(columns_of(table)), is_small=is_small, stacklevel=4)
    columns, told = [column for column, _, _ in found], [info for _, _, info in found]
    if read_cells is not None:
        read_cells += [cells for _, cells, _ in found]
    if not any(column.n_encoded for column in columns):
        why = "; ".join(f"{info.name!r} is {info.note}" for info in told[:5])
        raise DataError(f"no column is left to encode: {why}; say with columns= what they are")
    return FittedTable(
        library_of(table), names, dtypes, columns, TableInfo(told), _precision(columns, dtypes)
    )


def _fit_column(
    series: nw.Series[Any], cells: Cells, kind: str | None, options: Options
) -> tuple[Column, str]:
    """A fitted column, and a note."""
    if kind == "drop":
        return DroppedColumn(), "left out, as told"
    is_categorical = isinstance(series.dtype, (nw.Categorical, nw.Enum))
    return fit_column(cells, kind, is_categorical=is_categorical, options=options)


def _precision(columns: list[Column], dtypes: list[Dtype]) -> str:
    """float32 where that holds all that is encoded."""
    kept = [
        (column, dtype["name"]) for column, dtype in zip(columns, dtypes, strict=True) if column.n_encoded
    ]
    are_short = all(
        isinstance(c, NumberColumn) and not len(c.knots) and name == "Float32" for c, name in kept
    )
    return "float32" if are_short else "float64"


def _refuse_kinds(kinds: Mapping[Any, str], names: list[Name]) -> None:
    for name, kind in kinds.items():
        if not isinstance(kind, str) or kind not in KINDS:
            known = ", ".join(map(repr, KINDS))
            raise ParameterError(f"columns: a kind is one of {known}, got {kind!r} for {name!r}")
        if name not in names:
            meant = did_you_mean(str(name), map(str, names))
            raise ParameterError(f"columns: the table has no column {name!r}; it has {listed(names)}{meant}")
