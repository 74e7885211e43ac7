"""The base of every network: the part that a user writes, and the module that it builds."""

from __future__ import annotations

from abc import abstractmethod

from torch import Generator, Tensor, nn

from stackae.constraints import Constrained


class NetworkModule(nn.Module):
    """An encoder and its decoder, without values until ``initialise`` is called or a state is loaded."""

    @property
    @abstractmethod
    def filters(self) -> Tensor:
        """The encoder's weights, (units × features)."""

    @abstractmethod
    def initialise(self, generator: Generator) -> None:
        """Draw every weight from ``generator``; biases start at zero."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Map (rows × features) to activations (rows × units)."""

    @abstractmethod
    def decode(self, code: Tensor) -> Tensor:
        """Map a code (rows × units) to the reconstruction before its activation (rows × features)."""


class Network(Constrained):
    """The architecture of one shallow autoencoder."""

    @abstractmethod
    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool
    ) -> NetworkModule:
        """Return the module, its parameters allocated but not yet initialised."""
