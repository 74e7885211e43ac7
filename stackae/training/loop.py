"""Step, epoch, fit: the one training loop."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import Protocol

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from stackae.exceptions import DivergedError
from stackae.training.batches import shuffled_batches
from stackae.training.history import EpochRecord
from stackae.training.optimizers import make_optimizer, set_learning_rate
from stackae.training.parameters import Plan
from stackae.training.precision import computing
from stackae.training.progress import Progress
from stackae.training.schedules import SCHEDULES
from stackae.training.stopping import EarlyStopping

#: Steps between two looks at the running loss: each look waits for the device.
_LOOK_EVERY = 50
#: Held-out rows are judged in blocks of this many.
_EVALUATION_BLOCK = 4096


class Trainable(Protocol):
    """What the loop asks of a module."""

    def objective(self, batch: Tensor, generator: Generator | None) -> Tensor:
        """The mean over a batch's rows of what is minimised; without a generator nothing is random."""
        ...


@dataclass
class Run:
    """One phase under way: what a step, an epoch and a fit share.

    Parameters
    ----------
    module : Module with an ``objective``
    rows, held_out : Tensor
        Training rows and the rows that are only watched (or None), on the module's device.
    plan : Plan
    generator : Generator
        The source of every random draw.
    optimizer : Optimizer
    bfloat16 : bool
        Whether products are computed in bfloat16.
    progress : Progress
    phase, layer
        What the records are labelled with.
    """

    module: nn.Module
    rows: Tensor
    held_out: Tensor | None
    plan: Plan
    generator: Generator
    optimizer: Optimizer
    bfloat16: bool
    progress: Progress
    phase: str
    layer: int | None
    updates: int = 0

    def objective(self, batch: Tensor, generator: Generator | None) -> Tensor:
        """The module's objective."""
        result: Tensor = self.module.objective(batch, generator)  # type: ignore[operator]
        return result


def fit(run: Run) -> list[EpochRecord]:
    """Train until the budget is spent or nothing is gained any more; the best weights are left in the module.

    Raises
    ------
    DivergedError
        The loss became infinite or not a number; the module holds the best weights so far or, where no rows
        are held out, those of the start.
    """
    stopping = EarlyStopping(run.module, run.plan.patience, run.plan.training.tol)
    history: list[EpochRecord] = []
    run.progress.start_phase(run.phase, run.layer, run.plan.max_epochs, len(run.rows))
    n_weights = sum(p.numel() for p in run.module.parameters())
    try:
        with computing(run.rows.device, bfloat16=run.bfloat16, work=n_weights * run.plan.batch_size):
            for _ in range(run.plan.max_epochs):
                record = epoch(run, len(history) + 1)
                history.append(record)
                run.progress.end_epoch(record)
                if record["validation_loss"] is not None and stopping.update(record["validation_loss"]):
                    break
    except DivergedError:
        stopping.restore()
        raise
    finally:
        run.progress.end_phase()
    if run.held_out is not None:
        stopping.restore()
    return history


def epoch(run: Run, number: int) -> EpochRecord:
    """One pass over the rows, and a look at those held out."""
    start = perf_counter()
    total = torch.zeros((), device=run.rows.device)
    pending = 0
    for k, batch in enumerate(shuffled_batches(run.rows, run.plan.batch_size, run.generator), 1):
        total += step(run, batch) * len(batch)
        pending += len(batch)
        if k % _LOOK_EVERY == 0:
            _refuse_divergence(total.item(), run, number)
            run.progress.advance(pending)
            pending = 0
    run.progress.advance(pending)
    loss = _refuse_divergence(total.item(), run, number) / len(run.rows)
    seconds = perf_counter() - start
    validation_loss = None
    if run.held_out is not None:
        validation_loss = _refuse_divergence(evaluate(run, run.held_out), run, number)
    return EpochRecord(
        phase=run.phase,
        layer=run.layer,
        epoch=number,
        loss=loss,
        validation_loss=validation_loss,
        learning_rate=run.optimizer.param_groups[0]["lr"],
        seconds=seconds,
        samples_per_second=len(run.rows) / seconds,
    )


def step(run: Run, batch: Tensor) -> Tensor:
    """One update; return the batch's loss, still on the device."""
    factor = SCHEDULES[run.plan.training.schedule](run.updates / run.plan.n_updates)
    set_learning_rate(run.optimizer, run.plan.learning_rate * factor)
    loss = run.objective(batch, run.generator)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    run.updates += 1
    return loss.detach()


@torch.no_grad()
def evaluate(run: Run, rows: Tensor) -> float:
    """The objective of rows without corruption."""
    total = torch.zeros((), dtype=torch.float64, device=rows.device)
    for block in torch.split(rows, _EVALUATION_BLOCK):
        total += run.objective(block, None) * len(block)
    return total.item() / len(rows)


def start(
    module: nn.Module,
    rows: Tensor,
    held_out: Tensor | None,
    plan: Plan,
    *,
    generator: Generator,
    bfloat16: bool,
    progress: Progress,
    phase: str,
    layer: int | None,
    optimizer: Optimizer | None = None,
) -> Run:
    """A run at its first step; an optimizer given goes on where it was."""
    training = plan.training
    optimizer = optimizer or make_optimizer(
        module,
        training.optimizer,
        learning_rate=plan.learning_rate,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
    )
    return Run(module, rows, held_out, plan, generator, optimizer, bfloat16, progress, phase, layer)


def _refuse_divergence(loss: float, run: Run, number: int) -> float:
    if isfinite(loss):
        return loss
    where = "fine-tuning" if run.layer is None else f"layer {run.layer}"
    raise DivergedError(
        f"the loss became {loss} in epoch {number} of {where};"
        f" try learning_rate={run.plan.learning_rate / 10:.1g} (it was {run.plan.learning_rate:g})"
    )
