"""The optimizers: each torch's own, in its fused form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from stackae.training.parameters import Plan

OPTIMIZERS = ("adam", "adamw", "sgd")


def make_optimizer(module: nn.Module, plan: Plan) -> Optimizer:
    """The optimizer of a plan over all parameters of a module; biases do not decay."""
    import torch

    training = plan.training
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": parameters}]
    if training.weight_decay > 0:
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.learning_rate, momentum=training.momentum, fused=True)
    kind = torch.optim.Adam if training.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=plan.learning_rate, weight_decay=0.0, fused=True)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
