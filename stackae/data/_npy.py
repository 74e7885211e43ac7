"""NumPy's ``.npy`` and ``.npz``: headers are checked against the file's size, nothing is unpickled."""

from __future__ import annotations

import math
import os
import zipfile
from typing import IO, Any, NamedTuple

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

# DEFLATE cannot pass 1032:1. A small archive of zeros does no harm; a large one is an attack or a mistake.
_BOMB_SIZE = 2**30
_BOMB_RATIO = 1000


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy(path: StrPath, spec: TableSpec) -> Table:
    """Read a ``.npy`` file; native C-ordered float32 and float64 stay on the disk, mapped read-only."""
    spec.refuse_for(path, "a .npy file")
    return Table(as_floats(path, map_npy(path)), None)


def map_npy(path: StrPath) -> np.ndarray:
    """Map the table in a ``.npy`` file read-only, in its own type and order."""
    with open(path, "rb") as file:
        header = _read_header(path, file)
        _check_table(path, header)
        return _map(path, file, header)


def read_npy_labels(path: StrPath, spec: TableSpec) -> np.ndarray:
    """Read labels from a ``.npy`` file, into memory."""
    spec.refuse_for(path, "a .npy file")
    with open(path, "rb") as file:
        header = _read_header(path, file)
        check_labels(path, header.shape, header.dtype)
        return _native(_map(path, file, header))


def read_npz(path: StrPath, spec: TableSpec) -> Table:
    """Read the table, and labels and ids if asked, from the arrays of an ``.npz`` archive."""
    spec.refuse_for(path, "an .npz archive", has_arrays=True)
    with open(path, "rb") as file, decoding(path, "an .npz archive"), zipfile.ZipFile(file) as archive:
        headers = _headers(path, archive)
        apart = {"the labels": spec.labels, "the ids": spec.ids}
        for what, name in apart.items():
            if name is not None and name not in headers:
                raise refusal(path, f"no array {name!r} for {what}", mend=f"it holds {_contents(headers)}")
        name = _table_name(path, {key: value for key, value in headers.items() if key not in apart.values()})
        _check_table(path, headers[name], f"array {name!r}")
        X = as_floats(path, _read_member(path, archive, name))
        y, ids = (
            None if other is None else _read_member_labels(path, archive, other, headers[other])
            for other in apart.values()
        )
    for other, values in ((spec.labels, y), (spec.ids, ids)):
        if values is not None and len(values) != len(X):
            what = f"{len(values):,} values for {len(X):,} rows"
            raise refusal(path, what, f"arrays {other!r} and {name!r}")
    return Table(X, None, y, ids)


def read_npz_labels(path: StrPath, spec: TableSpec) -> np.ndarray:
    """Read labels from an ``.npz`` archive that holds one array."""
    spec.refuse_for(path, "an .npz archive")
    with open(path, "rb") as file, decoding(path, "an .npz archive"), zipfile.ZipFile(file) as archive:
        headers = _headers(path, archive)
        if len(headers) != 1:
            raise refusal(path, "labels need an archive of one array", f"it holds {_contents(headers)}")
        ((name, header),) = headers.items()
        return _read_member_labels(path, archive, name, header)


def _read_header(path: StrPath, stream: IO[bytes]) -> _Header:
    """Read an array's header and leave ``stream`` at its first byte of data."""
    with decoding(path, "a NumPy array"):
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            header = _Header(*np.lib.format.read_array_header_1_0(stream))
        elif version == (2, 0):
            header = _Header(*np.lib.format.read_array_header_2_0(stream))
        else:  # later versions exist for the field names of structured arrays, which are no tables
            raise ValueError(f"unsupported format version {version}")
    if any(length < 0 for length in header.shape):
        raise refusal(path, f"damaged: the header declares the shape {header.shape}")
    return header


def _check_table(path: StrPath, header: _Header, where: str = "") -> None:
    if header.dtype.hasobject:
        mend = "convert the array to numbers before saving it"
        raise refusal(path, "it holds pickled Python objects, which are never loaded", where, mend)
    if header.dtype.kind not in "biuf":
        mend = "convert it to real numbers first"
        raise refusal(path, f"a table holds numbers or booleans, not {header.dtype}", where, mend)
    check_shape(path, header.shape, where)


def _map(path: StrPath, file: IO[bytes], header: _Header) -> np.ndarray:
    """Map the data of an open ``.npy`` file, after its size was found to be the one declared."""
    start = file.tell()
    present = os.fstat(file.fileno()).st_size - start
    if present != header.nbytes:
        what = "truncated" if present < header.nbytes else "longer than it says"
        where = f"the header declares {header.nbytes:,} bytes of data, the file has {present:,}"
        raise refusal(path, what, where, "write or fetch it again")
    order = "F" if header.fortran else "C"
    return np.memmap(file, header.dtype, "r", start, header.shape, order)  # type: ignore[call-overload, no-any-return]


def _native(array: np.ndarray) -> np.ndarray:
    """Copy labels out of their file, in the machine's own byte order."""
    return np.array(array.reshape(-1), array.dtype.newbyteorder("="))


def _headers(path: StrPath, archive: zipfile.ZipFile) -> dict[str, _Header]:
    headers = {}
    for member in archive.namelist():
        if member.endswith(".npy"):
            with archive.open(member) as stream:
                headers[member.removesuffix(".npy")] = _read_header(path, stream)
    return headers


def _contents(headers: dict[str, _Header]) -> str:
    arrays = [f"{name!r} of shape {header.shape}" for name, header in list(headers.items())[:20]]
    return ", ".join(arrays) or "no arrays"


def _table_name(path: StrPath, headers: dict[str, _Header]) -> str:
    if "X" in headers:
        return "X"
    tables = [name for name, header in headers.items() if len(header.shape) == 2]
    if len(tables) != 1:
        what = "which array is the table? None is called 'X', and not exactly one is 2-dimensional"
        raise refusal(path, what, f"it holds {_contents(headers)}", "save the table as X")
    return tables[0]


def _read_member(path: StrPath, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Decompress one array, after everything that the archive claims about its size was found to agree."""
    where = f"array {name!r}"
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        header = _read_header(path, stream)
        declared = stream.tell() + header.nbytes
        if declared != info.file_size:
            what = f"damaged: the array declares {declared:,} bytes, the archive {info.file_size:,}"
            raise refusal(path, what, where, "write or fetch it again")
        # the archive's own claims can lie, the size of the file on the disk cannot
        compressed = min(info.compress_size, os.stat(path).st_size)
        if declared > _BOMB_SIZE and declared > _BOMB_RATIO * compressed:
            what = f"{compressed:,} bytes would expand to {declared:,}: refused as a decompression bomb"
            raise refusal(path, what, where, "save the array uncompressed, as .npy")
        flat = read_exactly(path, stream, header.shape, header.dtype)
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def _read_member_labels(path: StrPath, archive: zipfile.ZipFile, name: str, header: _Header) -> np.ndarray:
    check_labels(path, header.shape, header.dtype, f"array {name!r}")
    return _native(_read_member(path, archive, name))
