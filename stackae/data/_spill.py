"""Record batches that were read once, kept on the disk to be read again without their source."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from typing import Any


class Spill:
    """Batches in a nameless file, which vanishes with this, whatever ends the process.

    Where the disk has no room for all of them, none are kept, and ``is_whole`` says so.

    Parameters
    ----------
    folder : path-like or None
        Where there is room; None: the system's folder for temporary files.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self._folder = folder
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.is_whole, self._ends = True, [0]
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with this
        except OSError:
            self.is_whole = False

    def append(self, batch: Any) -> None:
        """Keep one more."""
        import pyarrow as pa

        if not self.is_whole:
            return
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        written = sink.getvalue()
        try:
            self._file.write(written)
            self._file.flush()
        except OSError:
            self.is_whole = False
            self._file.close()
        self._ends.append(self._ends[-1] + written.size)

    def __iter__(self) -> Iterator[Any]:
        import pyarrow as pa

        for start, stop in pairwise(self._ends):
            self._file.seek(start)
            yield pa.ipc.open_stream(self._file.read(stop - start)).read_next_batch()
