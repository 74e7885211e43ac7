"""NumPy's ``.npy`` and ``.npz``: headers are checked against the file's size, nothing is unpickled."""

from __future__ import annotations

import math
import os
import zipfile
from dataclasses import replace
from typing import IO, Any, NamedTuple

import numpy as np

from stackae.data._arrays import contents, native, part_of, refuse_bomb, refuse_other_lengths, table_among
from stackae.data._sparse import PARTS, as_csr
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
from stackae.data.matrix import SparseMatrix

#: The arrays by which scipy saves a sparse matrix.
_OF_SPARSE = {"format", "shape", "_is_array", *(part for parts in PARTS.values() for part in parts)}


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
        return native(_map(path, file, header))


def read_npz(path: StrPath, spec: TableSpec) -> Table:
    """Read the table, and labels and ids if asked, from the arrays of an ``.npz`` archive.

    A sparse matrix, as scipy saves it, counts as one of them, and stays sparse.
    """
    path, asked = part_of(path)
    replace(spec, drop=()).refuse_for(path, "an .npz archive", has_arrays=True)
    with open(path, "rb") as file, decoding(path, "an .npz archive"), zipfile.ZipFile(file) as archive:
        headers = _headers(path, archive)
        is_sparse = {"format", "shape", "data"} <= headers.keys()
        arrays = headers
        if is_sparse:
            arrays = {name: header for name, header in headers.items() if name not in _OF_SPARSE}
            arrays["X"] = headers["shape"]
        name = table_among(path, "an .npz archive", arrays, spec, asked)
        if is_sparse and name == "X":
            X: np.ndarray | SparseMatrix = _read_sparse(path, archive, headers)
        else:
            _check_table(path, headers[name], f"array {name!r}")
            X = as_floats(path, _read_member(path, archive, name))
        y, ids = (
            None if other is None else _read_member_labels(path, archive, other, headers[other])
            for other in (spec.labels, spec.ids)
        )
    refuse_other_lengths(path, name, X, {spec.labels: y, spec.ids: ids})
    return Table(X, None, y, ids)


def read_npz_labels(path: StrPath, spec: TableSpec) -> np.ndarray:
    """Read labels from an ``.npz`` archive that holds one array."""
    spec.refuse_for(path, "an .npz archive")
    with open(path, "rb") as file, decoding(path, "an .npz archive"), zipfile.ZipFile(file) as archive:
        headers = _headers(path, archive)
        if len(headers) != 1:
            raise refusal(path, "labels need an archive of one array", f"it holds {contents(headers)}")
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


def _headers(path: StrPath, archive: zipfile.ZipFile) -> dict[str, _Header]:
    headers = {}
    for member in archive.namelist():
        if member.endswith(".npy"):
            with archive.open(member) as stream:
                headers[member.removesuffix(".npy")] = _read_header(path, stream)
    return headers


def _read_sparse(path: StrPath, archive: zipfile.ZipFile, headers: dict[str, _Header]) -> SparseMatrix:
    """Read the arrays of a sparse matrix, which are checked against the archive one by one."""
    where = "a sparse matrix"
    if any(headers[name].dtype.hasobject for name in _OF_SPARSE & headers.keys()):
        raise refusal(path, "it holds pickled Python objects, which are never loaded", where)
    said = _read_member(path, archive, "format").reshape(-1)
    layout = str(said.astype(np.str_)[0]) if said.dtype.kind in "SU" and len(said) == 1 else "of its own"
    shape = _read_member(path, archive, "shape")
    if shape.dtype.kind not in "iu" or shape.shape != (2,):
        raise refusal(path, f"damaged: its shape is no pair of whole numbers, but {shape.tolist()}", where)
    missing = [name for name in PARTS.get(layout, ()) if name not in headers]
    if layout not in PARTS or missing:
        what = f"no array {missing[0]!r}" if missing else f"the layout {layout!r} is not read"
        raise refusal(path, what, where, "save it as X.tocsr()")
    parts = {name: _read_member(path, archive, name) for name in PARTS[layout]}
    return as_csr(path, layout, shape.tolist(), parts, where)


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
        refuse_bomb(path, compressed, declared, where, "save the array uncompressed, as .npy")
        flat = read_exactly(path, stream, header.shape, header.dtype)
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def _read_member_labels(path: StrPath, archive: zipfile.ZipFile, name: str, header: _Header) -> np.ndarray:
    check_labels(path, header.shape, header.dtype, f"array {name!r}")
    return native(_read_member(path, archive, name))
