"""What ``"auto"`` means for training: budgets, rates, corruptions, and the recipes of bare widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.corruption.dropout import Dropout
from stackae.corruption.gaussian import GaussianNoise
from stackae.corruption.masking import Masking
from stackae.exceptions import ParameterError
from stackae.training.optimizers import OPTIMIZERS
from stackae.training.parameters import Budget, PhaseName, Training

#: Share of the cells that are hidden in training by default where cells may be missing. On five tables with a
#: fifth of the cells missing at random, 0.5 filled the gaps better than 0.25; noise hardly fills them at all.
HIDDEN_SHARE = 0.5
#: Half of the cells are hidden at first, so that the code learns how cells go together, and none in the end,
#: so that it holds what a reconstruction needs.
_FALLING = Masking((0.5, 0.0))
#: How stacks of bare widths are fine-tuned: beside a shortcut, where data are nearly two-valued, and on mixed
#: tables, where weights that decay filled gaps better and gave better probes.
RECIPES = {
    "shortcut": Training(corruption=_FALLING, patience=None, updates=2000),
    "two-valued": Training(
        learning_rate=4e-3,
        optimizer="adamw",
        weight_decay=0.3,
        corruption=_FALLING,
        patience=None,
        updates=5000,
    ),
    "table": Training(optimizer="adamw", weight_decay=0.5, corruption=Masking(HIDDEN_SHARE), updates=5000),
}
#: Beside a shortcut, which has learned most of it, few samples need fewer updates: so many times the root of
#: their number.
_PER_ROOT = {"shortcut": 60}
#: How their layers are pretrained: briefly, since fine-tuning changes most of it.
BRIEF = Training(updates=500)
#: What ``corruption="auto"`` means elsewhere: noise in the units in which the stack works.
_AUTO: dict[PhaseName, tuple[Corruption, ...]] = {
    "finetune": (GaussianNoise(0.1),),
    "supervised": (Dropout(0.1),),
}


@dataclass(frozen=True)
class _PhaseDefaults:
    updates: int
    learning_rate: float
    batch_size: tuple[int, int] = (32, 256)
    #: Updates grow with this power of the number of samples, and are as given for 100.
    growth: float = 0.0


#: Budgets are counted in updates, so that tiny data fits in well under a second and large data ends.
_DEFAULTS: dict[str, _PhaseDefaults] = {
    "pretrain": _PhaseDefaults(updates=2000, learning_rate=2e-3),
    "finetune": _PhaseDefaults(updates=2500, learning_rate=2e-3),
    "supervised": _PhaseDefaults(updates=400, learning_rate=1e-3, batch_size=(64, 256), growth=0.4),
}
#: What one piece of the data is trained with: once, at a constant rate, all of it.
_ONE_PASS: dict[str, Any] = {
    "max_epochs": 1,
    "updates": "auto",
    "schedule": "constant",
    "validation_fraction": 0.0,
}
_MIN_AUTO_EPOCHS = 4
_MIN_AUTO_PATIENCE = 10


def settled(
    trainings: Sequence[Training | None],
    finetune: Training | str | None,
    recipe: str | None,
    n_samples: int,
    *,
    one_pass: bool,
) -> tuple[list[Training | None], Training | None]:
    """How each layer is trained, and how the stack is fine-tuned, if it is; ``recipe``: see ``RECIPES``.

    ``n_samples`` is how many there are for it.
    """
    for training in trainings:
        if training is not None and training.corruption != "auto":
            raise ParameterError(
                "Training(corruption=...) is for fine-tuning; in pretraining give Autoencoder(corruption=...)"
            )
        if training is not None and training.layerwise_rate != "auto":
            raise ParameterError(
                "Training(layerwise_rate=...) is for fine-tuning, got one in pretraining, which has one layer"
                " at a time; leave it out"
            )
    if finetune == "auto" and len(trainings) == 1 and trainings[0] is not None:
        finetune = None  # pretraining has trained it end to end already
    tuning = Training() if isinstance(finetune, str) else finetune
    if one_pass:
        trainings = [None if t is None else _changed(t, _ONE_PASS) for t in trainings]
        tuning = None if tuning is None else _changed(tuning, _ONE_PASS)
    elif recipe is not None:
        trainings = [None if t is None else completed(t, BRIEF) for t in trainings]
    if recipe is not None and tuning is not None:
        whole = finetune == "auto" and not one_pass
        own = _recipe_for(recipe, n_samples)
        tuning = own if whole else completed(tuning, own)
    return list(trainings), tuning


def _recipe_for(name: str, n_samples: int) -> Training:
    """A recipe with as many updates as so many samples need."""
    recipe = RECIPES[name]
    if name not in _PER_ROOT:
        return recipe
    return _changed(recipe, {"updates": min(recipe.updates, round(_PER_ROOT[name] * n_samples**0.5))})


def completed(training: Training, recipe: Training) -> Training:
    """A training with the recipe's rate, corruption, patience and budget where its own are left open."""
    names = ["learning_rate", "corruption", "patience"]
    if training.max_epochs == "auto":
        names.append("updates")
    if not OPTIMIZERS[training.optimizer].is_adaptive or training.schedule == "constant":
        names.remove("learning_rate")  # the peak of a schedule, for Adam
    own = {name: getattr(recipe, name) for name in names if getattr(training, name) == "auto"}
    return _changed(training, own)


def _changed(training: Training, own: dict[str, Any]) -> Training:
    """A training like it but for some parameters; quicker than ``clone``, for every piece of the data."""
    return type(training)(**(training.get_params(deep=False) | own))


def corruptions_of(training: Training, phase: PhaseName, *, missing: bool) -> tuple[Corruption, ...]:
    """The corruptions that a training's ``corruption`` stands for, where cells may be missing or not."""
    given = training.corruption
    if isinstance(given, str) and given == "auto":
        if missing and phase == "finetune":
            return (Masking(HIDDEN_SHARE),)
        return _AUTO[phase]
    if given is None or isinstance(given, (str, Corruption)):
        given = () if given is None else (given,)
    return tuple(CORRUPTIONS[part]() if isinstance(part, str) else part for part in given)


def budget(
    training: Training,
    phase: PhaseName,
    n_samples: int,
    n_features: int,
    *,
    n_held_out: int = 0,
    missing: bool = False,
) -> Budget:
    """A training's numbers for a phase.

    An epoch visits ``n_samples``, those held out not counted; the loss is summed over ``n_features``; cells
    may be ``missing``.
    """
    defaults = _DEFAULTS[phase]
    batch_size = training.batch_size
    if isinstance(batch_size, str):
        batch_size = _auto_batch_size(n_samples, *defaults.batch_size)
    max_epochs = training.max_epochs
    if isinstance(max_epochs, str):
        updates = training.updates
        if isinstance(updates, str):
            updates = round(defaults.updates * (n_samples / 100) ** defaults.growth)
        max_epochs = max(_MIN_AUTO_EPOCHS, round(updates / ceil(n_samples / batch_size)))
    learning_rate = training.learning_rate
    if isinstance(learning_rate, str):
        learning_rate = defaults.learning_rate * OPTIMIZERS[training.optimizer].rate_factor(n_features)
    patience = training.patience
    if isinstance(patience, str):
        patience = max(_MIN_AUTO_PATIENCE, max_epochs // 3)
    layerwise_rate = training.layerwise_rate
    if isinstance(layerwise_rate, str):
        layerwise_rate = _auto_layerwise_rate(n_samples) if phase == "supervised" else 1.0
    return Budget(
        max_epochs,
        batch_size,
        float(learning_rate),
        training.optimizer,
        training.momentum,
        training.schedule,
        training.weight_decay,
        patience,
        training.tol,
        layerwise_rate,
        n_held_out,
        n_samples,
        () if phase == "pretrain" else corruptions_of(training, phase, missing=missing),
    )


def _auto_batch_size(n_samples: int, least: int, most: int) -> int:
    """The power of two next below a twentieth of the samples, within bounds."""
    return int(min(most, max(least, 2 ** (max(1, n_samples // 20).bit_length() - 1))))


def _auto_layerwise_rate(n_samples: int) -> float:
    """The fewer the labels, the closer lower layers stay to what pretraining made of them."""
    return 0.5 if n_samples < 1_000 else 0.7 if n_samples < 10_000 else 1.0
