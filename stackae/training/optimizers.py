"""The optimizers: each one fused kernel over all parameters.

torch's optimizer classes end in the same kernels, but take ten times as long to reach them, which is most of
a step where the network is small.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Optimizer(ABC):
    """Moves parameters in place, against their gradients.

    Parameters
    ----------
    parameters : sequence of Tensor
    weight_decay : float
        Of the weights; biases (one dimension) do not decay.
    rates : sequence of float or None
        How fast each parameter learns, as a share of the learning rate; None: all at that rate.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        weight_decay: float = 0.0,
        rates: Sequence[float] | None = None,
    ) -> None:
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        self.rates = [1.0] * len(self.parameters) if rates is None else list(rates)
        self._bind()

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
            _Group(places, [_picked(tensors, places) for tensors in (targets, *self._state)], decay, rate)
            for (decay, rate), places in alike.items()
        ]

    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        """One update; a gradient for each parameter, contiguous, in their order."""
        for group in self._groups:
            self._move(group, _picked(gradients, group.places), learning_rate * group.rate)

    @abstractmethod
    def _move(self, group: _Group, gradients: list[Tensor], learning_rate: float) -> None:
        """Move the parameters of one group."""

    def __getstate__(self) -> dict[str, Any]:
        # What was bound holds other names of the same memory, which a pickle would make into copies.
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()


class _Group(NamedTuple):
    """Parameters that decay and learn alike: their places, their tensors and those of their state."""

    places: list[int]
    tensors: list[list[Tensor]]
    weight_decay: float
    rate: float


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), its decay added to the gradient."""

    decoupled = False

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        weight_decay: float = 0.0,
        rates: Sequence[float] | None = None,
    ) -> None:
        import torch

        self.count = torch.zeros((), device=parameters[0].device)
        self.first_moments = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self.second_moments = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        super().__init__(parameters, weight_decay=weight_decay, rates=rates)

    @property
    def _state(self) -> list[list[Tensor]]:
        return [self.first_moments, self.second_moments]

    def remembered(self) -> list[Tensor]:
        return [*super().remembered(), self.count]

    def _bind(self) -> None:
        import torch

        super()._bind()
        self._kernel = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        self._one = torch.ones_like(self.count)

    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        self.count.add_(self._one)
        super().step(gradients, learning_rate)

    def _move(self, group: _Group, gradients: list[Tensor], learning_rate: float) -> None:
        parameters, first, second = group.tensors
        self._kernel(
            parameters,
            gradients,
            first,
            second,
            [],
            [self.count] * len(gradients),
            lr=learning_rate,
            beta1=_BETA1,
            beta2=_BETA2,
            weight_decay=group.weight_decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )


class AdamW(Adam):
    """Adam with decoupled decay (Loshchilov & Hutter 2019)."""

    decoupled = True


class SGD(Optimizer):
    """Gradient descent with momentum, its decay added to the gradient."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        rates: Sequence[float] | None = None,
    ) -> None:
        import torch

        self.momentum = momentum
        self.velocities = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        super().__init__(parameters, weight_decay=weight_decay, rates=rates)

    @property
    def _state(self) -> list[list[Tensor]]:
        return [self.velocities]

    def _move(self, group: _Group, gradients: list[Tensor], learning_rate: float) -> None:
        import torch

        parameters, velocities = group.tensors
        torch._fused_sgd_(
            parameters,
            gradients,
            velocities if self.momentum else [],
            weight_decay=group.weight_decay,
            momentum=self.momentum,
            lr=learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )


OPTIMIZERS = ("adam", "adamw", "sgd")


def make_optimizer(
    name: str,
    parameters: Sequence[Tensor],
    *,
    momentum: float,
    weight_decay: float,
    rates: Sequence[float] | None = None,
) -> Optimizer:
    """The optimizer of that name."""
    if name == "sgd":
        return SGD(parameters, momentum=momentum, weight_decay=weight_decay, rates=rates)
    return (Adam if name == "adam" else AdamW)(parameters, weight_decay=weight_decay, rates=rates)


def _picked(tensors: Sequence[Tensor], places: Sequence[int]) -> list[Tensor]:
    return [tensors[k] for k in places]
