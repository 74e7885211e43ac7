"""Comma-separated text: NumPy's fast reader where the file is plain, the csv module where it is not.

The fast reader only ever gives up; every refusal comes from the careful one, which knows line and column.
"""

from __future__ import annotations

import csv
import os
import warnings
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO

import numpy as np

from stackae.data._numerals import counts, is_number
from stackae.data._table import (
    LARGEST_EXACT,
    Places,
    StrPath,
    Table,
    TableSpec,
    find_columns,
    labels_of,
    refusal,
    texts_of,
    warn_of_rounding,
)
from stackae.data._typed import read_typed
from stackae.data.labels import says_nothing
from stackae.exceptions import StackaeWarning

#: So many rows tell whether the first one is a header.
_ROWS_LOOKED_AT = 200


class _NotPlainError(ValueError):
    """The file needs the careful reader."""


@dataclass(frozen=True)
class _Layout:
    """Where things are in the file."""

    names: list[str] | None
    width: int  # columns in all
    header_lines: int
    places: Places

    def column(self, position: int) -> str:
        return f"column {position + 1 if self.names is None else repr(self.names[position])}"

    @property
    def text_columns(self) -> list[int]:
        """The columns that are taken as they are written: of labels and ids."""
        return [place for place in (self.places.label, self.places.id) if place is not None]


def read_csv(path: StrPath, spec: TableSpec) -> Table:
    """Read a ``.csv`` file of numbers, with or without a header, as float64; empty cells are NaN."""
    with open(path, "rb") as file:
        if _has_another_dialect(file):
            return read_typed(path, spec)
        layout = _layout(path, file, spec)
        try:
            X, texts = _read_plain(file, layout)
        except ValueError:  # NumPy's own, not UTF-8, or _NotPlainError
            X, texts = _read_carefully(path, file, layout)
    names, (features, label, id_, ignored) = layout.names, layout.places
    return Table(
        X,
        None if names is None else [names[position] for position in features],
        None if label is None else labels_of(path, texts[0]),
        None if id_ is None else texts_of(path, texts[-1]),
        ignored,
    )


def _has_another_dialect(file: IO[bytes]) -> bool:
    """Whether commas between cells and UTF-8 are not what the first line shows."""
    line = file.readline(2**20)
    return line.startswith((b"\xff\xfe", b"\xfe\xff")) or any(mark in line for mark in (b";", b"\t", b"|"))


def read_csv_labels(path: StrPath, spec: TableSpec) -> np.ndarray:
    """Read labels from a ``.csv`` file of one column; an empty cell or line stands for no label.

    Where it is not said, a first cell that is not a number is the header if only numbers follow, or if it
    never occurs again: the name of a class does, as a rule.
    """
    cells = []
    with open(path, "rb") as file:
        for line, row in _filled_records(path, file, width=1, blank_is_empty=True):
            if len(row) != 1:
                raise refusal(path, f"labels are one column, this row has {len(row)} cells", f"line {line}")
            cells.append(row[0])
    if spec.header or (spec.header is None and cells and _names_the_others(cells)):
        del cells[:1]
    if all(map(says_nothing, cells)):
        raise refusal(path, "no labels in it", mend="give at least one row")
    return labels_of(path, cells)


def _names_the_others(cells: list[str]) -> bool:
    first, *others = (cell.strip() for cell in cells)
    if is_number(first) or says_nothing(first):
        return False
    return all(is_number(cell) or says_nothing(cell) for cell in others) or first not in others


def _layout(path: StrPath, file: IO[bytes], spec: TableSpec) -> _Layout:
    """Read the first rows, decide whether one is a header, and find the columns asked for."""
    records = ((start, end, row) for start, end, row in _records(path, file) if row)
    line, end, first = next(records, (0, 0, []))
    if not first:
        raise refusal(path, "empty file", mend="give at least one row")
    others = [row for _, _, row in islice(records, _ROWS_LOOKED_AT)]
    has_header = _has_header(path, first, others, spec.features) if spec.header is None else spec.header
    blank = next((place for place, cell in enumerate(first, 1) if not cell.strip()), None)
    if not has_header:
        replace(spec, header=None).refuse_for(path, "a .csv file without a header")
        return _Layout(None, len(first), 0, Places([*range(len(first))], None, None, ()))
    if blank is not None:
        mend = "name it, or write the file without the row index"
        raise refusal(path, f"column {blank} has no name", f"line {line}", mend)
    places = find_columns(path, first, spec)
    if not others:
        raise refusal(path, "a header and no rows", mend="give at least one row")
    return _Layout(first, len(first), end, places)


def _has_header(
    path: StrPath, first: list[str], others: list[list[str]], known: Sequence[str] | None
) -> bool:
    """Whether the first row names the columns: the known ones, or it is no row of numbers, or of numbers that
    count."""
    if not all(is_number(cell) for cell in first if cell.strip()) or (known and {*known} <= {*first}):
        return True
    if not counts(first) or any(map(counts, others)) or not others:
        return False
    shown = ", ".join(first[:3])
    warnings.warn(
        f"{os.fspath(path)}: the first row ({shown}, ...) is taken as a header, since its numbers rise and no"
        " other row's do; --header (header=True) says so without this warning, --no-header makes it a row",
        StackaeWarning,
        stacklevel=2,
    )
    return True


def _read_plain(file: IO[bytes], layout: _Layout) -> tuple[np.ndarray, list[list[str]]]:
    """Read the features with NumPy, and the columns of text; raise ValueError at anything unusual."""
    wanted = layout.text_columns
    texts: list[list[str]] = [[] for _ in wanted]

    def lines() -> Iterator[str]:
        for raw in islice(file, layout.header_lines, None):
            line = raw.decode("utf-8")
            if line.isspace() and layout.width > 1:
                continue
            if '"' in line or line.isspace() or line.count(",") != layout.width - 1:
                raise _NotPlainError
            if wanted:
                cells = line.rstrip("\r\n").split(",")
                for place, column in zip(wanted, texts, strict=True):
                    column.append(cells[place])
            yield line

    file.seek(0)
    file.seek(len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0)
    X = np.loadtxt(
        lines(),
        np.float64,
        comments=None,
        delimiter=",",
        usecols=layout.places.features,
        ndmin=2,
        encoding="utf-8",
    )
    if X.size and np.abs(X).max() > LARGEST_EXACT:  # perhaps integers, which only their text tells
        raise _NotPlainError
    return X, texts


def _read_carefully(path: StrPath, file: IO[bytes], layout: _Layout) -> tuple[np.ndarray, list[list[str]]]:
    """Read the same row by row, and name the line of what is wrong."""
    numbers, kept, largest = array("d"), layout.places.features, 0
    texts: list[list[str]] = [[] for _ in layout.text_columns]
    for line, row in _filled_records(path, file, layout.width, skip=layout.names is not None):
        if len(row) != layout.width:
            what = f"{len(row)} cells where the first row has {layout.width}"
            raise refusal(path, what, f"line {line}", "mend the row")
        features = [row[position] for position in kept]
        try:
            if "_" in "".join(features):  # Python reads 1_000 as a number, no other tool does
                raise ValueError
            numbers.extend(np.nan if says_nothing(cell) else float(cell) for cell in features)
            if any(abs(number) > LARGEST_EXACT for number in numbers[-len(features) :]):
                whole = [int(cell) for cell in features if cell.strip().lstrip("+-").isdecimal()]
                largest = max([largest, *(abs(number) for number in whole if number != float(number))])
        except ValueError:
            position = next(
                position for position in kept if not (is_number(row[position]) or says_nothing(row[position]))
            )
            where = f"line {line}, {layout.column(position)}"
            mend = "drop the column (or say what it is: --labels, --id), or turn it into numbers"
            raise refusal(path, f"{row[position][:50]!r} is not a number", where, mend) from None
        for place, column in zip(layout.text_columns, texts, strict=True):
            column.append(row[place])
    warn_of_rounding(path, np.array([min(largest, 2**63 - 1)]))
    return np.frombuffer(numbers, np.float64).reshape(-1, len(kept)), texts


def _filled_records(
    path: StrPath, file: IO[bytes], width: int, *, skip: bool = False, blank_is_empty: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line and the cells of every row but blank ones, from the start or past the header.

    Where rows have one cell, a blank line between them is an empty cell; at the end it is only a blank line.
    """
    blanks: list[int] = []
    for line, _, row in _records(path, file):
        if not row:
            blanks.append(line)
            continue
        if skip:
            skip, blanks = False, []
            continue
        if width == 1 and blanks and not blank_is_empty:
            raise _missing(path, blanks[0], "column 1")
        yield from ((blank, [""]) for blank in (blanks if width == 1 else ()))
        blanks = []
        yield line, row


def _records(path: StrPath, file: IO[bytes]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield first line, last line (physical, from 1) and cells of every row; a blank line has no cells."""
    file.seek(0)
    reader = csv.reader(_decoded(path, file), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"line {start}: {error}"
            raise refusal(path, "malformed CSV", where, "check the quotes and the line ends") from error
        yield start, reader.line_num, row


def _decoded(path: StrPath, file: IO[bytes]) -> Iterator[str]:
    for number, raw in enumerate(file, 1):
        try:
            yield raw.decode("utf-8" if number > 1 else "utf-8-sig")
        except UnicodeDecodeError as error:
            raise refusal(path, "not UTF-8", f"line {number}", "save it as UTF-8") from error


def _missing(path: StrPath, line: int, column: str) -> Exception:
    mend = "fill it in, or leave the row or column out"
    return refusal(path, "missing value: an empty cell", f"line {line}, {column}", mend)
