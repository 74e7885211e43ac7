"""Fine-tuning: the unrolled stack is trained end to end to reconstruct its input."""

from __future__ import annotations

from torch import Tensor

from stackae.greedy import Machine, train
from stackae.stack import UnrolledStack
from stackae.training.history import EpochRecord
from stackae.training.parameters import Training


def finetune(stack: UnrolledStack, rows: Tensor, training: Training, machine: Machine) -> list[EpochRecord]:
    """Train every layer together, starting from what greedy pretraining left.

    Parameters
    ----------
    stack : UnrolledStack
        Its weights are changed in place.
    rows : Tensor of shape (n_rows, n_features)
        Scaled as the first layer scales, in the order in which the layers saw them, so that the same rows
        are held out.
    training : Training
    machine : Machine
    """
    return train(stack, rows, training, machine, phase="finetune", layer=None)
