"""The k-sparse code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from stackae._utils.constraints import Integral, Interval, Real, StrOptions
from stackae.codes.base import Code, CodeModule
from stackae.exceptions import ParameterError

if TYPE_CHECKING:
    from torch import Generator

    from stackae.networks.base import NetworkModule

#: ``k`` falls to its last value within this share of the phase.
_ANNEALED_WITHIN = 0.5
#: How often within a phase dead units are looked for, and the share of it after which none is revived.
_LOOKS, _LAST_LOOK = 40, 0.8
#: A dead unit's bias is raised by so many times what it lacked.
_RAISED_BY = 1.05
#: Of each piece of rows so many are looked at.
_ROWS_LOOKED_AT = 64


class TopK(Code):
    """A k-sparse code: in each row the k largest units are kept, the others are set to zero.

    In training k falls linearly from ``start`` to its final value over the first half of the phase, so that
    few units die. A dead unit (never among the k for a fortieth of the phase) is revived: its bias is raised
    until it is among them for the row that it suits best.

    Parameters
    ----------
    k : int or float, default=0.1
        Active units per row; a float in (0, 1) is a fraction of the units, at least one of them.
    start : int, float or "auto", default="auto"
        The value of ``k`` when training starts. ``"auto"``: four times ``k``, at most all units.
    alpha : float, default=1.0
        After training ``alpha`` times ``k`` units are kept (rounded, at least 1). Makhzani & Frey found
        better features with slightly more than in training, up to about 3.

    References
    ----------
    Makhzani & Frey (2014), k-sparse autoencoders, ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder, TopK
    >>> codes = Autoencoder(20, code=TopK(3), random_state=0).fit_transform(load_iris().data)
    >>> set((codes != 0).sum(axis=1).tolist())
    {3}
    """

    activations = ("identity",)
    sparse = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "k": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="neither")],
        "start": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            StrOptions({"auto"}),
        ],
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, k: float = 0.1, start: float | str = "auto", alpha: float = 1.0) -> None:
        self.k = k
        self.start = start
        self.alpha = alpha

    def refuse(self, n_units: int) -> None:
        for name, count in (("k", self.k), ("start", self.start)):
            if isinstance(count, Integral) and count > n_units:
                raise ParameterError(
                    f"TopK({name}={count}) needs at least so many units, got {n_units};"
                    f" lower {name} or raise n_components"
                )

    def build(self, n_units: int) -> CodeModule:
        k = _count(self.k, n_units)
        start = min(4 * k, n_units) if isinstance(self.start, str) else _count(self.start, n_units)
        encode = min(n_units, max(1, round(self.alpha * k)))
        return _TopKModule(n_units, k, max(k, start), encode)


def _count(k: float, n_units: int) -> int:
    return int(k) if isinstance(k, Integral) else max(1, round(k * n_units))


def _largest(activations: Tensor, k: int) -> Tensor:
    """Which are the k largest of each row, of equal ones as many as are wanted."""
    recorded = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if activations.device.type == "cpu" and not recorded and k < activations.shape[1]:
        # NumPy's partition is five times as fast as torch's topk there; a record of the graph loses it.
        values = (activations.float() if activations.dtype == torch.bfloat16 else activations).numpy()
        least = np.partition(values, -k, axis=1)[:, -k][:, None]
        chosen = values >= least
        if chosen.sum() == k * len(chosen):
            return torch.from_numpy(chosen)
    index = activations.topk(k, dim=1, sorted=False).indices
    return torch.zeros_like(activations, dtype=torch.bool).scatter_(1, index, 1)


class _TopKModule(CodeModule):
    #: How far each unit came above the others, or stayed below, for the row that it suited best since the
    #: last look.
    best: Tensor
    #: The last look: in fortieths of the phase.
    look: Tensor

    def __init__(self, n_units: int, k: int, start: int, encode: int) -> None:
        super().__init__()
        self.last, self.start, self.encode = k, start, encode
        self.k = k
        self.register_buffer("best", torch.full((n_units,), -torch.inf, dtype=torch.float32))
        # No part of a model file, but of a checkpoint.
        self.register_buffer("look", torch.zeros((), dtype=torch.int64, device="cpu"), persistent=False)

    def forward(self, activations: Tensor, generator: Generator | None) -> Tensor:
        k = self.encode if generator is None else self.k
        return activations * _largest(activations.detach(), k)

    def backward(self, gradient: Tensor, code: Tensor) -> Tensor:
        return gradient * (code != 0)

    @torch.no_grad()
    def advance(self, fraction: float, network: NetworkModule, network_input: Tensor | None) -> None:
        share = min(1.0, fraction / _ANNEALED_WITHIN)
        self.k = round(self.start + (self.last - self.start) * share)
        bias = network.unit_bias
        if network_input is None or bias is None or self.k == len(self.best):
            return
        look = int(fraction * _LOOKS)
        if look < self.look:  # a new phase
            self.look.zero_()
            self.best.fill_(-torch.inf)
        if look > self.look:
            self.look.fill_(look)
            if 0 < fraction <= _LAST_LOOK:
                # Raised by a little more than was missing; what was never looked at stays.
                missing = _RAISED_BY * (-self.best).clamp(min=0)
                bias.add_(torch.where(missing.isfinite(), missing, 0))
            self.best.fill_(-torch.inf)
        activations = network.encode(network_input[:_ROWS_LOOKED_AT])
        least = activations.topk(self.k, dim=1).values[:, -1:]
        torch.maximum(self.best, (activations - least).amax(0).to(self.best.dtype), out=self.best)
