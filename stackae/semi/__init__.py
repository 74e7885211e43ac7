"""What rows without a label do for a predictor. Add a way: one file, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae._utils.part_table import PartTable

if TYPE_CHECKING:
    from stackae.semi.base import SemiSupervised

__all__ = ["SEMI"]

SEMI: PartTable[SemiSupervised] = PartTable(
    "semi-supervised method",
    __name__,
    {
        "propagation": "propagation:Propagation",
        "vat": "virtual_adversarial:VirtualAdversarial",
        "consistency": "consistency:Consistency",
        "ladder": "ladder:Ladder",
    },
)
