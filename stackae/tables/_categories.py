"""Columns of two values, and of few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from stackae.exceptions import DataError
from stackae.tables._cells import (
    GAP,
    UNKNOWN,
    Cells,
    Floats,
    Level,
    Name,
    as_levels,
    coded,
    key_of,
    truth_of,
    warn_of_unknown,
)
from stackae.tables._column import Column, Options, Writer


@dataclass(frozen=True, eq=False)
class BinaryColumn(Column):
    """0 or 1. A value that is neither of the two is a gap, with a warning."""

    kind: ClassVar[str] = "binary"
    levels: tuple[Level, ...]

    @classmethod
    def fit(cls, cells: Cells) -> Self:
        """Learn the two values; truth values are False and True even where one is absent."""
        levels, _ = counted(cells)
        if len(levels) > 2:
            raise DataError(
                f"column {cells.name!r} is told to be 'binary' and has {len(levels):,} values; make it a"
                " 'category'"
            )
        return cls(tuple(cells.levels if cells.noun == "truth values" else levels))

    @property
    def n_encoded(self) -> int:
        return 1

    def names(self, name: str) -> list[str]:
        keys = [key_of(level) for level in self.levels]
        return [name] if keys == ["0", "1"] else [f"{name}={keys[-1]}"]

    def encode(self, cells: Cells) -> Writer:
        key = truth_of if {truth_of(level) for level in self.levels} <= {"0", "1"} else key_of
        codes = coded(cells, {key(level): place for place, level in enumerate(self.levels)}, key)
        warn_of_unknown(cells, codes)

        def write(rows: slice, out: npt.NDArray[np.floating]) -> None:
            part = codes[rows]
            out[:, 0] = np.where(part < 0, np.nan, part)

        return write

    def decode(self, name: Name, block: Floats) -> Cells:
        values = block[:, 0]
        codes = np.minimum(values >= 0.5, len(self.levels) - 1)
        return Cells(name, "levels", np.where(np.isnan(values), GAP, codes).astype(np.int64), self.levels)


@dataclass(frozen=True, eq=False)
class CategoryColumn(Column):
    """One column a category, the most frequent first, and perhaps one for all others.

    Other values than were fitted are such others or, where these have no column, gaps, with a warning. The
    others come back as gaps: which of them it was is not known.
    """

    kind: ClassVar[str] = "category"
    is_group: ClassVar[bool] = True
    levels: tuple[Level, ...]
    has_other: bool

    @classmethod
    def fit(cls, cells: Cells, options: Options) -> Self:
        """Learn the categories."""
        levels, counts = counted(cells)
        order = np.argsort(-counts, kind="stable")
        frequent = int((counts >= options.min_frequency * counts.sum()).sum())
        if 2 * counts[order[:frequent]].sum() < counts.sum():  # the rare ones are most of it
            frequent = len(levels)
        if frequent > options.max_categories:
            frequent = options.max_categories - 1
        if len(levels) - frequent == 1 and len(levels) <= options.max_categories:
            frequent = len(levels)  # one alone needs no column for others
        kept = sorted(order[:frequent].tolist())
        return cls(tuple(levels[place] for place in kept), frequent < len(levels))

    @property
    def n_encoded(self) -> int:
        return len(self.levels) + self.has_other

    def names(self, name: str) -> list[str]:
        other = [f"{name}: other"] if self.has_other else []
        return [f"{name}={key_of(level)}" for level in self.levels] + other

    def encode(self, cells: Cells) -> Writer:
        codes = coded(cells, {key_of(level): place for place, level in enumerate(self.levels)})
        if self.has_other:
            codes = np.where(codes == UNKNOWN, len(self.levels), codes)
        else:
            warn_of_unknown(cells, codes)

        def write(rows: slice, out: npt.NDArray[np.floating]) -> None:
            part = codes[rows]
            known = np.flatnonzero(part >= 0)
            out[known, part[known]] = 1
            out[part < 0] = np.nan

        return write

    def decode(self, name: Name, block: Floats) -> Cells:
        codes = np.argmax(block, axis=1)
        are_gaps = np.isnan(block).any(axis=1) | (codes == len(self.levels))
        return Cells(name, "levels", np.where(are_gaps, GAP, codes).astype(np.int64), self.levels)


def counted(cells: Cells) -> tuple[Sequence[Level], np.ndarray]:
    """The values that occur, and how often."""
    cells = as_levels(cells)
    counts = np.bincount(cells.values[~cells.gaps], minlength=len(cells.levels))
    if counts.all():
        return cells.levels, counts
    occurring = np.flatnonzero(counts)
    return tuple(cells.levels[int(place)] for place in occurring), counts[occurring]
