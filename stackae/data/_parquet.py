"""Parquet, through pyarrow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from stackae.data._numerals import is_number
from stackae.data._table import (
    Places,
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

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 2**14  # where a file is copied to the disk


class Columns(NamedTuple):
    """Which columns of a file are read."""

    features: list[str]
    label: str | None
    id: str | None
    ignored: tuple[str, ...]
    dtype: np.dtype[Any] | None  # of the matrix that the features make; None: they are kept as a table
    n_samples: int

    @property
    def apart(self) -> list[str]:
        """The columns that are no features: labels and ids."""
        return sorted({name for name in (self.label, self.id) if name is not None})


def read_parquet(path: StrPath, spec: TableSpec) -> Table:
    """Read a ``.parquet`` file; page checksums are compared where the file has them."""
    with open_parquet(path) as parquet:
        columns = choose_columns(path, parquet, spec)
        table = parquet.read(columns=[*columns.features, *columns.apart])
        return as_table(path, table, columns)


def as_table(path: StrPath, table: pa.Table, columns: Columns) -> Table:
    """Typed columns as a matrix or a table, and labels and ids beside it; gaps of a matrix are NaN."""
    features, dtype = columns.features, columns.dtype
    X: np.ndarray | pa.Table
    if dtype is None:
        X = table.select(features)
    else:
        check_shape(path, (table.num_rows, len(features)))
        X = np.empty((table.num_rows, len(features)), dtype)
        fill(path, X, features, table)
    return Table(X, features, *beside(path, table, columns), columns.ignored)


def beside(
    path: StrPath, table: pa.Table, columns: Columns
) -> tuple[npt.NDArray[Any] | None, npt.NDArray[Any] | None]:
    """The labels and the ids, where they are wanted."""
    y = None if columns.label is None else as_labels(path, columns.label, table.column(columns.label))
    ids = None if columns.id is None else _ids(path, table.column(columns.id))
    return y, ids


@contextmanager
def open_parquet(path: StrPath) -> Iterator[Any]:
    """Open a file with pyarrow, and turn what it finds wrong into refusals."""
    import pyarrow.parquet as pq

    with (
        open(path, "rb") as file,
        decoding(path, "a Parquet file"),
        pq.ParquetFile(file, page_checksum_verification=True) as parquet,
    ):
        yield parquet


def choose_columns(path: StrPath, parquet: Any, spec: TableSpec) -> Columns:
    """Choose the features among the columns of an open file."""
    spec.refuse_text_options(path, "a .parquet file")
    schema = parquet.schema_arrow
    index, categories = pandas_columns(schema)
    names = [name for name in schema.names if name not in index or name in (spec.labels, spec.ids)]
    places = find_columns(path, names, spec)
    n_samples = parquet.metadata.num_rows
    return choose_features(path, schema, names, places, n_samples, spec, categories)


def choose_features(
    path: StrPath,
    schema: pa.Schema,
    names: Sequence[str],
    places: Places,
    n_samples: int,
    spec: TableSpec,
    categories: Collection[str] = (),
    cells: pa.Table | None = None,
) -> Columns:
    """Settle whether the features make a matrix; refuse what they may not hold."""
    features = [names[place] for place in places.features]
    label, id_ = (None if place is None else names[place] for place in (places.label, places.id))
    others = [name for name in features if name in categories or not _is_numeric(schema.field(name).type)]
    keep = bool(others) if spec.as_table is None else spec.as_table
    for name in others:
        held = schema.field(name).type
        if is_nested(held):
            mend = "drop the column, or flatten it"
            raise refusal(path, f"column {name!r} holds {held}, not single values", mend=mend)
        if not keep:
            found = "categories" if name in categories else _found(name, held, cells)
            what = f"column {name!r} holds {found}, not numbers"
            mend = "drop the column (or say what it is: --labels, --id), or turn it into numbers"
            raise refusal(path, what, mend=mend)
    types = {str(schema.field(name).type) for name in features}
    dtype = np.dtype(np.float32 if types <= {"float", "halffloat"} else np.float64)
    return Columns(features, label, id_, places.ignored, None if keep else dtype, n_samples)


def _found(name: str, held: Any, cells: pa.Table | None) -> str:
    """What a column that is none of numbers holds, with the first cell that is none."""
    if cells is None or str(held) != "string":
        return str(held)
    texts = enumerate(cells.column(name).to_pylist())
    row, cell = next((row, cell) for row, cell in texts if cell is not None and not is_number(cell))
    return f"text, such as {cell[:50]!r} in row {row:,}"


def copy_parquet(path: StrPath, parquet: Any, features: Sequence[str], out: np.ndarray) -> None:
    """Copy the features of an open file to a matrix, a block of rows at a time."""
    import pyarrow as pa

    start = 0
    for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=list(features)):
        part = out[start : start + len(batch)]
        fill(path, part, features, pa.Table.from_batches([batch]))
        release(part)
        start += len(batch)


def fill(path: StrPath, X: np.ndarray, features: Sequence[str], table: Any) -> None:
    """Fill a matrix with columns of numbers, NaN where there is none."""
    for position, name in enumerate(features):
        X[:, position] = _numbers(path, name, table.column(name))


def pandas_columns(schema: Any) -> tuple[set[str], set[str]]:
    """Return what only pandas' own notes tell: its unnamed row index, and its categories of numbers."""
    notes = schema.pandas_metadata or {}
    stored = [name for name in notes.get("index_columns", []) if isinstance(name, str)]
    index = {name for name in stored if re.fullmatch(r"__index_level_\d+__", name)}
    columns = notes.get("columns", [])
    return index, {column["field_name"] for column in columns if column["pandas_type"] == "categorical"}


def is_nested(kind: Any) -> bool:
    """Whether a column of that type has no single values, but lists, structs or bytes."""
    from pyarrow import types

    tests = (types.is_nested, types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(test(kind) for test in tests)


def _numbers(path: StrPath, name: str, column: Any) -> np.ndarray:
    """A column of numbers, NaN where there is none."""
    from pyarrow import float64, types

    where = f"integers of column {name!r}"
    if types.is_integer(column.type) and column.null_count:
        warn_of_rounding(path, column.drop_null().to_numpy(), where)
        return cast(np.ndarray, column.cast(float64(), safe=False).to_numpy())
    if types.is_boolean(column.type) and column.null_count:
        column = column.cast("int8")
    as_floats = column.null_count and not types.is_floating(column.type)
    values: np.ndarray = (
        column.cast(float64()) if as_floats or types.is_decimal(column.type) else column
    ).to_numpy()
    warn_of_rounding(path, values, where)
    return values


def as_labels(path: StrPath, name: str, column: Any) -> np.ndarray:
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
