"""The base of every optimizer: one fused kernel over all parameters.

torch's optimizer classes end in the same kernels, but take ten times as long to reach them, which is most of
a step where the network is small.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Optimizer(ABC):
    """Moves parameters in place, against their gradients.

    Parameters
    ----------
    parameters : sequence of Tensor
    weight_decay : float
        Of the weights; biases (one dimension) do not decay.
    momentum : float
        In [0, 1); for optimizers that have none of their own.
    rates : sequence of float or None
        How fast each parameter learns, as a share of the learning rate; None: all at that rate.
    """

    #: Whether each parameter's step is measured by its own gradients, so that one rate serves any loss.
    is_adaptive: ClassVar[bool] = True

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        rates: Sequence[float] | None = None,
    ) -> None:
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.rates = [1.0] * len(self.parameters) if rates is None else list(rates)
        self.allocate()
        self._bind()

    @abstractmethod
    def allocate(self) -> None:
        """Make what is remembered, at its start."""

    @classmethod
    def rate_factor(cls, n_features: int) -> float:
        """What the automatic learning rate is multiplied by, for a loss summed over so many features."""
        return 1.0

    @property
    @abstractmethod
    def _state(self) -> list[list[Tensor]]:
        """What is remembered of each parameter, one list a kind, in the order that the kernel takes them."""

    def remembered(self) -> list[Tensor]:
        """All that is remembered between steps, the very tensors."""
        return [tensor for tensors in self._state for tensor in tensors]

    def _bind(self) -> None:
        """Look everything up once: a step of a small network takes hardly longer than that."""
        targets = [p.detach() for p in self.parameters]  # the same memory, outside autograd
        alike: dict[tuple[float, float], list[int]] = {}
        for k, (target, rate) in enumerate(zip(targets, self.rates, strict=True)):
            decay = self.weight_decay if target.ndim > 1 else 0.0
            alike.setdefault((decay, rate), []).append(k)
        self._groups = [
            Group(places, [_picked(tensors, places) for tensors in (targets, *self._state)], decay, rate)
            for (decay, rate), places in alike.items()
        ]

    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """One update; a gradient for each parameter, contiguous, in their order."""
        for group in self._groups:
            self._move(group, _picked(gradients, group.places), learning_rate * group.rate)

    @abstractmethod
    def _move(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        """Move the parameters of one group."""

    def __getstate__(self) -> dict[str, Any]:
        # What was bound holds other names of the same memory, which a pickle would make into copies.
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()


class Group(NamedTuple):
    """Parameters that decay and learn alike: their places, their tensors and those of their state."""

    places: list[int]
    tensors: list[list[Tensor]]
    weight_decay: float
    rate: float


def _picked(tensors: Sequence[Tensor], places: Sequence[int]) -> list[Tensor]:
    return [tensors[k] for k in places]
