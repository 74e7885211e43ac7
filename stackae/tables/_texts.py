"""Columns of text of many values: short pieces, hashed, reduced by SVD."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from stackae.tables._arrow_texts import joined, lengths
from stackae.tables._cells import Cells, Floats, Level, Name, as_levels, key_of, missing
from stackae.tables._column import Column, Options, Writer

#: Texts are cut into pieces of so many characters, each counted in one of so many places.
LENGTHS = (3, 4)
_N_PLACES = 2**12
#: From so many different texts at most the places' directions are learned.
_MOST_TEXTS = 5_000
#: Texts of so many characters together are cut at once.
_BLOCK = 2**19
#: Of the characters up to the last blank, and one behind it.
_IS_SPACE = np.array([chr(character).isspace() for character in range(0x3002)])
#: Makes one number of the characters of a piece, with few that are alike.
_FACTOR = np.uint32(0x9E3779B1)


@dataclass(frozen=True, eq=False)
class TextColumn(Column):
    """Pieces of 3 and 4 characters within words, hashed, on the directions in which texts differ most."""

    kind: ClassVar[str] = "text"
    #: (text_components, places).
    directions: Floats

    @classmethod
    def fit(cls, cells: Cells, options: Options) -> Self:
        """Learn the directions from different texts, each once."""
        levels = as_levels(cells).levels
        step = -(-len(levels) // _MOST_TEXTS)
        places = sparse.vstack([_whole(weights, counts) for weights, counts in _counts(levels[::step])])
        n_components = min(options.text_components, len(levels))
        svd = TruncatedSVD(n_components, random_state=0).fit(places.tocsr())
        return cls(np.ascontiguousarray(svd.components_, dtype=np.float64))

    @property
    def n_encoded(self) -> int:
        return len(self.directions)

    def names(self, name: str) -> list[str]:
        return [f"{name}: text {number}" for number in range(1, self.n_encoded + 1)]

    def encode(self, cells: Cells) -> Writer:
        cells = as_levels(cells)
        texts = np.empty((len(cells.levels) + 1, self.n_encoded))
        texts[-1] = np.nan  # where a gap is
        directions, start = np.ascontiguousarray(self.directions.T), 0
        for weights, counts in _counts(cells.levels):
            own = texts[start : start + len(weights)]
            np.multiply(weights[:, np.newaxis], sum(part @ directions for part in counts), out=own)
            start += len(own)

        def write(rows: slice, out: npt.NDArray[np.floating]) -> None:
            out[:] = texts[cells.values[rows]]

        return write

    def decode(self, name: Name, block: Floats) -> Cells:
        return missing(name, len(block))


def pieces(texts: Sequence[str], n_places: int = _N_PLACES) -> list[sparse.csr_matrix]:
    """Count the pieces of each length within words, with a blank before and behind each, by hashed places.

    Parameters
    ----------
    texts : sequence of str
        Compared in lower case.
    n_places : int, a power of 2

    Returns
    -------
    list of csr_matrix of shape (n_texts, n_places), float32
        For each of ``LENGTHS``; 1 or -1 for each piece, so that those that share a place cancel on the
        average. A place may occur twice.

    References
    ----------
    Weinberger et al. (2009), Feature hashing for large scale multitask learning. scikit-learn's
    ``HashingVectorizer`` cuts alike (``analyzer="char_wb"``), one piece after the other, many times slower.
    """
    whole = joined(texts, "  ")
    lowered = whole.lower()
    if len(lowered) != len(whole) or "Σ" in whole:  # whose small letters are two, or depend on their place
        texts = [text.lower() for text in texts]
        lowered = joined(texts, "  ")
    buffer = f" {lowered} ".encode("utf-32-le", "surrogatepass")
    characters = np.frombuffer(buffer, np.uint32)
    is_space = _IS_SPACE[np.minimum(characters, len(_IS_SPACE) - 1)]
    characters = np.where(is_space, np.uint32(32), characters)
    ends = np.concatenate([[0], np.cumsum(lengths(texts) + 2)])
    hashed, within, found = characters, np.ones(len(characters), bool), []
    for length in range(2, LENGTHS[-1] + 1):
        n = max(0, len(characters) - length + 1)
        hashed = hashed[:n] * _FACTOR + characters[length - 1 :]
        if length in LENGTHS:
            starts = np.flatnonzero(within[:n])
            found.append(_counted(hashed[starts], np.searchsorted(starts, ends), n_places))
        within = within[:n] & ~is_space[length - 1 :]  # a blank within is between words, or between texts
    return found


def _counted(hashed: Any, ends: Any, n_places: int) -> sparse.csr_matrix:
    """The hashes of pieces, mixed, as places and signs."""
    hashed ^= hashed >> np.uint32(16)
    hashed *= np.uint32(0x7FEB352D)
    hashed ^= hashed >> np.uint32(15)
    hashed *= np.uint32(0x846CA68B)
    hashed ^= hashed >> np.uint32(16)
    signs = 1 - 2 * (hashed >> np.uint32(31)).astype(np.float32)
    places = (hashed & np.uint32(n_places - 1)).astype(np.int32)
    return sparse.csr_matrix((signs, places, ends), (len(ends) - 1, n_places))


def _cuts(texts: Sequence[str]) -> list[int]:
    """Where to cut a list of texts, so that each part is a single one or has few characters."""
    ends = np.cumsum(lengths(texts))
    cuts = [0]
    while cuts[-1] < len(texts):
        before = ends[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(ends, before + _BLOCK, "right"))))
    return cuts


def _counts(levels: Sequence[Level]) -> Iterator[tuple[Floats, list[sparse.csr_matrix]]]:
    """The pieces of texts, and one over the root of their number, some texts at a time."""
    texts: Any = levels if levels and isinstance(levels[0], str) else [key_of(level) for level in levels]
    for start, stop in pairwise(_cuts(texts)):
        counts = pieces(texts[start:stop])
        yield 1 / np.sqrt(np.maximum(sum(np.diff(own.indptr) for own in counts), 1)), counts


def _whole(weights: Floats, counts: list[sparse.csr_matrix]) -> Any:
    """Pieces of all lengths together, weighed."""
    return sparse.diags_array(weights) @ sum(counts[1:], counts[0])
