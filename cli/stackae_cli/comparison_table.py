"""A comparison of features as a table on the terminal, with its verdicts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING

from stackae_cli.streams import spelled

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from stackae.evaluation import Comparison
    from stackae.evaluation.statistics import Interval

#: What is written to no terminal has lines as long as the table.
_WIDTH = 140
#: The columns that say what a line is of, and are repeated where a terminal is too narrow for all others.
_N_NAMES = 2


def as_text(comparison: Comparison, title: str, notes: list[str]) -> str:
    """The table, a line a verdict, a line a note, as they fit standard output."""
    from rich.console import Console

    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=max(_WIDTH, console.width))
    with console.capture() as captured:
        for table in _fitting(console, *_cells(comparison), title):
            console.print(table)
    return "\n".join([captured.get().rstrip(), *comparison.verdicts(), *(f"note: {note}" for note in notes)])


def _cells(comparison: Comparison) -> tuple[list[str], list[tuple[bool, list[str]]]]:
    """The headings; and the lines, each with whether a rule stands above it."""
    from stackae.evaluation import summary

    measures = comparison.measures
    lines, width = [], 0
    for line in summary(comparison):
        ruled = line["width"] < width or (len(comparison.widths) > 1 and line["method"] == "stackae")
        width = line["width"]
        figures = [_figure(line.get(measure.key), percent=measure.is_share) for measure in measures]
        seconds = "" if line["seconds"] is None else f"{line['seconds']:.2f}"
        lines.append((ruled, [*map(spelled, [line["method"], str(width or ""), *figures, seconds])]))
    return ["features", "width", *(spelled(measure.title) for measure in measures), "seconds"], lines


def _fitting(
    console: Console, headings: Sequence[str], lines: Sequence[tuple[bool, list[str]]], title: str
) -> Iterator[Table]:
    """One table or, where the terminal is too narrow, several, of some columns each."""
    endless = console.options.update(width=10_000)

    def fits(table: Table) -> bool:
        return console.measure(table, options=endless).maximum <= console.width

    names, left = [*range(_N_NAMES)], [*range(_N_NAMES, len(headings))]
    whole = _table(headings, lines, [*names, *left], title)
    if fits(whole):
        yield whole
        return
    headings = [heading.replace(" ", "\n") for heading in headings]
    while left:
        for n_taken in range(len(left), 0, -1):
            table = _table(headings, lines, [*names, *left[:n_taken]], title)
            if fits(table):
                break
        yield table
        title, left = "", left[n_taken:]


def _table(
    headings: Sequence[str], lines: Sequence[tuple[bool, list[str]]], chosen: Sequence[int], title: str
) -> Table:
    from rich.table import Column, Table

    table = Table(*(Column(headings[k], no_wrap=True) for k in chosen), title=title)
    for ruled, cells in lines:
        if ruled:
            table.add_section()
        table.add_row(*(cells[k] for k in chosen))
    return table


def _figure(found: Interval | None, *, percent: bool) -> str:
    """A mean, and half its interval where there is one; of two splits their range."""
    if found is None:
        return ""
    factor, digits = (100, 1) if percent else (1, 3)
    mean, half, low, high = (f"{factor * value:.{digits}f}" for value in found)
    if not isnan(found.half_width):
        return f"{mean} ± {half}"
    if low == high:
        return f"{mean} %" if percent else mean
    return f"{low}-{high}" if percent else f"{low} to {high}"
