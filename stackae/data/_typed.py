"""Tables that :mod:`stackae.data.dialects` reads, as matrices of numbers or as typed columns."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stackae.data._numerals import is_number
from stackae.data._parquet import Columns, as_labels, as_table, choose_features
from stackae.data._table import (
    StrPath,
    Table,
    TableSpec,
    find_columns,
    labels_of,
    names_asked_for,
    refusal,
    with_point,
)
from stackae.data.dialects import read_as
from stackae.data.labels import says_nothing

if TYPE_CHECKING:
    import pyarrow as pa

    from stackae.data.dialects import Dialect

#: Formats whose labels have types of their own.
_TYPED = ("Arrow", "Parquet")
#: Files that never lack the names of columns.
_NAMES_COLUMNS = r"\.(parquet|arrow|feather|ipc|jsonl|ndjson)(\.(gz|zst|bz2))?\Z"


def read_typed(path: StrPath, spec: TableSpec) -> Table:
    """Read a file in any dialect or format."""
    table, dialect = read_as(path, **asked_of(spec))
    columns = choose_typed(path, table.schema, dialect, spec, table)
    return finished(path, as_table(path, table, columns), dialect, spec)


def finished(path: StrPath, found: Table, dialect: Dialect, spec: TableSpec) -> Table:
    """The same with labels as they are written, and without names where a matrix has none."""
    if found.y is not None and dialect.format not in _TYPED:
        found = replace(found, y=_labels_of(path, found.y.tolist(), dialect, spec))
    nameless = dialect.header is False and not hasattr(found.X, "schema")
    return replace(found, feature_names=None) if nameless else found


def asked_of(spec: TableSpec) -> dict[str, Any]:
    """What a specification insists on, as the readers of dialects take it."""
    return {
        "as_text": tuple(name for name in (spec.labels, spec.ids) if name is not None),
        "known": names_asked_for(spec),
        **{name: getattr(spec, name) for name in ("delimiter", "decimal", "header", "encoding", "na")},
    }


def choose_typed(
    path: StrPath, schema: pa.Schema, dialect: Dialect, spec: TableSpec, table: pa.Table | None = None
) -> Columns:
    """Choose the features among typed columns; the names of rows, which have no name themselves, are none.

    Without the cells, a first column without a name is taken for such names.
    """
    names = schema.names
    places = find_columns(path, names, spec)
    named = {*places.features, places.label, places.id}
    may_be_index = dialect.index and 0 in named and spec.features is None
    if may_be_index and (table is None or _all_differ(table.column(0))):
        if places.features == [0]:
            raise refusal(path, "no columns but the names of rows", mend="name the first column")
        others = [place for place in places.features if place != 0]
        places = places._replace(features=others, ignored=(names[0], *places.ignored))
    return choose_features(path, schema, names, places, dialect.n_rows, spec, cells=table)


def _all_differ(column: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.count_distinct(column).as_py() == len(column))


def read_typed_labels(path: StrPath, spec: TableSpec) -> np.ndarray:
    """Read the labels of a file of one column, as they are written; an empty cell stands for no label.

    Where it is not said, a first cell that is not a number is the header if only numbers follow, or if it
    never occurs again: the name of a class does, as a rule.
    """
    names_columns = re.search(_NAMES_COLUMNS, os.fspath(path).lower())
    header = spec.header if names_columns or spec.header is not None else False
    table, dialect = read_as(path, **asked_of(replace(spec, header=header, labels="1")))
    if table.num_columns != 1:
        what = f"labels are one column, this file has {table.num_columns}"
        raise refusal(path, what, mend="leave the others out, names of rows too")
    if dialect.format in _TYPED:
        return as_labels(path, table.schema.names[0], table.column(0))
    cells = ["" if cell is None else cell for cell in table.column(0).to_pylist()]
    comma = _has_decimal_comma(dialect, spec)
    if spec.header is None and header is False and _names_the_others(cells, decimal_comma=comma):
        del cells[:1]
    if all(map(says_nothing, cells)):
        raise refusal(path, "no labels in it", mend="give at least one row")
    return _labels_of(path, cells, dialect, spec)


def _labels_of(path: StrPath, cells: list[str], dialect: Dialect, spec: TableSpec) -> np.ndarray:
    """Labels written as text, in numbers as the features are."""
    return labels_of(path, cells, spec.na, decimal_comma=_has_decimal_comma(dialect, spec))


def _has_decimal_comma(dialect: Dialect, spec: TableSpec) -> bool:
    """Whether labels do: as the features, or where semicolons divide cells, or nothing does."""
    decimal = spec.decimal or dialect.decimal
    return decimal == "," or (decimal is None and dialect.delimiter in (";", None))


def _names_the_others(cells: list[str], *, decimal_comma: bool) -> bool:
    first, *others = [with_point(cell) for cell in cells] if decimal_comma else cells
    if is_number(first) or says_nothing(first):
        return False
    return all(is_number(cell) or says_nothing(cell) for cell in others) or first not in others
