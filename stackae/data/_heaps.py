"""Where HDF5 keeps texts: a damaged heap is found before the library goes round in it for ever."""

from __future__ import annotations

import mmap
import struct

from stackae.data._table import StrPath, refusal

_START = b"GCOL\x01\0\0\0"
_OBJECT = struct.Struct("<HHIQ")  # number, references, nothing, bytes that follow


def refuse_damaged_heaps(path: StrPath) -> None:
    """Refuse a file one of whose heaps does not consist of objects from its first to its last byte.

    The library takes a step of no length where the free room, object 0, claims to be empty.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_START)
        while start >= 0:
            if not _is_whole(content, start):
                what = f"damaged: the heap of texts at byte {start:,} contradicts itself"
                raise refusal(path, what, mend="write or fetch it again")
            start = content.find(_START, start + len(_START))


def _is_whole(content: mmap.mmap, start: int) -> bool:
    place = start + 2 * len(_START)
    if place > len(content):
        return False
    end = start + int.from_bytes(content[place - 8 : place], "little")
    if end > len(content):
        return False
    while place + _OBJECT.size <= end:
        number, _, _, size = _OBJECT.unpack_from(content, place)
        place += size if number == 0 else _OBJECT.size + -(-size // 8) * 8
        if number == 0 and size < _OBJECT.size:
            return False
    return place <= end
