"""Files that hold several arrays: which of them is the table, which the labels, which the ids."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np

from stackae.data._table import StrPath, TableSpec, refusal
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import SparseMatrix

#: The endings of files of several arrays, or sheets; a colon and the name of one may follow.
_HOLDS_SEVERAL = re.compile(r"\.(npz|mat|h5|hdf5|h5ad|xlsx|xlsm|xlsb|xls|ods):", re.IGNORECASE)
# Packing by zeros passes no more than about 1000:1. A small file of them does no harm; a large one is an
# attack or a mistake.
BOMB_SIZE = 2**30
BOMB_RATIO = 1000


class Shaped(Protocol):
    """An array, or what is known of one that is not read yet."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of its dimensions."""


Array = TypeVar("Array", bound=Shaped)


def part_of(path: StrPath) -> tuple[StrPath, str | None]:
    """Split ``FILE:NAME`` behind the first file that exists, unless all of it is the name of one."""
    text = os.fspath(path)
    cuts = [found.end() - 1 for found in _HOLDS_SEVERAL.finditer(text)]
    if not cuts or os.path.exists(text):
        return path, None
    cut = next((cut for cut in cuts if os.path.isfile(text[:cut])), cuts[0])
    return text[:cut], text[cut + 1 :]


def table_among(
    path: StrPath, kind: str, arrays: Mapping[str, Array], spec: TableSpec, asked: str | None
) -> str:
    """Choose the array that is the table; refuse what is asked for and not there.

    It is the one that is asked for by name; or X; or the only one of 2 dimensions; or, of several, the only
    one of them that is no single row or column.

    Parameters
    ----------
    path : path-like
    kind : str
        What the file is, for messages.
    arrays : mapping
        By name; of each at least its ``shape``.
    spec : TableSpec
        ``labels``, ``ids`` and ``drop`` name arrays that are not the table.
    asked : str or None
        As ``FILE:NAME`` has it.
    """
    for what, name in (("the labels", spec.labels), ("the ids", spec.ids), ("the table", asked)):
        if name is not None and name not in arrays:
            raise refusal(path, f"no array {name!r} for {what}", mend=f"it holds {contents(arrays)}")
    unknown = tuple(name for name in spec.drop if name not in arrays)
    replace(spec, drop=unknown).refuse_for(path, kind, has_arrays=True)
    apart = {spec.labels, spec.ids, *spec.drop}
    if asked is not None:
        return asked
    tables = [name for name, array in arrays.items() if len(array.shape) == 2 and name not in apart]
    if "X" in arrays and "X" not in apart:
        return "X"
    if len(tables) > 1:
        tables = [name for name in tables if min(arrays[name].shape) > 1]
    if len(tables) != 1:
        what = "which array is the table? None is called 'X', and not exactly one is 2-dimensional"
        mend = "save the table as X, or name it: FILE:NAME"
        raise refusal(path, what, f"it holds {contents(arrays)}", mend)
    return tables[0]


def contents(arrays: Mapping[str, Shaped]) -> str:
    """What there is, for a message."""
    shown = [f"{name!r} of shape {tuple(array.shape)}" for name, array in list(arrays.items())[:20]]
    return ", ".join(shown) or "no arrays"


def refuse_other_lengths(
    path: StrPath,
    name: str,
    X: np.ndarray | MappedMatrix | SparseMatrix,
    apart: Mapping[str | None, np.ndarray | None],
) -> None:
    """Refuse labels and ids, by their names, that are not one a row of the table."""
    for other, values in apart.items():
        if values is not None and len(values) != len(X):
            what = f"{len(values):,} values for {len(X):,} rows"
            raise refusal(path, what, f"arrays {other!r} and {name!r}")


def refuse_bomb(path: StrPath, packed: int, unpacked: int, where: str, mend: str) -> None:
    """Refuse so few bytes on the disk that claim to be so many."""
    if unpacked > BOMB_SIZE and unpacked > BOMB_RATIO * packed:
        what = f"{packed:,} bytes would expand to {unpacked:,}: refused as a decompression bomb"
        raise refusal(path, what, where, mend)


def as_vector(array: np.ndarray) -> np.ndarray:
    """Labels that lie in a single row, as MATLAB has them, in a column."""
    return array.reshape(-1, 1) if array.ndim == 2 and array.shape[0] == 1 else array


def native(array: Any) -> np.ndarray:
    """Copy labels out of their file, in the machine's own byte order."""
    return np.array(array.reshape(-1), array.dtype.newbyteorder("="))
