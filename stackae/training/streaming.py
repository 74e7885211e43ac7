"""Samples that do not fit in memory: shuffled by blocks, read ahead in the background.

An epoch visits blocks of consecutive rows in random order. As many blocks as fit in a pool (an eighth of
the memory allowed) are read together and their rows shuffled; while one pool trains, the next is read. So a
batch mixes samples from about 128 places of the data: as good as a whole shuffle where their order means
nothing at that distance, and less even, the smaller the pool, where they are sorted. Memory: three pools at
most, samples held out (a sixteenth) and, where they are small, codes (an eighth).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from stackae._utils.memory import MemoryBudget
from stackae.data.mapped import MappedMatrix, release, scratch_array
from stackae.data.matrix import Matrix
from stackae.modules.scaling import BlockScaling, Scaling
from stackae.training.batches import BLOCK, Samples

_POOL_SHARE = 8
_HELD_OUT_SHARE = 16
_CODES_SHARE = 8
#: Places of the data that a pool mixes, and the least bytes of a block for which the disk is visited.
_BLOCKS_IN_A_POOL = 128
_LEAST_BLOCK = 2**15

T = TypeVar("T")
U = TypeVar("U")


def most_held_out_of_stream(memory: MemoryBudget, n_features: int) -> int:
    """How many samples, at most, are held out of those on the disk."""
    return max(1, memory.n_bytes // _HELD_OUT_SHARE // (4 * n_features))


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
        self._pool_rows = max(1, memory.n_bytes // _POOL_SHARE // row_bytes)
        self._block_rows = max(1, self._pool_rows // _BLOCKS_IN_A_POOL, _LEAST_BLOCK // row_bytes)
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
        return torch.from_numpy(rows).to(self.device), others

    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        n_blocks = -(-len(self.source) // self._block_rows)
        order = torch.randperm(n_blocks, generator=generator, device=self.device).tolist()
        at_once = self._blocks_in_a_pool
        pools = [order[start : start + at_once] for start in range(0, n_blocks, at_once)]
        free: list[npt.NDArray[np.float32]] = []  # pools whose rows were used, to be filled again
        rest = torch.empty(0, self.n_features, dtype=torch.float32)
        for n_samples, pool in _read_ahead(partial(self._pool, free), pools):
            mixed = torch.randperm(n_samples, generator=generator, device=self.device).cpu()
            start = 0
            if len(rest):  # the last piece of the pool before was not full
                start = size - len(rest)
                rest = torch.cat([rest, pool.index_select(0, mixed[:start])])
                if len(rest) < size:
                    continue
                yield rest.to(self.device)
            for index in torch.split(mixed[start:], size):
                rest = pool.index_select(0, index)
                if len(rest) == size:
                    yield rest.to(self.device)
            rest = rest if len(rest) < size else torch.empty(0, self.n_features, dtype=torch.float32)
            free.append(pool.numpy())
            del pool
        if len(rest):
            yield rest.to(self.device)

    def blocks(self) -> Iterator[Tensor]:
        starts = range(0, len(self.source), min(BLOCK, self._pool_rows))
        for block in _read_ahead(self._block, starts):
            yield block.to(self.device)

    def map(self, function: Callable[[Tensor], Tensor], width: int) -> MappedMatrix:
        n_samples = len(self.source)
        shape = (n_samples, width)
        small = 4 * n_samples * width <= self.memory.n_bytes // _CODES_SHARE
        result = (
            np.empty(shape, np.float32) if small else scratch_array(shape, np.float32, self.memory.folder)
        )
        start = 0
        for block in self.blocks():
            part = result[start : start + len(block)]
            part[:] = function(block).cpu().numpy()
            release(part)
            start += len(block)
        return MappedMatrix([result])

    def followed_by(self, codes: Matrix, scaling: Scaling) -> StreamedSamples:
        if not isinstance(codes, MappedMatrix):
            raise TypeError("samples on the disk are followed by codes on the disk")
        return StreamedSamples(codes, scaling, self.device, self.memory, self._sample)

    # Reading, in the background: NumPy only, since torch would bring threads of its own ----------------

    def _block(self, start: int) -> Tensor:
        """The rows from one on, for :meth:`map`."""
        rows = np.empty((min(BLOCK, self._pool_rows, len(self.source) - start), self.n_features), np.float32)
        self._read(start, rows)
        return torch.from_numpy(rows)

    def _pool(self, free: list[npt.NDArray[np.float32]], blocks: Sequence[int]) -> tuple[int, Tensor]:
        """A pool with the rows of some blocks, without those set aside, and how many rows they are."""
        shape = (self._blocks_in_a_pool * self._block_rows, self.n_features)
        pool = free.pop() if free else np.empty(shape, np.float32)
        end = 0
        for block in blocks:
            start = block * self._block_rows
            n_samples = min(self._block_rows, len(self.source) - start)
            self._read(start, pool[end : end + n_samples])
            first, last = np.searchsorted(self._held_out, [start, start + n_samples])
            if first < last:
                kept = np.delete(pool[end : end + n_samples], self._held_out[first:last] - start, axis=0)
                n_samples = len(kept)
                pool[end : end + n_samples] = kept
            end += n_samples
        return end, torch.from_numpy(pool)

    def _read(self, start: int, out: npt.NDArray[np.float32]) -> None:
        """Fill ``out`` with the scaled rows from one on."""
        if self.source.dtype == np.float32:
            self.source.read(start, out)
            self._scale(out, out)
        else:
            self._scale(self.source[start : start + len(out)], out)


def _read_ahead(read: Callable[[T], U], what: Sequence[T]) -> Iterator[U]:
    """Read one thing after the other, always the next one while the last one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="stackae-read-ahead") as executor:
        coming = executor.submit(read, what[0])
        for following in what[1:]:
            ready = coming.result()
            coming = executor.submit(read, following)
            yield ready
            del ready
        yield coming.result()
