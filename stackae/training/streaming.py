"""Samples that do not fit in memory: shuffled by blocks, read ahead in the background.

An epoch visits blocks of consecutive rows in random order. As many blocks as fit in a pool (an eighth of
the memory allowed) are read together and their rows shuffled; while one pool trains, the next is read. So a
batch mixes samples from about 128 places of the data: as good as a whole shuffle where their order means
nothing at that distance, and less even, the smaller the pool, where they are sorted. It has equally many from
each part of the blocks (:mod:`stackae.training.strata`). Memory: three pools at most, samples held out (a
sixteenth) and, where they are small, codes (an eighth).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from stackae._utils.draws import Share
from stackae._utils.memory import MemoryBudget
from stackae._utils.threads import ahead
from stackae.data.mapped import MappedMatrix, ScratchRows
from stackae.data.matrix import Matrix
from stackae.modules.scaling import BlockScaling, Scaling
from stackae.training.batches import BLOCK, Samples
from stackae.training.processes import ALONE, Group
from stackae.training.strata import dealt, divisible, edge, strata_of

_POOL_SHARE = 8
_HELD_OUT_SHARE = 16
_CODES_SHARE = 8
#: Places of the data that a pool mixes, and the least bytes of a block for which the disk is visited.
_BLOCKS_IN_A_POOL = 128
_LEAST_BLOCK = 2**15


def most_held_out_of_stream(memory: MemoryBudget, n_features: int) -> int:
    """How many samples, at most, are held out of those on the disk."""
    return max(1, memory.of_all // _HELD_OUT_SHARE // (4 * n_features))


class StreamedSamples(Samples):
    """Scaled samples that are read whenever they are needed.

    Parameters
    ----------
    source : Matrix
        The samples before scaling.
    scaling : Scaling
    device : torch.device
    memory : MemoryBudget
    sample : ndarray of int64
        Samples chosen at random, once: its first are those that are held out.
    held_out : ndarray of int64
        Those that are held out, sorted.
    """

    def __init__(
        self,
        source: Matrix,
        scaling: Scaling,
        device: torch.device,
        memory: MemoryBudget,
        sample: npt.NDArray[np.int64],
        held_out: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.source = source
        self.scaling = scaling
        self.device = device
        self.memory = memory
        self.n_features = source.shape[1]
        self._sample = sample
        self._held_out = np.empty(0, np.int64) if held_out is None else held_out
        self._scale = BlockScaling(scaling, source.dtype)
        row_bytes = 4 * self.n_features
        self._pool_rows = max(1, memory.of_all // _POOL_SHARE // row_bytes)
        self._block_rows = divisible(max(1, self._pool_rows // _BLOCKS_IN_A_POOL, _LEAST_BLOCK // row_bytes))
        self._blocks_in_a_pool = max(1, self._pool_rows // self._block_rows)

    @classmethod
    def drawn(
        cls,
        source: Matrix,
        scaling: Scaling,
        device: torch.device,
        memory: MemoryBudget,
        generator: Generator,
    ) -> StreamedSamples:
        """Samples of which some are drawn from the generator."""
        seed = int(torch.randint(2**62, (), generator=generator, device=device))
        most = most_held_out_of_stream(memory, source.shape[1])
        sample = np.random.default_rng(seed).choice(len(source), min(most, len(source)), replace=False)
        return cls(source, scaling, device, memory, sample)

    def __len__(self) -> int:
        return len(self.source) - len(self._held_out)

    def hold_out(self, n_samples: int) -> tuple[Tensor, StreamedSamples]:
        held_out = np.sort(self._sample[:n_samples])
        rows = np.empty((len(held_out), self.n_features), np.float32)
        self._scale(self.source.gather(held_out), rows)
        others = StreamedSamples(self.source, self.scaling, self.device, self.memory, self._sample, held_out)
        return torch.from_numpy(rows).to(self.device), others.divided_among(self.group)

    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        for z, _ in self._epoch(size, generator, ALONE):
            yield z

    def shares(self, size: int, generator: Generator) -> Iterator[tuple[Tensor, Share]]:
        yield from self._epoch(size, generator, self.group)

    def _epoch(self, size: int, generator: Generator, group: Group) -> Iterator[tuple[Tensor, Share]]:
        """Pieces, of which this process reads its share: a part of each block, as the shuffling has it."""
        n_blocks = -(-len(self.source) // self._block_rows)
        order = torch.randperm(n_blocks, generator=generator, device=self.device).tolist()
        at_once = self._blocks_in_a_pool
        pools = [order[start : start + at_once] for start in range(0, n_blocks, at_once)]
        free: list[npt.NDArray[np.float32]] = []  # pools whose rows were used, to be filled again
        rest: _Piece | None = None
        for pool in ahead(map(partial(self._pool, free, group), pools)):
            mixed = torch.randperm(pool.n_samples, generator=generator, device=self.device).cpu()
            mixed = dealt(mixed, pool.strata)
            missing = 0 if rest is None else size - rest.share.n_samples
            for index in (mixed[:missing], *torch.split(mixed[missing:], size)):
                if len(index):
                    piece = pool.piece(index) if rest is None else rest.followed_by(pool.piece(index))
                    rest = piece if piece.share.n_samples < size else None
                    if rest is None:
                        yield piece.on(self.device)
            free.append(pool.rows.numpy())
            del pool
        if rest is not None:
            yield rest.on(self.device)

    @property
    def _starts(self) -> range:
        """Where blocks begin that are read in order."""
        return range(0, len(self.source), min(BLOCK, self._pool_rows))

    def blocks(self, *, own: bool = False) -> Iterator[Tensor]:
        for block in ahead(map(self._block, self.group.own_of(self._starts) if own else self._starts)):
            yield block.to(self.device)

    def map(self, function: Callable[[Tensor], Tensor], width: int) -> MappedMatrix:
        n_samples = len(self.source)
        made = self._in_turn(self._starts, function, width)
        if 4 * n_samples * width <= self.memory.n_bytes // _CODES_SHARE:
            codes = np.empty((n_samples, width), np.float32)
            for start, block in made:
                codes[start : start + len(block)] = block.cpu().numpy()
            return MappedMatrix([codes])
        rows = ScratchRows((n_samples, width), np.float32, self.memory.folder)
        for _, block in made:
            rows.append(block.cpu().numpy())
        return rows.matrix()

    def followed_by(self, codes: Matrix, scaling: Scaling) -> StreamedSamples:
        if not isinstance(codes, MappedMatrix):
            raise TypeError("samples on the disk are followed by codes on the disk")
        following = StreamedSamples(codes, scaling, self.device, self.memory, self._sample)
        return following.divided_among(self.group)

    # Reading, in the background: NumPy only, since torch would bring threads of its own ----------------

    def _block(self, start: int) -> Tensor:
        """The rows from one on, for :meth:`map`."""
        rows = np.empty((min(self._starts.step, len(self.source) - start), self.n_features), np.float32)
        self._read(start, rows)
        return torch.from_numpy(rows)

    def _pool(self, free: list[npt.NDArray[np.float32]], group: Group, blocks: Sequence[int]) -> _Pool:
        """A pool with the rows of some blocks, without those set aside; of each block the process's part."""
        at_once, most = self._blocks_in_a_pool, self._block_rows
        pool = (
            free.pop() if free else np.empty((at_once * -(-most // group.size), self.n_features), np.float32)
        )
        rows_of, strata = np.full(at_once * most, -1), []
        n_samples = end = 0
        for block in blocks:
            first, last = block * most, min((block + 1) * most, len(self.source))
            parts = (group.rank, group.rank + 1)
            start, stop = (first + edge(block, most, last - first, i, group.size) for i in parts)
            aside = np.searchsorted(self._held_out, [first, start, stop, last])
            self._read(start, pool[end : end + stop - start])
            if aside[1] < aside[2]:
                left_out = self._held_out[aside[1] : aside[2]] - start
                kept = np.delete(pool[end : end + stop - start], left_out, axis=0)
                pool[end : end + len(kept)] = kept
            n_own = stop - start - (aside[2] - aside[1])
            place = n_samples + start - first - (aside[1] - aside[0])
            rows_of[place : place + n_own] = np.arange(end, end + n_own)
            end += n_own
            n_samples += last - first - (aside[3] - aside[0])
            own = strata_of(block, most, last - first)
            left_out = self._held_out[aside[0] : aside[3]] - first
            strata.append(np.delete(own, left_out) if len(left_out) else own)
        of_places = None if group.size == 1 else torch.from_numpy(rows_of)
        return _Pool(int(n_samples), torch.from_numpy(pool), of_places, np.concatenate(strata))

    def _read(self, start: int, out: npt.NDArray[np.float32]) -> None:
        """Fill ``out`` with the scaled rows from one on."""
        if self.source.dtype == np.float32:
            self.source.read(start, out)
            self._scale(out, out)
        else:
            self._scale(self.source[start : start + len(out)], out)


class _Piece(NamedTuple):
    """The own rows of a piece, and which they are."""

    rows: Tensor
    share: Share

    def followed_by(self, other: _Piece) -> _Piece:
        """Both as one."""
        n_samples = self.share.n_samples
        places = torch.cat([self.share.places, other.share.places + n_samples])
        return _Piece(torch.cat([self.rows, other.rows]), Share(n_samples + other.share.n_samples, places))

    def on(self, device: torch.device) -> _Piece:
        """The same on a device."""
        return _Piece(self.rows.to(device), self.share._replace(places=self.share.places.to(device)))


class _Pool(NamedTuple):
    """So many rows, of which a process has its own; of each place its row, -1 for another's; None: all; and
    the stratum of each place."""

    n_samples: int
    rows: Tensor
    rows_of: Tensor | None
    strata: npt.NDArray[np.uint8]

    def piece(self, index: Tensor) -> _Piece:
        """The rows at some places."""
        if self.rows_of is None:
            return _Piece(self.rows.index_select(0, index), Share(len(index), torch.arange(len(index))))
        rows = self.rows_of[index]
        places = (rows >= 0).nonzero().squeeze(1)
        return _Piece(self.rows.index_select(0, rows[places]), Share(len(index), places))
