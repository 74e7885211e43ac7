"""Greedy layerwise pretraining: layer k is fitted on the cached codes of layer k-1 (Bengio et al. 2007)."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch

from stackae._utils.groups import columns_in
from stackae.data.matrix import Matrix
from stackae.data.statistics import column_means
from stackae.fitting.context import FitContext
from stackae.fitting.layer_cache import LayerCache
from stackae.fitting.phases import samples_of, train_phase
from stackae.fitting.plan import LayerPlan, Plan, n_frozen
from stackae.modules.autoencoder import DeepAutoencoder, GreedyAutoencoder
from stackae.modules.layer import Layer
from stackae.modules.scaling import Scaling, fit_scaling
from stackae.modules.span import Span
from stackae.training.batches import Samples
from stackae.training.phase import EpochRecord, Phase
from stackae.training.precision import computing


def pretrain(
    plan: Plan,
    X: Matrix,
    context: FitContext,
    *,
    weights: npt.NDArray[np.float64] | None = None,
    started: DeepAutoencoder | None = None,
) -> tuple[list[Layer], Samples, Samples]:
    """Fit one layer after the other.

    Each trains on the clean codes of the layer below, computed once, without corruption; no weight below it
    moves. The layers of what was ``started`` are gone on with, their scaling included. Parameters are those
    of :func:`stackae.fitting.fit.fit_stack`. With them come the samples that the first layer was given, and
    those on which fine-tuning is: the same, or codes of frozen layers.

    Raises
    ------
    DivergedError
        A layer's loss left the finite numbers.
    """
    parts = plan.layers[0].parts
    scaling = _fit_scaling(plan.layers[0], X, weights) if started is None else started[0].scaling.cpu()
    widths = [layer.parts.n_units for layer in plan.layers]
    samples = first = samples_of(
        X, scaling, context, streamed=plan.is_streamed, widths=widths, weights=weights
    )
    if plan.in_span:
        scaling = Span.of(scaling, samples.blocks())
        narrow = samples.map(scaling.coordinates, len(scaling.axes))
        samples = first = samples.followed_by(narrow, Scaling.identity(len(scaling.axes)))
    cache = None if started is not None else LayerCache.of(X, weights, context)
    layers: list[Layer] = []
    frozen = n_frozen(layer.parts for layer in plan.layers)
    for k, own in enumerate(plan.layers):
        if k > 0:
            codes = _codes(layers[-1], samples)
            scaling = _fit_scaling(own, codes, weights) if started is None else started[k].scaling
            samples = samples.followed_by(codes, scaling)
        if k == frozen:
            to_tune = samples
        layer = _new_layer(own, scaling, X, weights) if started is None else started[k]
        layer.to(context.device)
        if k == 0 and parts.missing:
            _widen_range(layer, plan)
        if cache is None:
            _fit_layer(layer, own, samples, context, k + 1, warm_start=started is not None)
        else:
            cache.fit(layer, plan.layers[: k + 1], samples, _fit_layer)
        layers.append(layer)
    return layers, first, to_tune


def _fit_scaling(plan: LayerPlan, X: Matrix, weights: npt.NDArray[np.float64] | None) -> Scaling:
    parts = plan.parts
    return fit_scaling(
        parts.scale, X, () if parts.loss is None else parts.loss.unit_columns, weights, parts.kept
    )


def _new_layer(
    plan: LayerPlan, scaling: Scaling, X: Matrix, weights: npt.NDArray[np.float64] | None
) -> Layer:
    n_inputs = len(scaling.axes) if isinstance(scaling, Span) else plan.n_inputs
    layer = Layer(plan.parts, n_inputs, scaling)
    if layer.fill is not None:
        layer.fill.copy_(scaling(torch.from_numpy(column_means(X, weights))))
        categories = columns_in(plan.parts.groups)  # whose cells are probabilities
        for bound, least, of_category in ((layer.low, torch.inf, 0.0), (layer.high, -torch.inf, 1.0)):
            if bound is not None:
                bound.fill_(least)[categories] = of_category
    return layer


def _widen_range(layer: Layer, plan: Plan) -> None:
    """Let a layer's range hold that of these data too."""
    if layer.low is not None and layer.high is not None:
        low, high = (torch.from_numpy(b).to(layer.low) for b in (plan.data.low, plan.data.high))
        layer.low.copy_(torch.minimum(layer.low, low))
        layer.high.copy_(torch.maximum(layer.high, high))


def _fit_layer(
    layer: Layer,
    plan: LayerPlan,
    samples: Samples,
    context: FitContext,
    number: int,
    *,
    warm_start: bool = False,
) -> list[EpochRecord]:
    """Train a layer, or solve it where it has a closed form."""
    network = layer.parts.network
    if not warm_start:
        layer.initialise(context.generator)
    if not network.initialised_from_data:
        return _train(layer, plan, samples, context, number)
    start = perf_counter()
    with torch.no_grad(), computing(context.device):
        layer.network.initialise_from(
            lambda: map(layer.network_input, samples.blocks()), layer.parts.corruption, warm_start=warm_start
        )
    if not network.is_trained:
        return _report_solved(layer, samples, context, number, start)
    if plan.pretrain is None or warm_start:
        return _train(layer, plan, samples, context, number)
    # What does not reconstruct better than the closed form is not kept.
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    loss = _reconstruction_loss(layer, samples)
    history = _train(layer, plan, samples, context, number)
    if _reconstruction_loss(layer, samples) >= loss:
        layer.load_state_dict(state)
    return history


def _train(
    layer: Layer, plan: LayerPlan, samples: Samples, context: FitContext, number: int
) -> list[EpochRecord]:
    if plan.pretrain is None:
        return []
    return train_phase(GreedyAutoencoder(layer), samples, plan.pretrain, context, "pretrain", number)


def _report_solved(
    layer: Layer, samples: Samples, context: FitContext, number: int, start: float
) -> list[EpochRecord]:
    """The one record of a layer that was solved."""
    record = EpochRecord(
        phase="pretrain",
        layer=number,
        epoch=1,
        loss=_reconstruction_loss(layer, samples),
        validation_loss=None,
        learning_rate=0.0,
        seconds=perf_counter() - start,
        samples_per_second=len(samples) / (perf_counter() - start),
    )
    context.callback.begin_phase(Phase("pretrain", number, 1, len(samples)), None)
    context.callback.end_epoch(record, None)
    context.callback.end_phase(None)
    return [record]


@torch.no_grad()
def _reconstruction_loss(layer: Layer, samples: Samples) -> float:
    """The mean loss of all samples, without corruption and penalties."""
    total = n_samples = 0.0
    with computing(samples.device):
        for z in samples.blocks(own=True):
            decoded = layer.decode_scaled(layer.encode_scaled(z))
            loss = layer.loss(*decoded, layer.network_input(z), layer.cell_weights(z, z))
            total, n_samples = total + float(loss) * len(z), n_samples + len(z)
    total, n_samples = samples.group.sum([total, n_samples])
    return total / n_samples


@torch.no_grad()
def _codes(layer: Layer, samples: Samples) -> Matrix:
    """The clean codes of all samples, computed once."""
    with computing(samples.device):
        return samples.map(layer.encode_scaled, layer.n_units)
