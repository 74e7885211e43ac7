"""What is minimised beside the reconstruction loss. Add a penalty: one file, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae._utils.part_table import PartTable

if TYPE_CHECKING:
    from stackae.penalties.base import Penalty

__all__ = ["PENALTIES"]

PENALTIES: PartTable[Penalty] = PartTable(
    "penalty",
    __name__,
    {
        "l1": "l1:L1",
        "l2": "l2:L2",
        "kl": "kl_sparsity:KLSparsity",
        "contractive": "contractive:Contractive",
        "adversarial": "adversarial:Adversarial",
        "neighbors": "neighbor_embedding:NeighborEmbedding",
    },
)
