"""What each column of a table became, as a small table to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_WIDTH = 80
_MOST_LINES = 60


class ColumnInfo(NamedTuple):
    """What one column became.

    Attributes
    ----------
    name : str or int
    dtype : str
        Its type, as its library calls it.
    kind : str
        "number", "binary", "category", "date", "text" or "drop".
    n_encoded : int
        How many encoded columns it has.
    n_missing : int
        How many cells were missing at fit.
    note : str
        What else there is to say, such as why it was left out.
    """

    name: str | int
    dtype: str
    kind: str
    n_encoded: int
    n_missing: int
    note: str


class TableInfo(tuple[ColumnInfo, ...]):
    """One :class:`ColumnInfo` a column; ``repr`` is a table of at most 80 characters a line."""

    __slots__ = ()

    def __repr__(self) -> str:
        head = ("column", "type", "kind", "encoded", "missing", "note")
        lines = [
            (str(name), dtype, kind, str(n_encoded or "-"), str(n_missing or "-"), note)
            for name, dtype, kind, n_encoded, n_missing, note in self[:_MOST_LINES]
        ]
        told = _table([head, *lines])
        more = len(self) - len(lines)
        return f"{told}\n... and {more:,} more" if more else told


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Columns side by side; the numbers to the right, and what is too long shortened."""
    most = (20, 14, 8, 7, 9, 80)
    widths = [min(limit, max(len(line[k]) for line in lines)) for k, limit in enumerate(most)]
    told = []
    for line in lines:
        cells = [_short(" ".join(cell.split()), width) for cell, width in zip(line, widths, strict=True)]
        placed = [
            cell.rjust(width) if k in (3, 4) else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        told.append(_short("  ".join(placed).rstrip(), _WIDTH))
    return "\n".join(told)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
