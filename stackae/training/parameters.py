"""One phase's training parameters, as a user gives them and as the phase takes them."""

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
    NamedIn,
    Real,
    StrOptions,
)
from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.training.optimizers import OPTIMIZERS
from stackae.training.schedules import SCHEDULES

#: Greedy pretraining of a layer, fine-tuning to reconstruct, fine-tuning to predict.
PhaseName = Literal["pretrain", "finetune", "supervised"]


#: Below this many held-out samples their loss is too noisy to decide anything, so none are held out.
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
        may be missing, and in stacks of bare widths fitted to a table of mixed columns; where labels are
        learned ``Dropout(0.1)``. Layers in pretraining have a corruption of their own; anything but
        ``"auto"`` is refused there.
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
        "optimizer": [NamedIn(OPTIMIZERS)],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "schedule": [StrOptions(set(SCHEDULES))],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "corruption": [Corruption, NamedIn(CORRUPTIONS, "auto"), list, tuple, None],
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

    def n_held_out(self, n_samples: int) -> int:
        """How many of the samples are held out."""
        held_out = int(n_samples * self.validation_fraction)
        return held_out if held_out >= _MIN_HELD_OUT else 0


@dataclass(frozen=True)
class Budget:
    """A :class:`Training` for one phase, with a number in the place of every ``"auto"``."""

    max_epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    momentum: float = 0.9
    schedule: str = "one-cycle"
    weight_decay: float = 0.0
    patience: int | None = None
    tol: float = 1e-4
    layerwise_rate: float = 1.0
    #: Samples that are held out, and that an epoch visits.
    n_held_out: int = 0
    n_samples: int = 0
    corruptions: tuple[Corruption, ...] = ()

    @property
    def n_updates(self) -> int:
        """Updates at most."""
        return self.max_epochs * ceil(self.n_samples / self.batch_size)
