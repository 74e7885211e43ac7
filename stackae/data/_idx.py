"""IDX, the format of MNIST: a magic number, big-endian lengths, then the numbers."""

from __future__ import annotations

import gzip
import math
import os
from typing import IO, cast

import numpy as np

from stackae.data._table import (
    StrPath,
    Table,
    TableSpec,
    as_floats,
    check_labels,
    check_shape,
    decoding,
    read_exactly,
    refusal,
)

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_RATIO = 1032  # what DEFLATE reaches at most: a larger claim is a lie


def read_idx(path: StrPath, spec: TableSpec) -> Table:
    """Read a table of 2 dimensions, or images of 3 and more: rows x pixels, unsigned bytes divided by 255."""
    spec.refuse_for(path, "an IDX file")
    array = _read(path)
    if array.ndim == 1:
        what = f"{len(array):,} labels, where a table has 2 dimensions or more"
        raise refusal(path, what, mend="give it as the labels of another file")
    images = array.ndim > 2
    array = array.reshape(len(array), math.prod(array.shape[1:]))  # -1 would fail on no rows
    check_shape(path, array.shape)
    if images and array.dtype == np.uint8:
        return Table(np.divide(array, np.float32(255), dtype=np.float32), None)
    return Table(as_floats(path, array), None)


def read_idx_labels(path: StrPath, spec: TableSpec) -> np.ndarray:
    """Read labels from an IDX file of 1 dimension, in its own type."""
    spec.refuse_for(path, "an IDX file")
    array = _read(path)
    check_labels(path, array.shape, array.dtype)
    return array.reshape(-1).astype(array.dtype.newbyteorder("="), copy=False)


def _read(path: StrPath) -> np.ndarray:
    with open(path, "rb") as file, decoding(path, "an IDX file"):
        packed = file.read(2) == _GZIP_MAGIC  # by content: both kinds are found under both names
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if not packed:
            return _read_array(path, file, size)
        with gzip.GzipFile(fileobj=file) as stream:
            return _read_array(path, cast("IO[bytes]", stream), size * _DEFLATE_RATIO)


def _read_array(path: StrPath, stream: IO[bytes], most: int) -> np.ndarray:
    """Read header and data; ``most`` bytes at most can be in ``stream``."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        what = f"not an IDX file: it begins with the bytes {magic.hex(' ') or '(none)'}"
        raise refusal(path, what, mend="check the name, or fetch it again")
    dtype, lengths = np.dtype(_DTYPES[magic[2]]), stream.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise refusal(path, "truncated inside the header", mend="write or fetch it again")
    shape = [int(length) for length in np.frombuffer(lengths, ">u4")]
    declared = math.prod(shape) * dtype.itemsize
    if declared > most:
        what = f"truncated: the header declares {declared:,} bytes of data, at most {most:,} can follow"
        raise refusal(path, what, f"shape {tuple(shape)}", "write or fetch it again")
    return read_exactly(path, stream, shape, dtype).reshape(shape)
