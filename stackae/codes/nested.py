"""The nested code, whose numbers are in the order of what they are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from stackae._utils.constraints import Interval, Real
from stackae._utils.draws import by_rows
from stackae.codes.base import Code, CodeModule

if TYPE_CHECKING:
    from torch import Generator


class Nested(Code):
    """An ordered code, by nested dropout: the first k numbers are a good code of width k, for every k.

    In training each sample keeps its first b numbers, and the others are set to zero. b is the full width for
    a fraction ``whole`` of the samples; for the others it is drawn from 1 to the width with probability
    proportional to 1/√b, which favours short prefixes, whose errors are largest. Otherwise nothing is
    dropped, except in the loss of held-out samples, where each has one fixed draw, so that the epoch kept is
    one that suits all prefixes. A linear autoencoder with this code learns the principal axes, in order.
    ``truncated`` of the fitted model cuts the code; ``prefix_r2_`` says how good each width is.

    Parameters
    ----------
    whole : float, default=0.3
        Fraction of the samples whose code is left whole, in [0, 1].

    References
    ----------
    Rippel, Gelbart & Adams (2014), Learning ordered representations with nested dropout, ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Autoencoder
    >>> X = load_digits().data / 16
    >>> model = Autoencoder(16, code="nested", random_state=0).fit(X)
    >>> narrow = model.truncated(4)
    >>> narrow.transform(X).shape, len(model.prefix_r2_)
    ((1797, 4), 16)
    """

    # Any; zero is what a prefix has for a number that is not there, and "auto" is the linear code.
    activations = ("identity", "sigmoid", "tanh", "relu", "gelu", "silu", "softplus")
    by_rows = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {"whole": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, whole: float = 0.3) -> None:
        self.whole = whole

    def build(self, n_units: int) -> CodeModule:
        return _NestedModule(n_units, self.whole)


class _NestedModule(CodeModule):
    draws = True

    #: The probability that a number is dropped (units,), 0 for the first.
    dropped: Tensor

    def __init__(self, n_units: int, whole: float) -> None:
        super().__init__()
        shares = torch.arange(1, n_units + 1, dtype=torch.float64, device="cpu").rsqrt()
        before = shares.cumsum(0) - shares
        dropped = (1 - whole) * before / shares.sum()
        # No part of a model file: the width and ``whole`` say it.
        self.register_buffer("dropped", dropped.float(), persistent=False)
        self._all = torch.ones((), dtype=torch.bool, device="cpu")
        #: Which numbers the last forward pass has kept (samples × units).
        self._kept = self._all

    def forward(self, activations: Tensor, generator: Generator | None) -> Tensor:
        if generator is None:
            self._kept = self._all
            return activations

        def draw(n_rows: int) -> Tensor:
            return torch.rand(n_rows, 1, generator=generator, device=activations.device, dtype=torch.float32)

        drawn = by_rows(draw, len(activations), generator)
        self._kept = drawn >= self.dropped
        return activations * self._kept

    def backward(self, gradient: Tensor, code: Tensor) -> Tensor:
        # Not where the code is zero, which a kept number may be.
        return gradient * self._kept
