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

    Stacks whose layers are all given by widths have other defaults with a shortcut, nearly two-valued data or
    a table of mixed columns: their recipes are in docs/defaults.md.

    Parameters
    ----------
    max_epochs : int or "auto", default="auto"
        Maximum number of passes over the rows. ``"auto"``: what makes about ``updates`` updates, at least 4.
    batch_size : int or "auto", default="auto"
        Rows per batch; the last one of an epoch may be smaller. ``"auto"``: 32 for fewer than 1,280 rows,
        doubling up to 256 from 5,120 rows; at least 64 in supervised fine-tuning.
    learning_rate : float or "auto", default="auto"
        Peak learning rate. ``"auto"``: 2e-3, in supervised fine-tuning 1e-3, in the recipe for nearly
        two-valued data 4e-3. For SGD it is also divided by 10 and by the number of features, over which the
        loss is summed.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
    momentum : float, default=0.9
        Of SGD, in [0, 1).
    schedule : {"constant", "cosine", "one-cycle"}, default="one-cycle"
        The learning rate over the whole budget: constant; to zero along a cosine; or up over the first 30 %
        and then to zero along a cosine.
    weight_decay : float, default=0.0
        Weight decay (not of biases): decoupled for AdamW, otherwise added to the gradient.
    validation_fraction : float, default=0.1
        Fraction of the rows held out for validation, in [0, 1); none if that is fewer than 20 rows. They are
        not corrupted, as in use of the model. To train the best denoiser of noisy rows, set this to 0, which
        trains for the whole budget.
    patience : int, "auto" or None, default="auto"
        Epochs without improvement on the held-out rows after which the phase ends. ``"auto"``: a third of
        ``max_epochs``, at least 10, since the last improvements come when the learning rate falls; None in
        recipes whose corruption falls to none. None: no early stopping. Either way, if rows are held out, the
        weights of the best epoch are kept.
    tol : float, default=1e-4
        Smallest improvement that counts, as a fraction of the best loss so far, at least 0.
    corruption : "auto", {"masking", "gaussian", "salt-and-pepper", "swap", "dropout"}, Corruption, list of \
            these, or None
        Default: "auto". Corruption in fine-tuning, of the input or, if it is one of hidden units such as
        ``Dropout(0.3)``, of every layer's code; several are applied in order. ``"auto"``: to reconstruct
        ``GaussianNoise(0.1)``, or ``Masking(0.5)`` if values may be missing; in supervised fine-tuning
        ``Dropout(0.1)``; in recipes ``Masking((0.5, 0.0))``, for tables ``Masking(0.5)``. In pretraining
        layers have a ``corruption`` of their own, and anything but ``"auto"`` is refused here.
    layerwise_rate : float or "auto", default="auto"
        In fine-tuning: learning rate of each layer as a fraction of that of the layer above, in (0, 1]. The
        last layer (and the head) has ``learning_rate``. ``"auto"``: 1 to reconstruct; in supervised
        fine-tuning 0.5 for fewer than 1,000 labels, 0.7 for fewer than 10,000, otherwise 1.
    updates : int or "auto", default="auto"
        Target of ``max_epochs="auto"``; refused if ``max_epochs`` is a number. ``"auto"``: 2000 for a layer
        in pretraining, 2500 in fine-tuning to reconstruct; in supervised fine-tuning 400 for 100 labels, 1000
        for 1,000 and 5000 for 60,000. In recipes: 500 in pretraining; in fine-tuning 5000, with a shortcut
        60·√n_samples, at most 2000.

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
        """Raise for the first invalid parameter, or corruption in a list."""
        super().check_parameters()
        if not (isinstance(self.max_epochs, str) or isinstance(self.updates, str)):
            raise InvalidParameterError(
                "The 'updates' parameter of Training must be 'auto' where 'max_epochs' is a number."
                f" Got {self.updates!r} beside max_epochs={self.max_epochs!r} instead."
            )
        for k, part in enumerate(self.corruption if isinstance(self.corruption, (list, tuple)) else ()):
            if not (isinstance(part, Corruption) or (isinstance(part, str) and part in CORRUPTIONS)):
                raise InvalidParameterError(
                    "The 'corruption' parameter of Training must hold instances of Corruption or names among"
                    f" {', '.join(CORRUPTIONS)}. Got {part!r} in place {k} instead."
                )

    def n_held_out(self, n_samples: int) -> int:
        """The number of samples held out."""
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
