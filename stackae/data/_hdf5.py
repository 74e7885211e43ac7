"""HDF5, through h5py, which comes with the extra ``omics``: read in blocks, and from no other file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import as_vector, native, part_of, refuse_other_lengths, table_among
from stackae.data._blocks import is_array, read_blocks, refuse_lies
from stackae.data._heaps import refuse_damaged_heaps
from stackae.data._sparse import as_csr
from stackae.data._table import (
    StrPath,
    Table,
    TableSpec,
    check_labels,
    check_shape,
    decoding,
    refusal,
    texts_of,
)
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import SparseMatrix

_MOST_OBJECTS = 100_000  # looked at in search of a table
_MOST_HOPS = 16  # from one soft link to the next
_CLASS, _ROWS = "MATLAB_class", "MATLAB_sparse"  # attributes by which MATLAB says what a thing is
_NO_NUMBERS = ("char", "cell", "struct", "function_handle", "opaque", "string")
_TEXT_AT_ONCE = 2**30  # bytes: texts may all point to the longest one, and each is a copy of it


def read_hdf5(path: StrPath, spec: TableSpec, budget: MemoryBudget | None = None) -> Table:
    """Read a data set of 2 dimensions, and labels and ids by their paths inside the file.

    What is over the budget goes to the disk, a block at a time. Matrices of MATLAB, which lie column after
    column, are turned back.
    """
    path, asked = part_of(path)
    replace(spec, drop=()).refuse_for(path, "an HDF5 file", has_arrays=True)
    with open_hdf5(path) as file:
        arrays = _arrays_of(path, file)
        drop = tuple(_clean(name) for name in spec.drop)
        for name in filter(None, (spec.labels, spec.ids, asked, *spec.drop)):
            arrays.setdefault(_clean(name), _Node(path, found_in(path, file, name)))
        clean = [None if name is None else _clean(name) for name in (spec.labels, spec.ids, asked)]
        known = replace(spec, drop=drop, labels=clean[0], ids=clean[1])
        name = table_among(path, "an HDF5 file", arrays, known, clean[2])
        X = _read_table(path, name, arrays[name].node, budget)
        y, ids = (
            None if other is None else read_vector(path, arrays[other].node, f"array {other!r}")
            for other in clean[:2]
        )
    refuse_other_lengths(path, name, X, {clean[0]: y, clean[1]: ids})
    return Table(X, None, y, ids)


@contextmanager
def open_hdf5(path: StrPath) -> Iterator[Any]:
    """Open a file with h5py, and turn what it finds wrong into refusals."""
    try:
        import h5py
    except ImportError as error:
        mend = "install it: pip install 'stackae[omics]'"
        raise refusal(path, "reading HDF5 needs h5py", mend=mend) from error
    with open(path, "rb"), decoding(path, "an HDF5 file"):
        refuse_damaged_heaps(path)
        with h5py.File(path, "r") as file:
            yield file


def found_in(path: StrPath, file: Any, name: str) -> Any:
    """The group or data set of a name; links into other files are refused unfollowed."""
    from h5py import Group, h5l

    here, steps, hops = file["/"], _steps(name), 0
    while steps:
        step = steps.pop(0)
        links = here.id.links if isinstance(here, Group) else None
        if links is None or not links.exists(step):
            shown = ", ".join(map(repr, list(here)[:20])) if links is not None else "numbers alone"
            raise refusal(path, f"no {name!r} in it", f"{here.name} holds {shown}")
        kind = links.get_info(step).type
        if kind == h5l.TYPE_HARD:
            here = here[step]
        elif kind == h5l.TYPE_SOFT and hops < _MOST_HOPS:
            hops, target = hops + 1, links.get_val(step)
            here, steps = file["/"] if target.startswith(b"/") else here, _steps(target) + steps
        else:
            what = "a link that leads nowhere" if kind == h5l.TYPE_SOFT else "a link into another file"
            raise refusal(path, f"{name!r} is {what}, which is not followed", mend="copy the data into it")
    return here


def read_numbers(path: StrPath, node: Any, where: str) -> np.ndarray:
    """A data set of numbers of any shape, in its own type, after its claims were found to agree."""
    refuse_lies(path, node, where)
    if node.dtype.kind not in "biuf":
        raise refusal(path, f"numbers are wanted, not {node.dtype}", where)
    values: np.ndarray = node[()]
    return values


def read_vector(path: StrPath, node: Any, where: str) -> np.ndarray:
    """Labels or ids from a data set of one column or row: numbers, truth values or text."""
    from h5py import check_string_dtype

    if not is_array(node) or _class_of(node) in _NO_NUMBERS:
        held = _class_of(node) or "a group"
        raise refusal(path, f"labels and ids are lists of numbers or text, not {held}", where)
    if check_string_dtype(node.dtype) is None:
        values = as_vector(read_numbers(path, node, where))
    else:
        refuse_lies(path, node, where)
        if len(node.shape) != 1:
            raise refusal(path, f"labels are 1-dimensional, this array has shape {node.shape}", where)
        values = _texts(path, node)
    check_labels(path, values.shape, values.dtype, where)
    return native(values)


def _texts(path: StrPath, node: Any) -> np.ndarray:
    size = int(node.file.id.get_filesize())
    at_once = min(2**14, max(16, _TEXT_AT_ONCE // max(1, size)))
    blocks = [
        texts_of(path, [str(text) for text in node.asstr()[start : start + at_once]])
        for start in range(0, len(node), at_once)
    ]
    return np.concatenate(blocks) if blocks else np.array([], dtype=np.str_)


class _Node:
    """What a file holds, with the shape that the table has of it."""

    def __init__(self, path: StrPath, node: Any) -> None:
        self.node = node
        self.shape: tuple[int, ...] = ()
        if is_array(node):
            self.shape = tuple(node.shape or ())[:: -1 if _CLASS in node.attrs else 1]
        elif _ROWS in node.attrs:
            ends = found_in(path, node.file, f"{node.name}/jc")
            self.shape = int(node.attrs[_ROWS]), len(ends) - 1


def _arrays_of(path: StrPath, file: Any) -> dict[str, _Node]:
    """Arrays of numbers in the file, by their paths; links are left alone."""
    arrays: dict[str, _Node] = {}
    seen = 0

    def visit(name: str, node: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if not name.startswith("#") and _holds_numbers(node):
            arrays[name] = _Node(path, node)
        return True if seen > _MOST_OBJECTS else None

    if file.visititems(visit):
        what = f"over {_MOST_OBJECTS:,} objects in it"
        raise refusal(path, what, mend="write the table into a file of its own")
    return arrays


def _holds_numbers(node: Any) -> bool:
    try:
        if _class_of(node) in _NO_NUMBERS:
            return False
        return (
            (node.dtype.kind in "biuf" and node.shape is not None) if is_array(node) else _ROWS in node.attrs
        )
    except TypeError:  # a type that NumPy has not
        return False


def _read_table(
    path: StrPath, name: str, node: Any, budget: MemoryBudget | None
) -> np.ndarray | MappedMatrix | SparseMatrix:
    where = f"array {name!r}"
    if _class_of(node) in _NO_NUMBERS:
        raise refusal(path, f"a table holds numbers or booleans, not {_class_of(node)}", where)
    if not is_array(node):
        if _ROWS not in node.attrs:
            raise refusal(path, "a group, not an array", where, "name an array in it: FILE:GROUP/NAME")
        return _matlab_sparse(path, node, where)
    if "MATLAB_empty" in node.attrs:
        raise refusal(path, "the table is empty", where, "give at least one row and column")
    check_shape(path, node.shape or (), where)
    return read_blocks(path, node, where, budget, transposed=_CLASS in node.attrs)


def _matlab_sparse(path: StrPath, node: Any, where: str) -> SparseMatrix:
    """A sparse matrix as MATLAB has it: columns, with the number of rows as an attribute."""
    n_samples = int(node.attrs[_ROWS])
    present = {
        part: read_numbers(path, found_in(path, node.file, f"{node.name}/{part}"), where).reshape(-1)
        for part in ("data", "ir", "jc")
        if part == "jc" or node.id.links.exists(part.encode())  # without values the others are left out
    }
    empty = np.zeros(0)
    data, rows = present.get("data", empty), present.get("ir", empty.astype(np.int64))
    parts = {"data": data, "indices": rows, "indptr": present["jc"]}
    return as_csr(path, "csc", (n_samples, len(parts["indptr"]) - 1), parts, where)


def _class_of(node: Any) -> str:
    """What MATLAB calls it; empty where it is not MATLAB's."""
    found = node.attrs.get(_CLASS, "")
    return found.decode("ascii", "replace") if isinstance(found, bytes) else str(found)


def _steps(name: str | bytes) -> list[bytes]:
    raw = name.encode() if isinstance(name, str) else name
    return [step for step in raw.split(b"/") if step not in (b"", b".")]


def _clean(name: str) -> str:
    return "/".join(step.decode(errors="replace") for step in _steps(name))
