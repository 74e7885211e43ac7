"""A comparison of features as a table on the terminal, with its verdicts."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackae.evaluation import Comparison
    from stackae.evaluation.statistics import Interval

#: What is written to no terminal has lines as long as the table.
_WIDTH = 140


def print_comparison(comparison: Comparison, title: str, notes: list[str]) -> None:
    """Print the table, a line a verdict, a line a note."""
    from rich.console import Console
    from rich.table import Column, Table

    from stackae.evaluation import summary

    measures = comparison.measures
    headings = ("features", "width", *(measure.title for measure in measures), "seconds")
    table = Table(*(Column(heading, no_wrap=True) for heading in headings), title=title)
    width = 0
    for line in summary(comparison):
        if line["width"] < width or (len(comparison.widths) > 1 and line["method"] == "stackae"):
            table.add_section()
        width = line["width"]
        table.add_row(
            line["method"],
            str(width),
            *(_figure(line.get(measure.key), percent=measure.is_share) for measure in measures),
            "" if line["seconds"] is None else f"{line['seconds']:.2f}",
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(_WIDTH, console.width))
    console.print(table)
    for text in [*comparison.verdicts(), *(f"note: {note}" for note in notes)]:
        console.print(text, highlight=False)


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
