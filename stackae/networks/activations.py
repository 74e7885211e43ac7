"""The activations: one line each."""

from __future__ import annotations

from dataclasses import dataclass
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
    bounded : bool
        Whether its values stay in an interval of length 2 or less, so that the next layer need not rescale.
    """

    function: str
    gain: float
    bounded: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        if not self.function:
            return x
        import torch

        apply = getattr(torch, self.function, None) or getattr(torch.nn.functional, self.function)
        result: Tensor = apply(x)
        return result


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation("", 1.0),
    "sigmoid": Activation("sigmoid", 1.0, bounded=True),
    "tanh": Activation("tanh", 1.0, bounded=True),
    "relu": Activation("relu", 2**0.5),
    "gelu": Activation("gelu", 2**0.5),
    "silu": Activation("silu", 2**0.5),
    "softplus": Activation("softplus", 1.0),
}
