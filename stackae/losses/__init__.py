"""How the reconstruction is judged. Add a loss: one file, one line here."""

from stackae.losses.base import Loss
from stackae.parts import PartTable

__all__ = ["LOSSES", "Loss"]

LOSSES: PartTable[Loss] = PartTable(
    "loss",
    __name__,
    {"squared_error": "squared_error:SquaredError", "cross_entropy": "cross_entropy:CrossEntropy"},
)
