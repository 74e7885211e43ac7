"""Record batches of Arrow as what an estimator is given, and Parquet files of any filesystem as batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from stackae.data._parquet import Columns, choose_features, fill, pandas_columns
from stackae.data._table import TableSpec, decoding, find_columns, refusal
from stackae.data.filling import fill_columns
from stackae.data.named_matrix import NamedMatrix

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Columns",
    "TableSpec",
    "columns_of",
    "fill_columns",
    "parquet_on",
    "refusal",
    "refuse_other_types",
    "samples_of",
]


def columns_of(where: str, schema: pa.Schema, spec: TableSpec) -> Columns:
    """Which columns of batches are read, and as what.

    Raises
    ------
    DataFileError
        A column that is asked for is not there, or holds what its use does not allow; it names ``where``.
    """
    index, categories = pandas_columns(schema)
    names = [name for name in schema.names if name not in index]
    return choose_features(where, schema, names, find_columns(where, names, spec), 0, spec, categories)


def samples_of(where: str, columns: Columns, table: pa.Table) -> Any:
    """The features of a table as an estimator takes them: a matrix with names, or typed columns."""
    if columns.dtype is None:
        return table.select(columns.features)
    beside = np.empty(
        (len(columns.features), len(table)), columns.dtype
    )  # written a column at a time: faster
    fill(where, beside.T, columns.features, table)
    X = np.ascontiguousarray(beside.T)
    return NamedMatrix(X, columns.features)


def refuse_other_types(where: str, schema: pa.Schema, names: list[str], known: pa.Schema, first: str) -> None:
    """Refuse a file in which columns are missing, or hold something else than in the first file."""
    for name in names:
        if name not in schema.names:
            what = f"no column {name!r}, which is in {first}"
            raise refusal(where, what, mend="files of one folder have the same columns")
        held, other = schema.field(name).type, known.field(name).type
        if held != other:
            what = f"column {name!r} holds {held}, where it holds {other} in {first}"
            raise refusal(where, what, mend="files of one folder have the same types")


@contextmanager
def parquet_on(filesystem: Any, path: str, where: str | None = None) -> Iterator[Any]:
    """Open a file of a filesystem of pyarrow, and turn what is found wrong into refusals.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
    path : str
        As the filesystem knows it.
    where : str or None, default=None
        What messages call it.
    """
    import pyarrow.parquet as pq

    where = path if where is None else where
    with (
        decoding(where, "a Parquet file"),
        filesystem.open_input_file(path) as file,
        pq.ParquetFile(file, page_checksum_verification=True) as parquet,
    ):
        yield parquet
