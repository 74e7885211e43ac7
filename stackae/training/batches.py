"""The samples that a phase trains on, in batches: what the loop asks of them, and the kinds in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from stackae._utils.draws import Share
from stackae.data.matrix import Floats, Index, Matrix
from stackae.modules.scaling import BlockScaling, Scaling, apply_scaling
from stackae.training.neighbours import alternating, in_pairs, neighbours_among, neighbours_of
from stackae.training.processes import ALONE, Group

#: Samples that pass through a function at once.
BLOCK = 8192
#: Values of sparse samples that are dense at once.
_DENSE_AT_ONCE = 2**24


def most_held_out(n_features: int) -> int:
    """How many sparse samples, at most, are made dense to be held out."""
    return max(1, _DENSE_AT_ONCE // n_features)


class Samples(ABC):
    """Scaled samples, wherever they lie; they come as float32 tensors on the device."""

    device: torch.device
    n_features: int
    #: The processes among which they are divided.
    group: Group = ALONE

    @abstractmethod
    def __len__(self) -> int:
        """How many an epoch visits: those held out are not counted."""

    @abstractmethod
    def hold_out(self, n_samples: int) -> tuple[Tensor, Samples]:
        """So many samples, and the others; the same ones for all codes that follow one another."""

    @abstractmethod
    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        """One epoch: every sample once, or as often as its weight says, in random order.

        In pieces of ``size``; the last may be smaller.
        """

    @abstractmethod
    def shares(self, size: int, generator: Generator) -> Iterator[tuple[Tensor, Share]]:
        """The same of which this process gathers, or reads, its own share only."""

    @abstractmethod
    def blocks(self, *, own: bool = False) -> Iterator[Tensor]:
        """All samples, those held out too, in their own order, in blocks; own: every block that falls to this
        process."""

    @abstractmethod
    def map(self, function: Callable[[Tensor], Tensor], width: int) -> Matrix:
        """What a function makes of all samples, in their own order, as a matrix of that width.

        Several processes divide the work, and each has the whole of it.
        """

    @abstractmethod
    def followed_by(self, codes: Matrix, scaling: Scaling) -> Samples:
        """A matrix that :meth:`map` made, scaled, in the place of these samples."""

    def divided_among(self, group: Group) -> Self:
        """The same samples, of which each of some processes has a share; those that come of them, too."""
        same = copy(self)
        same.group = group
        return same

    def _in_turn(
        self, starts: range, function: Callable[[Tensor], Tensor], width: int
    ) -> Iterator[tuple[int, Tensor]]:
        """Where each block begins, and what the function makes of it, by whichever process."""
        stops = [*starts[1:], starts.stop]
        own = map(function, self.blocks(own=True))
        made = self.group.in_turn(len(starts), own, lambda k: (stops[k] - starts[k], width))
        yield from zip(starts, made, strict=True)

    def stratify(self, classes: Tensor) -> None:  # noqa: B027
        """Let those that are held out have a share of every class, and never all of one.

        Parameters
        ----------
        classes : Tensor of shape (n_samples,)

        Where samples are read from the disk, chance alone decides.
        """


class TensorMatrix(Matrix):
    """A tensor on a device as a matrix.

    Parameters
    ----------
    tensor : Tensor of shape (n_samples, n_features), float32
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.shape = tensor.shape[0], tensor.shape[1]
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, samples: slice) -> Floats:
        return self.tensor[samples].cpu().numpy()

    def gather(self, index: Index) -> Floats:
        return self.tensor[torch.from_numpy(index).to(self.tensor.device)].cpu().numpy()

    def beside(self, columns: Floats) -> TensorMatrix:
        return TensorMatrix(torch.cat([self.tensor, torch.from_numpy(columns).to(self.tensor)], 1))


class SamplesInMemory(Samples):
    """All samples as one tensor on the device.

    Parameters
    ----------
    tensor : Tensor of shape (n_samples, n_features)
        Scaled.
    order : Tensor of shape (n_samples,), int64
        A random order, drawn once: its first are those that are held out.
    weights : Tensor of shape (n_samples,), float64, or None, default=None
        How often an epoch visits each sample of the tensor, on average; None: once.

    Attributes
    ----------
    neighbours : Tensor of shape (n_samples, n_neighbors), int64, or None
        Of those that are not held out: where samples come in pairs, the numbers of those nearest to each.
    """

    neighbours: Tensor | None = None

    def __init__(self, tensor: Tensor, order: Tensor, weights: Tensor | None = None) -> None:
        self.tensor = tensor
        self.order = order
        self.weights = weights
        self.device = order.device
        self.n_all, self.n_features = tensor.shape

    @classmethod
    def drawn(
        cls,
        X: Matrix,
        scaling: Scaling,
        device: torch.device,
        generator: Generator,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> SamplesInMemory:
        """The samples of a matrix in the user's units, which is not written, in an order that is drawn."""
        order = torch.randperm(len(X), generator=generator, device=device)
        visits = None if weights is None else torch.from_numpy(weights).to(device)
        if X.is_sparse:
            return SparseSamples(X, scaling, order, visits)
        return cls(apply_scaling(scaling, X).to(device), order, visits)

    def __len__(self) -> int:
        n_visits = len(self.order)
        if self.weights is not None:
            n_visits = max(1, round(float(self.weights[self.order].sum())))
        return n_visits if self.neighbours is None else n_visits + n_visits % 2

    def in_pairs(
        self, held_out: Tensor | None, network_input: Callable[[Tensor], Tensor], n_neighbors: int
    ) -> tuple[Tensor | None, SamplesInMemory]:
        """Held-out samples, and these, in pairs: each with one of those nearest to it among these.

        An epoch draws half of these. ``network_input`` gives the numbers by which they are near.
        """

        def gather(index: Tensor) -> Tensor:
            return network_input(self._gather(index))

        same = copy(self)
        same.neighbours = neighbours_of(gather, self.order, self.n_all, n_neighbors)
        if held_out is not None:
            near = neighbours_among(network_input(held_out), gather, self.order, n_neighbors)
            held_out = alternating(held_out, self._gather(near))
        return held_out, same

    def hold_out(self, n_samples: int) -> tuple[Tensor, SamplesInMemory]:
        if self.weights is None:
            held_out, n_held_out = self.order[:n_samples], n_samples
        else:
            n_held_out = max(1, round(n_samples * len(self.order) / len(self)))
            held_out = self._by_weight(self.order[:n_held_out], n_samples, 0.5)
        return self._gather(held_out), self._of(self.order[n_held_out:]).divided_among(self.group)

    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        # Piece by piece, so that what is gathered is still in the processor's cache when it is used.
        for index in self._epoch(size, generator):
            yield self._gather(index)

    def shares(self, size: int, generator: Generator) -> Iterator[tuple[Tensor, Share]]:
        for index in self._epoch(size, generator):
            share = self.group.share(len(index), self.device)
            yield self._gather(index[share.places]), share

    def _epoch(self, size: int, generator: Generator) -> Sequence[Tensor]:
        """The numbers of the samples that an epoch visits, in pieces."""
        order = self.order
        if self.weights is not None:
            offset = float(torch.rand((), generator=generator, device=self.device, dtype=torch.float32))
            order = self._by_weight(order, len(self), offset)
        order = order[torch.randperm(len(order), generator=generator, device=self.device)]
        if self.neighbours is not None:
            order = in_pairs(order, self.neighbours, generator)
        return torch.split(order, size)

    def blocks(self, *, own: bool = False) -> Iterator[Tensor]:
        for start in self.group.own_of(self._starts) if own else self._starts:
            yield self._block(start)

    def map(self, function: Callable[[Tensor], Tensor], width: int) -> TensorMatrix:
        result = torch.empty(self.n_all, width, device=self.device, dtype=torch.float32)
        for start, block in self._in_turn(self._starts, function, width):
            result[start : start + len(block)] = block
        return TensorMatrix(result)

    def followed_by(self, codes: Matrix, scaling: Scaling) -> SamplesInMemory:
        if not isinstance(codes, TensorMatrix):
            raise TypeError("samples in memory are followed by a tensor")
        following = SamplesInMemory(scaling.to(self.device)(codes.tensor), self.order, self.weights)
        return following.divided_among(self.group)

    def stratify(self, classes: Tensor) -> None:
        own = classes.to(self.device)[self.order]
        keys = torch.empty(len(own), dtype=torch.float64, device=self.device)
        for label in torch.unique(own):
            places = torch.nonzero(own == label)[:, 0]
            keys[places] = (torch.arange(len(places), device=self.device).double() + 0.5) / len(places)
            keys[places[-1]] = 1.0
        self.order = self.order[torch.argsort(keys, stable=True)]

    def _of(self, order: Tensor) -> SamplesInMemory:
        """Some of the same samples."""
        return SamplesInMemory(self.tensor, order, self.weights)

    @property
    def _starts(self) -> range:
        """Where blocks begin."""
        return range(0, self.n_all, BLOCK)

    def _block(self, start: int) -> Tensor:
        return self.tensor[start : start + BLOCK]

    def _gather(self, index: Tensor) -> Tensor:
        return self.tensor.index_select(0, index)

    def _by_weight(self, order: Tensor, n_samples: int, offset: float) -> Tensor:
        """So many of the samples, each as often as its weight says: systematic sampling.

        Each comes as often as its weight, rounded up or down, so that whole weights are exact.
        """
        assert self.weights is not None
        ends = self.weights[order].cumsum(0)
        points = (torch.arange(n_samples, dtype=torch.float64, device=self.device) + offset) / n_samples
        return order[torch.searchsorted(ends, points * ends[-1], right=True).clamp(max=len(order) - 1)]


class SparseSamples(SamplesInMemory):
    """Samples of a sparse matrix, made dense and scaled a piece at a time; their codes are one tensor.

    Parameters
    ----------
    source : Matrix
        Before scaling.
    scaling : Scaling
    order, weights
        As those of :class:`SamplesInMemory`.
    """

    def __init__(
        self, source: Matrix, scaling: Scaling, order: Tensor, weights: Tensor | None = None
    ) -> None:
        self.source = source
        self.scaling = scaling
        self.order = order
        self.weights = weights
        self.device = order.device
        self.n_all, self.n_features = source.shape
        self._scale = BlockScaling(scaling, source.dtype)

    @property
    def _starts(self) -> range:
        return range(0, self.n_all, max(1, min(BLOCK, _DENSE_AT_ONCE // self.n_features)))

    def _block(self, start: int) -> Tensor:
        return self._dense(self.source[start : start + self._starts.step])

    def hold_out(self, n_samples: int) -> tuple[Tensor, SamplesInMemory]:
        return super().hold_out(min(n_samples, most_held_out(self.n_features)))

    def _of(self, order: Tensor) -> SamplesInMemory:
        return SparseSamples(self.source, self.scaling, order, self.weights)

    def _gather(self, index: Tensor) -> Tensor:
        return self._dense(self.source.gather(index.cpu().numpy()))

    def _dense(self, x: Floats) -> Tensor:
        scaled = np.empty(x.shape, np.float32)
        self._scale(x, scaled)
        return torch.from_numpy(scaled).to(self.device)
