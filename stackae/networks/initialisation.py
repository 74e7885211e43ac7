"""How weights are drawn at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


def draw_uniform(weight: Tensor, fan_in: int, generator: Generator, gain: float = 1.0) -> None:
    """Fill a weight from the uniform distribution of standard deviation gain / √fan_in around zero.

    Parameters
    ----------
    weight : Tensor
        Written in place; no gradient is recorded.
    fan_in : int
        Inputs of one unit.
    generator : Generator
    gain : float, default=1.0
        What keeps the variance of the signal through the unit's activation (He et al. 2015).
    """
    bound = gain * (3 / fan_in) ** 0.5
    weight.detach().uniform_(-bound, bound, generator=generator)
