"""Gradient descent with momentum."""

from __future__ import annotations

import torch
from torch import Tensor

from stackae.training.optimizers.base import Group, Optimizer


class SGD(Optimizer):
    """Gradient descent with momentum, its decay added to the gradient."""

    is_adaptive = False

    def allocate(self) -> None:
        self.velocities = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]

    @classmethod
    def rate_factor(cls, n_features: int) -> float:
        return 0.1 / n_features

    @property
    def _state(self) -> list[list[Tensor]]:
        return [self.velocities]

    def _move(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        parameters, velocities = group.tensors
        torch._fused_sgd_(
            parameters,
            gradients,
            velocities if self.momentum else [],
            weight_decay=group.weight_decay,
            momentum=self.momentum,
            lr=learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )
