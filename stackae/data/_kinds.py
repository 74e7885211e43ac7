"""What the cells of a column are, by all of them: whole numbers, numbers, truth values, dates, times or text.

Cells come as text, in blocks. A kind that a column may be is a pattern that every cell matches and a way to
parse them; kinds that a block contradicts are crossed out, and what is left at the end is the column's. So a
column has the same type whether it is read at once or in blocks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stackae.data.labels import MISSING

#: Cells that stand for a gap in every column, beside empty ones.
GAPS = MISSING | {"?", "#N/A", "-nan", "-NaN"}
#: Cells that stand for a gap in a column that is no text otherwise.
DASHES = frozenset({"-", "--", ".", "..", "n.a.", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!"})
#: So many cells of a block are tried before all of them are.
_PROBED = 20

_WHOLE = r"[+-]?(?:0|[1-9]\d{0,17})"  # 007 is a code, and so is what int64 may not hold
_POWER = r"(?:[eE][+-]?\d+)?"
_INF = r"[+-]?(?i:inf|infinity)"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_ISO = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
_ZONE = r"(?:Z|[+-]\d\d(?::?\d\d)?)"


@dataclass(frozen=True)
class Kind:
    """One thing that the cells of a column may be."""

    name: str
    pattern: str  # in the syntax that Python and RE2 share
    parse: Callable[[Any], Any]  # raises ArrowInvalid
    type: pa.DataType
    decimal: str | None = None  # of numbers that are not whole
    includes: tuple[str, ...] = ()  # kinds whose cells are all of this one too

    def matches(self, cell: str) -> bool:
        """Whether one cell, without spaces around it, is of the kind."""
        return self._regex.fullmatch(cell) is not None

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.ASCII)

    def fits(self, cells: Any) -> bool:
        """Whether all cells, none of them null, are of the kind."""
        if not pc.all(pc.match_substring_regex(cells, f"^(?:{self.pattern})$")).as_py():
            return False
        try:
            if pa.types.is_temporal(self.type):
                self.parse(cells)
        except pa.ArrowInvalid:  # 30 February
            return False
        return True


def _cast(kind: pa.DataType, *changes: tuple[str, str]) -> Callable[[Any], Any]:
    """A parser that casts the text, after changes by regular expressions where that fails as it is."""

    def parse(cells: Any) -> Any:
        try:
            return cells.cast(kind)
        except pa.ArrowInvalid:
            for pattern, replacement in changes:
                cells = pc.replace_substring_regex(cells, pattern, replacement)
            return cells.cast(kind)

    return parse


def _is(word: str) -> Callable[[Any], Any]:
    return lambda cells: pc.equal(pc.ascii_lower(cells), word)


def _clock(cells: Any) -> Any:
    moments = pc.binary_join_element_wise("1970-01-01", pc.replace_substring_regex(cells, *_TOO_FINE), " ")
    return moments.cast(_MOMENT).cast(pa.time64("us"))


def _number(decimal: str, group: str = "") -> Kind:
    """Numbers with that decimal sign, the thousands in groups or not."""
    point = re.escape(decimal)
    plain = rf"(?:0|[1-9]\d{{0,17}}|\d+{point}\d*|{point}\d+){_POWER}"
    # more digits without a decimal sign are names of things
    swap = [] if decimal == "." else [(point, ".")]
    if not group:
        name = f"number{decimal}"
        return Kind(
            name, rf"[+-]?{plain}|{_INF}", _cast(pa.float64(), *swap), pa.float64(), decimal, ("whole",)
        )
    grouped = "|".join(rf"[1-9]\d{{0,2}}(?:{sign}\d{{3}})+(?:{point}\d*)?" for sign in group.split("|"))
    plain_of = _cast(pa.float64(), *swap)

    def parse(cells: Any) -> Any:
        return plain_of(pc.replace_substring_regex(cells, group, ""))  # always: 1.234 is a number with it too

    includes = ("whole", f"number{decimal}")
    return Kind(
        f"number{decimal}{group}", rf"[+-]?(?:{plain}|{grouped})", parse, pa.float64(), decimal, includes
    )


_MOMENT = pa.timestamp("us")
_UTC = pa.timestamp("us", "UTC")
_TOO_FINE = (r"(\.\d{6})\d+", r"\1")
_PAD = ((r"^(\d)\b", r"0\1"), (r"^(\d\d\D)(\d)\b", r"\g<1>0\2".replace(r"\g<1>", r"\1")))
_DAY_FIRST = (r"^(\d\d)\D(\d\d)\D(\d{4})", r"\3-\2-\1")
_MONTH_FIRST = (r"^(\d\d)\D(\d\d)\D(\d{4})", r"\3-\1-\2")
_SPACES = " |\u00a0|\u202f|'|\u2019"
_LATER = rf"(?:,? +{_CLOCK.replace('[01]', '[01]?')})"
_HOUR = (r",? +(\d):", r" 0\1:")

KINDS = (
    Kind("whole", _WHOLE, _cast(pa.int64(), (r"^\+", "")), pa.int64()),
    _number("."),
    _number(","),
    _number(".", ","),
    _number(",", r"\."),
    _number(".", _SPACES),
    _number(",", _SPACES),
    Kind("true", "(?i:true|false)", _is("true"), pa.bool_()),
    Kind("yes", "(?i:yes|no)", _is("yes"), pa.bool_()),
    Kind("date", _ISO, _cast(pa.date32()), pa.date32()),
    Kind("date/", _ISO.replace("-", "/"), _cast(pa.date32(), ("/", "-")), pa.date32()),
    Kind("moment", rf"{_ISO}(?:[T ]{_CLOCK})?", _cast(_MOMENT, _TOO_FINE), _MOMENT, None, ("date",)),
    Kind(
        "moment, zone",
        rf"{_ISO}[T ]{_CLOCK} ?{_ZONE}",
        _cast(_UTC, _TOO_FINE, (" ?([Z+-][\\d:]*)$", r"\1")),
        _UTC,
    ),
    Kind("D.M.Y", rf"{_DAY}\.{_MONTH}\.\d{{4}}", _cast(pa.date32(), *_PAD, _DAY_FIRST), pa.date32()),
    Kind(
        "D.M.Y, time",
        rf"{_DAY}\.{_MONTH}\.\d{{4}}{_LATER}",
        _cast(_MOMENT, *_PAD, _DAY_FIRST, _HOUR, (",? +", " ")),
        _MOMENT,
    ),
    Kind("M/D/Y", rf"{_MONTH}/{_DAY}/\d{{4}}", _cast(pa.date32(), *_PAD, _MONTH_FIRST), pa.date32(), "."),
    Kind("D/M/Y", rf"{_DAY}/{_MONTH}/\d{{4}}", _cast(pa.date32(), *_PAD, _DAY_FIRST), pa.date32(), ","),
    Kind("time", _CLOCK, _clock, pa.time64("us")),
)
TEXT = Kind("text", "", lambda cells: cells, pa.string())
EMPTY = Kind("empty", "", lambda cells: cells.cast(pa.float64()), pa.float64())


class Column:
    """What a column may still be, after the cells seen so far."""

    def __init__(self, decimal: str | None, *, as_text: bool = False) -> None:
        self.as_text = as_text
        self.kinds = [kind for kind in KINDS if decimal is None or kind.decimal in (None, decimal)]
        self.n_known = self.n_dashes = self.n_cells = 0

    def see(self, cells: Any) -> None:
        """Cross out what the next cells, cleaned, are not."""
        self.n_cells += len(cells)
        self.n_known += len(cells) - cells.null_count
        if self.as_text or not self.kinds or cells.null_count == len(cells):
            return
        kinds = self._that_fit(cells.drop_null())
        if not kinds:  # no kind has dashes
            bare = _without_dashes(cells)
            self.n_dashes += bare.null_count - cells.null_count
            kinds = self._that_fit(bare.drop_null())
        self.kinds = kinds

    def _that_fit(self, cells: Any) -> list[Kind]:
        """The kinds that all the cells, none of them null, are of."""
        probe = cells[:_PROBED].to_pylist()
        fitting: list[Kind] = []
        for kind in (
            self.kinds if not probe else [kind for kind in self.kinds if all(map(kind.matches, probe))]
        ):
            if not probe or any(smaller.name in kind.includes for smaller in fitting) or kind.fits(cells):
                fitting.append(kind)
        return fitting

    @property
    def is_empty(self) -> bool:
        return self.n_known == 0

    def kind(self, decimal: str | None, delimiter: str | None) -> Kind:
        """What the column is, in a file with that decimal sign, None where nothing tells it."""
        if self.is_empty and not self.as_text:
            return EMPTY
        if self.as_text or not self.kinds or self.n_known == self.n_dashes:
            return TEXT
        first = self.kinds[0]
        if first.decimal is None:
            return first
        if decimal is None:  # 1,234 between semicolons is a fraction, elsewhere a thousand
            decimal = "," if first.decimal == "," and delimiter == ";" else "."
        return next((kind for kind in self.kinds if kind.decimal == decimal), first)

    def n_gaps(self, kind: Kind) -> int:
        """How many cells are missing, dashes among them unless they are text."""
        return self.n_cells - self.n_known + (0 if kind is TEXT else self.n_dashes)


def decimal_of(columns: Iterable[Column]) -> str | None:
    """The decimal sign of most columns that leave no choice; None where there is none."""
    signs = [{kind.decimal for kind in column.kinds} for column in columns if column.n_known]
    clear = Counter(next(iter(sign)) for sign in signs if len(sign) == 1 and sign != {None})
    return clear.most_common(1)[0][0] if clear else None


def clean(cells: Any, gaps: Sequence[str]) -> Any:
    """Leave out spaces around cells, and make null what stands for a gap."""
    cells = pc.utf8_trim_whitespace(cells)
    is_gap = pc.is_in(cells, pa.array(gaps, cells.type))
    return pc.if_else(is_gap, pa.scalar(None, cells.type), cells) if pc.any(is_gap).as_py() else cells


def parse(cells: Any, kind: Kind, *, has_dashes: bool) -> Any:
    """The cells, cleaned, as what their column is."""
    return kind.parse(_without_dashes(cells) if has_dashes else cells)


def kinds_of(cells: Collection[str]) -> list[Kind]:
    """What a few cells may be, gaps left aside; nothing where they are text or all gaps."""
    known = [cell for cell in cells if not is_gap(cell, of_text=False)]
    return [kind for kind in KINDS if known and all(map(kind.matches, known))]


def is_gap(cell: str, *, of_text: bool = True) -> bool:
    """Whether one cell stands for a gap, in a column of text or in one that is none."""
    return not cell or cell in GAPS or (cell in DASHES and not of_text)


def _without_dashes(cells: Any) -> Any:
    is_dash = pc.is_in(cells, pa.array(sorted(DASHES), cells.type))
    return pc.if_else(is_dash, pa.scalar(None, cells.type), cells) if pc.any(is_dash).as_py() else cells
