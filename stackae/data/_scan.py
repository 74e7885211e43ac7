"""From blocks of cells that are text to typed columns: all cells are looked at first, then parsed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from stackae.data._kinds import GAPS, TEXT, Column, Kind, clean, decimal_of, parse
from stackae.data._records import JsonLines, Sheet
from stackae.data._sniff import Asked
from stackae.data._table import StrPath, refusal
from stackae.data._text import Again, TextSource


class Source(Protocol):
    """A file of records."""

    @property
    def path(self) -> StrPath:
        """The file."""

    def blocks(self) -> Iterator[Any]:
        """Yield record batches of cells that are text."""


@dataclass(frozen=True)
class Scan:
    """What the columns of a source are."""

    source: TextSource | JsonLines | Sheet
    gap_words: tuple[str, ...]
    kinds: dict[str, Kind]
    gaps: dict[str, int]
    dashes: frozenset[str]  # the columns in which dashes are gaps
    decimal: str | None
    n_rows: int

    @property
    def schema(self) -> Any:
        return pa.schema([(name, kind.type) for name, kind in self.kinds.items()])

    def batches(self) -> Iterator[Any]:
        """Read the source again, and yield typed record batches."""
        for block in self.source.blocks():
            yield self.typed(_cleaned(block, self.gap_words))

    def typed(self, block: Any) -> Any:
        """Parse a block of clean cells."""
        names = block.schema.names
        try:
            columns = [
                parse(block.column(name), kind, has_dashes=name in self.dashes)
                if name in names
                else pa.nulls(len(block), kind.type)
                for name, kind in self.kinds.items()
            ]
        except pa.ArrowInvalid as error:
            raise refusal(self.source.path, "has changed while it was read", mend="read it again") from error
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def scan(source: TextSource | JsonLines | Sheet, asked: Asked, kept: deque[Any] | None = None) -> Scan:
    """Look at all cells of a source; keep its blocks, cleaned, in ``kept``."""
    gap_words = tuple(sorted({"", *GAPS, *asked.na}))
    while True:
        try:
            columns, n_rows = _seen(source, asked, gap_words, kept)
            break
        except Again as again:
            source = again.source
    if not n_rows:
        raise refusal(source.path, "no rows in it", mend="give at least one row")
    decimal = asked.decimal or decimal_of(columns.values())
    delimiter = source.layout.delimiter if isinstance(source, TextSource) else None
    kinds = {name: column.kind(decimal, delimiter) for name, column in columns.items()}
    gaps = {name: column.n_gaps(kinds[name]) + n_rows - column.n_cells for name, column in columns.items()}
    signs = [kind.decimal for kind in kinds.values() if kind.name.startswith("number")]
    most = max(set(signs), key=signs.count) if signs else None
    dashes = frozenset(
        name for name, column in columns.items() if column.n_dashes and kinds[name] is not TEXT
    )
    return Scan(source, gap_words, kinds, {name: n for name, n in gaps.items() if n}, dashes, most, n_rows)


def _seen(
    source: TextSource | JsonLines | Sheet, asked: Asked, gap_words: tuple[str, ...], kept: deque[Any] | None
) -> tuple[dict[str, Column], int]:
    columns: dict[str, Column] = {}
    n_rows = 0
    if kept is not None:
        kept.clear()
    for raw in source.blocks():
        block = _cleaned(raw, gap_words)
        for name, cells in zip(block.schema.names, block.columns, strict=True):
            columns.setdefault(name, Column(asked.decimal)).see(cells)
        n_rows += len(block)
        if kept is not None:
            kept.append(block)
    return columns, n_rows


def _cleaned(block: Any, gap_words: tuple[str, ...]) -> Any:
    return pa.RecordBatch.from_arrays(
        [clean(cells, gap_words) for cells in block.columns], block.schema.names
    )
