"""MATLAB's format of versions 5 to 7: elements of tag and content, each perhaps packed by zlib.

Read here rather than by scipy, whose reader follows what a damaged file says out of its memory.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stackae.data._arrays import refuse_bomb
from stackae.data._table import StrPath, refusal

_HEADER = 128  # bytes
_MATRIX, _PACKED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ENCODINGS = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CLASSES = (
    *("nothing", "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8"),
    *("int16", "uint16", "int32", "uint32", "int64", "uint64", "function", "opaque"),
)
_DTYPES = {"double": "f8", "single": "f4"} | {name: name for name in _CLASSES if "int" in name}
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_BEFORE_NUMBERS = 4096  # bytes, unpacked, in which type, shape and name of a variable stand
_DEFLATE_RATIO = 1032  # what DEFLATE reaches at most: a larger claim is a lie


class Variable(NamedTuple):
    """What stands of a variable before its numbers.

    Attributes
    ----------
    shape : tuple of int
    kind : str
        MATLAB's class.
    is_logical, is_complex : bool
    content : memoryview
        All elements of it, packed or not.
    n_bytes : int
        Their length, unpacked, as the file claims.
    is_packed : bool
    """

    shape: tuple[int, ...]
    kind: str
    is_logical: bool
    is_complex: bool
    content: memoryview
    n_bytes: int
    is_packed: bool


class MatFile:
    """The variables in a file of versions 5 to 7.

    Parameters
    ----------
    path : path-like
        For messages.
    content : memoryview
        The whole file.

    Raises
    ------
    ValueError
        It is no such file, or damaged.
    """

    def __init__(self, path: StrPath, content: memoryview) -> None:
        mark = bytes(content[_HEADER - 2 : _HEADER])
        if mark not in (b"IM", b"MI"):
            raise ValueError("MATLAB's mark is missing; files of version 4 are not read")
        self.path, self.order = path, "<" if mark == b"IM" else ">"
        self.variables: dict[str, Variable] = {}
        for kind, element in self._elements(content[_HEADER:]):
            self._add(kind, element)

    def numbers(self, name: str) -> np.ndarray:
        """A full matrix of numbers or truth values, in its own type, columns first."""
        variable, parts = self._parts_of(name)
        dtype = np.dtype(np.bool_ if variable.is_logical else _DTYPES[variable.kind])
        stored = self._stored(*_next(parts))
        if len(stored) != math.prod(variable.shape):
            raise ValueError(f"{len(stored):,} numbers for the shape {variable.shape}")
        return stored.astype(dtype).reshape(variable.shape, order="F")

    def sparse(self, name: str) -> dict[str, np.ndarray]:
        """The parts of a sparse matrix in columns: data, indices, indptr."""
        variable, parts = self._parts_of(name)
        indices, indptr, data = (self._stored(*_next(parts)) for _ in range(3))
        n = int(indptr[-1]) if len(indptr) else 0  # room may be left behind them
        data = data[:n].astype(np.bool_ if variable.is_logical else np.float64)
        return {"data": data, "indices": indices[:n], "indptr": indptr}

    def texts(self, name: str) -> list[str]:
        """The rows of a matrix of characters, without blanks around them."""
        variable, parts = self._parts_of(name)
        kind, raw = _next(parts)
        if kind in _ENCODINGS:
            order = "" if kind == 16 else "-le" if self.order == "<" else "-be"
            characters = list(bytes(raw).decode(_ENCODINGS[kind] + order))
        else:
            characters = [chr(number) for number in self._stored(kind, raw).tolist()]
        rows = math.prod(variable.shape[:1])
        if len(characters) != math.prod(variable.shape) or len(variable.shape) != 2:
            raise ValueError(f"{len(characters):,} characters for the shape {variable.shape}")
        return ["".join(characters[row::rows]).strip() for row in range(rows)]

    def _add(self, kind: int, element: memoryview) -> None:
        n_bytes, is_packed, head = len(element), kind == _PACKED, element
        if is_packed:
            first = memoryview(zlib.decompressobj().decompress(element, _BEFORE_NUMBERS))
            kind, n_bytes = struct.unpack_from(f"{self.order}II", first)
            head = first[8:]
        if kind != _MATRIX:
            return
        parts = self._elements(head, may_be_cut=is_packed)
        flags = int(self._stored(*_next(parts))[0])
        kind_of_array = flags & 0xFF
        if kind_of_array >= len(_CLASSES):
            raise ValueError(f"an array of the unknown class {kind_of_array}")
        shape: tuple[int, ...] = ()
        if _CLASSES[kind_of_array] != "opaque":
            shape = tuple(self._stored(*_next(parts)).tolist())
        if any(length < 0 for length in shape):
            raise ValueError(f"an array of the shape {shape}")
        name = bytes(_next(parts)[1]).decode("utf-8", "replace")
        if name:  # MATLAB's own workspace has none
            are = bool(flags & _LOGICAL), bool(flags & _COMPLEX)
            self.variables[name] = Variable(shape, _CLASSES[kind_of_array], *are, element, n_bytes, is_packed)

    def _parts_of(self, name: str) -> tuple[Variable, Iterator[tuple[int, memoryview]]]:
        """A variable, and its elements behind flags, shape and name."""
        variable = self.variables[name]
        content = variable.content
        if variable.is_packed:
            where, packed = f"array {name!r}", len(variable.content)
            if variable.n_bytes > _DEFLATE_RATIO * packed:
                what = f"truncated: it declares {variable.n_bytes:,} bytes, packed to {packed:,}"
                raise refusal(self.path, what, where, "write or fetch it again")
            refuse_bomb(self.path, packed, variable.n_bytes, where, "save it with -v7.3, or sparse")
            unpacking = zlib.decompressobj()
            content = memoryview(unpacking.decompress(content, variable.n_bytes + 8))[8:]
            if len(content) != variable.n_bytes:
                raise ValueError(f"{len(content):,} bytes where {variable.n_bytes:,} are declared")
            unpacking.decompress(unpacking.unconsumed_tail, 1)  # at the end zlib compares its checksum
            if not unpacking.eof:
                raise ValueError("more follows than is declared, or the end is missing")
        parts = self._elements(content)
        for _ in range(3):
            _next(parts)
        return variable, parts

    def _elements(self, content: memoryview, *, may_be_cut: bool = False) -> Iterator[tuple[int, memoryview]]:
        """Type and content of one element after the other; ``may_be_cut``: the last may go on beyond."""
        place = 0
        while place + 8 <= len(content):
            kind, size = struct.unpack_from(f"{self.order}II", content, place)
            if kind >> 16:  # a small one, in the tag itself
                kind, size, start, after = kind & 0xFFFF, kind >> 16, place + 4, place + 8
                if size > 4:
                    raise ValueError(f"an element of {size} bytes in a room of 4")
            else:
                start = place + 8
                after = start + size + (0 if kind == _PACKED else -size % 8)
            if start + size > len(content) and not may_be_cut:
                raise ValueError(f"an element of {size:,} bytes where {len(content) - start:,} follow")
            yield kind, content[start : start + size]
            place = after
        if place < len(content) and not may_be_cut:
            raise ValueError(f"{len(content) - place} bytes too many at its end")

    def _stored(self, kind: int, raw: memoryview) -> np.ndarray:
        if kind not in _STORED:
            raise ValueError(f"numbers of the unknown type {kind}")
        return np.frombuffer(raw, np.dtype(self.order + _STORED[kind]))


def _next(parts: Iterator[tuple[int, memoryview]]) -> tuple[int, memoryview]:
    found = next(parts, None)
    if found is None:
        raise ValueError("an element is missing")
    return found
