"""Fine-tuning on labels: encoders with a head, trained end to end on the samples that have a target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from stackae.data.matrix import DenseMatrix, Matrix
from stackae.fitting.context import FitContext
from stackae.fitting.head import Linear, best_start, fit_logistic, fit_ridge, scalings
from stackae.fitting.phases import samples_of, train_phase
from stackae.fitting.plan import n_frozen
from stackae.fitting.planner import frozen_plan, supervised_plan
from stackae.fitting.summary import counted
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.heads import ClassPredictor, Predictor, ValuePredictor
from stackae.modules.layer import Layer
from stackae.modules.scaling import Scaling, fit_scaling
from stackae.modules.shortcut import Shortcut
from stackae.semi.base import UnlabelledCost
from stackae.training.batches import Samples
from stackae.training.callbacks import Callbacks, History
from stackae.training.parameters import Training
from stackae.training.phase import EpochRecord
from stackae.training.precision import computing

Floats = npt.NDArray[np.float64]

#: The head is initialised on so many labelled samples at most.
_MOST_SAMPLES_OF_HEAD = 10_000
#: Samples on which it is looked up which weights take part in an output.
_FEW_SAMPLES = 2


class Task(ABC):
    """What is to be predicted, and how a head is made for it."""

    @property
    def n_labels(self) -> int | None:
        """How many classes there are; None: numbers are to be predicted."""
        return None

    @abstractmethod
    def predictor(
        self, layers: Sequence[Layer], adversarial: float, shortcut: Shortcut | None = None
    ) -> Predictor:
        """Encoders with a head that knows nothing yet."""

    def scaling(self, targets: Floats, weights: Floats | None) -> Scaling:
        """The map between the targets' units and the head's."""
        return Scaling.identity(targets.shape[1])

    def weights(self, targets: Floats, weights: Floats | None) -> Floats | None:
        """How often fine-tuning visits each labelled sample, where that differs from pretraining."""
        return weights

    def stratify(self, samples: Samples, targets: Floats) -> None:  # noqa: B027
        """Change which samples are held out, where chance alone would do harm."""

    @abstractmethod
    def fit_linear(self, codes: Floats, targets: Floats, weights: Floats | None) -> Linear | None:
        """The linear model of the codes that the head begins as, fitted; None: there can be none."""

    def initialise_head(self, module: Predictor, model: Linear) -> None:
        """Give the head a linear model's coefficients."""
        module.head.weight.copy_(torch.from_numpy(model.coef))
        module.head.bias.copy_(torch.from_numpy(model.intercept))


class Classification(Task):
    """Classes, each target the number of one; weights (n_classes,) say how often each is visited."""

    def __init__(self, n_classes: int, label_smoothing: float, class_weights: Floats | str | None) -> None:
        self.n_classes = n_classes
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights

    @property
    def n_labels(self) -> int:
        return self.n_classes

    def predictor(
        self, layers: Sequence[Layer], adversarial: float, shortcut: Shortcut | None = None
    ) -> ClassPredictor:
        return ClassPredictor(layers, self.n_classes, adversarial, self.label_smoothing, shortcut=shortcut)

    def weights(self, targets: Floats, weights: Floats | None) -> Floats | None:
        if self.class_weights is None:
            return weights
        own = np.ones(len(targets)) if weights is None else weights.copy()
        known = ~np.isnan(targets[:, 0])
        places = targets[known, 0].astype(np.intp)
        of_class = self.class_weights
        if isinstance(of_class, str):
            of_class = 1 / np.maximum(np.bincount(places, own[known], self.n_classes), np.finfo(float).tiny)
            if not known.all():  # of which there are as many visits as before
                of_class = of_class * own[known].sum() / self.n_classes
        own[known] *= of_class[places]
        relative: Floats = own / own.mean()
        return relative

    def stratify(self, samples: Samples, targets: Floats) -> None:
        if not np.isnan(targets).any():  # else none are held out
            samples.stratify(torch.from_numpy(targets[:, 0]))

    def fit_linear(self, codes: Floats, targets: Floats, weights: Floats | None) -> Linear | None:
        return fit_logistic(codes, targets[:, 0], weights)

    def initialise_head(self, module: Predictor, model: Linear) -> None:
        coef, intercept = model.coef, model.intercept
        if len(coef) == 1:  # of two classes: the second's logit less the first's
            coef, intercept = np.vstack([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
        # A class may have no sample among those that the model was fitted to.
        assert model.classes is not None
        known = torch.from_numpy(model.classes.astype(np.int64))
        module.head.weight[known] = torch.from_numpy(coef).to(module.head.weight)
        module.head.bias[known] = torch.from_numpy(intercept).to(module.head.bias)


class Regression(Task):
    """Numbers, standardised."""

    def __init__(self, n_outputs: int) -> None:
        self.n_outputs = n_outputs

    def predictor(
        self, layers: Sequence[Layer], adversarial: float, shortcut: Shortcut | None = None
    ) -> ValuePredictor:
        return ValuePredictor(layers, self.n_outputs, adversarial, shortcut=shortcut)

    def scaling(self, targets: Floats, weights: Floats | None) -> Scaling:
        return fit_scaling("standard", DenseMatrix(targets), weights=weights)

    def fit_linear(self, codes: Floats, targets: Floats, weights: Floats | None) -> Linear:
        return fit_ridge(codes, targets, weights)


@torch.inference_mode(False)  # whatever the caller is in
def fit_predictor(
    task: Task,
    encoder: DeepAutoencoder,
    X: Matrix,
    weights: Floats | None,
    targets: Floats,
    training: Training,
    context: FitContext,
    *,
    adversarial: float = 0.0,
    costs: Sequence[UnlabelledCost] = (),
    past: Sequence[EpochRecord] = (),
    why_autograd: str | None = None,
) -> tuple[Predictor, list[EpochRecord]]:
    """Put a head on an encoder, which is copied, and train all of it; ``past`` is the encoder's history.

    Targets are (n_samples, n_targets), NaN where one is missing; ``costs`` are for samples without any, too.
    Where there are such samples, or labels that were spread, none are held out. ``why_autograd``: what needs
    it, beside what a layer lacks.
    """
    context.group.refuse_other_rows(X.shape)
    history = History(past)
    context = replace(context, callback=Callbacks([context.callback, history]))
    layers = [deepcopy(layer).to(context.device) for layer in encoder]
    frozen = n_frozen(layer.parts for layer in layers)
    below, layers = layers[:frozen], layers[frozen:]
    module = task.predictor(layers, adversarial, deepcopy(encoder.shortcut)).to(context.device)
    if below:
        X, module.below = _codes(below, X, context), tuple(below)
    target_scaling = task.scaling(targets, weights)
    scaled = target_scaling(torch.tensor(targets)).numpy()  # a copy: targets are the user's own memory
    weights = task.weights(targets, weights)
    plan = supervised_plan(training, counted(X, weights), targets.shape[1], context, layers, why_autograd)
    n_bytes = sum(p.numel() * p.element_size() for p in module.parameters())
    try:
        context.callback.begin_fit(1, n_bytes, context.generator)
        samples = samples_of(
            X.beside(scaled),
            _beside(layers[0].scaling, targets.shape[1]),
            context,
            streamed=plan.is_streamed,
            weights=weights,
        )
        task.stratify(samples, targets)
        _initialise_head(task, module, samples, scaled, weights)
        if isinstance(module, ValuePredictor):
            module.target_scaling = target_scaling.to(context.device)
        with computing(context.device):
            rows = next(iter(samples.blocks()))
            module.add_costs([cost.build(module, rows[:, : module.n_inputs]) for cost in costs])
            module.freeze_unused(rows[:_FEW_SAMPLES])
        module.corruptions = plan.budget.corruptions
        train_phase(module, samples, plan, context, "supervised")
    finally:
        context.callback.end_fit()
    module.corruptions = ()
    module.add_costs([])
    return module.whole(), history.records


@torch.no_grad()
def _codes(layers: Sequence[Layer], X: Matrix, context: FitContext) -> Matrix:
    """What fitted layers make of all samples, computed once."""
    module = DeepAutoencoder(layers)
    plan = frozen_plan(module, counted(X), context)
    samples = samples_of(X, layers[0].scaling, context, streamed=plan.is_streamed)
    with computing(context.device):
        return samples.map(module.encode_scaled, module.widths[-1])


@torch.no_grad()
def _initialise_head(
    task: Task, module: Predictor, samples: Samples, targets: Floats, weights: Floats | None
) -> None:
    """Begin with the best linear outputs from the codes as they are (Kumar et al. 2022).

    From a head that knows nothing, fine-tuning would first spoil the codes.
    """
    device = samples.device
    with computing(device):
        codes = samples.map(lambda z: module.encode_scaled(z[:, : module.n_inputs]), module.widths[-1])
    chosen = np.flatnonzero(~np.isnan(targets).any(1))
    if len(chosen) > _MOST_SAMPLES_OF_HEAD:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST_SAMPLES_OF_HEAD).astype(np.intp)]
    own = None if weights is None else weights[chosen]
    few, wanted = torch.from_numpy(codes.gather(chosen)), targets[chosen]
    choices = scalings(fit_scaling("standard", codes, weights=weights), len(chosen))
    module.code_scaling, model = best_start(
        partial(task.fit_linear, targets=wanted, weights=own), few, choices
    )
    if model is not None:
        task.initialise_head(module, model)
    module.code_scaling.to(device)


def _beside(scaling: Scaling, n_targets: int) -> Scaling:
    """The scaling with so many columns behind that stay as they are."""
    shift, factor = scaling.shift.cpu(), scaling.factor.cpu()
    return Scaling(
        torch.cat([shift, torch.zeros(n_targets, dtype=torch.float64)]),
        torch.cat([factor, torch.ones(n_targets, dtype=torch.float64)]),
    )
