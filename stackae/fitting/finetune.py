"""Fine-tuning: joined layers are trained end to end, to reconstruct their input or to predict a target."""

from __future__ import annotations

from sklearn.base import clone

from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.corruption.dropout import Dropout
from stackae.corruption.gaussian import GaussianNoise
from stackae.corruption.masking import Masking
from stackae.fitting.greedy import Machine, train
from stackae.modules.autoencoder import Encoders
from stackae.training.batches import Rows
from stackae.training.callbacks.history import EpochRecord
from stackae.training.parameters import Phase, Training

#: Share of the cells that are hidden in training by default where cells may be missing. On five tables with a
#: fifth of the cells missing at random, 0.5 filled the gaps better than 0.25; noise hardly fills them at all.
HIDDEN_SHARE = 0.5
#: Half of the cells are hidden at first, so that the code learns how cells go together, and none in the end,
#: so that it holds what a reconstruction needs.
_FALLING = Masking((0.5, 0.0))
#: How stacks of bare widths are fine-tuned: beside a shortcut, and where data are nearly two-valued.
RECIPES = {
    "shortcut": Training(corruption=_FALLING, patience=None, updates=5000),
    "two-valued": Training(
        learning_rate=4e-3,
        optimizer="adamw",
        weight_decay=0.3,
        corruption=_FALLING,
        patience=None,
        updates=5000,
    ),
}
#: How their layers are pretrained: briefly, since fine-tuning changes most of it.
BRIEF = Training(updates=500)
#: What ``corruption="auto"`` means elsewhere: noise in the units in which the stack works.
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


def completed(training: Training, recipe: Training) -> Training:
    """A training with the recipe's rate, corruption, patience and budget where its own are left open."""
    names = ["learning_rate", "corruption", "patience"]
    if training.max_epochs == "auto":
        names.append("updates")
    if training.optimizer == "sgd" or training.schedule == "constant":
        names.remove("learning_rate")  # the peak of a schedule, for Adam
    own = {name: getattr(recipe, name) for name in names if getattr(training, name) == "auto"}
    result: Training = clone(training).set_params(**own)
    return result


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
