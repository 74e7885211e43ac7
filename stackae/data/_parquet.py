"""Parquet, through pyarrow, which comes with the extra ``tables``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from stackae.data._table import (
    StrPath,
    Table,
    check_shape,
    decoding,
    refusal,
    select_columns,
    texts_of,
    warn_of_rounding,
)


def read_parquet(path: StrPath, drop: Sequence[str], labels: str | None) -> Table:
    """Read a ``.parquet`` file of numbers; page checksums are compared where the file has them."""
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        mend = "install it: pip install 'stackae[tables]'"
        raise refusal(path, "reading Parquet needs pyarrow", mend=mend) from error
    with (
        open(path, "rb") as file,
        decoding(path, "a Parquet file"),
        pq.ParquetFile(file, page_checksum_verification=True) as parquet,
    ):
        schema = parquet.schema_arrow
        index, categories = _pandas_columns(schema)
        names = [name for name in schema.names if name not in index or name == labels]
        kept, label = select_columns(path, names, drop, labels)
        types = [schema.field(names[position]).type for position in kept]
        for position, kind in zip(kept, types, strict=True):
            if not _is_numeric(kind) or names[position] in categories:
                held = "categories" if names[position] in categories else kind
                mend = "drop the column, or turn it into numbers"
                raise refusal(path, f"column {names[position]!r} holds {held}, not numbers", mend=mend)
        wanted = [names[position] for position in kept]
        table = parquet.read(columns=wanted if label is None else [*wanted, names[label]])
        check_shape(path, (table.num_rows, len(kept)))
        single = all(str(kind) in ("float", "halffloat") for kind in types)
        X = np.empty((table.num_rows, len(kept)), np.float32 if single else np.float64)
        for position, name in enumerate(wanted):
            X[:, position] = _numbers(path, name, table.column(name))
        y = None if label is None else _labels(path, names[label], table.column(names[label]))
    return Table(X, wanted, y)


def _pandas_columns(schema: Any) -> tuple[set[str], set[str]]:
    """Return what only pandas' own notes tell: its unnamed row index, and its categories of numbers."""
    notes = schema.pandas_metadata or {}
    stored = [name for name in notes.get("index_columns", []) if isinstance(name, str)]
    index = {name for name in stored if re.fullmatch(r"__index_level_\d+__", name)}
    columns = notes.get("columns", [])
    return index, {column["field_name"] for column in columns if column["pandas_type"] == "categorical"}


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(test(kind) for test in tests)


def _numbers(path: StrPath, name: str, column: Any) -> np.ndarray:
    from pyarrow import float64, types

    _refuse_nulls(path, name, column)
    values: np.ndarray = (column.cast(float64()) if types.is_decimal(column.type) else column).to_numpy()
    warn_of_rounding(path, values, f"integers of column {name!r}")
    return values


def _labels(path: StrPath, name: str, column: Any) -> np.ndarray:
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    _refuse_nulls(path, name, column)
    if types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type):
        values: np.ndarray = column.to_numpy()
        return values
    if types.is_string(column.type) or types.is_large_string(column.type):
        return texts_of(path, column.to_pylist())
    raise refusal(path, f"labels must be numbers or text, column {name!r} holds {column.type}")


def _refuse_nulls(path: StrPath, name: str, column: Any) -> None:
    if column.null_count:
        row = int(column.is_null().to_numpy().argmax())
        mend = "fill it in, or leave the row or column out"
        raise refusal(path, "missing value", f"row {row}, counted from 0, column {name!r}", mend)
