"""Adam, and Adam with decoupled decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stackae.training.optimizers.base import Group, Optimizer

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), its decay added to the gradient."""

    decoupled = False

    def allocate(self) -> None:
        self.count = torch.zeros((), device=self.parameters[0].device, dtype=torch.float32)
        self.first_moments = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]
        self.second_moments = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]

    @property
    def _state(self) -> list[list[Tensor]]:
        return [self.first_moments, self.second_moments]

    def remembered(self) -> list[Tensor]:
        return [*super().remembered(), self.count]

    def _bind(self) -> None:
        super()._bind()
        self._kernel = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        self._one = torch.ones_like(self.count)

    def step(self, gradients: Sequence[Tensor], learning_rate: float) -> None:
        self.count.add_(self._one)
        super().step(gradients, learning_rate)

    def _move(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        parameters, first, second = group.tensors
        self._kernel(
            parameters,
            gradients,
            first,
            second,
            [],
            [self.count] * len(gradients),
            lr=learning_rate,
            beta1=_BETA1,
            beta2=_BETA2,
            weight_decay=group.weight_decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )


class AdamW(Adam):
    """Adam with decoupled decay (Loshchilov & Hutter 2019)."""

    decoupled = True
