"""Files of tables as people have them, in any dialect, as typed columns.

pyarrow reads text into cells, fast and strictly; what the dialect is, and what the columns are, is decided
here, by all cells of a column. Nothing else is opened than the file, and nothing in it is run.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from stackae.data._arrays import part_of
from stackae.data._dialect import Dialect
from stackae.data._endings import ARROW, EXCEL, JSON, PARQUET, TEXT
from stackae.data._table import StrPath

if TYPE_CHECKING:
    import pyarrow as pa

    from stackae.data._sniff import Asked

__all__ = ["Dialect", "TableStream", "TypedTable", "read_any", "stream_any"]

_SMALLEST, _LARGEST = 2**14, 2**28  # bytes of text read at once, at most
_SHARE = 32  # of the memory, for the text of one block: pyarrow reads ahead


class TypedTable(NamedTuple):
    """A file's content and how it was written."""

    table: pa.Table
    dialect: Dialect


def _as_it_is(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


@dataclass(frozen=True)
class TableStream:
    """A file as typed record batches; each iteration reads it anew.

    Attributes
    ----------
    schema : pyarrow.Schema
        Names and types of the columns, as :func:`read_any` gives them.
    dialect : Dialect
        How the file is written, and the gaps and rows in all of it.
    cells : callable
        Gives an iterator over record batches whose cells may still be text.
    typed : callable
        Makes a typed one of such a batch, or of some of its rows.
    """

    schema: pa.Schema
    dialect: Dialect
    cells: Callable[[], Iterator[pa.RecordBatch]] = field(repr=False)
    typed: Callable[[pa.RecordBatch], pa.RecordBatch] = field(repr=False, default=_as_it_is)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return map(self.typed, self.cells())

    def __len__(self) -> int:
        return self.dialect.n_rows

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.dialect.n_rows, len(self.schema.names)


def read_any(
    path: StrPath,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    na: Sequence[str] = (),
) -> TypedTable:
    """Read a file of a table, in any dialect, as typed columns.

    Text (``.csv``, ``.tsv``, ``.tab``, ``.psv``, ``.txt``, ``.data``, ``.dat``)
        Cells between commas, semicolons, tabs, pipes or white space; decimal points or commas; with or
        without a header; in UTF-8, UTF-16 or cp1252 (which has latin-1 in it). Rows of another length than
        the first are refused.
    JSON lines (``.jsonl``, ``.ndjson``)
        One object a line. Keys that a line lacks are gaps.
    Excel (``.xlsx``, ``.xlsm``, ``.xlsb``, ``.xls``, ``.ods``, with the extra ``excel``)
        The first sheet, or that of ``FILE:SHEET``. Merged cells are refused.
    ``.arrow``, ``.feather``, ``.ipc``, ``.parquet``
        Columns as they are.

    Text and JSON lines may be compressed by gzip, zstd or bzip2. A column's type fits all its cells: whole
    numbers (int64), numbers (float64; thousands may be grouped), true and false or yes and no (bool), dates
    and times (date32, timestamp, time64), otherwise text. Numbers that begin with a zero or have more than 18
    digits are identifiers, and stay text. Empty cells, NA, NaN, null, None and ? are gaps (null), and so are
    a dash or point if no other cell is text. Spaces around cells are stripped. A column of gaps is float64. A
    column that is ambiguous throughout, as 1,234 is, takes the decimal sign of the others.

    Parameters
    ----------
    path : str or path-like
        The file; its suffix decides the format.
    delimiter : str, default=None
        The character between cells of text, a space for white space. None: inferred.
    decimal : {".", ","}, default=None
        The decimal sign. None: inferred for each column.
    header : bool, default=None
        Whether the first row names the columns. None: inferred.
    encoding : str, default=None
        The encoding of text, as Python calls it. None: inferred.
    na : sequence of str, default=()
        Further texts that mean a gap.

    Returns
    -------
    table : pyarrow.Table of shape (n_rows, n_columns)
        Without a header the columns are called ``column_1`` and so on; a first column without a name,
        ``index``.
    dialect : Dialect
        How the file is written.

    Raises
    ------
    DataFileError
        The content cannot be used; the message names the file, the line, the rule and the remedy.
    ParameterError
        An option is invalid, or not for this format.
    OSError
        The file cannot be opened.

    Warns
    -----
    StackaeWarning
        A row of numbers was taken as the header.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from stackae.data.dialects import read_any
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plants.csv"
    ...     _ = path.write_text("height;kind;seen\\n1,5;rose;1.5.2024\\n;lily;2.5.2024\\n")
    ...     table, dialect = read_any(path)
    >>> dialect
    semicolons, decimal commas, header; 1 gap in 1 column
    >>> table.to_pydict()["height"], table.schema.field("seen").type
    ([1.5, None], DataType(date32[day]))
    """
    return read_as(path, delimiter=delimiter, decimal=decimal, header=header, encoding=encoding, na=na)


def read_as(path: StrPath, **asking: Any) -> TypedTable:
    """The same; ``as_text``: columns to keep as they are written; ``known``: names that a header has."""
    asked = _asked(**asking)
    import pyarrow as pa

    from stackae.data._arrow import TypedSource
    from stackae.data._opening import dialect_of, open_source
    from stackae.data._scan import scan

    source = open_source(path, asked, _LARGEST)
    if isinstance(source, TypedSource):
        batches = list(source.batches())
        dialect = Dialect(source.kind, **source.counted(batches))
        return TypedTable(pa.Table.from_batches(batches, source.schema()), dialect)
    blocks: deque[Any] = deque()
    found = scan(source, asked, blocks)
    batches = [found.typed(blocks.popleft()) for _ in range(len(blocks))]
    return TypedTable(pa.Table.from_batches(batches, found.schema), dialect_of(found))


def stream_any(
    path: StrPath,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    na: Sequence[str] = (),
    max_memory: int = 2**28,
) -> TableStream:
    """Read a file that may be larger than memory as record batches, with column types that fit all cells.

    The file is read once to find the types; its cells are kept in an unnamed temporary file, from which
    batches are made. If there is no room for it, the file is read again. An Excel sheet is held in memory.

    Parameters
    ----------
    path, delimiter, decimal, header, encoding, na
        As of :func:`read_any`.
    max_memory : int, default=2**28
        Memory for a batch and its raw cells, in bytes; a row that needs more is read all the same.

    Returns
    -------
    stream : TableStream
        An iterable of ``pyarrow.RecordBatch``, with ``schema`` and ``dialect``.

    Raises
    ------
    DataFileError, ParameterError, OSError
        As of :func:`read_any`, and before the first batch.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from stackae.data.dialects import stream_any
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plants.tsv"
    ...     _ = path.write_text("height\\tkind\\n1\\trose\\n2.5\\tlily\\n")
    ...     stream = stream_any(path, max_memory=2**24)
    ...     sum(len(batch) for batch in stream), stream.schema.names
    (2, ['height', 'kind'])
    """
    asking = {"delimiter": delimiter, "decimal": decimal, "header": header, "encoding": encoding, "na": na}
    return stream_as(path, max_memory, None, **asking)


def stream_as(path: StrPath, max_memory: int, cache_folder: StrPath | None, **asking: Any) -> TableStream:
    """The same, with what :func:`read_as` takes too, and cells kept in another folder."""
    asked = _asked(**asking)
    from stackae.data._arrow import TypedSource
    from stackae.data._opening import dialect_of, open_source
    from stackae.data._scan import scan
    from stackae.data._spill import Spill

    block = min(max(max_memory // _SHARE, _SMALLEST), _LARGEST)
    source = open_source(path, asked, block)
    if isinstance(source, TypedSource):
        dialect = Dialect(source.kind, **source.counted(source.batches()))
        return TableStream(source.schema(), dialect, source.batches)
    found = scan(source, asked, Spill(cache_folder))
    return TableStream(found.schema, dialect_of(found), found.cells, found.typed)


def _asked(na: Sequence[str] = (), **asking: Any) -> Asked:
    from stackae.data._sniff import Asked

    asked = Asked(**asking, na=(na,) if isinstance(na, str) else tuple(na))
    asked.check()
    return asked


def holds_cells(path: StrPath) -> bool:
    """Whether a file, by its name, is a table of cells, and no array."""
    name = os.path.basename(os.fspath(part_of(path)[0])).lower()
    return re.search(rf"({TEXT}|{JSON}|{EXCEL}|{PARQUET}|{ARROW})\Z", name) is not None
