"""One column of a table, whatever library it comes from: numbers, or places in a list of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from stackae._utils.threads import tell
from stackae.data._numerals import TRUTH, is_number
from stackae.exceptions import DataError, DataTypeError, StackaeWarning

#: Plain values, which JSON holds too.
Level = str | bool | int | float
Name = str | int
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Form = Literal["numbers", "levels", "instants", "times", "durations", "nothing"]

SECOND = 10**6
DAY = 86_400 * SECOND
GAP, UNKNOWN = -1, -2
#: Texts of these lengths, beside a zone, are dates, to a day, a minute, ... a microsecond, if they are
#: written as ISO has it.
ISO_UNITS: dict[int, Literal["D", "m", "s", "ms", "us"]] = {10: "D", 16: "m", 19: "s", 23: "ms", 26: "us"}
_ISO = re.compile(r"(\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.(\d{3}|\d{6}))?)?)?)(Z|[+-]\d\d:?\d\d)?")
_NOUNS = {"numbers": "numbers", "instants": "dates", "times": "times of day", "durations": "durations"}


class Cells(NamedTuple):
    """A column's cells.

    Attributes
    ----------
    name : str or int
        The column's name.
    form : str
        What ``values`` are: ``"numbers"``; ``"levels"``: the place of each cell's value in ``levels``, -1 for
        a gap; ``"instants"``: microseconds since 1970 in UTC; ``"times"``: microseconds since midnight;
        ``"durations"``: seconds; ``"nothing"``: gaps alone.
    values : ndarray of shape (n_samples,)
        int64 for levels, else float64, NaN for a gap.
    levels : sequence
        The different values of a column of text, categories or truth values.
    first_row : int, default=0
        The row of the first cell, for messages.
    """

    name: Name
    form: Form
    values: Floats | Codes
    levels: Sequence[Level] = ()
    first_row: int = 0

    @property
    def gaps(self) -> npt.NDArray[np.bool_]:
        """Which cells are missing."""
        return self.values < 0 if self.form == "levels" else np.isnan(self.values)

    @property
    def noun(self) -> str:
        """What the cells are, in a word."""
        if self.form != "levels":
            return _NOUNS.get(self.form, "gaps")
        if isinstance(self.levels[0], str):  # as all are then
            return "text"
        return "truth values" if {*map(type, self.levels)} == {bool} else "numbers"


class UnseenValues(StackaeWarning):
    """Cells of a column hold values that the fit has not seen."""

    def __init__(self, name: Name, n_cells: int, example: Level) -> None:
        self.name, self.n_cells = name, n_cells
        super().__init__(
            f"column {name!r}: {n_cells:,} cells hold values that fit has not seen, such as {example!r}, and"
            " are taken as missing"
        )


def missing(name: Name, n_samples: int) -> Cells:
    """A column of gaps."""
    return Cells(name, "nothing", np.full(n_samples, np.nan))


def key_of(level: Level) -> str:
    """What values are compared by: as text, whole numbers without a point, True and False as 1 and 0."""
    if isinstance(level, (bool, int)):
        return str(int(level))
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def truth_of(level: Level) -> str:
    """What a truth value is compared by, however it is written; other values as :func:`key_of` has them."""
    key = key_of(level)
    truth = TRUTH.get(key.lower())
    return key if truth is None else str(int(truth))


def as_levels(cells: Cells) -> Cells:
    """The same, as places in the list of its different values; dates and the like are refused.

    Raises
    ------
    DataTypeError
        The cells are dates, times or durations.
    """
    if cells.form == "levels":
        return cells
    if cells.form not in ("numbers", "nothing"):
        raise wrong(cells, "text, numbers or truth values are needed")
    _refuse_infinite(cells)
    codes = np.full(len(cells.values), GAP, np.int64)
    known = ~cells.gaps
    different, codes[known] = np.unique(cells.values[known], return_inverse=True)
    are_whole = bool((different == np.round(different)).all())
    levels = [int(value) if are_whole else float(value) for value in different]
    return Cells(cells.name, "levels", codes, tuple(levels))


def coded(cells: Cells, places: Mapping[str, int], key: Callable[[Level], str] = key_of) -> Codes:
    """The place of each cell's value in a fitted column; ``GAP``, or ``UNKNOWN`` for any other value."""
    cells = as_levels(cells)
    own = [places.get(key(level), UNKNOWN) for level in cells.levels]
    found: Codes = np.array([*own, GAP], np.int64)[cells.values]  # a gap, -1, takes the last
    return found


def warn_of_unknown(cells: Cells, codes: Codes) -> None:
    """Say which values nothing was known of at fit, where they are taken as gaps."""
    unknown = codes == UNKNOWN
    if unknown.any():
        levels = as_levels(cells)
        example = levels.levels[int(levels.values[np.argmax(unknown)])]
        tell(UnseenValues(cells.name, int(unknown.sum()), example))


def as_numbers(cells: Cells, form: Form = "numbers") -> Floats:
    """The cells as numbers (or durations, in seconds), NaN for gaps.

    Raises
    ------
    DataTypeError, DataError
        Text, dates, or an infinite number, with row and column.
    """
    if cells.form == form or cells.form == "nothing":
        return _refuse_infinite(cells)
    if cells.form != "levels" or form != "numbers" or cells.noun == "text":
        raise wrong(cells, f"{_NOUNS[form]} are needed")
    return np.array([*map(float, cells.levels), np.nan])[cells.values]


def as_instants(cells: Cells, form: Form = "instants") -> Floats:
    """The cells as microseconds since 1970 (or, of times of day, since midnight), NaN for gaps.

    Raises
    ------
    DataTypeError
        Something else than dates, or than text that holds ISO dates alone.
    """
    if cells.form in (form, "nothing"):
        return np.asarray(cells.values, np.float64)
    if cells.form != "levels" or form == "times" or cells.noun != "text":
        raise wrong(cells, f"{_NOUNS[form]} are needed")
    instants = iso_instants(cells.levels)
    if np.isnan(instants).any():
        place = int(np.argmax(np.append(np.isnan(instants), False)[cells.values]))
        raise DataTypeError(
            f"column {cells.name!r} must hold dates, got the text {cells.levels[int(cells.values[place])]!r}"
            f" in row {cells.first_row + place}; write dates as 2024-12-31 or 2024-12-31 23:59:59"
        )
    found: Floats = np.append(instants, np.nan)[cells.values]
    return found


def iso_instants(levels: Sequence[Level]) -> Floats:
    """Texts as microseconds since 1970 in UTC, NaN for what is no ISO date."""
    found = np.full(len(levels), np.nan)
    for place, level in enumerate(levels):
        match = _ISO.fullmatch(level) if isinstance(level, str) else None
        if match is None or (match[6] and not match[2]):
            continue
        try:
            found[place] = float(np.datetime64(match[1], "us").astype(np.int64)) - zone_of(match[6] or "")
        except ValueError:  # such as the 31st of February
            continue
    return found


def zone_of(suffix: str) -> float:
    """How far a zone is ahead of UTC, in microseconds: of Z, +02:00, -0330 and no text at all."""
    if suffix in ("", "Z"):
        return 0.0
    hours, minutes = int(suffix[1:3]), int(suffix[-2:])
    return (-1 if suffix[0] == "-" else 1) * (60 * hours + minutes) * 60.0 * SECOND


def split_zone(text: str) -> tuple[str, str]:
    """An ISO date, and the zone behind it."""
    match = _ISO.fullmatch(text)
    return (match[1], match[6] or "") if match else (text, "")


def wrong(cells: Cells, rule: str) -> DataTypeError:
    """The refusal of cells of another type, with the first of them."""
    place = _culprit(cells) if rule.startswith("numbers") else int(np.argmin(cells.gaps))
    example = f" {cells.levels[int(cells.values[place])]!r}" if cells.form == "levels" else ""
    return DataTypeError(
        f"column {cells.name!r}: {rule}, got {cells.noun}{example} in row {cells.first_row + place}; convert"
        " the column first"
    )


def _culprit(cells: Cells) -> int:
    """The first cell that is no number, or else the first that is not missing."""
    wrong_ones = [place for place, level in enumerate(cells.levels) if not is_number(str(level))]
    are_wrong = np.isin(cells.values, wrong_ones) if wrong_ones else ~cells.gaps
    return int(np.argmax(are_wrong))


def _refuse_infinite(cells: Cells) -> Floats:
    values = np.asarray(cells.values, np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        place = int(np.argmax(infinite))
        raise DataError(
            f"column {cells.name!r} holds {values[place]:g} in row {cells.first_row + place}; make it a gap,"
            " or drop such rows"
        )
    return values
