"""What every phase of one fit shares: where it computes, what it draws from, who is told."""

from __future__ import annotations

from dataclasses import dataclass, field

import joblib
import torch
from torch import Generator

from stackae._utils.memory import MemoryBudget
from stackae.training.callbacks.base import Callback
from stackae.training.optimizers.base import Optimizer
from stackae.training.processes import ALONE, Group


@dataclass(frozen=True)
class FitContext:
    """Passed down through a fit; no part of it is global."""

    device: torch.device
    #: Of matrix products in training, as it was asked for: "auto", "float32" or "bfloat16".
    precision: str
    #: On the device; the source of every random draw.
    generator: Generator
    #: What samples and codes may take, and where those go that take more.
    memory: MemoryBudget = field(default_factory=lambda: MemoryBudget.of(None))
    callback: Callback = field(default_factory=Callback)
    #: Where fitted layers are kept, to be fitted once only.
    cache: joblib.Memory | None = None
    #: The optimizer of each phase, by name and layer; one that is there already goes on where it was.
    optimizers: dict[tuple[str, int | None], Optimizer] = field(default_factory=dict)
    #: Whether what changes within a phase does so; if not, it is at its end throughout.
    anneals: bool = True
    #: The processes that fit together.
    group: Group = ALONE
