"""Cross-entropy of independent Bernoulli features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae.losses.base import Loss, weighted

if TYPE_CHECKING:
    from torch import Tensor


class CrossEntropy(Loss):
    """Cross-entropy: mean over rows of -Σⱼ [xⱼ·log x̂ⱼ + (1-xⱼ)·log(1-x̂ⱼ)], in nats, for x in [0, 1].

    The decoder's activation is the sigmoid. The loss is computed from its logits, for numerical stability.

    Parameters
    ----------
    corrupted, intact : float, default=1.0
        Weights, in training, of the cells changed by the corruption and of the others, at least 0 (Vincent
        et al. 2010, section 3.3).

    Examples
    --------
    >>> import torch
    >>> from stackae import CrossEntropy
    >>> logits, x = torch.zeros(4, 3), torch.ones(4, 3)
    >>> round(float(CrossEntropy()(logits, logits.sigmoid(), x)), 4)  # 3 · log 2
    2.0794
    """

    output = "sigmoid"
    needs_unit_interval = True

    def cells(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(preactivation, target, reduction="none")

    def __call__(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits

        summed = binary_cross_entropy_with_logits(preactivation, target, weights, reduction="sum")
        return summed.div(target.shape[0])

    def with_gradient(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        loss = self(preactivation, reconstruction, target, weights)
        return loss, weighted((reconstruction - target).div_(target.shape[0]), weights)
