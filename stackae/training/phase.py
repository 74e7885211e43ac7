"""One phase of training: what is trained, on what, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NotRequired, Protocol, TypedDict

from torch import Generator, Tensor, nn

from stackae.training.batches import Samples
from stackae.training.gradients import Gradient
from stackae.training.optimizers.base import Optimizer
from stackae.training.parameters import Budget


class Trainable(Protocol):
    """What the loop asks of a module: the corruption of its input, and an objective."""

    def advance(self, fraction: float, z: Tensor) -> None:
        """Take note that a fraction of the phase has been trained, and of the samples that come next."""

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """A damaged copy of samples, or the samples themselves."""

    def objective(
        self, z: Tensor, corrupted: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """The mean over samples of what is minimised; of samples alone the same without anything random."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """As those of any module."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """As those of any module."""

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """As those of any module."""

    def modules(self) -> Iterator[nn.Module]:
        """As those of any module."""


class EpochRecord(TypedDict):
    """One epoch of one phase: a row of ``history_``, which ``pandas.DataFrame`` takes as it is.

    ``layer`` counts from 1 and is None in fine-tuning; ``loss`` is the mean training objective of the epoch
    (corrupted, with penalties), ``validation_loss`` that of the held-out samples (uncorrupted, with
    penalties), None where none are held out; ``seconds`` is the epoch's wall time. A model file keeps no
    times: the records of a loaded model lack ``seconds`` and ``samples_per_second``.
    """

    phase: str
    layer: int | None
    epoch: int
    loss: float
    validation_loss: float | None
    learning_rate: float
    seconds: NotRequired[float]
    samples_per_second: NotRequired[float]


@dataclass(frozen=True)
class Phase:
    """What a phase is called, and how long it is at most."""

    #: "pretrain", "finetune" or "supervised".
    name: str
    #: From 1; None in fine-tuning.
    layer: int | None
    max_epochs: int
    #: That an epoch visits.
    n_samples: int

    @property
    def title(self) -> str:
        """``layer 2``, or the name where it concerns no single layer."""
        return self.name if self.layer is None else f"layer {self.layer}"


class Stopping(Protocol):
    """What early stopping remembers, so that it can be kept with the rest."""

    best: list[Tensor]

    def counters(self) -> list[float | None]:
        """What it knows beside the best weights."""

    def set_counters(self, counters: list[float | None]) -> None:
        """Go on with what :meth:`counters` said."""


@dataclass
class PhaseRun:
    """A phase under way: what step, epoch and fit share, and callbacks are shown."""

    phase: Phase
    module: Trainable
    #: What a step asks for the gradient of the module's objective.
    gradient: Gradient
    samples: Samples
    #: Samples that are only watched, on the module's device; and what gives their loss.
    held_out: Tensor | None
    watch: Callable[[Tensor], float]
    budget: Budget
    #: The source of every random draw.
    generator: Generator
    optimizer: Optimizer
    stopping: Stopping
    #: Whether products are computed in bfloat16.
    bfloat16: bool
    #: Whether the module is told of the fraction trained; if not, it is told of the end throughout.
    anneals: bool = True
    #: Where it stands: updates made, the last one's rate, a record an epoch.
    updates: int = 0
    learning_rate: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)
    #: Whether it is to end now, and whether nothing was left to train when it began.
    stop: bool = False
    was_done: bool = False

    def __post_init__(self) -> None:
        #: Updates in the whole budget.
        self.n_updates = self.budget.max_epochs * ceil(self.phase.n_samples / self.budget.batch_size)

    def tensors(self, *, whole: bool = False) -> dict[str, Tensor]:
        """What a phase changes, by name; the whole: also what only the phase itself needs."""
        tensors: dict[str, Tensor] = {
            f"parameter.{name}": tensor for name, tensor in self.module.named_parameters()
        }
        tensors |= {f"buffer.{name}": tensor for name, tensor in self.module.named_buffers()}
        if whole:
            tensors |= {f"best.{k}": tensor for k, tensor in enumerate(self.stopping.best)}
            tensors |= {f"optimizer.{k}": tensor for k, tensor in enumerate(self.optimizer.remembered())}
        return tensors

    def standing(self) -> tuple[Any, ...]:
        """Where it stands, but for its tensors: what :meth:`stand_at` takes."""
        own = (self.updates, self.learning_rate, self.stop, self.was_done)
        return (list(self.history), self.stopping.counters(), *own)

    def stand_at(self, history: list[EpochRecord], counters: list[float | None], *own: Any) -> None:
        """Stand where another run of the phase stands."""
        self.history[:] = history
        self.stopping.set_counters(counters)
        self.updates, self.learning_rate, self.stop, self.was_done = own


def each_by_itself(history: Sequence[EpochRecord], n_layers: int) -> bool:
    """Whether each layer was last trained by itself: else they reconstruct together, or nobody knows."""
    together = any(record["phase"] == "finetune" for record in history)
    trained = {record["layer"] for record in history} - {None}
    return n_layers == 1 or (not together and len(trained) == n_layers)
