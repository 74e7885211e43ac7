"""How code and reconstruction are computed. Add a network: one file, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae._utils.part_table import PartTable
from stackae.networks.activations import ACTIVATIONS

if TYPE_CHECKING:
    from stackae.networks.base import Network

__all__ = ["ACTIVATIONS", "NETWORKS"]

NETWORKS: PartTable[Network] = PartTable(
    "network",
    __name__,
    {
        "dense": "dense:Dense",
        "batch_normalised": "batch_normalised:BatchNormalised",
        "convolutional": "convolutional:Convolutional",
        "kmeans_filters": "kmeans_filters:KMeansFilters",
        "recurrent": "recurrent:Recurrent",
        "pca": "closed_form:PCAStart",
        "marginalised": "closed_form:Marginalised",
    },
)
