"""A shuffle of which every stretch has equally many rows from each part of the blocks that were read.

Each block is cut into strata, the first rows of it to the last, and the strata of all blocks are dealt out in
turn. So several processes, each of which has read its part of every block, have equal shares of a batch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

#: Divisible by the numbers of processes that are common.
N_STRATA = 48
#: In which turn each stratum comes: those that follow one another are from far apart (van der Corput).
_TURNS = np.argsort([int(f"{turn:06b}"[::-1], 2) for turn in range(N_STRATA)])


def divisible(n_rows: int) -> int:
    """At most so many rows, which the usual numbers of processes have equal parts of."""
    if n_rows >= N_STRATA:
        return n_rows // N_STRATA * N_STRATA
    return next(n for n in range(n_rows, 0, -1) if N_STRATA % n == 0)


def edge(block: int, full: int, n_rows: int, part: int, n_parts: int) -> int:
    """Where a part of a block begins, of so many parts; part ``n_parts`` begins where the block ends.

    Parameters
    ----------
    block, full, n_rows : int
        The block's number, the rows of all blocks but the last, and its own.
    part, n_parts : int
        Where the rows cannot be divided evenly, those that are over fall to other parts in other blocks.
    """
    over = block * full % N_STRATA
    return (n_rows * part * N_STRATA + over * n_parts) // (N_STRATA * n_parts)


def strata_of(block: int, full: int, n_rows: int) -> npt.NDArray[np.uint8]:
    """Which stratum each row of a block is in, in parts as :func:`edge` has them."""
    return _strata(block * full % N_STRATA, n_rows)


@lru_cache(2 * N_STRATA)
def _strata(over: int, n_rows: int) -> npt.NDArray[np.uint8]:
    edges = (n_rows * np.arange(N_STRATA + 1) + over) // N_STRATA
    return np.repeat(np.arange(N_STRATA, dtype=np.uint8), np.diff(edges))


def dealt(mixed: Tensor, strata: npt.NDArray[np.uint8]) -> Tensor:
    """A random order of rows, in which every stretch has equally many of each stratum.

    Parameters
    ----------
    mixed : Tensor of shape (n_rows,), int64
        A random order.
    strata : ndarray of shape (n_rows,)
        Of each row, in their own order.
    """
    order = mixed.numpy()
    of_each = strata[order]
    by_stratum = order[np.argsort(of_each, kind="stable")]
    counts = np.bincount(of_each, minlength=N_STRATA)
    rounds = np.full((counts.max(), N_STRATA), -1)
    for turn, rows in zip(_TURNS, np.split(by_stratum, counts.cumsum()[:-1]), strict=True):
        if len(rows):  # where there are fewer than of others, they are spread
            rounds[(2 * np.arange(len(rows)) + 1) * len(rounds) // (2 * len(rows)), turn] = rows
    return torch.from_numpy(rounds[rounds >= 0])
