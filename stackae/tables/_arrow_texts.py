"""Texts of Arrow's, of which no Python strings are made until they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt


class ArrowTexts(Sequence[str]):
    """An array of Arrow's as a sequence of texts.

    Parameters
    ----------
    array : pyarrow.StringArray or LargeStringArray
        Without gaps.
    """

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step == 1:
                return ArrowTexts(self.array.slice(start, max(0, stop - start)))
            texts: list[str] = self.array.take(np.arange(start, stop, step)).to_pylist()
            return texts
        text: str = self.array[int(place)].as_py()
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self.array.to_pylist())


def joined(texts: Sequence[str], separator: str) -> str:
    """All of them, one behind the other."""
    if not isinstance(texts, ArrowTexts):
        return separator.join(texts)
    import pyarrow as pa
    from pyarrow import compute

    is_large = texts.array.type == pa.large_string()
    lists = pa.LargeListArray if is_large else pa.ListArray
    whole: str = compute.binary_join(lists.from_arrays([0, len(texts)], texts.array), separator)[0].as_py()
    return whole


def lengths(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """How many characters each has."""
    if not isinstance(texts, ArrowTexts):
        return np.fromiter(map(len, texts), np.int64, len(texts))
    from pyarrow import compute

    counts: npt.NDArray[np.int64] = compute.utf8_length(texts.array).to_numpy().astype(np.int64)
    return counts
