"""Squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae.losses.base import Loss

if TYPE_CHECKING:
    from torch import Tensor


class SquaredError(Loss):
    """Squared error: mean over rows of Σⱼ (x̂ⱼ - xⱼ)².

    Examples
    --------
    >>> import torch
    >>> from stackae.losses.squared_error import SquaredError
    >>> x = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    >>> guess = torch.tensor([[1.0, 2.0], [1.0, 1.0]])
    >>> float(SquaredError()(guess, guess, x))
    2.5
    """

    def __call__(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        from torch.nn.functional import mse_loss

        return mse_loss(reconstruction, target, reduction="sum").div(target.shape[0])

    def with_gradient(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        error = reconstruction - target
        flat = error.reshape(-1)
        return flat.dot(flat).div_(target.shape[0]), error.mul_(2 / target.shape[0])
