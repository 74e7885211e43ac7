"""Numbers, as they are or through quantiles, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from stackae.tables._cells import Cells, Floats, Form, Level, Name, as_numbers, missing
from stackae.tables._column import Column, Writer
from stackae.tables._quantiles import is_heavy_tailed, normal_shape

_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class NumberColumn(Column):
    """One number, back within the range that was fitted; whole where all fitted ones are."""

    kind: ClassVar[str] = "number"
    form: Form
    low: float
    high: float
    is_whole: bool
    #: Where numbers become normal scores, piece by piece; empty: they stay as they are.
    knots: Floats
    scores: Floats

    @classmethod
    def fit(cls, cells: Cells, numeric: str) -> Self:
        """Learn from a column of numbers or durations."""
        form: Form = "durations" if cells.form == "durations" else "numbers"
        values = as_numbers(cells, form)
        ordered = np.sort(values[~np.isnan(values)])
        varies = bool(ordered[0] < ordered[-1])
        shaped = varies and (numeric == "quantile" or (numeric == "auto" and is_heavy_tailed(ordered)))
        knots, scores = normal_shape(ordered) if shaped else (np.empty(0), np.empty(0))
        is_whole = bool((ordered == np.round(ordered)).all())
        return cls(form, float(ordered[0]), float(ordered[-1]), is_whole, knots, scores)

    @classmethod
    def plain(cls) -> Self:
        """Any number, as it is."""
        return cls("numbers", -_LARGEST, _LARGEST, False, np.empty(0), np.empty(0))

    @property
    def n_encoded(self) -> int:
        return 1

    def names(self, name: str) -> list[str]:
        return [name]

    def encode(self, cells: Cells) -> Writer:
        values = as_numbers(cells, self.form)

        def write(rows: slice, out: npt.NDArray[np.floating]) -> None:
            part = values[rows]
            out[:, 0] = np.interp(part, self.knots, self.scores) if len(self.knots) else part

        return write

    def decode(self, name: Name, block: Floats) -> Cells:
        values = block[:, 0]
        if len(self.knots):
            values = np.interp(values, self.scores, self.knots)
        values = np.clip(np.round(values) if self.is_whole else values, self.low, self.high)
        return Cells(name, self.form, values)


@dataclass(frozen=True, eq=False)
class DroppedColumn(Column):
    """No encoded column at all. A constant comes back in every row, everything else as gaps."""

    kind: ClassVar[str] = "drop"
    form: Form = "nothing"
    constant: Level | None = None

    @classmethod
    def of_constant(cls, cells: Cells) -> Self:
        """Remember the one value that there is."""
        first = cells.values[np.argmin(cells.gaps)]
        value = cells.levels[int(first)] if cells.form == "levels" else float(first)
        return cls(cells.form, value)

    @property
    def n_encoded(self) -> int:
        return 0

    def names(self, name: str) -> list[str]:
        return []

    def encode(self, cells: Cells) -> Writer:
        return lambda rows, out: None

    def decode(self, name: Name, block: Floats) -> Cells:
        if self.constant is None:
            return missing(name, len(block))
        if self.form == "levels":
            return Cells(name, "levels", np.zeros(len(block), np.int64), (self.constant,))
        return Cells(name, self.form, np.full(len(block), float(self.constant)))
