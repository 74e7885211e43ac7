"""The rows that a phase trains on: what the engine asks of them, and the kind that lies in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from stackae.data.mapped import MappedRows
from stackae.data.sparse import SparseRows
from stackae.modules.scaling import BlockScaling, Matrix, Scaling, apply_scaling

#: Rows that pass through a function at once.
BLOCK = 8192
#: Values of sparse rows that are dense at once.
_DENSE_AT_ONCE = 2**24


class Rows(ABC):
    """Scaled rows, wherever they lie; they come as float32 tensors on the device."""

    device: torch.device
    n_features: int

    @abstractmethod
    def __len__(self) -> int:
        """How many an epoch visits: those set aside are not counted."""

    @abstractmethod
    def set_aside(self, n_rows: int) -> tuple[Tensor, Rows]:
        """So many rows, and the others; the same ones from all rows that follow one another."""

    @abstractmethod
    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        """One epoch: every row once, or as often as its weight says, in random order.

        In pieces of ``size``; the last may be smaller.
        """

    @abstractmethod
    def blocks(self) -> Iterator[Tensor]:
        """All rows, those set aside too, in their own order, in blocks."""

    @abstractmethod
    def map(self, function: Callable[[Tensor], Tensor], width: int) -> Matrix:
        """What a function makes of all rows, in their own order, as a matrix of that width."""

    @abstractmethod
    def followed_by(self, matrix: Matrix, scaling: Scaling) -> Rows:
        """A matrix that :meth:`map` made, scaled, as rows in the place of these."""


class RowsInMemory(Rows):
    """All rows as one tensor on the device.

    Parameters
    ----------
    tensor : Tensor of shape (n_rows, n_features)
        Scaled.
    order : Tensor of shape (n_rows,), int64
        A random order, drawn once: its first are those that are set aside.
    weights : Tensor of shape (n_rows,), float64, or None, default=None
        How often an epoch visits each row of the tensor, on average; None: once.
    """

    def __init__(self, tensor: Tensor, order: Tensor, weights: Tensor | None = None) -> None:
        self.tensor = tensor
        self.order = order
        self.weights = weights
        self.device = order.device
        self.n_features = tensor.shape[1]

    @classmethod
    def scaled(
        cls,
        X: npt.NDArray[np.floating] | MappedRows | SparseRows,
        scaling: Scaling,
        device: torch.device,
        generator: Generator,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> RowsInMemory:
        """The rows of a matrix in the user's units, which is not written."""
        order = torch.randperm(len(X), generator=generator, device=device)
        often = None if weights is None else torch.from_numpy(weights).to(device)
        return cls(apply_scaling(scaling, X).to(device), order, often)

    def __len__(self) -> int:
        if self.weights is None:
            return len(self.order)
        return max(1, round(float(self.weights[self.order].sum())))

    def set_aside(self, n_rows: int) -> tuple[Tensor, RowsInMemory]:
        if self.weights is None:
            aside, n_aside = self.order[:n_rows], n_rows
        else:
            n_aside = max(1, round(n_rows * len(self.order) / len(self)))
            aside = self._by_weight(self.order[:n_aside], n_rows, 0.5)
        return self._gather(aside), self._of(self.order[n_aside:])

    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        order = self.order
        if self.weights is not None:
            offset = float(torch.rand((), generator=generator, device=self.device))
            order = self._by_weight(order, len(self), offset)
        order = order[torch.randperm(len(order), generator=generator, device=self.device)]
        # Piece by piece, so that what is gathered is still in the processor's cache when it is used.
        for index in torch.split(order, size):
            yield self._gather(index)

    def blocks(self) -> Iterator[Tensor]:
        yield from torch.split(self.tensor, BLOCK)

    def map(self, function: Callable[[Tensor], Tensor], width: int) -> Tensor:
        result = torch.empty(len(self.tensor), width, device=self.device)
        for part, block in zip(torch.split(result, BLOCK), self.blocks(), strict=True):
            part.copy_(function(block))
        return result

    def followed_by(self, matrix: Matrix, scaling: Scaling) -> RowsInMemory:
        if not isinstance(matrix, Tensor):
            raise TypeError("rows in memory are followed by a tensor")
        return RowsInMemory(scaling.to(self.device)(matrix), self.order, self.weights)

    def _of(self, order: Tensor) -> RowsInMemory:
        """Some of the same rows."""
        return RowsInMemory(self.tensor, order, self.weights)

    def _gather(self, index: Tensor) -> Tensor:
        return self.tensor.index_select(0, index)

    def _by_weight(self, order: Tensor, n_rows: int, offset: float) -> Tensor:
        """So many of the rows, each as often as its weight says: systematic sampling.

        Each comes as often as its weight, rounded up or down, so that whole weights are exact.
        """
        assert self.weights is not None
        ends = self.weights[order].cumsum(0)
        points = (torch.arange(n_rows, dtype=torch.float64, device=self.device) + offset) / n_rows
        return order[torch.searchsorted(ends, points * ends[-1], right=True).clamp(max=len(order) - 1)]


class SparseRowsInMemory(RowsInMemory):
    """Rows of a sparse matrix, made dense and scaled a piece at a time; their codes are one tensor.

    Parameters
    ----------
    source : SparseRows
        Before scaling.
    scaling : Scaling
    order, weights
        As those of :class:`RowsInMemory`.
    """

    def __init__(
        self, source: SparseRows, scaling: Scaling, order: Tensor, weights: Tensor | None = None
    ) -> None:
        self.source = source
        self.scaling = scaling
        self.order = order
        self.weights = weights
        self.device = order.device
        self.n_features = source.shape[1]
        self._scale = BlockScaling(scaling, source.dtype)

    def blocks(self) -> Iterator[Tensor]:
        size = max(1, min(BLOCK, _DENSE_AT_ONCE // self.n_features))
        for start in range(0, len(self.source), size):
            yield self._dense(self.source[start : start + size])

    def map(self, function: Callable[[Tensor], Tensor], width: int) -> Tensor:
        result = torch.empty(len(self.source), width, device=self.device)
        start = 0
        for block in self.blocks():
            result[start : start + len(block)] = function(block)
            start += len(block)
        return result

    def set_aside(self, n_rows: int) -> tuple[Tensor, RowsInMemory]:
        return super().set_aside(max(1, min(n_rows, _DENSE_AT_ONCE // self.n_features)))

    def _of(self, order: Tensor) -> RowsInMemory:
        return SparseRowsInMemory(self.source, self.scaling, order, self.weights)

    def _gather(self, index: Tensor) -> Tensor:
        return self._dense(self.source.take(index.cpu().numpy()))

    def _dense(self, rows: npt.NDArray[np.floating]) -> Tensor:
        scaled = np.empty(rows.shape, np.float32)
        self._scale(rows, scaled)
        return torch.from_numpy(scaled).to(self.device)
