"""Squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae.losses.base import Loss, weighted

if TYPE_CHECKING:
    from torch import Tensor


class SquaredError(Loss):
    """Squared error: mean over rows of Σⱼ (x̂ⱼ - xⱼ)².

    Parameters
    ----------
    corrupted, intact : float, default=1.0
        Weights, in training, of the cells changed by the corruption and of the others, at least 0 (Vincent
        et al. 2010, section 3.3).

    Examples
    --------
    >>> import torch
    >>> from stackae import SquaredError
    >>> x = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    >>> guess = torch.tensor([[1.0, 2.0], [1.0, 1.0]])
    >>> float(SquaredError()(guess, guess, x))
    2.5
    """

    def cells(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        return (reconstruction - target).square()

    def __call__(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        from torch.nn.functional import mse_loss

        if weights is not None:
            return super().__call__(preactivation, reconstruction, target, weights)
        return mse_loss(reconstruction, target, reduction="sum").div(target.shape[0])

    def with_gradient(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        error = reconstruction - target
        flat = error.reshape(-1)
        total = flat.dot(flat if weights is None else (error * weights).reshape(-1))
        return total.div_(target.shape[0]), weighted(error.mul_(2 / target.shape[0]), weights)
