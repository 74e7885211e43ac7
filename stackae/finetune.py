"""Fine-tuning: the unrolled stack is trained end to end to reconstruct its input."""

from __future__ import annotations

from stackae.corruption import CORRUPTIONS
from stackae.corruption.gaussian import GaussianNoise
from stackae.greedy import Machine, train
from stackae.stack import UnrolledStack
from stackae.training.history import EpochRecord
from stackae.training.parameters import Training
from stackae.training.rows import Rows

#: Standard deviation of the noise that ``corruption="auto"`` means, in the units in which the stack works.
DEFAULT_NOISE = 0.1


def finetune(stack: UnrolledStack, rows: Rows, training: Training, machine: Machine) -> list[EpochRecord]:
    """Train every layer together, starting from what greedy pretraining left.

    Parameters
    ----------
    stack : UnrolledStack
        Its weights are changed in place.
    rows : Rows
        Those on which the first layer was trained, so that the same ones are held out.
    training : Training
        Its ``corruption`` is what the stack sees instead of its input.
    machine : Machine
    """
    corruption = training.corruption
    if isinstance(corruption, str):
        corruption = GaussianNoise(DEFAULT_NOISE) if corruption == "auto" else CORRUPTIONS[corruption]()
    stack.corruption = corruption
    return train(stack, rows, training, machine, phase="finetune", layer=None)
