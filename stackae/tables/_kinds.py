"""What kind of column each one is: as it looks, or as it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stackae._utils.threads import tell
from stackae.data._numerals import is_number
from stackae.data.statistics import are_numbered
from stackae.exceptions import StackaeWarning
from stackae.tables._categories import BinaryColumn, CategoryColumn, counted
from stackae.tables._cells import Cells, Level, as_numbers, iso_instants, split_zone, wrong
from stackae.tables._column import Column, Options
from stackae.tables._dates import DateColumn
from stackae.tables._numbers import DroppedColumn, NumberColumn
from stackae.tables._texts import TextColumn

KINDS: dict[str, type[Column]] = {
    kind.kind: kind
    for kind in (NumberColumn, BinaryColumn, CategoryColumn, DateColumn, TextColumn, DroppedColumn)
}
#: So few values are categories even where many of them occur once.
_FEW_VALUES = 10
#: Texts that all differ are identifiers unless they have so many words on the average.
_WORDS_OF_PROSE = 3
_LOOKED_AT = 1000
#: More texts among numbers are no mistake.
_MOST_STRAYS = 0.2


class Judged(NamedTuple):
    """A fitted column, and what is to be said of it."""

    column: Column
    note: str = ""


def fit_column(cells: Cells, kind: str | None, *, is_categorical: bool, options: Options) -> Judged:
    """Learn from a column.

    Parameters
    ----------
    cells : Cells
    kind : str or None
        A name in ``KINDS`` but "drop"; None: as the column looks.
    is_categorical : bool
        Whether its type says that it holds categories.
    options : Options

    Raises
    ------
    DataError
        It cannot be of the kind that was told.
    """
    if cells.gaps.all():
        return Judged(DroppedColumn(), "all missing, left out")
    if kind is None:
        kind, why = _looks_like(cells, is_categorical=is_categorical, options=options)
        if kind == "drop":
            is_constant = why == "constant"
            column = DroppedColumn.of_constant(cells) if is_constant else DroppedColumn()
            return Judged(column, f"{why}, left out")
    return _fit_kind(cells, kind, options)


def _fit_kind(cells: Cells, kind: str, options: Options) -> Judged:
    if kind == "number":
        number = NumberColumn.fit(cells, options.numeric)
        return Judged(number, "through quantiles" if len(number.knots) else "")
    if kind == "binary":
        return Judged(BinaryColumn.fit(cells))
    if kind == "category":
        category = CategoryColumn.fit(cells, options)
        n_others = len(counted(cells)[0]) - len(category.levels)
        return Judged(category, f"{n_others:,} rare ones are 'other'" if n_others else "")
    if kind == "date":
        return Judged(DateColumn.fit(cells))
    if cells.noun != "text":
        raise wrong(cells, "text is needed")
    return Judged(TextColumn.fit(cells, options), "not reconstructed")


def _looks_like(cells: Cells, *, is_categorical: bool, options: Options) -> tuple[str, str]:
    """The kind of a column, and why, where it is left out."""
    if cells.form == "levels":
        return _levels_look_like(cells, is_categorical=is_categorical, options=options)
    are_dates = cells.form in ("instants", "times")
    known = (cells.values if are_dates else as_numbers(cells, cells.form))[~cells.gaps]
    if known.min() == known.max():
        return "drop", "constant"
    if are_dates:
        return "date", ""
    if cells.form != "numbers" or not (known == np.round(known)).all():
        return "number", ""
    if (known.min(), known.max()) == (0, 1):
        return "binary", ""
    is_numbered = len(cells.values) == len(known) and are_numbered(known)
    return ("drop", "identifier") if is_numbered else ("number", "")


def _levels_look_like(cells: Cells, *, is_categorical: bool, options: Options) -> tuple[str, str]:
    levels, counts = counted(cells)
    n_known = int(counts.sum())
    if len(levels) == 1:
        return "drop", "constant"
    if len(levels) == 2:
        return "binary", ""
    if is_categorical:
        return "category", ""
    if _are_dates(levels):
        return "date", ""
    _warn_of_strays(cells, levels, counts)
    if len(levels) == n_known and not _is_prose(levels):
        return "drop", "identifier"
    are_few = len(levels) <= options.max_categories and len(levels) <= max(_FEW_VALUES, n_known // 2)
    return ("category" if are_few else "text"), ""


def _warn_of_strays(cells: Cells, levels: Sequence[Level], counts: np.ndarray) -> None:
    """Say where few texts among many numbers keep a column from being one of numbers."""
    looked_at = levels[:: -(-len(levels) // _LOOKED_AT)]
    if sum(is_number(str(level)) for level in looked_at) < len(looked_at) / 2:
        return  # a column of text
    are_strays = np.array([not is_number(str(level)) for level in levels])
    n_strays = int(counts[are_strays].sum())
    if not 0 < n_strays <= _MOST_STRAYS * counts.sum():
        return
    strays = {level for level, is_stray in zip(levels, are_strays, strict=True) if is_stray}
    first = np.isin(cells.values, [k for k, level in enumerate(cells.levels) if level in strays]).argmax()
    tell(
        StackaeWarning(
            f"column {cells.name!r}: {n_strays:,} of {counts.sum():,} cells are no numbers, such as"
            f" {cells.levels[int(cells.values[first])]!r} in row {cells.first_row + first}, so it is taken"
            " for text; make them gaps to have numbers"
        )
    )


def _are_dates(levels: Sequence[Level]) -> bool:
    """Whether all are ISO dates, written alike."""

    def are(texts: Sequence[Level]) -> bool:
        are_alike = len({(len(date), date[10:11]) for date, _ in map(split_zone, map(str, texts))}) == 1
        return are_alike and not np.isnan(iso_instants(texts)).any()

    return are(levels[:_LOOKED_AT]) and are(levels)


def _is_prose(levels: Sequence[Level]) -> bool:
    looked_at = levels[:: -(-len(levels) // _LOOKED_AT)]
    return sum(len(str(level).split()) for level in looked_at) >= _WORDS_OF_PROSE * len(looked_at)
