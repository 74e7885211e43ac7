"""The base of every code."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from stackae.constraints import Constrained

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Code(Constrained):
    """A map from the encoder's activations to the code."""

    @abstractmethod
    def __call__(self, activations: Tensor, generator: Generator | None) -> Tensor:
        """Return the code (rows × units); ``generator`` is given in training and None otherwise."""
