"""What a report tells, before it is told in any format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Lines of text under headings; the first cell of a line names it.

    ``numbers``: which columns are aligned as numbers.
    """

    caption: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    numbers: tuple[bool, ...]

    @classmethod
    def of(cls, caption: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
        """A table whose empty columns are left out; columns of numbers are found."""
        kept = [k for k in range(len(head)) if k == 0 or any(line[k] for line in lines)]
        numbers = [k > 0 and all(_is_number(line[k]) for line in lines) for k in kept]
        return cls(
            caption,
            tuple(head[k] for k in kept),
            tuple(tuple(line[k] for k in kept) for line in lines),
            tuple(numbers),
        )


@dataclass(frozen=True)
class Figure:
    """A picture as a data URI, what is seen on it, and what it shows; width and height in CSS pixels."""

    uri: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Section:
    """A part of a report under a heading; ``id`` is its anchor.

    ``findings`` are told as a list, ``code`` as lines to be copied, each with what it does; ``folded`` is
    code that is seen when it is asked for. ``result``: what was found, in a sentence, told at the top.
    """

    id: str
    title: str
    sentences: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    code: tuple[tuple[str, str], ...] = ()
    folded: tuple[tuple[str, str], ...] = ()
    result: str = ""


@dataclass(frozen=True)
class Contents:
    """All that a report tells.

    Attributes
    ----------
    title, headline : str
    facts : tuple of (str, str)
        The figures of the headline, and what they are.
    sections : tuple of Section
        In the order in which they are read.
    left_out : tuple of str
        A sentence for each thing that cannot be had.
    kind : str
        What the estimator is called.
    """

    title: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    left_out: tuple[str, ...]
    kind: str

    def section(self, id: str) -> Section | None:
        """The section of this anchor, if there is one."""
        return next((section for section in self.sections if section.id == id), None)


def _is_number(cell: str) -> bool:
    """Whether a cell is empty, a number, or one with a unit or an interval."""
    return not cell or cell == "–" or cell.lstrip("+-−")[:1].isdigit()
