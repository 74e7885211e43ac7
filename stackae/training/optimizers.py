"""The optimizers: each torch's own, in its fused form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

OPTIMIZERS = ("adam", "adamw", "sgd")


def make_optimizer(
    module: nn.Module, name: str, *, learning_rate: float, momentum: float, weight_decay: float
) -> Optimizer:
    """The optimizer of that name over all parameters of a module; biases do not decay."""
    import torch

    parameters = [p for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": parameters}]
    if weight_decay > 0:
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, fused=True)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(groups, lr=learning_rate, weight_decay=0.0, fused=True)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
