"""Huber's loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Interval, Real
from stackae.losses.base import Loss, weighted

if TYPE_CHECKING:
    from torch import Tensor


class Huber(Loss):
    """Huber loss: quadratic for small errors and linear for large ones, so that outliers count less.

    Mean over rows of Σⱼ l(eⱼ), with eⱼ = x̂ⱼ - xⱼ and l(e) = e² if ``|e| ≤ delta``, otherwise
    ``2·delta·|e| - delta²``: twice the usual definition, so that small errors give the squared error.

    Parameters
    ----------
    delta : float, default=1.0
        The error at which the loss becomes linear, above 0, in scaled units.
    corrupted, intact : float, default=1.0
        Weights, in training, of the cells changed by the corruption and of the others, at least 0 (Vincent
        et al. 2010, section 3.3).

    References
    ----------
    Huber (1964), Robust estimation of a location parameter, Annals of Mathematical Statistics 35.

    Examples
    --------
    >>> import torch
    >>> from stackae import Huber
    >>> x = torch.zeros(1, 2)
    >>> guess = torch.tensor([[0.5, 3.0]])
    >>> float(Huber(1.0)(guess, guess, x))  # 0.25 + 2·3 - 1
    5.25
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "delta": [Interval(Real, 0, None, closed="neither")],
        **Loss._parameter_constraints,
    }

    def __init__(self, delta: float = 1.0, corrupted: float = 1.0, intact: float = 1.0) -> None:
        super().__init__(corrupted, intact)
        self.delta = delta

    def cells(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        from torch.nn.functional import huber_loss

        return huber_loss(reconstruction, target, reduction="none", delta=self.delta).mul(2)

    def with_gradient(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        loss = self(preactivation, reconstruction, target, weights)
        slope = (reconstruction - target).clamp_(-self.delta, self.delta)
        return loss, weighted(slope.mul_(2 / target.shape[0]), weights)
