"""The activations: one entry each, and all that the rest needs to know of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Activation:
    """An elementwise nonlinearity and what the rest of a network needs to know of it.

    Parameters
    ----------
    function : str
        Its name in ``torch`` or ``torch.nn.functional``; empty for the identity.
    gain : float
        Standard deviation of the encoder's weights times √(number of inputs) that keeps the variance of
        the signal (He et al. 2015, Glorot & Bengio 2010).
    low, high : float
        Bounds of its values. Where both are finite the next layer need not rescale, and a unit near one of
        them is saturated.
    projects : bool
        Whether a decoder that was linear may be given it: it brings no reconstruction further from codes
        that it made.
    backward : callable or None
        From the gradient with respect to its output, and that output, to the gradient with respect to its
        input; None where the output does not tell the derivative.
    """

    function: str
    gain: float
    low: float = -inf
    high: float = inf
    projects: bool = False
    backward: Callable[[Tensor, Tensor], Tensor] | None = None

    @property
    def bounded(self) -> bool:
        """Whether its values stay in an interval."""
        return isfinite(self.low) and isfinite(self.high)

    def __call__(self, x: Tensor) -> Tensor:
        return self._apply(x) if self.function else x

    def over(self, x: Tensor) -> Tensor:
        """The same, where ``x`` is needed no more: written over it if that is possible."""
        return self._apply_over(x) if self.function else x

    def slope(self, output: Tensor) -> Tensor | None:
        """Its derivative where it gave ``output``; None where the output does not tell."""
        import torch

        return None if self.backward is None else self.backward(torch.ones_like(output), output)

    @cached_property
    def _apply(self) -> Callable[[Tensor], Tensor]:
        import torch

        found: Callable[[Tensor], Tensor] | None = getattr(torch, self.function, None)
        return found or getattr(torch.nn.functional, self.function)

    @cached_property
    def _apply_over(self) -> Callable[[Tensor], Tensor]:
        import torch

        if self.backward is None:  # autograd needs x for the derivative
            return self._apply
        found: Callable[[Tensor], Tensor] | None = getattr(torch, f"{self.function}_", None)
        return found or self._apply


def _identity_backward(gradient: Tensor, output: Tensor) -> Tensor:
    return gradient


def _sigmoid_backward(gradient: Tensor, output: Tensor) -> Tensor:
    import torch

    result: Tensor = torch.ops.aten.sigmoid_backward(gradient, output)  # g·y·(1-y)
    return result


def _tanh_backward(gradient: Tensor, output: Tensor) -> Tensor:
    import torch

    result: Tensor = torch.ops.aten.tanh_backward(gradient, output)  # g·(1-y²)
    return result


def _relu_backward(gradient: Tensor, output: Tensor) -> Tensor:
    import torch

    result: Tensor = torch.ops.aten.threshold_backward(gradient, output, 0)  # g where y > 0
    return result


def _softplus_backward(gradient: Tensor, output: Tensor) -> Tensor:
    return gradient * -(-output).expm1()  # g·σ(x), and σ(x) = 1 - exp(-y)


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation("", 1.0, projects=True, backward=_identity_backward),
    "sigmoid": Activation("sigmoid", 1.0, low=0.0, high=1.0, backward=_sigmoid_backward),
    "tanh": Activation("tanh", 1.0, low=-1.0, high=1.0, backward=_tanh_backward),
    "relu": Activation("relu", 2**0.5, low=0.0, projects=True, backward=_relu_backward),
    "gelu": Activation("gelu", 2**0.5, low=-0.17),
    "silu": Activation("silu", 2**0.5, low=-0.279),
    "softplus": Activation("softplus", 1.0, low=0.0, backward=_softplus_backward),
}
