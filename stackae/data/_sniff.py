"""What a file of text with delimiters looks like, by its first lines: encoding, delimiter, quotes, header."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from stackae.data._kinds import KINDS, is_gap, kinds_of
from stackae.data._numerals import counts
from stackae.data._table import StrPath, refusal
from stackae.exceptions import ParameterError, StackaeWarning

SAMPLED = 2**18  # bytes
_ROWS_LOOKED_AT = 200
_DELIMITERS = (",", ";", "\t", "|")
_TEXT_ALONE = 0.5  # the score of rows of text
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"))
_TYPED = re.compile("|".join(f"(?:{kind.pattern})" for kind in KINDS), re.ASCII)


class Asked(NamedTuple):
    """What the caller insists on."""

    delimiter: str | None = None
    decimal: str | None = None
    header: bool | None = None
    encoding: str | None = None
    na: tuple[str, ...] = ()
    as_text: tuple[str, ...] = ()  # columns, by name or place, that are kept as they are written
    known: tuple[str, ...] = ()  # names that a header has

    def check(self) -> None:
        """Refuse what cannot be."""
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ParameterError(
                f"delimiter must be one character, a space for white space, not {self.delimiter!r}"
            )
        if self.decimal not in (None, ".", ","):
            raise ParameterError(f"decimal must be '.' or ',', not {self.decimal!r}")
        if self.decimal is not None and self.decimal == self.delimiter:
            raise ParameterError(f"decimal and delimiter are both {self.decimal!r}; a cell could not end")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                known = "encoding must be one that Python knows, such as 'utf-8' or 'cp1252'"
                raise ParameterError(f"{known}, not {self.encoding!r}") from None


@dataclass(frozen=True)
class Layout:
    """How the text of a file is divided into cells."""

    encoding: str
    compression: str | None
    delimiter: str = ","  # a space: any white space
    quote: str = '"'
    escape: str | None = None
    spaces: bool = False  # before quotes
    header: bool = False
    names: tuple[str, ...] = ()
    skip: int = 0  # lines before the first row, or before the header
    index: bool = False  # the first column has no name
    short: bool = False  # the header has no cell for the names of rows, and is one of the lines skipped
    block: int = 2**22  # bytes read at once

    @property
    def options(self) -> dict[str, object]:
        """For the csv module."""
        return {"delimiter": self.delimiter, "quotechar": self.quote, "escapechar": self.escape}


def compression_of(path: StrPath) -> str | None:
    """How a file is packed, by its first bytes."""
    with open(path, "rb") as file:
        first = file.read(4)
    return next((name for magic, name in _PACKED if first.startswith(magic)), None)


def encoding_of(path: StrPath, sample: bytes, asked: str | None) -> str:
    """The encoding of a file, by its byte-order mark, its zeros, or that its first bytes are UTF-8."""
    if asked is not None:
        is_marked = sample.startswith(codecs.BOM_UTF8) and codecs.lookup(asked).name == "utf-8"
        return "utf-8-sig" if is_marked else codecs.lookup(asked).name
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if b"\0" in sample[:1000]:
        even, odd = sample[:1000:2].count(0), sample[1:1000:2].count(0)
        if min(even, odd) * 4 < max(even, odd) and max(even, odd) * 8 > len(sample[:1000]):
            return "utf-16-le" if odd > even else "utf-16-be"
        raise refusal(path, "not text: it has zero bytes", mend="give the right ending, or name the encoding")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def sniff(path: StrPath, text: str, layout: Layout, asked: Asked, *, whole: bool) -> Layout:
    """Recognise how the first lines of a file are divided, and what they are called."""
    if not text.strip():
        raise refusal(path, "empty file", mend="give at least one row")
    delimiter = asked.delimiter
    if named := re.match(r"sep=(.)\r?\n", text):  # so Excel is told
        text = text[named.end() :]
        layout = replace(layout, skip=1)
        delimiter = delimiter or named[1]
    layout = _divided(path, text, layout, delimiter, asked.decimal, whole=whole)
    rows = _rows(text, layout, whole=whole)
    first, others = rows[0], rows[1:]
    widths = {len(row) for row in others}
    if widths == {len(first) + 1} and asked.header is not False:  # R names rows and not their column
        skip = layout.skip + 1
        names = _named(path, ["", *first], skip)
        return replace(layout, names=names, header=True, index=True, skip=skip, short=True)
    header = is_header(path, first, others, asked)
    names = _named(path, first, layout.skip + 1) if header else _made(len(first))
    if header and not others and whole:
        raise refusal(
            path, "a header and no rows", mend="give at least one row, or say that it has no header"
        )
    return replace(layout, names=names, header=header, index=header and not first[0].strip())


def named_rows(path: StrPath, rows: list[list[str]], asked: Asked) -> tuple[bool, tuple[str, ...]]:
    """Whether the first of some rows is a header, and the names of the columns."""
    header = is_header(path, rows[0], rows[1:], asked)
    return header, _named(path, rows[0], 1) if header else _made(len(rows[0]))


def _made(width: int) -> tuple[str, ...]:
    return tuple(f"column_{place}" for place in range(1, width + 1))


def _named(path: StrPath, cells: list[str], line: int) -> tuple[str, ...]:
    """The names in a header; a first column without a name is the index, as pandas and R write it."""
    names = [cell.strip() or made for cell, made in zip(cells, _made(len(cells)), strict=True)]
    if not cells[0].strip() and len(cells) > 1 and "index" not in names:
        names[0] = "index"
    first: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if first.setdefault(name, place) < place:
            where = f"line {line}, columns {first[name]} and {place}"
            raise refusal(path, f"column name {name!r} occurs more than once", where, "rename one of them")
    return tuple(names)


def _divided(
    path: StrPath, text: str, layout: Layout, delimiter: str | None, decimal: str | None, *, whole: bool
) -> Layout:
    """Choose the delimiter that gives rows of one width and cells that are something."""
    choices = [
        _dressed(text, replace(layout, delimiter=each))
        for each in ([delimiter] if delimiter is not None else _DELIMITERS)
    ]
    if delimiter is not None:
        return choices[0]
    scores = {choice: _score(_rows(text, choice, whole=whole)) for choice in choices}
    if decimal == ",":  # which divides no cells
        scores[choices[0]] = 0.0
    best = max(choices, key=lambda choice: scores[choice])
    if re.search(r"\.(tsv|tab)\b", os.path.basename(os.fspath(path)).lower()) and scores[choices[2]]:
        return choices[2]
    spaced = _dressed(text, replace(layout, delimiter=" "))
    rows = _rows(text, spaced, whole=whole)
    if scores[best] < _TEXT_ALONE and _is_spaced(rows) and _score(rows) > scores[best]:
        return spaced
    if best.delimiter == "," and _are_decimals(_rows(text, best, whole=whole)):
        return choices[1]
    return best if scores[best] else choices[decimal == ","]


def _dressed(text: str, layout: Layout) -> Layout:
    """Recognise quotes, escapes, and spaces before quotes."""
    between = re.escape(layout.delimiter)
    quote = '"'
    if '"' not in text:  # then perhaps single ones; but apostrophes may begin a cell, or end it
        begun = len(re.findall(rf"(?m)(?:^|{between})'", text))
        ended = len(re.findall(rf"(?m)(?:^|{between})'[^'\n]*'(?={between}|\r?$)", text))
        quote = "'" if 0 < begun == ended else quote
    is_doubled = re.search(rf"[^{between}\n]{quote}{quote}[^{between}\r\n]", text) is not None
    is_escaped = re.search(rf"\\{quote}(?!{between}|\r?$)", text, re.MULTILINE) is not None
    escape = "\\" if is_escaped and not is_doubled else None
    spaces = layout.delimiter not in " \t" and re.search(rf"(?m)(^|{between})[ \t]+{quote}", text) is not None
    return replace(layout, quote=quote, escape=escape, spaces=spaces)


def mended(text: str, layout: Layout) -> str:
    """Whole lines, with one space for white space where that divides cells, and none before quotes."""
    if layout.delimiter == " ":
        edge, quote = r"^[ \t]+|[ \t]+(?=\r?$)", layout.quote
        pattern = rf"(?m)(?P<edge>{edge})|(?P<quoted>{quote}[^{quote}\n]*{quote})|[ \t]+"
        return re.sub(pattern, lambda m: "" if m["edge"] else (m["quoted"] or " "), text)
    if layout.spaces:
        between, quote = re.escape(layout.delimiter), layout.quote
        return re.sub(rf"(?m)(^|{between})[ \t]+(?={quote}(?!{quote}))", r"\1", text)
    return text


def _rows(text: str, layout: Layout, *, whole: bool) -> list[list[str]]:
    """The first rows that are not blank; the last one, which may be cut, only of a whole file."""
    reader = csv.reader(io.StringIO(mended(text, layout), newline=""), **layout.options)  # type: ignore[arg-type]
    rows: list[list[str]] = []
    with cells_of_any_length():
        for row in reader:
            if row:
                rows.append([cell.strip() for cell in row])
            if len(rows) > _ROWS_LOOKED_AT:
                return rows
    return rows if whole or len(rows) < 2 else rows[:-1]


@contextmanager
def cells_of_any_length() -> Iterator[None]:
    """Let the csv module read cells of more than 131,072 characters."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _score(rows: list[list[str]]) -> float:
    """How well rows are divided: 0 where most have one cell, 1 where all have as many, all of a kind."""
    width, n = Counter(map(len, rows)).most_common(1)[0]
    if width == 1:
        return 0.0
    cells = [cell for row in rows[1:] or rows for cell in row]
    quality = sum(_worth(cell) for cell in cells) / len(cells)
    return float((n / len(rows)) ** 2 * quality)


def _worth(cell: str) -> float:
    if is_gap(cell) or _TYPED.fullmatch(cell):
        return 1.0
    numbers = cell.split()
    is_row = any(sign in cell for sign in _DELIMITERS) or (
        len(numbers) > 1 and all(map(_TYPED.fullmatch, numbers))
    )
    return 0.2 if is_row else _TEXT_ALONE


def _is_spaced(rows: list[list[str]]) -> bool:
    """Whether white space divides rows: as many cells in each, a third of them numbers."""
    first, *others = rows
    widths = {len(row) for row in others or rows}
    if len(widths) > 1 or widths == {1} or widths.pop() - len(first) not in (0, 1):
        return False
    cells = [cell for row in others or rows for cell in row]
    return 3 * sum(
        any(kind.name.startswith(("whole", "number")) for kind in kinds_of([cell])) for cell in cells
    ) >= len(cells)


def _are_decimals(rows: list[list[str]]) -> bool:
    """Whether what looks like two columns below a name is one of decimal commas."""
    first, *others = rows
    cells = [",".join(row) for row in others]
    return len(first) == 1 and any(kind.decimal == "," for kind in kinds_of(cells))


def is_header(path: StrPath, first: list[str], others: list[list[str]], asked: Asked) -> bool:
    """Whether the first row names the columns: as is said, or it has the known names, or it looks so."""
    if asked.header is not None:
        return asked.header
    return bool(asked.known and {*asked.known} <= {*first}) or _has_header(path, first, others)


def _has_header(path: StrPath, first: list[str], others: list[list[str]]) -> bool:
    """Whether the first row names the columns: it is not what the others are, or its numbers count."""
    if not others:
        return not any(is_gap(cell) or _TYPED.fullmatch(cell) for cell in first)
    columns = [[row[place] for row in others if place < len(row)] for place in range(len(first))]
    kinds = [kinds_of(column) for column in columns]
    typed = [place for place, cell in enumerate(first) if kinds[place] and not is_gap(cell, of_text=False)]
    if any(not any(kind.matches(first[place]) for kind in kinds[place]) for place in typed):
        return True
    names = [place for place, cell in enumerate(first) if not kinds[place] and not is_gap(cell)]
    texts = [
        place
        for place in names  # a number above nothing but gaps tells nothing
        if not (_TYPED.fullmatch(first[place]) and all(map(is_gap, columns[place])))
    ]
    if any(first[place] in columns[place] for place in texts):
        return False
    if not typed:
        return len({first[place] for place in texts}) == len(texts) > 0
    numbers = [first[place] for place in typed]
    rows = [[row[place] for place in typed if place < len(row)] for row in others]
    if any(_goes_on(first[place], columns[place]) for place in typed) or not any(
        counting(numbers) and not any(map(counting, rows)) for counting in (counts, _is_even)
    ):
        return False
    shown = ", ".join(first[:3])
    warnings.warn(
        f"{os.fspath(path)}: the first row ({shown}, ...) is taken as a header, since its numbers rise and no"
        " other row's do; --header (header=True) says so without this warning, --no-header makes it a row",
        StackaeWarning,
        stacklevel=2,
    )
    return True


def _is_even(row: list[str]) -> bool:
    """Whether numbers are whole and rise evenly, as years do."""
    if len(row) < 3 or not all(cell.isdecimal() for cell in row):
        return False
    steps = {int(right) - int(left) for left, right in pairwise(row)}
    return len(steps) == 1 and min(steps) > 0


def _goes_on(first: str, column: list[str]) -> bool:
    """Whether a column counts on from its first cell, as the numbers of rows do."""
    return _is_even([first, *column])
