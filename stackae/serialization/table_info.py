"""What each column of a table became, as a small table to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_WIDTH = 80
_MOST_LINES = 60
#: The widest that each column of the summary may be.
_WIDTHS = (20, 14, 8, 7, 9, 80)


class ColumnInfo(NamedTuple):
    """How one column of a table was encoded.

    Attributes
    ----------
    name : str or int
    dtype : str
        Its type, as named by its library.
    kind : str
        "number", "binary", "category", "date", "text" or "drop".
    n_encoded : int
        Number of its encoded columns.
    n_missing : int
        Number of cells missing in the fit.
    note : str
        Anything else, such as why it was dropped.
    """

    name: str | int
    dtype: str
    kind: str
    n_encoded: int
    n_missing: int
    note: str


class TableInfo(tuple[ColumnInfo, ...]):
    """How a table was encoded: one :class:`ColumnInfo` per column. Printed, a table of up to 80
    characters."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(self.lines(_MOST_LINES))

    def lines(self, most: int) -> list[str]:
        """A heading, a line for each of the first ``most`` columns, and how many more there are."""
        head = ("column", "type", "kind", "encoded", "missing", "note")
        lines = [
            (str(name), dtype, kind, str(n_encoded or "-"), str(n_missing or "-"), note)
            for name, dtype, kind, n_encoded, n_missing, note in self[:most]
        ]
        more = len(self) - len(lines)
        return [*_side_by_side([head, *lines]), *([f"... and {more:,} more"] if more else [])]


def printable(text: str) -> str:
    """Text from a file, in which nothing speaks to the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _side_by_side(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side; the numbers to the right, and what is too long shortened."""
    lines = [[printable(" ".join(cell.split())) for cell in line] for line in lines]
    widths = [min(limit, max(len(line[k]) for line in lines)) for k, limit in enumerate(_WIDTHS)]
    told = []
    for line in lines:
        cells = [_short(cell, width) for cell, width in zip(line, widths, strict=True)]
        placed = [
            cell.rjust(width) if k in (3, 4) else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        told.append(_short("  ".join(placed).rstrip(), _WIDTH))
    return told


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
