"""The rows that a phase trains on: what the engine asks of them, and the kind that lies in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from stackae.data.mapped import MappedRows
from stackae.scaling import Matrix, Scaling, apply_scaling

#: Rows that pass through a function at once.
BLOCK = 8192


class Rows(ABC):
    """Scaled rows, wherever they lie; they come as float32 tensors on the device."""

    device: torch.device
    n_features: int

    @abstractmethod
    def __len__(self) -> int:
        """How many there are, those set aside not counted."""

    @abstractmethod
    def set_aside(self, n_rows: int) -> tuple[Tensor, Rows]:
        """So many rows, and the others; the same ones from all rows that follow one another."""

    @abstractmethod
    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        """One epoch: every row once, in random order, in pieces of ``size``; the last may be smaller."""

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
    """

    def __init__(self, tensor: Tensor, order: Tensor) -> None:
        self.tensor = tensor
        self.order = order
        self.device = tensor.device
        self.n_features = tensor.shape[1]

    @classmethod
    def scaled(
        cls,
        X: npt.NDArray[np.floating] | MappedRows,
        scaling: Scaling,
        device: torch.device,
        generator: Generator,
    ) -> RowsInMemory:
        """The rows of a matrix in the user's units, which is not written."""
        order = torch.randperm(len(X), generator=generator, device=device)
        return cls(apply_scaling(scaling, X).to(device), order)

    def __len__(self) -> int:
        return len(self.order)

    def set_aside(self, n_rows: int) -> tuple[Tensor, RowsInMemory]:
        aside = self.tensor.index_select(0, self.order[:n_rows])
        return aside, RowsInMemory(self.tensor, self.order[n_rows:])

    def shuffled(self, size: int, generator: Generator) -> Iterator[Tensor]:
        order = self.order[torch.randperm(len(self.order), generator=generator, device=self.device)]
        # Piece by piece, so that what is gathered is still in the processor's cache when it is used.
        for index in torch.split(order, size):
            yield self.tensor.index_select(0, index)

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
        return RowsInMemory(scaling.to(self.device)(matrix), self.order)
