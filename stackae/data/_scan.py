"""From blocks of cells that are text to typed columns: all cells are looked at first, then parsed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from stackae.data._kinds import GAPS, TEXT, Column, Kind, clean, decimal_of, parse
from stackae.data._records import JsonLines, Sheet
from stackae.data._sniff import Asked
from stackae.data._spill import Spill
from stackae.data._table import column_called, refusal
from stackae.data._text import Again, TextSource


class Kept(Protocol):
    """Where blocks are left: a deque, or a spill."""

    def clear(self) -> None: ...

    def append(self, block: Any, /) -> None: ...


@dataclass(frozen=True)
class Cleaning:
    """How cells are made ready to be looked at."""

    gap_words: tuple[str, ...]
    as_text: tuple[str, ...]  # columns, by name or place, that are kept as they are written

    def of(self, block: Any) -> Any:
        """A block without spaces around cells, and null where a gap is."""
        as_text = self.kept_of(block)
        cells = [
            clean(column, () if name in as_text else self.gap_words)
            for name, column in zip(block.schema.names, block.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(cells, block.schema.names)

    def kept_of(self, block: Any) -> set[str | None]:
        """The columns of a block that are kept as they are written."""
        return {column_called(name, block.schema.names) for name in self.as_text}


@dataclass(frozen=True)
class Scan:
    """What the columns of a source are."""

    source: TextSource | JsonLines | Sheet
    cleaning: Cleaning
    kinds: dict[str, Kind]
    gaps: dict[str, int]
    dashes: frozenset[str]  # the columns in which dashes are gaps
    decimal: str | None
    n_rows: int
    spill: Spill | None = None

    @property
    def schema(self) -> Any:
        return pa.schema([(name, kind.type) for name, kind in self.kinds.items()])

    def cells(self) -> Iterator[Any]:
        """Blocks of clean cells, which were kept, or else are read again."""
        if self.spill is not None and self.spill.is_whole:
            return iter(self.spill)
        return map(self.cleaning.of, self.source.blocks())

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


def scan(source: TextSource | JsonLines | Sheet, asked: Asked, kept: Kept) -> Scan:
    """Look at all cells of a source; keep its blocks, cleaned, in ``kept``."""
    cleaning = Cleaning(tuple(sorted({"", *GAPS, *asked.na})), asked.as_text)
    while True:
        try:
            columns, n_rows = _seen(source, asked, cleaning, kept)
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
    gaps = {name: n for name, n in gaps.items() if n}
    spill = kept if isinstance(kept, Spill) else None
    return Scan(source, cleaning, kinds, gaps, dashes, most, n_rows, spill)


def _seen(
    source: TextSource | JsonLines | Sheet, asked: Asked, cleaning: Cleaning, kept: Kept
) -> tuple[dict[str, Column], int]:
    columns: dict[str, Column] = {}
    n_rows = 0
    kept.clear()
    for raw in source.blocks():
        block, as_text = cleaning.of(raw), cleaning.kept_of(raw)
        for name, cells in zip(block.schema.names, block.columns, strict=True):
            columns.setdefault(name, Column(asked.decimal, as_text=name in as_text)).see(cells)
        n_rows += len(block)
        kept.append(block)
    return columns, n_rows
