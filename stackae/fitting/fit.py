"""The fit of a stack, from its plan to the fitted module. A lone autoencoder is a stack of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from stackae.data.matrix import Matrix
from stackae.fitting.context import FitContext
from stackae.fitting.greedy import pretrain
from stackae.fitting.phases import train_phase
from stackae.fitting.plan import Plan, n_frozen
from stackae.fitting.shortcut import finetune_beside_pca
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.health import Health, health_of, n_samples_looked_at
from stackae.modules.span import widened
from stackae.modules.truncation import is_ordered
from stackae.training.batches import Samples
from stackae.training.callbacks import Callbacks, History
from stackae.training.phase import EpochRecord
from stackae.training.precision import computing

#: An ordered stack is judged by so many rows, at least and at most, where there are so many; between, by as
#: many as have so many codes, all prefixes together.
_LEAST_JUDGES, _MOST_JUDGES, _MOST_CODES = 200, 2_000, 2**16


@dataclass(frozen=True)
class FittedStack:
    """The outcome of a fit: the module, a record an epoch, a health report a layer."""

    module: DeepAutoencoder
    history: list[EpochRecord]
    health: list[Health]
    #: Of an ordered stack rows (rows × columns, in the user's units) that were held out in the last phase or,
    #: where none were, that it was fitted to: what its prefixes are judged by.
    judges: npt.NDArray[np.float64] | None = None


@torch.inference_mode(False)  # whatever the caller is in
def fit_stack(
    plan: Plan,
    X: Matrix,
    context: FitContext,
    *,
    weights: npt.NDArray[np.float64] | None = None,
    started: DeepAutoencoder | None = None,
    past: Sequence[EpochRecord] = (),
) -> FittedStack:
    """Pretrain layer after layer, unroll, fine-tune end to end, and look at what came out.

    ``X`` is (n_samples, n_features); an epoch visits each sample as often as its weight (n_samples,) says, or
    once. What was ``started`` is gone on with in place; ``past`` is its history.

    Raises
    ------
    DivergedError
        The loss left the finite numbers.
    DataError
        Other processes that fit with this one have other rows.
    """
    context.group.refuse_other_rows(X.shape)
    history = History(past)
    context = replace(context, callback=Callbacks([context.callback, history]))
    if started is not None:
        started.requires_grad_(True)
        if started.shortcut is not None:
            started.shortcut.prefixes = None  # they were for other weights
    try:
        context.callback.begin_fit(len(plan.phases), plan.n_weight_bytes, context.generator)
        layers, samples, to_tune = pretrain(plan, X, context, weights=weights, started=started)
        frozen = n_frozen(layer.parts for layer in layers)
        module = DeepAutoencoder(layers[frozen:], shortcut=None if started is None else started.shortcut)
        module.below = tuple(layers[:frozen])
        if plan.finetune is not None:
            module.set_corruptions(plan.finetune.budget.corruptions)
            if plan.shortcut is not None and started is None:
                finetune_beside_pca(module, samples, plan.finetune, context)
            else:
                train_phase(module, to_tune, plan.finetune, context, "finetune")
        module = module.whole()
        n_looked_at = n_samples_looked_at(len(samples), len(history.records) - len(past))
        with computing(samples.device):
            looked_at = samples.hold_out(n_looked_at)[0]
            health = health_of(module, looked_at, together=plan.finetune is not None)
            judges = _judges(plan, module, samples) if is_ordered(module) else None
            module = widened(module)
    finally:
        context.callback.end_fit()
    return FittedStack(module, history.records, health, judges)


def _judges(plan: Plan, module: DeepAutoencoder, samples: Samples) -> npt.NDArray[np.float64]:
    """Held-out rows, in the user's units, by which an ordered stack is judged; without any, training rows."""
    last = plan.finetune or plan.layers[-1].pretrain
    n_held_out = 0 if last is None else last.budget.n_held_out
    most = max(_LEAST_JUDGES, min(_MOST_JUDGES, _MOST_CODES // module.widths[-1]))
    rows = samples.hold_out(n_held_out or min(most, len(samples)))[0][:most]
    judges: npt.NDArray[np.float64] = module[0].scaling.inverse(rows.double()).cpu().numpy()
    return judges
