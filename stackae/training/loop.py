"""Step, epoch, phase: the one training loop. It knows modules and tensors, nothing of layers or stacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from stackae._utils.draws import Share, drawing_for
from stackae._utils.steps import STEP
from stackae.exceptions import DivergedError
from stackae.modules.work import multiplications
from stackae.training.batches import Samples
from stackae.training.callbacks.base import Callback, Callbacks
from stackae.training.callbacks.early_stopping import EarlyStopping
from stackae.training.gradients import Gradient, by_autograd, trainable_parameters
from stackae.training.optimizers import OPTIMIZERS
from stackae.training.optimizers.base import Optimizer
from stackae.training.parameters import Budget
from stackae.training.phase import EpochRecord, Phase, PhaseRun, Trainable
from stackae.training.precision import computing
from stackae.training.processes import ALONE, Group
from stackae.training.schedules import SCHEDULES

#: Steps between two looks at the running loss: each look waits for the device.
_LOOK_EVERY = 50
#: Held-out samples are judged in blocks of this many.
_EVALUATION_BLOCK = 4096
#: Within a phase the module is told at least so many times how far it has come.
_ADVANCES = 40
#: Small batches are corrupted several at once: about this many values.
_CORRUPT_AT_ONCE = 2**17


def begin(
    module: Trainable,
    samples: Samples,
    held_out: Tensor | None,
    budget: Budget,
    *,
    generator: Generator,
    bfloat16: bool = False,
    name: str = "pretrain",
    layer: int | None = None,
    gradient: Gradient | None = None,
    optimizer: Optimizer | None = None,
    rates: Sequence[float] | None = None,
    anneals: bool = True,
) -> PhaseRun:
    """A phase at its first step; see :class:`~stackae.training.phase.PhaseRun`.

    The gradient is autograd's unless one is given; an optimizer that is given goes on where it was, a new one
    moves each parameter at ``rates``, as shares of the learning rate.
    """
    optimizer = optimizer or OPTIMIZERS[budget.optimizer](
        trainable_parameters(module),
        weight_decay=budget.weight_decay,
        momentum=budget.momentum,
        rates=rates,
    )
    return PhaseRun(
        Phase(name, layer, budget.max_epochs, len(samples)),
        module,
        gradient or by_autograd(module),
        samples,
        held_out,
        lambda z: evaluate(module, z, samples.group),
        budget,
        generator,
        optimizer,
        EarlyStopping(module, budget.patience, budget.tol),
        bfloat16,
        anneals,
    )


def train(run: PhaseRun, callback: Callback | None = None) -> list[EpochRecord]:
    """Train until the budget is spent or nothing is gained any more; the best weights are left in the module.

    Raises
    ------
    DivergedError
        The loss became infinite or not a number; the module holds the best weights so far or, where no
        samples are held out, those of the start.
    """
    others = callback or Callback()
    stopping = run.stopping if isinstance(run.stopping, Callback) else Callback()
    told = Callbacks([stopping, others])
    told.begin_phase(run.phase, run)
    run.samples.group.agree_on(run)
    for record in run.history:  # of a phase that goes on
        others.end_epoch(record, None)
    work = run.budget.batch_size * multiplications(run.module)
    try:
        with computing(run.samples.device, bfloat16=run.bfloat16, work=work):
            while not run.stop and len(run.history) < run.budget.max_epochs:
                told.begin_epoch(run)
                record = epoch(run, told)
                run.history.append(record)
                told.end_epoch(record, run)
                if run.samples.group.size > 1:  # whoever is told to stop by a callback of its own
                    run.stop = run.samples.group.sum([float(run.stop)])[0] > 0
        told.end_phase(run)
    except BaseException as error:
        told.break_off(error)
        raise
    return run.history


def epoch(run: PhaseRun, callback: Callback) -> EpochRecord:
    """One pass over the samples, and a look at those held out."""
    start = perf_counter()
    number, total = len(run.history) + 1, 0.0
    losses: list[Tensor] = []
    sizes: list[int] = []
    for batch in batches(run):
        losses.append(step(run, batch))
        sizes.append(batch.n_samples)
        if len(losses) == _LOOK_EVERY:
            total += _look(run, number, losses, sizes, callback)
    total += _look(run, number, losses, sizes, callback)
    loss = total / len(run.samples)
    seconds = perf_counter() - start
    validation_loss = None
    if run.held_out is not None:
        validation_loss = run.watch(run.held_out)
        _refuse_divergence(validation_loss, run, number)
    elif not all(bool(parameter.isfinite().all()) for parameter in run.module.parameters()):
        _refuse_divergence(float("nan"), run, number)  # of the samples that would come next
    return EpochRecord(
        phase=run.phase.name,
        layer=run.phase.layer,
        epoch=number,
        loss=loss,
        validation_loss=validation_loss,
        learning_rate=run.learning_rate,
        seconds=seconds,
        samples_per_second=len(run.samples) / seconds,
    )


class Batch(NamedTuple):
    """The samples of one update, with the corrupted copy that is encoded; of several processes one's own.

    The generator is what draws within the step; ``share`` is None where there is one process.
    """

    z: Tensor
    corrupted: Tensor
    generator: Generator
    share: Share | None = None

    @property
    def n_samples(self) -> int:
        """Of all processes."""
        return len(self.z) if self.share is None else self.share.n_samples


def batches(run: PhaseRun) -> Iterator[Batch]:
    """One epoch's batches; the last may be smaller."""
    size = run.budget.batch_size
    at_once = max(1, min(_CORRUPT_AT_ONCE // (size * run.samples.n_features), run.n_updates // _ADVANCES))
    group = run.samples.group
    # What depends on other rows is done to whole batches, and what is then drawn in a step is each one's own.
    is_divided, own = group.divides(run.module), Generator(run.samples.device)
    for z, share in _pieces(run, size * at_once, is_divided=is_divided):
        run.module.advance(run.updates / run.n_updates if run.anneals else 1.0, z)
        with drawing_for(run.generator, share):
            corrupted = run.module.corrupt(z, run.generator)
        if share is not None:
            for rows, of_batch in share.split(size):
                yield Batch(z[rows], corrupted[rows], run.generator, of_batch)
            continue
        for batch, damaged in zip(torch.split(z, size), torch.split(corrupted, size), strict=True):
            if group.size == 1:
                yield Batch(batch, damaged, run.generator)
            else:
                of_batch = group.share(len(batch), batch.device)
                own.manual_seed(run.updates * group.size + group.rank)
                yield Batch(batch[of_batch.places], damaged[of_batch.places], own, of_batch)


def _pieces(run: PhaseRun, size: int, *, is_divided: bool) -> Iterator[tuple[Tensor, Share | None]]:
    """One epoch in pieces of so many samples: whole ones or, divided, each with the process's share."""
    if is_divided:
        yield from run.samples.shares(size, run.generator)
    else:
        for z in run.samples.shuffled(size, run.generator):
            yield z, None


def step(run: PhaseRun, batch: Batch) -> Tensor:
    """One update; return the batch's loss, still on the device."""
    factor = SCHEDULES[run.budget.schedule](run.updates / run.n_updates)
    run.learning_rate = run.budget.learning_rate * factor
    token = STEP.set(set())
    try:
        loss, gradients = _gradient(run, batch)
    finally:
        STEP.reset(token)
    run.optimizer.step(gradients, run.learning_rate)
    run.updates += 1
    return loss


def _gradient(run: PhaseRun, batch: Batch) -> tuple[Tensor, Sequence[Tensor]]:
    """Loss and gradient of a batch, whichever processes have its samples."""
    z, corrupted, generator, share = batch
    if share is None:
        return run.gradient(z, corrupted, generator)
    if not len(z):  # what is drawn must be drawn: by a sample that counts nothing
        z = corrupted = torch.zeros(1, run.samples.n_features, device=z.device)
        share = share._replace(places=torch.zeros(1, dtype=torch.int64, device=z.device))
    with drawing_for(generator, share if generator is run.generator else None):
        loss, gradients = run.gradient(z, corrupted, generator)
    return run.samples.group.mean_gradient(loss, gradients, len(batch.z) / share.n_samples)


@torch.no_grad()
def evaluate(module: Trainable, z: Tensor, group: Group = ALONE) -> float:
    """The objective of samples without corruption; several processes judge some blocks each."""
    total = torch.zeros((), dtype=torch.float64, device=z.device)
    for start in group.own_of(range(0, len(z), _EVALUATION_BLOCK)):
        block = z[start : start + _EVALUATION_BLOCK]
        total += module.objective(block) * len(block)
    return group.sum([total.item()])[0] / len(z)


def _look(run: PhaseRun, number: int, losses: list[Tensor], sizes: list[int], callback: Callback) -> float:
    """Fetch the losses of some batches, summed over samples, and empty the lists."""
    if not losses:
        return 0.0
    fetched: list[float] = torch.stack(losses).tolist()
    total = sum(loss * size for loss, size in zip(fetched, sizes, strict=True))
    _refuse_divergence(total, run, number)
    callback.end_batches(sum(sizes))
    losses.clear()
    sizes.clear()
    return total


def _refuse_divergence(loss: float, run: PhaseRun, number: int) -> None:
    if not isfinite(loss):
        where = "fine-tuning" if run.phase.layer is None else f"layer {run.phase.layer}"
        raise DivergedError(
            f"the loss became {loss} in epoch {number} of {where};"
            f" try learning_rate={run.budget.learning_rate / 10:.1g} (it was {run.budget.learning_rate:g})"
        )
