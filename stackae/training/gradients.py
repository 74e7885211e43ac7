"""How a step gets its gradient: by autograd, unless one is brought that was worked out beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

#: Of a batch and its corrupted copy: the loss, and its gradient with respect to each trainable parameter, in
#: their order.
Gradient = Callable[[Tensor, Tensor, Generator], tuple[Tensor, Sequence[Tensor]]]


def trainable_parameters(module: Any) -> list[nn.Parameter]:
    """The parameters that training moves."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def by_autograd(module: Any) -> Gradient:
    """The gradient of ``module.objective(batch, corrupted, generator)``."""
    parameters = trainable_parameters(module)

    def gradient(batch: Tensor, corrupted: Tensor, generator: Generator) -> tuple[Tensor, Sequence[Tensor]]:
        with torch.enable_grad():  # whatever the caller has switched off
            loss: Tensor = module.objective(batch, corrupted, generator)
            gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
        # A tied weight's gradient may come transposed, which the fused kernels would misread.
        return loss.detach(), [g.contiguous() for g in gradients]

    return gradient
