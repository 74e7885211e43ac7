"""Learning-rate schedules: each maps the share of the budget that is spent to a factor of the peak rate."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

_WARM_UP = 0.3
_START = 0.04


def constant(spent: float) -> float:
    """The peak rate throughout."""
    return 1.0


def cosine(spent: float) -> float:
    """From the peak rate to zero along half a cosine (Loshchilov & Hutter 2017)."""
    return 0.5 * (1 + cos(pi * spent))


def one_cycle(spent: float) -> float:
    """Up from 4% of the peak over the first 30%, then to zero, along half cosines (Smith & Topin 2018)."""
    if spent < _WARM_UP:
        return 1 - (1 - _START) * cosine(spent / _WARM_UP)
    return cosine((spent - _WARM_UP) / (1 - _WARM_UP))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "one-cycle": one_cycle,
}
