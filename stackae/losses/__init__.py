"""How the reconstruction is judged. Add a loss: one file, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae._utils.part_table import PartTable

if TYPE_CHECKING:
    from stackae.losses.base import Loss

__all__ = ["LOSSES"]

LOSSES: PartTable[Loss] = PartTable(
    "loss",
    __name__,
    {
        "squared_error": "squared_error:SquaredError",
        "cross_entropy": "cross_entropy:CrossEntropy",
        "huber": "huber:Huber",
        "per_feature": "per_feature:PerFeature",
    },
)
