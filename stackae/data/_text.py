"""Files of text with delimiters, through pyarrow's reader, as blocks of cells that are still text.

pyarrow only ever gives up; every refusal comes from the careful reader, which knows the line.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from stackae.data._sniff import (
    SAMPLED,
    Asked,
    Layout,
    cells_of_any_length,
    compression_of,
    encoding_of,
    mended,
    sniff,
)
from stackae.data._table import StrPath, refusal
from stackae.exceptions import StackaeError

_READ = 2**20  # bytes at once
_A_COLUMN = 2**12  # bytes of a block for each, so that wide tables have blocks of many rows
_LARGEST_BLOCK = 2**30
_LARGEST_SAMPLE = 2**26
_UNDECODED = re.compile("[\udc80-\udcff]")


class Again(StackaeError):  # noqa: N818 - no error: the file is to be read again
    """A file turned out to need another layout: read ``source`` instead. Never leaves this package."""

    def __init__(self, source: TextSource) -> None:
        self.source = source


@dataclass(frozen=True)
class TextSource:
    """A file whose layout is known."""

    path: StrPath
    layout: Layout
    asked: Asked

    @classmethod
    def open(cls, path: StrPath, asked: Asked, largest_block: int) -> TextSource:
        """Recognise a file by its first lines."""
        compression = compression_of(path)
        with unpacked(path, compression) as file:
            sample, whole = b"", False
            while not whole and len(sample) < _LARGEST_SAMPLE and sample.count(b"\n") < 3:
                more = file.read(SAMPLED)
                sample, whole = sample + more, len(more) < SAMPLED
        layout = Layout(encoding_of(path, sample, asked.encoding), compression)
        try:
            text = codecs.getincrementaldecoder(layout.encoding)().decode(sample, final=whole)
        except UnicodeDecodeError as error:
            raise _not_decoded(path, asked, error) from error
        layout = sniff(path, text, layout, asked, whole=whole)
        block = min(max(layout.block, _A_COLUMN * len(layout.names)), largest_block)
        return cls(path, replace(layout, block=block), asked)

    def blocks(self) -> Iterator[Any]:
        """Yield record batches of cells that are text; raise Again where the layout is another."""
        has_line_ends = False
        skips = self.layout.header and not self.layout.short
        with self._text() as text:
            for batch in self._batches(text):
                block = batch.slice(1) if skips else batch
                skips = False
                if text.n_quotes and not has_line_ends:
                    has_line_ends = any(map(_has_line_ends, block.columns))
                if len(block):
                    yield block
            if has_line_ends or text.n_quotes % 2:  # a quote too many makes one cell of several rows
                self._read_carefully()

    @contextmanager
    def _text(self) -> Iterator[_Text]:
        """Open the file as UTF-8, with all that its layout mends."""
        with unpacked(self.path, self.layout.compression) as file:
            text = _Text(file, self.layout)
            try:
                yield text
            except UnicodeDecodeError as error:
                if self._may_be_cp1252:
                    raise self._again(encoding="cp1252") from error
                raise _not_decoded(self.path, self.asked, error, text.n_lines) from error
            except pa.ArrowInvalid as error:
                raise self._after(error) from error

    def _batches(self, text: _Text) -> Iterator[Any]:
        layout, names = self.layout, list(self.layout.names)
        reader = arrow_csv.open_csv(
            io.BufferedReader(text, _READ),
            arrow_csv.ReadOptions(
                column_names=names, skip_rows=layout.skip, block_size=layout.block, use_threads=False
            ),
            arrow_csv.ParseOptions(
                delimiter=layout.delimiter,
                quote_char=layout.quote,
                escape_char=layout.escape or False,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
            ),
            arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, null_values=[], strings_can_be_null=False
            ),
        )
        with reader:
            yield from reader

    def _after(self, error: pa.ArrowInvalid) -> StackaeError:
        """What to do when pyarrow gives up: read with another layout, or refuse."""
        layout = self.layout
        if "straddling" in str(error) and layout.block < _LARGEST_BLOCK:
            return self._again(block=min(8 * layout.block, _LARGEST_BLOCK))
        if "UTF8" in str(error) and self._may_be_cp1252:
            return self._again(encoding="cp1252")
        try:
            self._read_carefully()
        except StackaeError as found:
            return found
        return refusal(self.path, "malformed text", str(error)[:200], "check the quotes and the line ends")

    @property
    def _may_be_cp1252(self) -> bool:
        return self.asked.encoding is None and self.layout.encoding == "utf-8"

    def _again(self, **changes: Any) -> Again:
        return Again(replace(self, layout=replace(self.layout, **changes)))

    def _read_carefully(self) -> None:
        """Read row by row, and refuse what is wrong with its line, unless the first lines have misled."""
        try:
            self._check_rows()
        except StackaeError as error:
            if (
                self.layout.quote == "'" or self.layout.escape
            ):  # apostrophes, and backslashes that mean nothing
                raise self._again(quote='"', escape=None) from error
            raise

    def _check_rows(self) -> None:
        layout, path = self.layout, self.path
        with unpacked(path, layout.compression) as file, cells_of_any_length():
            lines = self._lines(_Text(file, layout))
            reader = csv.reader(islice(lines, layout.skip, None), strict=True, **layout.options)  # type: ignore[arg-type]
            end = layout.skip
            while True:
                start = end + 1
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise self._malformed(error, start, layout.skip + reader.line_num) from error
                end = layout.skip + reader.line_num
                if row and len(row) != len(layout.names):
                    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                    what = f"{cells} where the first row has {len(layout.names)}"
                    raise refusal(path, what, f"line {start}", "mend the row, or name the delimiter")

    def _lines(self, text: _Text) -> Iterator[str]:
        """Yield lines; refuse the first one that is not in the encoding."""
        file = io.TextIOWrapper(io.BufferedReader(text, _READ), "utf-8", "surrogateescape", newline="")
        for number, line in enumerate(file, 1):
            if not line.isascii() and _UNDECODED.search(line):
                raise refusal(
                    self.path, "not UTF-8", f"line {number}", "name the encoding, or save it as UTF-8"
                )
            yield line

    def _malformed(self, error: csv.Error, start: int, end: int) -> StackaeError:
        if "unexpected end" in str(error):
            what = "a quote that begins here never ends"
            return refusal(self.path, what, f"line {start}", "close it, or double it within a cell")
        return refusal(self.path, "malformed quotes", f"line {end}: {error}", "double quotes within a cell")


class _Text(io.RawIOBase):
    """Bytes of UTF-8 of a file in any encoding, mended, without blank lines at the end."""

    def __init__(self, file: Any, layout: Layout) -> None:
        super().__init__()
        self.n_quotes = self.n_lines = 0
        self._file, self._layout = file, layout
        self._mends = layout.spaces or layout.delimiter == " "
        is_utf8 = layout.encoding == "utf-8"
        self._decoder = None if is_utf8 else codecs.getincrementaldecoder(layout.encoding)()
        self._quote = layout.quote.encode()
        self._held = self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (self._ready or self._ended):
            self._ready = self._next()
        n = min(len(buffer), len(self._ready))
        buffer[:n], self._ready = self._ready[:n], self._ready[n:]
        return n

    def _next(self) -> bytes:
        """The next bytes, up to a line end where lines are mended; line ends are held back, for the end."""
        raw = self._file.read(_READ)
        self._ended = not raw
        text = raw if self._decoder is None else self._decoder.decode(raw, final=self._ended).encode()
        text = self._held + text
        last = len(text.rstrip(b"\r\n"))
        cut = text.rfind(b"\n", 0, last) + 1 if self._mends and not self._ended else last
        text, self._held = text[:cut], text[cut:]
        if self._mends:
            text = mended(text.decode(), self._layout).encode()
        self.n_quotes += text.count(self._quote)
        self.n_lines += text.count(b"\n")
        return text


@contextmanager
def unpacked(path: StrPath, compression: str | None) -> Iterator[Any]:
    """Open a file, packed or not; what its packer finds wrong is refused."""
    with open(path, "rb") as file:
        if compression is None:
            yield file
            return
        try:
            with pa.CompressedInputStream(file, compression) as stream:
                yield stream
        except OSError as error:
            if error.errno is not None:
                raise
            what = f"damaged, or not packed by {compression}"
            raise refusal(path, what, str(error)[:200], "write or fetch it again") from error


def _has_line_ends(cells: Any) -> bool:
    return bool(pc.any(pc.match_substring(cells, "\n")).as_py())


def _not_decoded(path: StrPath, asked: Asked, error: UnicodeDecodeError, n_lines: int = 0) -> StackaeError:
    line = n_lines + 1 + error.object[: error.start].count(b"\n")
    what = f"not {error.encoding}" if asked.encoding else "text neither in UTF-8, UTF-16 nor cp1252"
    return refusal(path, what, f"line {line}", "name the encoding, or save it as UTF-8")
