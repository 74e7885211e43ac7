"""One phase's training parameters, and what ``"auto"`` means for the phase and the data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, Literal

from stackae._utils.constraints import (
    Constrained,
    Integral,
    Interval,
    InvalidParameterError,
    Real,
    StrOptions,
)
from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.training.optimizers import OPTIMIZERS
from stackae.training.schedules import SCHEDULES

#: Greedy pretraining of a layer, fine-tuning to reconstruct, fine-tuning to predict.
Phase = Literal["pretrain", "finetune", "supervised"]


@dataclass(frozen=True)
class _PhaseDefaults:
    updates: int
    learning_rate: float
    batch_size: tuple[int, int] = (32, 256)
    #: Updates grow with this power of the number of rows, and are as given for 100.
    growth: float = 0.0


#: Budgets are counted in updates, so that tiny data fits in well under a second and large data ends.
_DEFAULTS: dict[str, _PhaseDefaults] = {
    "pretrain": _PhaseDefaults(updates=2000, learning_rate=2e-3),
    "finetune": _PhaseDefaults(updates=2500, learning_rate=2e-3),
    "supervised": _PhaseDefaults(updates=400, learning_rate=1e-3, batch_size=(64, 256), growth=0.4),
}
#: Rates for optimizers whose scale is another.
_RATE_FACTORS = {"sgd": 0.1}
_MIN_AUTO_EPOCHS = 4
_MIN_AUTO_PATIENCE = 10
#: Below this many held-out rows their loss is too noisy to decide anything, so none are held out.
_MIN_HELD_OUT = 20


class Training(Constrained):
    """How one phase is trained: greedy pretraining of a layer, or fine-tuning of the stack.

    Parameters
    ----------
    max_epochs : int or "auto", default="auto"
        Passes over the rows at most. ``"auto"``: as many as make about ``updates`` updates, and at least 4.
    batch_size : int or "auto", default="auto"
        Rows in a batch; the last batch of an epoch may be smaller. ``"auto"``: 32 for up to 640 rows,
        growing to 256 from 5,120 rows on; where labels are learned at least 64.
    learning_rate : float or "auto", default="auto"
        Peak learning rate. ``"auto"``: 2e-3; 1e-3 where labels are learned; 4e-3 in fine-tuning stacks of
        bare widths to nearly two-valued data (see docs/defaults.md); for SGD, whose gradient is that of a
        loss summed over features, 2e-3 divided by ten and by the number of features.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
    momentum : float, default=0.9
        Of SGD, in [0, 1).
    schedule : {"constant", "cosine", "one-cycle"}, default="one-cycle"
        The rate over the whole budget: flat; down to zero along a cosine; or up over the first three tenths
        and then down along a cosine.
    weight_decay : float, default=0.0
        Decay of the weights (not the biases): decoupled for AdamW, added to the gradient otherwise.
    validation_fraction : float, default=0.1
        Share of the rows held out to watch the reconstruction, in [0, 1). None are held out where that would
        be fewer than 20 rows. They are judged without corruption, as the model will be used: who wants the
        best denoiser of noisy rows sets this to 0, and trains the whole budget.
    patience : int, "auto" or None, default="auto"
        Epochs without gain on the held-out rows after which the phase ends; None: it never ends early.
        ``"auto"``: a third of ``max_epochs``, and at least 10, since the last gains come when the rate falls;
        None where the corruption falls to none by default, since they come then. The weights of the best
        epoch are kept either way, where rows are held out.
    tol : float, default=1e-4
        Gain that counts, as a share of the best loss so far, at least 0.
    corruption : "auto", {"masking", "gaussian", "salt-and-pepper", "swap", "dropout"}, Corruption, list of \
            these, or None
        Default: "auto". What the stack sees instead of its input in fine-tuning; one that damages hidden
        units is applied to every layer's code, as ``Dropout(0.3)`` does; several are applied one after
        another. ``"auto"``: to reconstruct, ``GaussianNoise(0.1)``, which on digits gave better features
        (cross-validated) than clean fine-tuning; ``Masking((0.5, 0.0))`` in stacks of bare widths that have a
        shortcut or are fitted to nearly two-valued data (see docs/defaults.md); ``Masking(0.5)`` where values
        may be missing; where labels are learned ``Masking(0.2)`` and ``Dropout(0.1)``. Layers
        in pretraining have a corruption of their own; anything but ``"auto"`` is refused there.
    layerwise_rate : float or "auto", default="auto"
        In fine-tuning: how fast each layer learns, as a share of the rate of the layer above, in (0, 1]. The
        last layer (and the head, where labels are learned) has ``learning_rate`` itself. ``"auto"``: 1 where
        the input is reconstructed; where labels are learned 0.5 for fewer than 1,000 of them, 0.7 for fewer
        than 10,000, else 1.
    updates : int or "auto", default="auto"
        What ``max_epochs="auto"`` aims at; refused where ``max_epochs`` is a number. ``"auto"``: 2000 for a
        layer in pretraining and 2500 in fine-tuning to reconstruct, but 500 and 5000 in stacks of bare widths
        (see docs/defaults.md); where labels are learned 400 for 100 of them, 1000 for 1,000 and 5000 for
        60,000.

    Examples
    --------
    >>> from stackae import Training
    >>> Training(max_epochs=20)
    Training(max_epochs=20)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "schedule": [StrOptions(set(SCHEDULES))],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "corruption": [Corruption, StrOptions({"auto", *CORRUPTIONS}), list, tuple, None],
        "layerwise_rate": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
        "updates": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        optimizer: str = "adam",
        *,
        momentum: float = 0.9,
        schedule: str = "one-cycle",
        weight_decay: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int | str | None = "auto",
        tol: float = 1e-4,
        corruption: str | Corruption | Sequence[str | Corruption] | None = "auto",
        layerwise_rate: float | str = "auto",
        updates: int | str = "auto",
    ) -> None:
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.momentum = momentum
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tol = tol
        self.corruption = corruption
        self.layerwise_rate = layerwise_rate
        self.updates = updates

    def check_parameters(self) -> None:
        """Raise for the first parameter, or corruption in a list, that breaks its rule."""
        super().check_parameters()
        if not (isinstance(self.max_epochs, str) or isinstance(self.updates, str)):
            raise InvalidParameterError(
                "The 'updates' parameter of Training must be 'auto' where 'max_epochs' is a number."
                f" Got {self.updates!r}, and {self.max_epochs!r} epochs, instead."
            )
        for k, part in enumerate(self.corruption if isinstance(self.corruption, (list, tuple)) else ()):
            if not (isinstance(part, Corruption) or (isinstance(part, str) and part in CORRUPTIONS)):
                raise InvalidParameterError(
                    "The 'corruption' parameter of Training must hold instances of Corruption or names among"
                    f" {', '.join(CORRUPTIONS)}. Got {part!r} in place {k} instead."
                )

    def n_held_out(self, n_rows: int) -> int:
        """How many of the rows are held out."""
        held_out = int(n_rows * self.validation_fraction)
        return held_out if held_out >= _MIN_HELD_OUT else 0

    def plan(self, phase: Phase, n_rows: int, n_features: int) -> Plan:
        """The numbers for a phase on so many training rows (those held out not counted)."""
        defaults = _DEFAULTS[phase]
        batch_size = self.batch_size
        if isinstance(batch_size, str):
            batch_size = _auto_batch_size(n_rows, *defaults.batch_size)
        n_batches = ceil(n_rows / batch_size)
        if isinstance(self.max_epochs, str):
            updates = self.updates
            if isinstance(updates, str):
                updates = round(defaults.updates * (n_rows / 100) ** defaults.growth)
            max_epochs = max(_MIN_AUTO_EPOCHS, round(updates / n_batches))
        else:
            max_epochs = self.max_epochs
        if isinstance(self.learning_rate, str):
            learning_rate = defaults.learning_rate
            if self.optimizer == "sgd":
                learning_rate *= _RATE_FACTORS["sgd"] / n_features
        else:
            learning_rate = float(self.learning_rate)
        patience = (
            max(_MIN_AUTO_PATIENCE, max_epochs // 3) if isinstance(self.patience, str) else self.patience
        )
        layerwise_rate = self.layerwise_rate
        if isinstance(layerwise_rate, str):
            layerwise_rate = _auto_layerwise_rate(n_rows) if phase == "supervised" else 1.0
        return Plan(self, max_epochs, batch_size, n_batches, learning_rate, patience, layerwise_rate)


@dataclass(frozen=True)
class Plan:
    """A :class:`Training` with every ``"auto"`` replaced by a number."""

    training: Training
    max_epochs: int
    batch_size: int
    n_batches: int
    learning_rate: float
    patience: int | None
    layerwise_rate: float

    @property
    def n_updates(self) -> int:
        """Updates in the whole budget."""
        return self.max_epochs * self.n_batches


def _auto_batch_size(n_rows: int, least: int, most: int) -> int:
    """The power of two next below a twentieth of the rows, within bounds."""
    return int(min(most, max(least, 2 ** (max(1, n_rows // 20).bit_length() - 1))))


def _auto_layerwise_rate(n_rows: int) -> float:
    """The fewer the labels, the closer lower layers stay to what pretraining made of them."""
    return 0.5 if n_rows < 1_000 else 0.7 if n_rows < 10_000 else 1.0
