"""From parameters and a summary of the data to the plan of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from stackae._utils.memory import machine_memory
from stackae.corruption.masking import Masking
from stackae.exceptions import DataError, ParameterError
from stackae.fitting.analytic import why_autograd, why_autograd_of_head
from stackae.fitting.context import FitContext
from stackae.fitting.defaults.parts import Inputs, default_layer, resolve_all
from stackae.fitting.defaults.trainings import HIDDEN_SHARE, budget, settled
from stackae.fitting.ordering import ordered
from stackae.fitting.parameters import LayerParameters, StackParameters
from stackae.fitting.plan import LayerPlan, PhasePlan, Plan, n_frozen
from stackae.fitting.products import precision_of
from stackae.fitting.refusals import refuse_no_categories, refuse_no_pairs, refuse_outside
from stackae.fitting.spanning import has_span
from stackae.fitting.summary import Summary
from stackae.losses.per_feature import PerFeature
from stackae.losses.squared_error import SquaredError
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.layer import Composition, Layer
from stackae.training.batches import most_held_out
from stackae.training.parameters import PhaseName, Training
from stackae.training.streaming import most_held_out_of_stream

#: Data in [0, 1] are reconstructed by cross-entropy where they are so near to having two values only: see
#: docs/defaults.md.
_TWO_VALUED = 0.6
#: Weights, gradients, two moments, the best weights so far.
_COPIES = 5
#: Why autograd gives a gradient that could be analytic.
A_SWITCH = "a switch"


def make_plan(
    parameters: StackParameters,
    summary: Summary,
    context: FitContext,
    *,
    one_pass: bool = False,
    started: DeepAutoencoder | None = None,
    recipe: str | None = None,
) -> Plan:
    """Settle what a fit will do.

    ``one_pass``: the data are one piece, for one pass at a constant rate; ``started`` is what earlier pieces
    have left, fitted by ``recipe``.

    Raises
    ------
    ParameterError
        Parts that cannot combine, or a layer that memory has no room for; nothing was trained.
    DataError
        A column without any value, or values that a started layer's loss, or a category, cannot take.
    """
    why_no_shortcut = None
    if not one_pass:
        recipe, why_no_shortcut = _recipe(parameters, summary)
    if summary.of_table is not None:  # it has gaps, or a later one may
        parameters = replace(parameters, missing=True)
    given = [_layer(parameters, k, recipe) for k in range(len(parameters.layers))]
    if parameters.ordered:
        given[-1] = replace(given[-1], parts=ordered(given[-1].parts))
    given[0] = replace(given[0], parts=_on_table(given[0].parts, summary, missing=parameters.missing))
    trainings, finetune = settled(
        [layer.training for layer in given],
        parameters.finetune,
        recipe,
        summary.n_visits,
        one_pass=one_pass,
    )
    has_shortcut = recipe == "shortcut"
    if started is None:
        layers = _layers(resolve_all([layer.parts for layer in given], _inputs(summary)), summary, context)
    else:
        layers, has_shortcut = list(started), started.shortcut is not None
        if has_shortcut:  # beside which no layer reconstructs what it is given by itself
            trainings = [None] * len(trainings)
    refuse_no_categories(layers[0].parts, summary)
    if started is not None:
        refuse_outside(started[0], summary)
    is_new = started is None and not one_pass
    planner = _Planner(summary, context, layers, parameters.analytic, may_have_span=is_new)
    plan = planner.plan(trainings, finetune, "pca" if has_shortcut else None, recipe)
    return replace(plan, why_no_shortcut=why_no_shortcut if parameters.shortcut == "auto" else None)


def frozen_plan(module: DeepAutoencoder, summary: Summary, context: FitContext) -> Plan:
    """The plan of an autoencoder that is used as it is."""
    planner = _Planner(summary, context, list(module))
    return planner.plan([None] * len(module), None, None if module.shortcut is None else "pca", None)


def supervised_plan(
    training: Training,
    summary: Summary,
    n_targets: int,
    context: FitContext,
    layers: Sequence[Layer],
    why: str | None,
) -> PhasePlan:
    """How layers with a head are trained on labelled samples, which have so many targets behind.

    ``why``: what needs autograd whatever the layers are.
    """
    if all(layer.parts.frozen for layer in layers):
        raise ParameterError(
            "the last layer of the encoder is frozen, and nothing is left to fine-tune; fit it without frozen"
        )
    if frozen := n_frozen(layer.parts for layer in layers):
        layers = layers[frozen:]
        summary = replace(summary, n_features=layers[0].n_inputs, is_sparse=False)
    planner = _Planner(summary, context, [], n_more=n_targets)
    plan = planner.phase(training, "supervised", [], summary.n_features + n_targets)
    return replace(
        plan,
        autograd=why or why_autograd_of_head(layers, plan.budget.corruptions),
        precision=precision_of(plan.budget, layers, summary, context),
    )


class _Planner:
    """Plans the phases of one fit of layers; ``n_more`` columns are targets.

    ``may_have_span``: they start with this fit, and may be trained in the span of the samples.
    """

    def __init__(
        self,
        summary: Summary,
        context: FitContext,
        layers: Sequence[Layer],
        analytic: bool = True,
        n_more: int = 0,
        may_have_span: bool = False,
    ) -> None:
        self.may_have_span, self.in_span = may_have_span, False
        self.summary, self.context, self.layers, self.analytic = summary, context, layers, analytic
        self.n_frozen = n_frozen(layer.parts for layer in layers)
        widths = [layer.n_units for layer in layers]
        # The samples, and the codes on which fine-tuning is; with those on which a layer trains, its codes
        # and the same codes scaled, if another layer follows; and an order.
        codes = [below + 2 * width for below, width in pairwise([0, *widths[:-1]])]
        values = max(codes, default=0) + (0 if summary.is_sparse else summary.n_features + n_more)
        values += layers[self.n_frozen].n_inputs if self.n_frozen else 0
        self.n_bytes, self.memory = summary.n_samples * (4 * values + 8), context.memory.n_bytes
        if context.device.type == "cuda":  # whose memory they would take: half of what is free there
            self.memory = min(self.memory, torch.cuda.mem_get_info(context.device)[0] // 2)
        self.is_streamed = self.n_bytes > self.memory
        if self.is_streamed and summary.is_weighted:
            raise ParameterError(
                "sample_weight, class_weight and semi= need the rows and their codes in memory,"
                f" {summary.n_samples * 4 * values:,} bytes, got max_memory={self.memory:,}; raise it, or"
                " leave them out"
            )

    def plan(
        self,
        trainings: Sequence[Training | None],
        finetune: Training | None,
        shortcut: str | None,
        recipe: str | None,
    ) -> Plan:
        """The plan of layers that are trained so."""
        if self.may_have_span and not self.is_streamed:
            tuning = self._tuned(finetune)
            damage = () if tuning is None or self.n_frozen else tuning.budget.corruptions
            self.in_span = has_span(self.layers[0].parts, damage, self.summary)
        layers = []
        for k, (layer, training) in enumerate(zip(self.layers, trainings, strict=True)):
            n, own = layer.n_inputs, None
            if training is not None and layer.parts.network.is_trained:
                own = self.phase(training, "pretrain", [layer], n, on_codes=k > 0)
            layers.append(LayerPlan(layer.parts, n, own, in_span=self.in_span and k == 0))
        tuning = self._tuned(finetune)
        return Plan(
            self.summary,
            tuple(layers),
            tuning,
            shortcut,
            recipe,
            self.context.device,
            self.n_bytes,
            self.memory,
            sum(_weight_bytes(layer) for layer in self.layers) + (0 if shortcut is None else self._beside()),
        )

    def _tuned(self, finetune: Training | None) -> PhasePlan | None:
        """How all layers are trained together."""
        if finetune is None:
            return None
        layers = self.layers[self.n_frozen :]
        n = layers[0].n_inputs if self.n_frozen else self.summary.n_features
        return self.phase(finetune, "finetune", layers, n, on_codes=self.n_frozen > 0)

    def _beside(self) -> int:
        """Bytes of the shortcut's weights: a linear map of the features each way, with its constants."""
        return 8 * self.summary.n_features * (self.layers[-1].n_units + 1)

    def phase(
        self,
        training: Training,
        name: PhaseName,
        layers: Sequence[Layer],
        n_features: int,
        *,
        on_codes: bool = False,
    ) -> PhasePlan:
        """How a phase is trained, on the samples or on codes, of so many columns."""
        n_visits = self.summary.n_visits
        most = n_visits
        if self.is_streamed:
            most = most_held_out_of_stream(self.context.memory, self.summary.n_features)
        elif self.summary.is_sparse and not on_codes:
            most = most_held_out(n_features)
        n_held_out = min(training.n_held_out(n_visits), most)
        missing = bool(layers) and layers[0].parts.missing
        own = budget(
            training, name, n_visits - n_held_out, n_features, n_held_out=n_held_out, missing=missing
        )
        why: str | None = None
        if not self.analytic:
            why = A_SWITCH
        elif layers:
            of_layer = [layers[0].parts.corruption] if layers[0].parts.corruption is not None else []
            why = why_autograd(layers, of_layer if name == "pretrain" else own.corruptions)
        n_neighbors = max((k for layer in layers if (k := layer.parts.n_neighbors) is not None), default=None)
        if n_neighbors is not None:
            n_neighbors = min(n_neighbors, max(1, own.n_samples - 1))
            refuse_no_pairs(layers, own.batch_size, self.context, self.n_bytes, self.memory)
        precision = precision_of(
            own,
            layers,
            self.summary,
            self.context,
            in_span=self.in_span and not on_codes,
            in_pairs=n_neighbors is not None,
        )
        return PhasePlan(own, why, precision, self.is_streamed, n_neighbors)


def _recipe(parameters: StackParameters, summary: Summary) -> tuple[str | None, str | None]:
    """How a stack of bare widths is trained on such data (None: as any other), and why it has no shortcut."""
    why_not = _why_no_shortcut(parameters, summary)
    if parameters.shortcut == "pca":
        if why_not is not None:
            raise ParameterError(f"shortcut='pca' cannot be: {why_not}; set shortcut='auto', or None")
        return "shortcut", None
    if why_not is not None:
        of_table = summary.of_table is not None and parameters.of_widths
        return "table" if of_table else None, why_not
    asked = parameters.shortcut is not None
    tuning = Training() if isinstance(parameters.finetune, str) else parameters.finetune
    assert tuning is not None
    if asked and tuning.validation_fraction > 0 and not tuning.n_held_out(summary.n_samples):
        return "shortcut", None
    if summary.two_valuedness is not None and summary.two_valuedness >= _TWO_VALUED:
        return "two-valued", "the data are nearly two-valued, which cross-entropy reconstructs"
    return ("shortcut", None) if asked else (None, None)


def _why_no_shortcut(parameters: StackParameters, summary: Summary) -> str | None:
    """What keeps a stack from having one; None: nothing."""
    last = parameters.layers[-1]
    if len(parameters.layers) < 2:
        return "there is one layer"
    if not all(isinstance(layer, int) for layer in parameters.layers):
        return "not all layers are given by their widths"
    if parameters.finetune is None:
        return "there is no fine-tuning"
    if parameters.missing:
        return "values may be missing"
    if summary.of_table is not None:
        return "the columns are of several kinds"
    if isinstance(last, int) and last >= summary.n_features:
        return f"a code of {last} is not narrower than the {summary.n_features} columns"
    if isinstance(last, int) and last >= summary.n_samples:
        return f"a code of {last} is not narrower than there are rows, {summary.n_samples}"
    return None


def _layer(parameters: StackParameters, k: int, recipe: str | None) -> LayerParameters:
    """A layer as it was given, or the default one of its width."""
    layer, shortcut = parameters.layers[k], recipe == "shortcut"
    if not isinstance(layer, int):
        return layer
    parts = default_layer(layer, tied_weights=not shortcut)
    if k == 0:
        hides = parameters.missing or recipe == "table"
        parts = replace(
            parts,
            corruption=Masking(HIDDEN_SHARE) if hides else parts.corruption,
            loss=SquaredError() if shortcut else None,
            scale=parameters.scale,
            missing=parameters.missing,
            indicator=parameters.indicator,
        )
    return LayerParameters(parts, parameters.pretrain)


def _on_table(parts: Composition, summary: Summary, *, missing: bool) -> Composition:
    """The first layer where it is given a table: each column is judged by what it is, and damaged as one."""
    if summary.of_table is None:
        return parts
    loss = PerFeature(binary=summary.of_table) if parts.loss is None else parts.loss
    groups = () if loss.groups else summary.groups
    return replace(parts, loss=loss, groups=groups, missing=parts.missing or missing)


def _inputs(summary: Summary) -> Inputs:
    """What the first layer is given."""
    if empty := np.flatnonzero(summary.low > summary.high).tolist():
        raise DataError(f"column {empty[0]} has no value, all are missing; drop it")
    low, high = float(summary.low.min()), float(summary.high.max())
    return Inputs(low, high, (summary.n_features,), binary=summary.binary, is_scaled=summary.is_scaled)


def _layers(resolved: Sequence[Composition], summary: Summary, context: FitContext) -> list[Layer]:
    """The layers without memory behind them; those that memory has no room for are refused."""
    needed, memory, n = 0, machine_memory(), summary.n_features
    layers: list[Layer] = []
    for number, parts in enumerate(resolved, 1):
        try:
            layers.append(Layer.without_memory(parts, n))
        except (RuntimeError, TypeError, OverflowError):  # more numbers than can be counted
            needed = 2**63
        else:
            needed += _COPIES * _weight_bytes(layers[-1])
            needed += sum(b.numel() * b.element_size() for b in layers[-1].buffers())
        if parts.network.initialised_from_data:
            needed += 8 * n**2  # how columns vary together
        if needed > memory and context.device.type == "cpu":
            raise ParameterError(
                f"the layers up to the {number}. take {needed / 1e9:,.0f} GB in training, of the machine's"
                f" {memory / 1e9:,.0f}; make them narrower, or leave columns out"
            )
        n = parts.n_units
    return layers


def _weight_bytes(layer: Layer) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in layer.parameters())
