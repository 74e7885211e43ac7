"""Step, epoch, fit: the one training loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter

import torch
from torch import Generator, Tensor, nn

from stackae.exceptions import DivergedError
from stackae.training.batches import Rows
from stackae.training.callbacks.checkpoints import Keeper
from stackae.training.callbacks.early_stopping import EarlyStopping
from stackae.training.callbacks.history import EpochRecord
from stackae.training.callbacks.progress import Progress
from stackae.training.distributed import agreed, shared
from stackae.training.gradients import Gradient, by_autograd, trainable_parameters
from stackae.training.optimizers import Optimizer, make_optimizer
from stackae.training.parameters import Plan
from stackae.training.precision import computing
from stackae.training.schedules import SCHEDULES

#: Steps between two looks at the running loss: each look waits for the device.
_LOOK_EVERY = 50
#: Held-out rows are judged in blocks of this many.
_EVALUATION_BLOCK = 4096
#: Within a phase the module is told at least so many times how far it has come.
_ADVANCES = 40
#: Small batches are corrupted several at once: about this many values.
_CORRUPT_AT_ONCE = 2**17


@dataclass
class Run:
    """One phase under way: what a step, an epoch and a fit share.

    Parameters
    ----------
    module : Module
        With ``advance(progress, rows)``, which is told what share of the updates has been made, and the rows
        that come next; ``corrupt(rows, generator)``, a damaged copy of rows; and ``objective(rows, seen,
        generator)``, the mean over rows of what is minimised where ``seen`` is what the encoder is given.
        ``objective(rows)`` is the same without anything random.
    gradient : Gradient
        What a step asks for the gradient of that objective.
    rows : Rows
        To train on.
    held_out : Tensor or None
        Rows that are only watched, on the module's device.
    plan : Plan
    generator : Generator
        The source of every random draw.
    optimizer : Optimizer
    bfloat16 : bool
        Whether products are computed in bfloat16.
    progress : Progress
    phase, layer
        What the records are labelled with.
    anneals : bool
        Whether the module is told of the progress; if not, it is told of the end throughout.
    keeper : Keeper
        Is told of every epoch, and may know where the phase stood.
    """

    module: nn.Module
    gradient: Gradient
    rows: Rows
    held_out: Tensor | None
    plan: Plan
    generator: Generator
    optimizer: Optimizer
    bfloat16: bool
    progress: Progress
    phase: str
    layer: int | None
    anneals: bool = True
    keeper: Keeper = field(default_factory=Keeper)
    updates: int = 0
    learning_rate: float = 0.0


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
    ended = run.keeper.begin(run, stopping, history)
    run.progress.start_phase(run.phase, run.layer, run.plan.max_epochs, len(run.rows))
    for record in history:
        run.progress.end_epoch(record)
    n_weights = sum(p.numel() for p in run.module.parameters())
    try:
        if ended:
            return history
        with computing(run.rows.device, bfloat16=run.bfloat16, work=n_weights * run.plan.batch_size):
            while len(history) < run.plan.max_epochs:
                record = epoch(run, len(history) + 1)
                history.append(record)
                watched = record["validation_loss"]
                ended = watched is not None and stopping.update(watched)
                if not ended and len(history) < run.plan.max_epochs:
                    run.keeper.end_epoch(run, stopping, history)
                run.progress.end_epoch(record)  # what was told is kept
                if ended:
                    break
        if run.held_out is not None:
            stopping.restore()
        run.keeper.end(run, history)
    except DivergedError:
        stopping.restore()
        run.keeper.break_off()
        raise
    except BaseException:
        run.keeper.break_off()
        raise
    finally:
        run.progress.end_phase()
    return history


def epoch(run: Run, number: int) -> EpochRecord:
    """One pass over the rows, and a look at those held out."""
    start = perf_counter()
    total = 0.0
    losses: list[Tensor] = []
    sizes: list[int] = []
    for batch, seen in batches(run):
        losses.append(step(run, batch, seen))
        sizes.append(len(batch))
        if len(losses) == _LOOK_EVERY:
            total += _look(run, number, losses, sizes)
    total += _look(run, number, losses, sizes)
    loss = total / len(run.rows)
    seconds = perf_counter() - start
    validation_loss = None
    if run.held_out is not None:
        # The first process's, so that all of them stop in the same epoch.
        validation_loss = agreed(evaluate(run, run.held_out), run.rows.device)
        _refuse_divergence(validation_loss, run, number)
    elif not all(bool(parameter.isfinite().all()) for parameter in run.module.parameters()):
        _refuse_divergence(float("nan"), run, number)  # of the rows that would come next
    return EpochRecord(
        phase=run.phase,
        layer=run.layer,
        epoch=number,
        loss=loss,
        validation_loss=validation_loss,
        learning_rate=run.learning_rate,
        seconds=seconds,
        samples_per_second=len(run.rows) / seconds,
    )


def _look(run: Run, number: int, losses: list[Tensor], sizes: list[int]) -> float:
    """Fetch the losses of some batches, summed over rows, and empty the lists."""
    if not losses:
        return 0.0
    fetched: list[float] = torch.stack(losses).tolist()
    total = sum(loss * size for loss, size in zip(fetched, sizes, strict=True))
    _refuse_divergence(total, run, number)
    run.progress.advance(sum(sizes))
    losses.clear()
    sizes.clear()
    return total


def batches(run: Run) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch's batches, each with the corrupted copy that the encoder sees; the last may be smaller."""
    size = run.plan.batch_size
    at_once = max(1, min(_CORRUPT_AT_ONCE // (size * run.rows.n_features), run.plan.n_updates // _ADVANCES))
    for rows in run.rows.shuffled(size * at_once, run.generator):
        progress = run.updates / run.plan.n_updates if run.anneals else 1.0
        run.module.advance(progress, rows)  # type: ignore[operator]
        seen: Tensor = run.module.corrupt(rows, run.generator)  # type: ignore[operator]
        yield from zip(torch.split(rows, size), torch.split(seen, size), strict=True)


def step(run: Run, batch: Tensor, seen: Tensor) -> Tensor:
    """One update; return the batch's loss, still on the device."""
    factor = SCHEDULES[run.plan.training.schedule](run.updates / run.plan.n_updates)
    run.learning_rate = run.plan.learning_rate * factor
    loss, gradients = run.gradient(batch, seen, run.generator)
    run.optimizer.step(gradients, run.learning_rate)
    run.updates += 1
    return loss


@torch.no_grad()
def evaluate(run: Run, rows: Tensor) -> float:
    """The objective of rows without corruption."""
    total = torch.zeros((), dtype=torch.float64, device=rows.device)
    for block in torch.split(rows, _EVALUATION_BLOCK):
        total += run.module.objective(block) * len(block)  # type: ignore[operator]
    return total.item() / len(rows)


def start(
    module: nn.Module,
    rows: Rows,
    held_out: Tensor | None,
    plan: Plan,
    *,
    generator: Generator,
    bfloat16: bool,
    progress: Progress,
    phase: str,
    layer: int | None,
    gradient: Gradient | None = None,
    optimizer: Optimizer | None = None,
    anneals: bool = True,
    keeper: Keeper | None = None,
) -> Run:
    """A run at its first step.

    The gradient is autograd's unless one is given; an optimizer that is given goes on where it was.
    """
    training = plan.training
    gradient = shared(gradient or by_autograd(module), trainable_parameters(module))
    optimizer = optimizer or make_optimizer(
        training.optimizer,
        trainable_parameters(module),
        momentum=training.momentum,
        weight_decay=training.weight_decay,
        rates=_rates(module, plan.layerwise_rate),
    )
    return Run(
        module,
        gradient,
        rows,
        held_out,
        plan,
        generator,
        optimizer,
        bfloat16,
        progress,
        phase,
        layer,
        anneals,
        keeper or Keeper(),
    )


def _rates(module: nn.Module, layerwise: float) -> list[float]:
    """How fast each parameter learns: a module's last layer, and what is no layer, at full rate."""
    layers = list(getattr(module, "layers", ()))
    of_layer = {
        p: layerwise ** (len(layers) - k) for k, layer in enumerate(layers, 1) for p in layer.parameters()
    }
    return [of_layer.get(p, 1.0) for p in trainable_parameters(module)]


def _refuse_divergence(loss: float, run: Run, number: int) -> float:
    if isfinite(loss):
        return loss
    where = "fine-tuning" if run.layer is None else f"layer {run.layer}"
    raise DivergedError(
        f"the loss became {loss} in epoch {number} of {where};"
        f" try learning_rate={run.plan.learning_rate / 10:.1g} (it was {run.plan.learning_rate:g})"
    )
