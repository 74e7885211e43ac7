"""Tables in one file that is too large for the memory: read in blocks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._parquet import Columns, beside, fill
from stackae.data._table import StrPath, Table, TableSpec, check_shape
from stackae.data._typed import asked_of, choose_typed, finished
from stackae.data.dialects import TableStream, stream_as
from stackae.data.mapped import MappedMatrix, ScratchRows

_MOST_EXPANSION = 8  # bytes in memory for a byte on the disk, as a rule of thumb: when to look closer
_SHARE = 4  # of the memory is for the text and the types of a block


def may_exceed(paths: Sequence[StrPath], n_bytes: int) -> bool:
    """Whether files may take more than so many bytes in memory."""
    return _MOST_EXPANSION * sum(map(os.path.getsize, paths)) > n_bytes


def read_large(path: StrPath, spec: TableSpec, budget: MemoryBudget) -> Table:
    """Read a file whose rows may exceed the memory; labels and ids are held.

    Columns of numbers are copied to the disk, as one matrix; of others ``X`` is a stream of typed batches.
    """
    import pyarrow as pa

    stream = stream_as(path, budget.n_bytes // _SHARE, budget.folder, **asked_of(spec))
    columns = choose_typed(path, stream.schema, stream.dialect, spec)
    X: Any
    if columns.dtype is None:
        X = select(stream, columns.features)
        kept = [batch.select(columns.apart) for batch in stream] if columns.apart else []
    else:
        X, kept = _copied(path, stream, columns, budget.folder)
    y, ids = beside(path, pa.Table.from_batches(kept), columns) if kept else (None, None)
    found = Table(X, columns.features, y, ids, columns.ignored)
    return finished(path, found, stream.dialect, spec)


def select(stream: TableStream, names: list[str]) -> TableStream:
    """A stream of some of the columns."""
    import pyarrow as pa

    schema = pa.schema([stream.schema.field(name) for name in names])
    return TableStream(schema, stream.dialect, stream.cells, lambda cells: stream.typed(cells).select(names))


def _copied(
    path: StrPath, stream: TableStream, columns: Columns, folder: str | os.PathLike[str] | None
) -> tuple[MappedMatrix, list[Any]]:
    """The features as a matrix on the disk, and the columns beside them."""
    import pyarrow as pa

    assert columns.dtype is not None
    shape = (stream.dialect.n_rows, len(columns.features))
    check_shape(path, shape)
    rows, kept = ScratchRows(shape, columns.dtype, folder), []
    for batch in stream:
        part = np.empty((len(batch), shape[1]), columns.dtype)
        fill(path, part, columns.features, pa.Table.from_batches([batch]))
        rows.append(part)
        kept += [batch.select(columns.apart)] if columns.apart else []
    return rows.matrix(), kept
