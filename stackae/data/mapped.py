"""Samples that stay on the disk: read in blocks, as floats, and never held in memory as a whole."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stackae._utils.memory import MemoryBudget
from stackae.data.matrix import Floats, Index, Matrix
from stackae.exceptions import DataError

#: Single samples that are read before their pages are given back: the system maps 64 KB and more around each.
_VISITS = 128


class MappedMatrix(Matrix):
    """Memory maps stacked vertically into one matrix of floats, which estimators read in blocks from disk.

    A slice is a new array. The pages read for it are released at once, so that reading everything never keeps
    more than a block in memory.

    Parameters
    ----------
    pieces : sequence of ndarray of shape (n_samples, n_features)
        Numbers or booleans, of one width, usually memory maps. They are not written to.
    columns : ndarray of shape (n_samples, n_columns) or None, default=None
        Further columns on the right, in memory.

    Raises
    ------
    DataError
        The pieces differ in width, or are not numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from stackae.data import MappedMatrix
    >>> X = MappedMatrix([np.zeros((3, 2), np.uint8), np.ones((2, 2), np.uint8)])
    >>> X.shape, X.dtype, X[2:4].tolist()
    ((5, 2), dtype('float32'), [[0.0, 0.0], [1.0, 1.0]])
    """

    is_mapped = True

    def __init__(self, pieces: Sequence[npt.NDArray[Any]], columns: Floats | None = None) -> None:
        self._pieces = list(pieces)
        widths = {piece.shape[1] for piece in self._pieces}
        if len(widths) != 1:
            raise DataError(f"pieces of one table must have one width, got widths {sorted(widths)}")
        if any(piece.dtype.kind not in "biuf" for piece in self._pieces):
            raise DataError("rows on the disk must be numbers or booleans")
        self._width, self._columns = widths.pop(), columns
        self._starts = np.cumsum([0, *(len(piece) for piece in self._pieces)])
        self.shape = int(self._starts[-1]), self._width + (0 if columns is None else columns.shape[1])
        self.dtype = np.result_type(*(float_type(piece.dtype) for piece in self._pieces))
        self.of_long_integers = any(p.dtype.kind in "iu" and p.dtype.itemsize == 8 for p in self._pieces)

    def __getitem__(self, samples: slice) -> Floats:
        start, stop, step = samples.indices(len(self))
        if step != 1:
            raise IndexError("rows on the disk are read in order, without a step")
        block = np.empty((max(0, stop - start), self.shape[1]), self.dtype)
        self.read(start, block)
        return block

    def read(self, start: int, out: Floats) -> None:
        stop = start + len(out)
        for piece, first in zip(self._pieces, self._starts[:-1], strict=True):
            low, high = max(start, int(first)), min(stop, int(first) + len(piece))
            if low < high:
                part = piece[low - first : high - first]
                out[low - start : high - start, : self._width] = part
                release(part)
        if self._columns is not None:
            out[:, self._width :] = self._columns[start:stop]

    def gather(self, index: Index) -> Floats:
        block = np.empty((len(index), self.shape[1]), self.dtype)
        piece_of = np.searchsorted(self._starts, index, side="right") - 1
        for k in np.unique(piece_of):
            places = np.flatnonzero(piece_of == k)
            for start in range(0, len(places), _VISITS):
                chosen = places[start : start + _VISITS]
                block[chosen, : self._width] = self._pieces[k][index[chosen] - self._starts[k]]
                release(self._pieces[k])
        if self._columns is not None:
            block[:, self._width :] = self._columns[index]
        return block

    def beside(self, columns: Floats) -> MappedMatrix:
        before = [] if self._columns is None else [self._columns]
        return MappedMatrix(self._pieces, np.hstack([*before, columns]))


def lies_in_a_file(X: Any) -> bool:
    """Whether an array lies in a file, as ``np.memmap`` and ``np.load(..., mmap_mode="r")`` make them."""
    return isinstance(X, np.ndarray) and _file_of(X) is not None


def release(part: npt.NDArray[Any]) -> None:
    """Give back the memory that reading or writing a part of a map took; the file keeps what was written."""
    mapped = _file_of(part)
    if mapped is None or part.size == 0 or not hasattr(mapped, "madvise"):
        return
    origin = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
    low = part.__array_interface__["data"][0]
    high = low + part.itemsize
    for length, stride in zip(part.shape, part.strides, strict=True):
        low += min(0, (length - 1) * stride)
        high += max(0, (length - 1) * stride)
    start = (low - origin) // mmap.PAGESIZE * mmap.PAGESIZE
    mapped.madvise(mmap.MADV_DONTNEED, start, min(high - origin, len(mapped)) - start)


def scratch_array(
    shape: tuple[int, int], dtype: npt.DTypeLike, folder: str | os.PathLike[str] | None
) -> Floats:
    """A matrix in a nameless file, which vanishes with it, whatever ends the process.

    Parameters
    ----------
    shape : (n_samples, n_columns)
    dtype : float32 or float64
    folder : path-like or None
        Where there is room for it; None: the system's folder for temporary files.

    Raises
    ------
    OSError
        There is not enough room; nothing was written.
    """
    with _claimed(shape, dtype, folder) as file:
        return np.memmap(file, dtype, "r+" if hasattr(os, "posix_fallocate") else "w+", 0, shape)


class ScratchRows:
    """Rows that come in order, written to a nameless file, which vanishes with their matrix.

    They are written, not put into a map: a page that is touched for the first time through a map can cost ten
    times as much.

    Parameters
    ----------
    shape : (n_samples, n_columns)
        Of all of them.
    dtype : float32 or float64
    folder : path-like or None
        Where there is room for them; None: the system's folder for temporary files.

    Raises
    ------
    OSError
        There is not enough room; nothing was written.
    """

    def __init__(
        self, shape: tuple[int, int], dtype: npt.DTypeLike, folder: str | os.PathLike[str] | None
    ) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._file = _claimed(shape, dtype, folder)
        self.n_written = 0

    def append(self, block: npt.NDArray[Any]) -> None:
        """Write some rows behind the others."""
        if self.n_written + len(block) <= self._shape[0]:
            self._file.write(np.ascontiguousarray(block, self._dtype))
        self.n_written += len(block)

    def matrix(self) -> MappedMatrix:
        """All rows, when all are written."""
        if self.n_written != self._shape[0]:
            n_told, n_found = self._shape[0], self.n_written
            raise DataError(
                f"the stream had {n_told:,} rows, and then {n_found:,}; let it stay while it is read"
            )
        with self._file as file:
            file.flush()
            return MappedMatrix([np.memmap(file, self._dtype, "r", 0, self._shape)])


def _claimed(shape: tuple[int, int], dtype: npt.DTypeLike, folder: str | os.PathLike[str] | None) -> Any:
    """A nameless file that has the room for a matrix; a full disk found later would kill (SIGBUS)."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by those who asked
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            file.close()
            raise _no_room(size, folder) from error
    return file


def room_for(
    shape: tuple[int, int], dtype: npt.DTypeLike, budget: MemoryBudget | None
) -> tuple[Floats, bool]:
    """An empty matrix, in memory, or on the disk where it exceeds the budget; and whether it is there."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    if budget is None or size <= budget.n_bytes:
        return np.empty(shape, dtype), False
    return scratch_array(shape, dtype, budget.folder), True


def refuse_too_little_room(size: int, folder: str | os.PathLike[str] | None) -> None:
    """Refuse work that will need so many bytes in a folder, before it has begun.

    Raises
    ------
    OSError
        They are not there.
    """
    if size > shutil.disk_usage(tempfile.gettempdir() if folder is None else folder).free:
        raise _no_room(size, folder)


def _no_room(size: int, folder: str | os.PathLike[str] | None) -> OSError:
    where = tempfile.gettempdir() if folder is None else os.fspath(folder)
    mend = "choose another cache_folder, or a larger max_memory"
    return OSError(errno.ENOSPC, f"{where}: no room for {size:,} bytes of rows on the disk; {mend}")


def _file_of(array: Any) -> mmap.mmap | None:
    """The map of a file in which an array lies.

    None for everything else, and for private maps and maps of no file: giving those back would lose them.
    """
    of_a_file = False
    while array is not None:
        if isinstance(array, np.memmap):
            of_a_file = array.mode in ("r", "r+", "w+")
        if isinstance(array, mmap.mmap):
            return array if of_a_file else None
        array = getattr(array, "base", None)
    return None


def float_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Float32 where that is exact, else float64."""
    exact = dtype.itemsize <= 2 or (dtype.kind == "f" and dtype.itemsize == 4)
    return np.dtype(np.float32 if exact else np.float64)
