"""One data set of an HDF5 file: its claims held against the file, then its numbers, a block at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import refuse_bomb
from stackae.data._table import StrPath, refusal, warn_of_rounding
from stackae.data.mapped import MappedMatrix, float_type, release, room_for

_BLOCK = 2**25  # bytes read at once
_LARGEST_CHUNK = 2**30  # bytes, which are unpacked together
# deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf: every other is a library that HDF5 would load
_FILTERS = (1, 2, 3, 4, 5, 6, 32000)


def is_array(node: Any) -> bool:
    """Whether it is a data set, and not a group or a mere type."""
    from h5py import Dataset

    return isinstance(node, Dataset)


def refuse_lies(path: StrPath, node: Any, where: str) -> None:
    """Refuse a data set that reads other files, loads a plugin, or claims more than the file can hold."""
    if not is_array(node):
        raise refusal(path, "a group, not an array", where)
    if node.is_virtual or node.external:
        what = "it points into other files, which are not read"
        raise refusal(path, what, where, "copy the data into one file, as h5repack does")
    layout = node.id.get_create_plist()
    known = [layout.get_filter(k)[0] for k in range(layout.get_nfilters())]
    if foreign := [number for number in known if number not in _FILTERS]:
        what = f"it is packed by the HDF5 filter {foreign[0]}, which needs a plugin"
        raise refusal(path, what, where, "write it again with gzip")
    width = node.dtype.itemsize
    if math.prod(node.chunks or ()) * width > _LARGEST_CHUNK:
        raise refusal(path, f"its chunks of {node.chunks} are too large", where, "write smaller ones")
    stored, size = node.id.get_storage_size(), node.file.id.get_filesize()
    if stored > size:
        what = f"damaged: it declares {stored:,} bytes, the file has {size:,}"
        raise refusal(path, what, where, "write or fetch it again")
    mend = "write it with fewer zeros, or sparse"
    refuse_bomb(path, stored, math.prod(node.shape or ()) * width, where, mend)


def read_blocks(
    path: StrPath,
    node: Any,
    where: str,
    budget: MemoryBudget | None = None,
    *,
    columns: Sequence[int] | None = None,
    transposed: bool = False,
) -> np.ndarray | MappedMatrix:
    """A data set of 2 dimensions as floats, on the disk where it is over the budget.

    Parameters
    ----------
    path : path-like
        For messages.
    node : h5py.Dataset
    where : str
        For messages.
    budget : MemoryBudget or None
        None: it stays in memory.
    columns : sequence of int or None, default=None
        Which of the table's columns are wanted; None: all.
    transposed : bool, default=False
        Whether the table's columns are the rows of the file.
    """
    refuse_lies(path, node, where)
    if node.dtype.kind not in "biuf":
        mend = "convert it to real numbers first"
        raise refusal(path, f"a table holds numbers or booleans, not {node.dtype}", where, mend)
    n_samples, n_columns = node.shape[::-1] if transposed else node.shape
    # where each of the file's columns goes, if it is wanted
    place = np.arange(n_columns)
    if columns is not None:
        place = np.full(n_columns, -1)
        place[list(columns)] = np.arange(len(columns))
    shape = (int(n_samples), n_columns if columns is None else len(columns))
    out, on_disk = room_for(shape, float_type(node.dtype), budget)
    high, wide = _tile(node.shape, node.chunks, node.dtype.itemsize)
    for top in range(0, node.shape[0], high):
        for left in range(0, node.shape[1], wide):
            block = node[top : top + high, left : left + wide]
            warn_of_rounding(path, block, f"integers of {where}")
            row, column, block = (left, top, block.T) if transposed else (top, left, block)
            to = place[column : column + block.shape[1]]
            if columns is None:
                out[row : row + len(block), column : column + block.shape[1]] = block
            else:
                out[row : row + len(block), to[to >= 0]] = block[:, to >= 0]
            if on_disk:
                release(out[row : row + len(block)])
    return MappedMatrix([out]) if on_disk else out


def _tile(shape: tuple[int, int], chunks: tuple[int, int] | None, width: int) -> tuple[int, int]:
    """The shape of a block: whole chunks, as wide as possible, so that none is unpacked twice."""
    high, wide = (1, shape[1]) if chunks is None else chunks
    cells = max(1, _BLOCK // width)
    wide = min(shape[1], max(1, cells // (high * wide)) * wide)
    return max(1, cells // (high * wide)) * high, wide
