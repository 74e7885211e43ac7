"""Fine-tuning: joined layers are trained end to end, to reconstruct their input or to predict a target."""

from __future__ import annotations

from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.corruption.dropout import Dropout
from stackae.corruption.gaussian import GaussianNoise
from stackae.corruption.masking import Masking
from stackae.greedy import Machine, train
from stackae.stack import Encoders
from stackae.training.history import EpochRecord
from stackae.training.parameters import Phase, Training
from stackae.training.rows import Rows

#: Share of the cells that are hidden in training by default where cells may be missing. On five tables with a
#: fifth of the cells missing at random, 0.5 filled the gaps better than 0.25; noise hardly fills them at all.
HIDDEN_SHARE = 0.5
#: What ``corruption="auto"`` means: noise in the units in which the stack works.
_AUTO: dict[Phase, tuple[Corruption, ...]] = {
    "finetune": (GaussianNoise(0.1),),
    "supervised": (Masking(0.2), Dropout(0.1)),
}


def finetune(
    module: Encoders, rows: Rows, training: Training, machine: Machine, phase: Phase = "finetune"
) -> list[EpochRecord]:
    """Train every layer together, starting from what greedy pretraining left.

    Parameters
    ----------
    module : Encoders
        An unrolled stack, or encoders with a head. Its weights are changed in place.
    rows : Rows
        For a stack: those on which the first layer was trained, so that the same ones are held out.
    training : Training
        Its ``corruption`` is what the first encoder sees instead of its input.
    machine : Machine
    phase : {"finetune", "supervised"}, default="finetune"
    """
    module.corruptions = corruptions_of(training, phase, missing=module.shallow[0].fill is not None)
    return train(module, rows, training, machine, phase=phase, layer=None)


def corruptions_of(training: Training, phase: Phase, *, missing: bool) -> tuple[Corruption, ...]:
    """The corruptions that a training's ``corruption`` stands for, where cells may be missing or not."""
    given = training.corruption
    if isinstance(given, str) and given == "auto":
        if missing and phase == "finetune":
            return (Masking(HIDDEN_SHARE),)
        return _AUTO[phase]
    if given is None or isinstance(given, (str, Corruption)):
        given = () if given is None else (given,)
    return tuple(CORRUPTIONS[part]() if isinstance(part, str) else part for part in given)
