"""How code and reconstruction are computed. Add a network: one file, one line here."""

from stackae.networks.activations import ACTIVATIONS
from stackae.networks.base import Network
from stackae.parts import PartTable

__all__ = ["ACTIVATIONS", "NETWORKS", "Network"]

NETWORKS: PartTable[Network] = PartTable("network", __name__, {"dense": "dense:Dense"})
