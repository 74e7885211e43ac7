"""AnnData's ``.h5ad``, through h5py alone: the matrix, and what is known of its rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import part_of, refuse_other_lengths
from stackae.data._blocks import is_array, read_blocks
from stackae.data._hdf5 import found_in, open_hdf5, read_numbers, read_vector
from stackae.data._sparse import as_csr
from stackae.data._table import (
    StrPath,
    Table,
    TableSpec,
    check_shape,
    find_columns,
    listed,
    refusal,
)
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import SparseMatrix

_INDEX = "_index"
_KIND = ("encoding-type", "h5sparse_format")  # the second is of old files, as is the second below
_SHAPE = ("shape", "h5sparse_shape")


def read_h5ad(path: StrPath, spec: TableSpec, budget: MemoryBudget | None = None) -> Table:
    """Read X, or the matrix that is named, with the names of ``var``, and labels and ids out of ``obs``."""
    path, asked = part_of(path)
    replace(spec, drop=(), labels=None, ids=None).refuse_for(path, "an .h5ad file")
    with open_hdf5(path) as file:
        node = found_in(path, file, asked or "X")
        shape = _shape_of(path, node, asked or "X")
        names = unique(_names(path, file, "raw/var" if node.name == "/raw/X" else "var"))
        if len(names) != shape[1]:
            what = f"{shape[1]:,} columns, where var names {len(names):,}"
            raise refusal(path, what, f"array {asked or 'X'!r}", "choose a matrix of cells × genes")
        of_rows = _frame_columns(file, path, "obs")
        for what, name in (("the labels", spec.labels), ("the ids", spec.ids)):
            if name is not None and name not in of_rows:
                mend = f"obs has {listed([*of_rows])}"
                raise refusal(path, f"no column {name!r} for {what}", mend=mend)
        # labels and ids stand apart from the columns, whatever these are called
        drop = [name for name in spec.drop if name in names or name not in of_rows]
        places = find_columns(path, names, replace(spec, drop=drop, labels=None, ids=None))
        columns = None if places.features == [*range(len(names))] else places.features
        X = _matrix(path, node, asked or "X", shape, columns, budget)
        y, ids = (
            None if name is None else _column(path, file, of_rows[name], f"obs {name!r}")
            for name in (spec.labels, spec.ids)
        )
    refuse_other_lengths(path, asked or "X", X, {spec.labels: y, spec.ids: ids})
    if ids is not None and ids.dtype.kind not in "iuU":
        ids = ids.astype(np.str_)
    return Table(X, [names[k] for k in places.features], y, ids, places.ignored)


def unique(names: Sequence[str]) -> list[str]:
    """Names made different as AnnData's ``var_names_make_unique`` does: A, A, A become A, A-1, A-2.

    Examples
    --------
    >>> unique(["A", "B", "A", "A-1", "A"])
    ['A', 'B', 'A-2', 'A-1', 'A-3']
    """
    taken, seen, found = set(names), dict[str, int](), []
    for name in names:
        if name not in seen:
            seen[name] = 0
            found.append(name)
            continue
        while (other := f"{name}-{seen[name] + 1}") in taken:
            seen[name] += 1
        seen[name] += 1
        taken.add(other)
        found.append(other)
    return found


def _shape_of(path: StrPath, node: Any, name: str) -> tuple[int, int]:
    """The shape that a matrix claims."""
    where = f"array {name!r}"
    claimed = node.shape if is_array(node) else _attribute(node, _SHAPE)
    if claimed is None:
        raise refusal(path, "neither an array nor a sparse matrix", where)
    shape = tuple(int(length) for length in claimed)
    check_shape(path, shape, where)
    return shape[0], shape[1]


def _matrix(
    path: StrPath,
    node: Any,
    name: str,
    shape: tuple[int, int],
    columns: list[int] | None,
    budget: MemoryBudget | None,
) -> np.ndarray | MappedMatrix | SparseMatrix:
    where = f"array {name!r}"
    if is_array(node):
        return read_blocks(path, node, where, budget, columns=columns)
    layout = str(_attribute(node, _KIND)).removesuffix("_matrix")
    if layout not in ("csr", "csc"):
        raise refusal(path, f"a matrix encoded as {layout!r} is not read", where)
    parts = {
        part: read_numbers(path, found_in(path, node.file, f"{node.name}/{part}"), where)
        for part in ("data", "indices", "indptr")
    }
    X = as_csr(path, layout, shape, parts, where)
    return X if columns is None else SparseMatrix(X.matrix[:, columns].sorted_indices())


def _frame_columns(file: Any, path: StrPath, frame: str) -> dict[str, str]:
    """The columns of a data frame by their names, its index also by its own; and where they lie."""
    node = found_in(path, file, frame)
    if is_array(node):
        what = f"{frame} is stored as AnnData before 0.7 did"
        raise refusal(path, what, mend="read and write it again with a newer one")
    index = str(_attribute(node, (_INDEX,)) or _INDEX)
    columns = {name: f"{frame}/{name}" for name in node if name != "__categories"}
    return {_INDEX: f"{frame}/{index}", **columns}


def _names(path: StrPath, file: Any, frame: str) -> list[str]:
    place = _frame_columns(file, path, frame)[_INDEX]
    return [str(name) for name in _column(path, file, place, f"the index of {frame}").tolist()]


def _column(path: StrPath, file: Any, place: str, where: str) -> np.ndarray:
    """A column of a data frame; where some are missing NaN among numbers, empty among texts."""
    node = found_in(path, file, place)
    if is_array(node):
        frame, _, name = place.rpartition("/")
        values = read_vector(path, node, where)
        if "categories" not in node.attrs:
            return values
        return _decoded(
            path, values, read_vector(path, found_in(path, file, f"{frame}/__categories/{name}"), where)
        )
    kind = str(_attribute(node, _KIND))
    if kind == "categorical":
        codes, categories = (
            read_vector(path, found_in(path, file, f"{place}/{part}"), where)
            for part in ("codes", "categories")
        )
        return _decoded(path, codes, categories)
    if kind in ("nullable-integer", "nullable-boolean", "nullable-string-array"):
        values, mask = (
            read_vector(path, found_in(path, file, f"{place}/{part}"), where) for part in ("values", "mask")
        )
        if mask.dtype.kind != "b" or mask.shape != values.shape:
            raise refusal(path, "damaged: its mask is not one truth value a row", where)
        return _with_gaps(values, mask)
    raise refusal(path, f"a column encoded as {kind!r} is not read", where)


def _decoded(path: StrPath, codes: np.ndarray, categories: np.ndarray) -> np.ndarray:
    if codes.dtype.kind not in "iu" or codes.min() < -1 or codes.max() >= len(categories):
        raise refusal(path, f"damaged: categories by the numbers of {len(categories):,} that there are")
    return _with_gaps(categories[codes], codes == -1)


def _with_gaps(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    if not missing.any():
        return values
    if values.dtype.kind == "U":
        return np.where(missing, "", values)
    return np.where(missing, np.nan, values.astype(np.float64))


def _attribute(node: Any, names: Sequence[str]) -> Any:
    """The first attribute of these names that a group has, text as such."""
    found = next((node.attrs[name] for name in names if name in node.attrs), None)
    return found.decode(errors="replace") if isinstance(found, bytes) else found
