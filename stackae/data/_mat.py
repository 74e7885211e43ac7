"""MATLAB's ``.mat``: versions 4 to 7 through scipy, 7.3 as the HDF5 that it is."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import IO, Any, NamedTuple

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import (
    as_vector,
    native,
    part_of,
    refuse_bomb,
    refuse_other_lengths,
    table_among,
)
from stackae.data._hdf5 import read_hdf5
from stackae.data._sparse import as_csr
from stackae.data._table import (
    StrPath,
    Table,
    TableSpec,
    as_floats,
    check_labels,
    check_shape,
    decoding,
    refusal,
)
from stackae.data.matrix import SparseMatrix

_HDF5 = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512  # bytes of MATLAB's own before it
_DEFLATE_RATIO = 1032  # what DEFLATE reaches at most: a larger claim is a lie
_WIDTHS = {"double": 8, "single": 4, **{f"{sign}int{8 * n}": n for sign in ("", "u") for n in (1, 2, 4, 8)}}


class _Variable(NamedTuple):
    """What stands of a variable before its values."""

    shape: tuple[int, ...]
    kind: str


def read_mat(path: StrPath, spec: TableSpec, budget: MemoryBudget | None = None) -> Table:
    """Read an array of 2 dimensions, and labels and ids by their names; sparse matrices stay sparse."""
    path, asked = part_of(path)
    with open(path, "rb") as file:
        head = file.read(_USER_BLOCK + len(_HDF5))
        if _HDF5 in (head[: len(_HDF5)], head[_USER_BLOCK:]):
            return read_hdf5(path if asked is None else f"{os.fspath(path)}:{asked}", spec, budget)
        replace(spec, drop=()).refuse_for(path, "a .mat file", has_arrays=True)
        with decoding(path, "a MATLAB file"):
            variables = _variables(file)
            arrays = {
                name: variable
                for name, variable in variables.items()
                if _holds_numbers(variable) or name in (spec.labels, spec.ids, asked, *spec.drop)
            }
            name = table_among(path, "a .mat file", arrays, spec, asked)
            X = _read_table(path, file, name, variables[name], budget)
            y, ids = (
                None if other is None else _read_vector(path, file, other, variables[other])
                for other in (spec.labels, spec.ids)
            )
    refuse_other_lengths(path, name, X, {spec.labels: y, spec.ids: ids})
    return Table(X, None, y, ids)


def _variables(file: IO[bytes]) -> dict[str, _Variable]:
    from scipy.io import whosmat

    file.seek(0)
    found = whosmat(file, appendmat=False)
    return {name: _Variable(tuple(int(n) for n in shape), kind) for name, shape, kind in found}


def _holds_numbers(variable: _Variable) -> bool:
    return variable.kind in _WIDTHS or variable.kind in ("logical", "sparse")


def _read_table(
    path: StrPath, file: IO[bytes], name: str, variable: _Variable, budget: MemoryBudget | None
) -> np.ndarray | SparseMatrix:
    where = f"array {name!r}"
    check_shape(path, variable.shape, where)
    size = math.prod(variable.shape) * np.dtype(np.float64).itemsize
    if variable.kind in _WIDTHS and budget is not None and size > budget.n_bytes:
        what = f"{size:,} bytes of numbers, where {budget.n_bytes:,} may be taken"
        mend = "save it with -v7.3, which is read in blocks, or raise max_memory (--max-memory)"
        raise refusal(path, what, where, mend)
    array = _load(path, file, name, variable)
    if hasattr(array, "tocoo"):
        array = array.tocoo(copy=False) if array.format not in ("coo", "csc") else array
        parts = {"data": array.data}
        if array.format == "coo":
            parts |= {"row": array.row, "col": array.col}
        else:
            parts |= {"indices": array.indices, "indptr": array.indptr}
        return as_csr(path, array.format, array.shape, parts, where)
    if array.dtype.kind not in "biuf":
        mend = "convert it to real numbers first"
        raise refusal(path, f"a table holds numbers or booleans, not {array.dtype}", where, mend)
    return as_floats(path, array)


def _read_vector(path: StrPath, file: IO[bytes], name: str, variable: _Variable) -> np.ndarray:
    where = f"array {name!r}"
    array = _load(path, file, name, variable)
    if hasattr(array, "tocoo"):
        raise refusal(
            path, "labels and ids are lists of numbers or text, not sparse", where, "save them full"
        )
    array = as_vector(array)
    check_labels(path, array.shape, array.dtype, where)
    return np.char.strip(array.reshape(-1)) if array.dtype.kind == "U" else native(array)


def _load(path: StrPath, file: IO[bytes], name: str, variable: _Variable) -> Any:
    """Read one variable, whose claims were held against the file's size."""
    from scipy.io import loadmat

    where = f"array {name!r}"
    if not _holds_numbers(variable) and variable.kind != "char":
        mend = "save it as an array of numbers, as cell2mat makes it"
        raise refusal(path, f"a {variable.kind} array, of which nothing is read", where, mend)
    size = os.fstat(file.fileno()).st_size
    n_cells = math.prod(variable.shape)
    if variable.kind in _WIDTHS:  # which are stored in as few bytes as hold them
        if n_cells > _DEFLATE_RATIO * size:
            what = f"truncated: it declares {n_cells:,} numbers, the file has {size:,} bytes"
            raise refusal(path, what, where, "write or fetch it again")
        refuse_bomb(path, size, n_cells * _WIDTHS[variable.kind], where, "save it with -v7.3, or sparse")
    file.seek(0)
    return loadmat(file, appendmat=False, variable_names=[name])[name]
