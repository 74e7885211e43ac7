"""Parquet, through pyarrow, which comes with the extra ``tables``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from stackae.data._table import (
    StrPath,
    Table,
    TableSpec,
    check_shape,
    decoding,
    find_columns,
    refusal,
    texts_of,
    warn_of_rounding,
)
from stackae.data.mapped import release

_ROWS_AT_ONCE = 2**14  # where a file is copied to the disk


class Columns(NamedTuple):
    """Which columns of a file are read."""

    features: list[str]
    ignored: tuple[str, ...]
    dtype: np.dtype[Any]  # of the table that the features make
    n_samples: int


def read_parquet(path: StrPath, spec: TableSpec) -> Table:
    """Read a ``.parquet`` file of numbers; page checksums are compared where the file has them."""
    with open_parquet(path) as parquet:
        columns = choose_columns(path, parquet, spec)
        apart = [name for name in (spec.labels, spec.ids) if name is not None]
        table = parquet.read(columns=[*columns.features, *(set(apart) - set(columns.features))])
        return as_table(path, table, columns, spec)


def as_table(path: StrPath, table: Any, columns: Columns, spec: TableSpec) -> Table:
    """Typed columns as a matrix, and labels and ids beside it; gaps are NaN."""
    check_shape(path, (table.num_rows, len(columns.features)))
    X = np.empty((table.num_rows, len(columns.features)), columns.dtype)
    _fill(path, X, columns.features, table)
    y = None if spec.labels is None else _labels(path, spec.labels, table.column(spec.labels))
    ids = None if spec.ids is None else _ids(path, table.column(spec.ids))
    return Table(X, columns.features, y, ids, columns.ignored)


@contextmanager
def open_parquet(path: StrPath) -> Iterator[Any]:
    """Open a file with pyarrow, and turn what it finds wrong into refusals."""
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
        yield parquet


def choose_columns(path: StrPath, parquet: Any, spec: TableSpec) -> Columns:
    """Choose the features among the columns of an open file; refuse what is no number."""
    if spec.header is not None:
        spec.refuse_for(path, "a .parquet file")
    schema = parquet.schema_arrow
    index, categories = _pandas_columns(schema)
    names = [name for name in schema.names if name not in index or name in (spec.labels, spec.ids)]
    places = find_columns(path, names, spec)
    features = [names[position] for position in places.features]
    dtype = refuse_other_than_numbers(path, schema, features, categories)
    return Columns(features, places.ignored, dtype, parquet.metadata.num_rows)


def refuse_other_than_numbers(
    path: StrPath, schema: Any, features: Sequence[str], categories: Collection[str] = ()
) -> np.dtype[Any]:
    """Refuse features that hold something else; return the type of the matrix that they make."""
    types = [schema.field(name).type for name in features]
    for name, kind in zip(features, types, strict=True):
        if not _is_numeric(kind) or name in categories:
            held = "categories" if name in categories else kind
            mend = "drop the column (or say what it is: --labels, --id), or turn it into numbers"
            raise refusal(path, f"column {name!r} holds {held}, not numbers", mend=mend)
    return np.dtype(np.float32 if all(str(kind) in ("float", "halffloat") for kind in types) else np.float64)


def copy_parquet(path: StrPath, parquet: Any, features: Sequence[str], out: np.ndarray) -> None:
    """Copy the features of an open file to a matrix, a block of rows at a time."""
    import pyarrow as pa

    start = 0
    for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=list(features)):
        part = out[start : start + len(batch)]
        _fill(path, part, features, pa.Table.from_batches([batch]))
        release(part)
        start += len(batch)


def _fill(path: StrPath, X: np.ndarray, features: Sequence[str], table: Any) -> None:
    for position, name in enumerate(features):
        X[:, position] = _numbers(path, name, table.column(name))


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
    """A column of numbers, NaN where there is none."""
    from pyarrow import float64, types

    if column.null_count and not types.is_floating(column.type):
        column = column.cast("int8") if types.is_boolean(column.type) else column
    as_floats = types.is_decimal(column.type) or (column.null_count and not types.is_floating(column.type))
    values: np.ndarray = (column.cast(float64()) if as_floats else column).to_numpy()
    warn_of_rounding(path, values, f"integers of column {name!r}")
    return values


def _labels(path: StrPath, name: str, column: Any) -> np.ndarray:
    """Labels in their own type; where some are missing NaN among numbers and booleans, empty among text."""
    from pyarrow import float64, types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_boolean(column.type) and column.null_count:
        column = column.cast("int8")
    if types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type):
        values: np.ndarray = (column.cast(float64()) if column.null_count else column).to_numpy()
        return values
    if types.is_string(column.type) or types.is_large_string(column.type):
        return texts_of(path, ["" if text is None else text for text in column.to_pylist()])
    raise refusal(path, f"labels must be numbers or text, column {name!r} holds {column.type}")


def _ids(path: StrPath, column: Any) -> np.ndarray:
    """What rows are called by: whole numbers, or whatever it is as text."""
    from pyarrow import types

    if types.is_integer(column.type) and not column.null_count:
        values: np.ndarray = column.to_numpy()
        return values
    return texts_of(path, ["" if cell is None else str(cell) for cell in column.to_pylist()])
