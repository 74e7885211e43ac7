"""JSON lines and Excel's sheets, as blocks of cells that are text."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stackae.data._sniff import Asked, compression_of, named_rows
from stackae.data._table import StrPath, decoding, refusal
from stackae.data._text import unpacked

_BLOCK = 2**22  # bytes of lines read at once
_ROWS_AT_ONCE = 2**15


@dataclass(frozen=True)
class JsonLines:
    """A file with an object a line; keys that a line lacks are gaps."""

    path: StrPath
    compression: str | None
    block: int  # bytes read at once

    @classmethod
    def open(cls, path: StrPath, largest_block: int) -> JsonLines:
        """Recognise how a file is packed."""
        return cls(path, compression_of(path), min(_BLOCK, largest_block))

    def blocks(self) -> Iterator[Any]:
        """Yield record batches of cells that are text, with the names that occur among their rows."""
        with unpacked(self.path, self.compression) as file:
            buffered, n_lines = io.BufferedReader(file), 0
            while lines := buffered.readlines(self.block):
                numbered = enumerate(lines, n_lines + 1)
                rows = [self._row(number, line) for number, line in numbered if line.strip()]
                n_lines += len(lines)
                names = dict.fromkeys(name for row in rows for name in row)
                columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
                yield pa.RecordBatch.from_pydict(columns)

    def _row(self, number: int, line: bytes) -> dict[str, str | None]:
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise refusal(self.path, "not UTF-8", f"line {number}", "save it as UTF-8") from error
        except (json.JSONDecodeError, RecursionError) as error:
            where = (
                f"line {number}: {error}"
                if isinstance(error, RecursionError)
                else f"line {number}, column {error.colno}"
            )
            raise refusal(self.path, "malformed JSON", where, "write one object a line") from error
        if not isinstance(row, dict):
            what = f"a line that is no object but {_word(row)}"
            raise refusal(self.path, what, f"line {number}", 'write rows as {"name": value, ...}')
        for name, cell in row.items():
            if isinstance(cell, (list, dict)):
                where = f"line {number}, column {name!r}"
                raise refusal(
                    self.path, f"a cell that is {_word(cell)}", where, "flatten or leave out the column"
                )
        return {name: _as_text(cell) for name, cell in row.items()}


@dataclass(frozen=True)
class Sheet:
    """A sheet of an Excel file, read as a whole."""

    path: StrPath
    title: str
    header: bool
    index: bool  # the first column has no name
    names: tuple[str, ...]
    rows: list[list[Any]]

    @classmethod
    def open(cls, path: StrPath, title: str | None, asked: Asked) -> Sheet:
        """Read a sheet, the first one where none is named; blank rows are left out."""
        try:
            from python_calamine import CalamineWorkbook
        except ImportError as error:
            mend = "install it: pip install 'stackae[excel]'"
            raise refusal(path, "reading Excel needs python-calamine", mend=mend) from error
        with open(path, "rb") as file, decoding(path, "an Excel file"):
            book = CalamineWorkbook.from_filelike(file)
            if not book.sheet_names:
                raise refusal(path, "no sheet in it")
            if title is not None and title not in book.sheet_names:
                raise refusal(
                    path, f"no sheet {title!r}", mend=f"it has {', '.join(map(repr, book.sheet_names))}"
                )
            title = book.sheet_names[0] if title is None else title
            sheet = book.get_sheet_by_name(title)
            cells = sheet.to_python(skip_empty_area=True)
            merged = sheet.merged_cell_ranges or []
        if merged:
            where = f"sheet {title!r}, {_place(*merged[0][0])}:{_place(*merged[0][1])}"
            raise refusal(
                path, "merged cells", where, "unmerge them: which rows they belong to cannot be known"
            )
        rows = [row for row in cells if any(cell != "" for cell in row)]
        if not rows:
            raise refusal(path, "an empty sheet", f"sheet {title!r}", "name another: FILE:SHEET")
        header, names = named_rows(
            path, [[_as_text(cell) or "" for cell in row] for row in rows[:200]], asked
        )
        if header and len(rows) == 1:
            raise refusal(path, "a header and no rows", f"sheet {title!r}", "give at least one row")
        index = header and rows[0][0] in ("", None)
        return cls(path, title, header, index, names, rows[1:] if header else rows)

    def blocks(self) -> Iterator[Any]:
        """Yield record batches of cells that are text."""
        for start in range(0, len(self.rows), _ROWS_AT_ONCE):
            part = self.rows[start : start + _ROWS_AT_ONCE]
            columns = zip(*([_as_text(cell) for cell in row] for row in part), strict=True)
            yield pa.RecordBatch.from_arrays(
                [pa.array(cells, pa.string()) for cells in columns], list(self.names)
            )


def _as_text(cell: Any) -> str | None:
    """A value as a file of text would have it."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, dt.timedelta):
        return str(cell.total_seconds())
    return cell.isoformat() if isinstance(cell, (dt.date, dt.time)) else str(cell)


def _word(value: Any) -> str:
    return {list: "a list", dict: "an object", str: "text", type(None): "null", bool: "a truth value"}.get(
        type(value), "a number"
    )


def _place(row: int, column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row + 1}"
