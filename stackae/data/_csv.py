"""Comma-separated text: NumPy's fast reader where the file is plain, the csv module where it is not.

The fast reader only ever gives up; every refusal comes from the careful one, which knows line and column.
"""

from __future__ import annotations

import csv
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO

import numpy as np

from stackae.data._table import (
    LARGEST_EXACT,
    StrPath,
    Table,
    labels_of,
    refusal,
    refuse_names,
    select_columns,
    warn_of_rounding,
)


class _NotPlainError(ValueError):
    """The file needs the careful reader."""


@dataclass(frozen=True)
class _Layout:
    """Where things are in the file."""

    names: list[str] | None
    width: int  # columns in all
    header_lines: int
    kept: list[int]
    label: int | None

    def column(self, position: int) -> str:
        return f"column {position + 1 if self.names is None else repr(self.names[position])}"


def read_csv(path: StrPath, drop: Sequence[str], labels: str | None) -> Table:
    """Read a ``.csv`` file of numbers, with or without a header, as float64."""
    with open(path, "rb") as file:
        layout = _layout(path, file, drop, labels)
        try:
            X, cells = _read_plain(file, layout)
        except ValueError:  # NumPy's own, not UTF-8, or _NotPlainError
            X, cells = _read_carefully(path, file, layout)
    names = None if layout.names is None else [layout.names[position] for position in layout.kept]
    return Table(X, names, labels_of(path, cells) if layout.label is not None else None)


def read_csv_labels(path: StrPath) -> np.ndarray:
    """Read labels from a ``.csv`` file of one column.

    A first cell that is not a number is the header if only numbers follow, or if it never occurs again: the
    name of a class does, as a rule.
    """
    cells = []
    with open(path, "rb") as file:
        for line, row in _filled_records(path, file, width=1):
            if len(row) != 1:
                raise refusal(path, f"labels are one column, this row has {len(row)} cells", f"line {line}")
            if not row[0].strip():
                raise _missing(path, line, "column 1")
            cells.append(row[0])
    if cells and not _is_number(cells[0]) and (all(map(_is_number, cells[1:])) or cells[0] not in cells[1:]):
        del cells[0]
    if not cells:
        raise refusal(path, "no labels in it", mend="give at least one row")
    return labels_of(path, cells)


def _layout(path: StrPath, file: IO[bytes], drop: Sequence[str], labels: str | None) -> _Layout:
    """Read the first row, decide whether it is a header, and find the columns asked for."""
    records = _records(path, file)
    line, end, first = next(((start, end, row) for start, end, row in records if row), (0, 0, []))
    if not first:
        raise refusal(path, "empty file", mend="give at least one row")
    filled = [cell for cell in first if cell.strip()]
    if all(map(_is_number, filled)):
        if len(filled) < len(first):  # a header without a name, or a row without a value: never guess
            raise _missing(path, line, f"column {[bool(cell.strip()) for cell in first].index(False) + 1}")
        refuse_names(path, "a .csv file without a header", drop, labels)
        return _Layout(None, len(first), 0, list(range(len(first))), None)
    if len(filled) < len(first):
        position = [bool(cell.strip()) for cell in first].index(False) + 1
        mend = "name it, or write the file without the row index"
        raise refusal(path, f"column {position} has no name", f"line {line}", mend)
    kept, label = select_columns(path, first, drop, labels)
    if not any(row for _, _, row in records):
        raise refusal(path, "a header and no rows", mend="give at least one row")
    return _Layout(first, len(first), end, kept, label)


def _read_plain(file: IO[bytes], layout: _Layout) -> tuple[np.ndarray, list[str]]:
    """Read the features with NumPy, and the labels' cells; raise ValueError at anything unusual."""
    cells: list[str] = []

    def lines() -> Iterator[str]:
        for raw in islice(file, layout.header_lines, None):
            line = raw.decode("utf-8")
            if line.isspace() and layout.width > 1:
                continue
            if '"' in line or line.isspace() or line.count(",") != layout.width - 1:
                raise _NotPlainError
            if layout.label is not None:
                cell = line.rstrip("\r\n").split(",")[layout.label]
                if not cell.strip():
                    raise _NotPlainError
                cells.append(cell)
            yield line

    file.seek(0)
    file.seek(len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0)
    X = np.loadtxt(
        lines(),
        np.float64,
        comments=None,
        delimiter=",",
        usecols=layout.kept,
        ndmin=2,
        encoding="utf-8",
    )
    if X.size and np.abs(X).max() > LARGEST_EXACT:  # perhaps integers, which only their text tells
        raise _NotPlainError
    return X, cells


def _read_carefully(path: StrPath, file: IO[bytes], layout: _Layout) -> tuple[np.ndarray, list[str]]:
    """Read the features and the labels' cells row by row, and name the line of what is wrong."""
    numbers, cells = array("d"), []
    largest = 0
    for line, row in _filled_records(path, file, layout.width, skip=layout.names is not None):
        if len(row) != layout.width:
            what = f"{len(row)} cells where the first row has {layout.width}"
            raise refusal(path, what, f"line {line}", "mend the row")
        features = [row[position] for position in layout.kept]
        try:
            if "_" in "".join(features):  # Python reads 1_000 as a number, no other tool does
                raise ValueError
            numbers.extend(map(float, features))
            if max(map(abs, numbers[-len(features) :])) > LARGEST_EXACT:
                whole = [int(cell) for cell in features if cell.strip().lstrip("+-").isdecimal()]
                largest = max([largest, *(abs(number) for number in whole if number != float(number))])
        except ValueError:
            position = next(position for position in layout.kept if not _is_number(row[position]))
            if not row[position].strip():
                raise _missing(path, line, layout.column(position)) from None
            where = f"line {line}, {layout.column(position)}"
            mend = "drop the column, or turn it into numbers"
            raise refusal(path, f"{row[position][:50]!r} is not a number", where, mend) from None
        if layout.label is not None:
            if not row[layout.label].strip():
                mend = "write -1 for a row without a label, or nan where labels are numbers"
                where = f"line {line}, {layout.column(layout.label)}"
                raise refusal(path, "missing value: an empty cell", where, mend)
            cells.append(row[layout.label])
    warn_of_rounding(path, np.array([min(largest, 2**63 - 1)]))
    return np.frombuffer(numbers, np.float64).reshape(-1, len(layout.kept)), cells


def _filled_records(
    path: StrPath, file: IO[bytes], width: int, skip: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line and the cells of every row but blank ones, from the start or past the header.

    Where rows have one cell, a blank line between them is an empty cell; at the end it is only a blank line.
    """
    blank = None
    for line, _, row in _records(path, file):
        if not row:
            blank = line if blank is None else blank
            continue
        if skip:
            skip, blank = False, None
            continue
        if width == 1 and blank is not None:
            raise _missing(path, blank, "column 1")
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


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _missing(path: StrPath, line: int, column: str) -> Exception:
    mend = "fill it in, or leave the row or column out"
    return refusal(path, "missing value: an empty cell", f"line {line}, {column}", mend)
