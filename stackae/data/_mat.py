"""MATLAB's ``.mat``: versions 5 to 7, and 7.3 as the HDF5 that it is."""

from __future__ import annotations

import math
import mmap
import os
from dataclasses import replace

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import as_vector, native, part_of, refuse_other_lengths, table_among
from stackae.data._hdf5 import read_hdf5
from stackae.data._mat5 import MatFile, Variable
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
    texts_of,
)
from stackae.data.matrix import SparseMatrix
from stackae.exceptions import DataFileError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512  # bytes of MATLAB's own before it
_NO_NUMBERS = ("nothing", "cell", "struct", "object", "char", "function", "opaque")


def read_mat(path: StrPath, spec: TableSpec, budget: MemoryBudget | None = None) -> Table:
    """Read an array of 2 dimensions, and labels and ids by their names; sparse matrices stay sparse."""
    path, asked = part_of(path)
    with open(path, "rb") as file:
        head = file.read(_USER_BLOCK + len(_HDF5))
        if _HDF5 in (head[: len(_HDF5)], head[_USER_BLOCK:]):
            return read_hdf5(path if asked is None else f"{os.fspath(path)}:{asked}", spec, budget)
        replace(spec, drop=()).refuse_for(path, "a .mat file", has_arrays=True)
        with decoding(path, "a MATLAB file of version 5 to 7.3"):
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            matlab = MatFile(path, memoryview(content))
            named = {spec.labels, spec.ids, asked, *spec.drop}
            arrays = {
                name: variable
                for name, variable in matlab.variables.items()
                if name in named or not (variable.kind in _NO_NUMBERS or variable.is_complex)
            }
            name = table_among(path, "a .mat file", arrays, spec, asked)
            X = _read_table(path, matlab, name, budget)
            y, ids = (
                None if other is None else _read_vector(path, matlab, other)
                for other in (spec.labels, spec.ids)
            )
    refuse_other_lengths(path, name, X, {spec.labels: y, spec.ids: ids})
    return Table(X, None, y, ids)


def _read_table(
    path: StrPath, matlab: MatFile, name: str, budget: MemoryBudget | None
) -> np.ndarray | SparseMatrix:
    where, variable = f"array {name!r}", matlab.variables[name]
    if variable.kind in _NO_NUMBERS or variable.is_complex:
        raise _refused(path, variable, where)
    check_shape(path, variable.shape, where)
    if variable.kind == "sparse":
        return as_csr(path, "csc", variable.shape, matlab.sparse(name), where)
    size = math.prod(variable.shape) * np.dtype(np.float64).itemsize
    if budget is not None and size > budget.n_bytes:
        what = f"{size:,} bytes of numbers, where {budget.n_bytes:,} may be taken"
        mend = "save it with -v7.3, which is read in blocks, or raise max_memory (--max-memory)"
        raise refusal(path, what, where, mend)
    return as_floats(path, matlab.numbers(name))


def _read_vector(path: StrPath, matlab: MatFile, name: str) -> np.ndarray:
    where, variable = f"array {name!r}", matlab.variables[name]
    if variable.kind == "char":
        return texts_of(path, matlab.texts(name))
    if variable.kind in (*_NO_NUMBERS, "sparse") or variable.is_complex:
        raise _refused(path, variable, where)
    array = as_vector(matlab.numbers(name))
    check_labels(path, array.shape, array.dtype, where)
    return native(array)


def _refused(path: StrPath, variable: Variable, where: str) -> DataFileError:
    held = f"{'complex ' if variable.is_complex else ''}{variable.kind}"
    mend = "save it as a full array of real numbers, as cell2mat and double make it"
    return refusal(path, f"a {held} array, which is not read", where, mend)
