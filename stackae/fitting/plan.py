"""The plan of a fit: all that will be done, settled before it is, with nothing ``"auto"`` left in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch

from stackae.fitting.summary import Summary
from stackae.modules.layer import Composition
from stackae.training.parameters import Budget


def n_frozen(layers: Iterable[Composition]) -> int:
    """How many layers at the bottom are frozen, but never all: fine-tuning begins above them."""
    parts = list(layers)
    return sum(1 for _ in takewhile(lambda own: own.frozen, parts[:-1]))


@dataclass(frozen=True)
class PhasePlan:
    """How one phase is trained."""

    budget: Budget
    #: Why the gradient comes from autograd; None: it is analytic.
    autograd: str | None
    #: Of matrix products: "float32" or "bfloat16".
    precision: str
    #: Whether samples are read from disk whenever they are needed.
    is_streamed: bool = False
    #: Where samples come in pairs, of how many nearest ones each is given one; None: one by one.
    n_neighbors: int | None = None


@dataclass(frozen=True)
class LayerPlan:
    """One layer: its parts, the columns that it is given, and how it is pretrained, if it is."""

    parts: Composition
    n_inputs: int
    pretrain: PhasePlan | None
    #: Whether it is given the samples' coordinates in their span, of which there are fewer than columns.
    in_span: bool = False

    @property
    def is_solved(self) -> bool:
        """Whether it has a closed form, and is not trained."""
        return not self.parts.network.is_trained


@dataclass(frozen=True)
class Plan:
    """Everything a fit will do, from ``plan`` of an estimator; printed, a short table."""

    #: A summary of the data.
    data: Summary
    #: Bottom first.
    layers: tuple[LayerPlan, ...]
    #: End to end, to reconstruct.
    finetune: PhasePlan | None
    #: "pca" or None.
    shortcut: str | None
    #: The recipe of a stack of bare widths: "shortcut", "two-valued", "table" or None.
    recipe: str | None
    device: torch.device
    #: Bytes that samples and codes take, and may take; if they need more, they are read from disk.
    n_bytes: int
    memory: int
    #: Bytes of the fitted weights.
    n_weight_bytes: int
    #: End to end, to predict.
    supervised: PhasePlan | None = None
    #: With ``shortcut="auto"``, why there is none.
    why_no_shortcut: str | None = None

    @property
    def is_streamed(self) -> bool:
        """Whether samples are read from disk whenever they are needed."""
        return self.n_bytes > self.memory

    @property
    def in_span(self) -> bool:
        """Whether the stack is trained on the samples' coordinates in their span (fewer rows than
        columns)."""
        return self.layers[0].in_span

    @property
    def phases(self) -> list[tuple[str, PhasePlan | None]]:
        """The phases by name, in order; None for a layer that is solved in closed form."""
        tuned = [("finetune", self.finetune), ("supervised", self.supervised)]
        return [
            *(
                (f"layer {k}", layer.pretrain)
                for k, layer in enumerate(self.layers, 1)
                if layer.is_solved or layer.pretrain is not None
            ),
            *((name, phase) for name, phase in tuned if phase is not None),
        ]

    @property
    def n_updates(self) -> int:
        """The maximum number of updates, over all phases."""
        return sum(phase.budget.n_updates for _, phase in self.phases if phase is not None)

    def __repr__(self) -> str:
        head = (
            f"{self.data.n_samples:,} rows × {self.data.n_features:,} columns; {self.device};"
            f" at most {self.n_updates:,} updates"
        )
        where = "read from the disk" if self.is_streamed else "in memory"
        memory = (
            f"rows and codes {_amount(self.n_bytes)}, {where} (limit {_amount(self.memory)});"
            f" weights {_amount(self.n_weight_bytes)}"
        )
        shortcut = []
        if self.shortcut is not None:
            shortcut = ["shortcut from input to code and back, started as PCA"]
        elif self.why_no_shortcut:
            shortcut = [f"no shortcut: {self.why_no_shortcut}"]
        span = [f"trained in the span of the {self.data.n_samples:,} rows"] if self.in_span else []
        tuned = self.finetune is not None or self.supervised is not None
        n = n_frozen(layer.parts for layer in self.layers) if tuned else 0
        frozen = (
            [f"fine-tuned from layer {n + 1} on: frozen layers stay as pretraining left them"] if n else []
        )
        rows = [_layer_row(number, layer) for number, layer in enumerate(self.layers, 1)]
        phases = [_phase_row(name, phase) for name, phase in self.phases]
        return "\n".join(
            [
                head,
                *_aligned([_LAYER, *rows]),
                *shortcut,
                *span,
                *frozen,
                *_aligned([_PHASE, *phases]),
                memory,
            ]
        )


_LAYER = ("layer", "units", "network", "activation", "loss", "scale", "corruption", "code", "penalty")
_PHASE = (
    *("phase", "epochs", "updates", "batch", "peak rate", "schedule", "optimizer", "corruption"),
    *("rows held out", "neighbours", "precision", "gradient"),
)


def _layer_row(number: int, layer: LayerPlan) -> tuple[str, ...]:
    parts = layer.parts
    network = f"{parts.network}{', tied' if parts.tied_weights else ''}{', frozen' if parts.frozen else ''}"
    named = (parts.activation, parts.loss, parts.scaling_in_words, parts.corruption, parts.code)
    penalties = ", ".join(map(str, parts.penalties))
    return (
        f"{number}",
        f"{parts.n_units:,}",
        network,
        *("" if part is None else str(part) for part in named),
        penalties,
    )


def _phase_row(name: str, phase: PhasePlan | None) -> tuple[str, ...]:
    if phase is None:
        return name, *[""] * (len(_PHASE) - 2), "none: it is solved, not trained"
    own = phase.budget
    return (
        name,
        f"{own.max_epochs:,}",
        f"{own.n_updates:,}",
        f"{own.batch_size:,}",
        f"{own.learning_rate:g}",
        own.schedule,
        own.optimizer,
        ", ".join(map(str, own.corruptions)),
        f"{own.n_held_out:,}",
        "" if phase.n_neighbors is None else f"{phase.n_neighbors:,}",
        phase.precision,
        "analytic" if phase.autograd is None else f"autograd ({phase.autograd})",
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text in columns; those that are empty below their heading are left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]


def _amount(n_bytes: int) -> str:
    unit, size = next(((u, s) for u, s in (("GB", 1e9), ("MB", 1e6)) if n_bytes >= s), ("kB", 1e3))
    return f"{n_bytes / size:,.1f} {unit}"
