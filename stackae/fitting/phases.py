"""One phase of a plan, trained: which samples, which gradient, which optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from stackae.data.mapped import refuse_too_little_room
from stackae.data.matrix import Matrix
from stackae.fitting.analytic import analytic_gradient
from stackae.fitting.context import FitContext
from stackae.fitting.plan import PhasePlan
from stackae.modules.autoencoder import DeepAutoencoder, DeepEncoder
from stackae.modules.heads import Predictor
from stackae.modules.scaling import Scaling
from stackae.training.batches import Samples, SamplesInMemory
from stackae.training.gradients import trainable_parameters
from stackae.training.loop import begin, train
from stackae.training.parameters import PhaseName
from stackae.training.phase import EpochRecord
from stackae.training.precision import computing
from stackae.training.streaming import StreamedSamples


def samples_of(
    X: Matrix,
    scaling: Scaling,
    context: FitContext,
    *,
    streamed: bool,
    widths: Sequence[int] = (),
    weights: npt.NDArray[np.float64] | None = None,
) -> Samples:
    """The scaled samples, in memory or read whenever they are needed.

    Where they are streamed the codes of layers of such widths are kept on the disk, too.

    Raises
    ------
    OSError
        The disk has no room for the codes.
    """
    if not streamed:
        held = SamplesInMemory.drawn(X, scaling, context.device, context.generator, weights)
        return held.divided_among(context.group)
    # The codes on which a layer trains, and those that it makes.
    below = [0, *widths[:-1]]
    on_disk = max((a + b for a, b in pairwise(below)), default=0)
    refuse_too_little_room(4 * len(X) * on_disk, context.memory.folder)
    read = StreamedSamples.drawn(X, scaling, context.device, context.memory, context.generator)
    return read.divided_among(context.group)


def train_phase(
    module: DeepAutoencoder | Predictor,
    samples: Samples,
    plan: PhasePlan,
    context: FitContext,
    name: PhaseName,
    layer: int | None = None,
) -> list[EpochRecord]:
    """Train a module on samples, of which some are held out; a record an epoch."""
    n_held_out = plan.budget.n_held_out
    held_out, others = samples.hold_out(n_held_out) if n_held_out else (None, samples)
    if plan.n_neighbors is not None:
        assert isinstance(others, SamplesInMemory)  # the plan has seen to it
        context.callback.prepare_phase(f"finding the nearest neighbours of {len(others):,} rows")
        with torch.no_grad(), computing(context.device):
            held_out, others = others.in_pairs(held_out, module[0].network_input, plan.n_neighbors)
    run = begin(
        module,
        others,
        held_out,
        plan.budget,
        generator=context.generator,
        bfloat16=plan.precision == "bfloat16",
        name=name,
        layer=layer,
        gradient=None if plan.autograd else analytic_gradient(module),
        optimizer=context.optimizers.get((name, layer)),
        rates=_rates(module, plan.budget.layerwise_rate),
        anneals=context.anneals,
    )
    context.optimizers[name, layer] = run.optimizer
    return train(run, context.callback)


def _rates(module: DeepEncoder, layerwise: float) -> list[float]:
    """How fast each parameter learns: a module's last layer, and what is no layer, at full rate."""
    of_layer = {
        p: layerwise ** (len(module) - k) for k, own in enumerate(module, 1) for p in own.parameters()
    }
    return [of_layer.get(p, 1.0) for p in trainable_parameters(module)]
