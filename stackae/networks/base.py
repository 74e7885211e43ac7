"""The base of every network: the part that a user writes, and the module that it builds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from torch import Generator, Tensor, nn

from stackae._utils.constraints import Constrained
from stackae.corruption.base import Corruption
from stackae.networks.layout import Layout

#: Gives the rows from which a network is initialised, block after block, as often as it is called.
Blocks = Callable[[], Iterable[Tensor]]


class NetworkModule(nn.Module):
    """An encoder and its decoder, without values until ``initialise`` is called or a state is loaded."""

    @property
    @abstractmethod
    def filters(self) -> Tensor:
        """The encoder's weights, in the order of the features: (units × features) or, where weights are
        shared, (filters × weights)."""

    @property
    def head_parameters(self) -> tuple[Tensor, Tensor] | None:
        """Weight and bias of the encoder's last map, head after head along their first axis; None: a code
        cannot say how they start."""
        return None

    @property
    def unit_bias(self) -> Tensor | None:
        """What is added to each unit's preactivation, (units,); None where units share it."""
        return None

    @property
    def multiplications(self) -> int:
        """Of one row that is encoded and decoded, those that can be done at once: one a weight, unless it is
        used in several places."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def statistics(self) -> Sequence[Tensor]:
        """What it has seen in training, which goes with the weights and is kept with the best of them."""
        return ()

    @abstractmethod
    def initialise(self, generator: Generator) -> None:
        """Draw every weight from ``generator``; biases start at zero."""

    def initialise_from(self, blocks: Blocks, corruption: Corruption | None, *, warm_start: bool) -> None:
        """Take weights from the rows, where they have a closed form;
        ``warm_start``: earlier rows count too."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Map (samples × features) to activations (samples × units, or twice as many: see ``heads``)."""

    @abstractmethod
    def decode(self, code: Tensor) -> Tensor:
        """Map a code (samples × units) to the reconstruction before its activation (samples × features)."""

    def squared_jacobian(self, activations: Tensor) -> Tensor | None:
        """Each row's squared Frobenius norm of the encoder's Jacobian; None where it has no closed form."""
        return None

    def scaled_by(self, scaling: Callable[[Tensor], Tensor]) -> None:
        """Be told of the map from the outer units to those in which the network works."""

    def observed(self, x: Tensor) -> Tensor | None:
        """Which cells of clean rows are data and not filling (samples × features); None: all."""
        return None


class Network(Constrained):
    """The architecture of one shallow autoencoder."""

    #: The activations that it is defined for; None: any. ``activation="auto"`` takes the first.
    activations: ClassVar[tuple[str, ...] | None] = None
    #: Whether its decoder can have the encoder's weights.
    can_tie: ClassVar[bool] = True
    #: Whether its encoder can be told, in columns behind the others, which values are missing.
    takes_indicators: ClassVar[bool] = False
    #: What the loss must be, by its name; None: any.
    loss: ClassVar[str | None] = None
    #: Whether the columns are cells of an image, so that ``scale="auto"`` divides all of them by one number.
    keeps_proportions: ClassVar[bool] = False
    #: Whether its weights are initialised from the data, by ``initialise_from`` of its module.
    initialised_from_data: ClassVar[bool] = False
    #: Whether they are trained; if not, ``initialise_from`` has found them already.
    is_trained: ClassVar[bool] = True

    @property
    def layout(self) -> Layout | None:
        """How the columns of a row hold an image or a series; None: they are in no order. The network must be
        settled."""
        return None

    def fitted_to(self, shape: tuple[int, ...]) -> Network:
        """The network with every ``"auto"`` replaced, for rows of a shape.

        Parameters
        ----------
        shape : tuple of int
            (features,), or (height, width, channels).

        Raises
        ------
        ParameterError
            Rows of that shape do not fit.
        """
        return self

    def refuse(self, corruption: Corruption | None, others: Iterable[Constrained]) -> None:
        """Raise ``ParameterError`` for parts that it cannot be combined with: penalties and the code."""

    def code_shape(self, n_components: int) -> tuple[int, ...]:
        """The shape of one row's code, which is flattened: (units,), or height × width × channels."""
        return (n_components,)

    @abstractmethod
    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> NetworkModule:
        """Return the module, its parameters allocated but not yet initialised.

        Its encoder gives ``heads`` times the units of the code, side by side; the decoder takes one of them.
        """
