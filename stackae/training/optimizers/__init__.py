"""What moves the weights against their gradients. Add an optimizer: one file, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae._utils.part_table import PartTable

if TYPE_CHECKING:
    from stackae.training.optimizers.base import Optimizer

__all__ = ["OPTIMIZERS"]

OPTIMIZERS: PartTable[Optimizer] = PartTable(
    "optimizer", __name__, {"adam": "adam:Adam", "adamw": "adam:AdamW", "sgd": "sgd:SGD"}
)
