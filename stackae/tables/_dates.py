"""Dates as days since the first one, and on circles: the year, the week, the day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from stackae.tables._cells import (
    DAY,
    GAP,
    ISO_UNITS,
    SECOND,
    Cells,
    Floats,
    Form,
    as_instants,
    split_zone,
    zone_of,
)
from stackae.tables._column import Column, Writer

#: Days once around each circle.
_PERIODS = {"month": 365.2425, "weekday": 7.0, "hour": 1.0}
#: What dates may be rounded to, in microseconds.
_STEPS = (DAY, 3600 * SECOND, 60 * SECOND, SECOND, 1000, 1)
#: Dates that every library can hold, whatever its unit: of the years 1678 to 2261.
_EARLIEST, _LATEST = -106_751 * DAY, 106_750 * DAY
#: A point this near to a circle's centre says nothing of the phase.
_LEAST_RADIUS = 0.5
_FIRST = 1000


@dataclass(frozen=True, eq=False)
class DateColumn(Column):
    """Days since the midnight before the earliest date; sine and cosine of the place in year, week and day.

    The circles turn evenly, from that midnight on, in UTC. Back, the days are moved to the nearest date in
    the phase of each circle, the longest first, then rounded to the largest of day, hour, minute, second,
    millisecond and microsecond that all fitted dates are whole numbers of. Times of day have one circle
    alone.
    """

    kind: ClassVar[str] = "date"
    form: Form
    start: float
    low: float
    high: float
    step: int
    circles: tuple[str, ...]
    #: The length and the eleventh character of the texts that the dates were given as, if they were.
    length: int = 0
    between: str = " "
    zone: str = ""

    @classmethod
    def fit(cls, cells: Cells) -> Self:
        """Learn from a column that holds at least one date."""
        form: Form = "times" if cells.form == "times" else "instants"
        values = as_instants(cells, form)
        known = values[~np.isnan(values)]
        low, high = float(known.min()), float(known.max())
        start = 0.0 if form == "times" else low // DAY * DAY
        step = next(
            step for step in _STEPS if not any((dates % step).any() for dates in (known[:_FIRST], known))
        )
        length, between, zone = 0, " ", ""
        if cells.form == "levels":
            text, zone = split_zone(max(map(str, cells.levels), key=len))
            length, between = len(text), text[10:11] or " "
        circles = ("hour",) if form == "times" else tuple(_varying(known))
        low, high = min(low, _EARLIEST), max(high, _LATEST)
        return cls(form, start, low, high, step, circles, length, between, zone)

    @property
    def has_days(self) -> bool:
        """Whether there is a number beside the circles."""
        return self.form != "times"

    @property
    def n_encoded(self) -> int:
        return self.has_days + 2 * len(self.circles)

    def names(self, name: str) -> list[str]:
        turns = [f"{name}: {circle} {part}" for circle in self.circles for part in ("sin", "cos")]
        return [f"{name}: days", *turns] if self.has_days else turns

    def encode(self, cells: Cells) -> Writer:
        instants = as_instants(cells, self.form)

        def write(rows: slice, out: npt.NDArray[np.floating]) -> None:
            days = (instants[rows] - self.start) / DAY
            if self.has_days:
                out[:, 0] = days
            for place, circle in enumerate(self.circles):
                turns = days / _PERIODS[circle]
                angle = 2 * np.pi * (turns - np.floor(turns))  # as % 1, which is much slower
                out[:, self.has_days + 2 * place] = np.sin(angle)
                out[:, self.has_days + 2 * place + 1] = np.cos(angle)

        return write

    def decode(self, name: str | int, block: Floats) -> Cells:
        days = block[:, 0].copy() if self.has_days else np.zeros(len(block))
        for place, circle in enumerate(self.circles):
            sine, cosine = block[:, self.has_days + 2 * place : self.has_days + 2 * place + 2].T
            period = _PERIODS[circle]
            turn = np.arctan2(sine, cosine) / (2 * np.pi) - days / period
            says_little = self.has_days & (np.hypot(sine, cosine) < _LEAST_RADIUS)
            days += np.where(says_little, 0, period * (turn - np.round(turn)))
        instants = np.round((days * DAY + self.start) / self.step) * self.step
        instants = np.clip(instants, self.low, self.high) if self.has_days else instants % DAY
        return self._as_text(name, instants) if self.length else Cells(name, self.form, instants)

    def _as_text(self, name: str | int, instants: Floats) -> Cells:
        codes = np.full(len(instants), GAP, np.int64)
        known = ~np.isnan(instants)
        different, codes[known] = np.unique(instants[known], return_inverse=True)
        dates = (different + zone_of(self.zone)).astype(np.int64).astype("datetime64[us]")
        texts = np.datetime_as_string(dates, unit=ISO_UNITS[self.length], casting="unsafe").tolist()
        return Cells(
            name, "levels", codes, tuple(text.replace("T", self.between) + self.zone for text in texts)
        )


def _varying(known: Floats) -> list[str]:
    """The circles on which the dates have several places; as a rule the first dates show it."""
    return [
        circle
        for circle, place in _PLACES.items()
        if any(np.ptp(place(dates)) > 0 for dates in (known[:_FIRST], known))
    ]


def _month(instants: Floats) -> Floats:
    return instants.astype(np.int64).astype("datetime64[us]").astype("datetime64[M]").astype(np.float64) % 12


_PLACES: dict[str, Callable[[Floats], Floats]] = {
    "month": _month,
    "weekday": lambda instants: instants // DAY % 7,
    "hour": lambda instants: instants % DAY // (3600 * SECOND),
}
