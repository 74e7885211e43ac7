"""Kullback-Leibler sparsity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Interval, Real
from stackae.penalties.base import CodePenalty

if TYPE_CHECKING:
    from torch import Tensor

#: Bound of the mean activity, away from 0 and 1, which keeps the gradient finite.
_LEAST = 1e-6


class KLSparsity(CodePenalty):
    """Kullback-Leibler sparsity: it keeps each unit's mean activity near a target. For sigmoid units.

    With target ρ and ρ̂ⱼ the mean of unit j over the batch, the penalty is
    ``weight`` · Σⱼ [ρ·log(ρ/ρ̂ⱼ) + (1-ρ)·log((1-ρ)/(1-ρ̂ⱼ))].

    Parameters
    ----------
    target : float, default=0.05
        The target ρ of each unit's mean activity, in (0, 1).
    weight : float, default=1.0
        Weight, at least 0, in loss units per nat.

    References
    ----------
    Ng (2011), Sparse autoencoder, CS294A lecture notes, Stanford.

    Examples
    --------
    >>> import torch
    >>> from stackae import KLSparsity
    >>> at_target = torch.full((4, 3), 0.05)
    >>> abs(float(KLSparsity(0.05).value(at_target))) < 1e-6
    True
    """

    by_rows = True
    activations = ("sigmoid",)
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "target": [Interval(Real, 0, 1, closed="neither")],
        "weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, target: float = 0.05, weight: float = 1.0) -> None:
        self.target = target
        self.weight = weight

    def value(self, code: Tensor) -> Tensor:
        import torch

        target = self.target
        activity = self._activity(code)
        entropy = torch.special.entr(torch.tensor([target, 1 - target], dtype=torch.float64)).sum().item()
        cross = target * activity.log() + (1 - target) * torch.log1p(-activity)
        return cross.add(entropy).sum().mul(-self.weight)

    def gradient(self, code: Tensor) -> Tensor:
        activity = self._activity(code)
        slope = (1 - self.target) / (1 - activity) - self.target / activity
        slope.masked_fill_((activity == _LEAST) | (activity == 1 - _LEAST), 0)
        return slope.mul_(self.weight / len(code)).to(code.dtype).expand_as(code)

    def _activity(self, code: Tensor) -> Tensor:
        """Mean activity of each unit, bounded: one saturated over a whole batch has 0 or 1 in float32."""
        return code.float().mean(0).clamp(_LEAST, 1 - _LEAST)
