"""The base of every code: the part that a user writes, and the module that it builds."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from stackae._utils.constraints import Constrained

if TYPE_CHECKING:
    from torch import Generator

    from stackae.networks.base import NetworkModule


class CodeModule(nn.Module):
    """A map from the encoder's activations to the code, with what it keeps in memory."""

    #: Whether the code is drawn at random in training.
    draws: ClassVar[bool] = False

    def initialise(self, weight: Tensor, bias: Tensor) -> None:
        """Start the map that gives the activations, head after head along the first axis, where the code
        wants it otherwise than it was drawn."""

    @abstractmethod
    def forward(self, activations: Tensor, generator: Generator | None) -> Tensor:
        """Return the code (samples × units); ``generator`` is given in training and None otherwise."""

    def backward(self, gradient: Tensor, code: Tensor) -> Tensor:
        """From the gradient with respect to the code, worked by hand, to that of the activations.

        A code that does not override this is left to autograd.
        """
        raise NotImplementedError

    def cost(self, activations: Tensor) -> Tensor | None:
        """What the code adds to the objective of one batch, if anything."""
        return None

    def sample(self, n_samples: int, n_units: int, generator: Generator) -> Tensor | None:
        """Codes (samples × units) drawn from the prior, where there is one."""
        return None

    def advance(self, fraction: float, network: NetworkModule, network_input: Tensor | None) -> None:
        """Take note that a share ``fraction`` of the phase is trained, and of what the network is
        given next.

        None comes next where the layer is no longer trained by itself.
        """


class Code(Constrained):
    """The base of all codes: what turns the encoder's output into the code."""

    #: How many activations the encoder gives for each unit of the code.
    heads: ClassVar[int] = 1
    #: The activations that it is defined for; None: any. ``activation="auto"`` takes the first.
    activations: ClassVar[tuple[str, ...] | None] = None
    #: Whether most units are zero, so that the next layer must not move the zero.
    sparse: ClassVar[bool] = False
    #: See :func:`stackae._utils.draws.is_by_rows`.
    by_rows: ClassVar[bool] = False

    def refuse(self, n_units: int) -> None:
        """Raise ``ParameterError`` where a code of so many units is impossible."""

    @abstractmethod
    def build(self, n_units: int) -> CodeModule:
        """Return the module for a code of so many units."""
