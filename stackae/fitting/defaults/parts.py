"""What ``"auto"`` means for the parts of a layer, and what a bare width stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt
import torch

from stackae._utils.groups import columns_in, settled_groups
from stackae.corruption.gaussian import GaussianNoise
from stackae.exceptions import ParameterError
from stackae.losses import LOSSES
from stackae.losses.base import Loss
from stackae.modules.layer import Composition
from stackae.networks import ACTIVATIONS
from stackae.networks.dense import Dense

#: Hidden units are four times the columns, within bounds; a code is half as wide as the columns, at most.
_HIDDEN_PER_COLUMN, _LEAST_HIDDEN, _MOST_HIDDEN = 4, 32, 256
_MOST_CODES = 64
#: What ``activation="auto"`` means, but for the linear code on top of a deeper stack and for parts that are
#: defined for some activations only.
DEFAULT_ACTIVATION = "relu"


@dataclass(frozen=True)
class Inputs:
    """What a layer is given: data, or the codes of the layer below.

    Parameters
    ----------
    low, high : float
        Least and greatest value.
    shape : tuple of int
        Of one row: (features,) or, where it is an image, (height, width, channels).
    activation : str or None
        The activation that made them; None for data.
    sparse : bool
        Whether most of them are zero.
    binary : ndarray of bool or None
        Which columns hold nothing but zeros and ones, where loss or scale ask; None for codes.
    is_scaled : bool
        Whether there are such columns, and the others vary about as much.
    """

    low: float
    high: float
    shape: tuple[int, ...]
    activation: str | None = None
    sparse: bool = False
    binary: npt.NDArray[np.bool_] | None = None
    is_scaled: bool = False

    @property
    def in_unit_interval(self) -> bool:
        """Whether every value lies in [0, 1]."""
        return self.low >= 0 and self.high <= 1


def resolve(layer: Composition, inputs: Inputs, *, linear_code: bool) -> Composition:
    """Replace every ``"auto"`` by what it means for these inputs, and refuse parts that cannot combine.

    Parameters
    ----------
    layer : Composition
    inputs : Inputs
    linear_code : bool
        Whether the layer is the last of a deeper stack, whose code is linear by default (Hinton &
        Salakhutdinov 2006).

    Raises
    ------
    ParameterError
        The parts cannot combine; the message names them and what is missing.
    """
    layer = replace(layer, network=layer.network.fitted_to(inputs.shape))
    _refuse_combinations(layer, inputs)
    activation = _resolve_activation(layer, linear_code)
    scale = _resolve_scale(layer, inputs)
    loss = _resolve_loss(layer, inputs, scale)
    # A decoder gives values in the range of what it reconstructs, so that the unrolled stack is nonlinear
    # throughout (Xie et al. 2016).
    output = loss.output or inputs.activation or "identity"
    if layer.network.initialised_from_data and not ACTIVATIONS[output].projects:
        output = "identity"
    groups = settled_groups(loss.groups or layer.groups, prod(inputs.shape))
    if groups and inputs.activation is not None:
        raise ParameterError(
            f"groups are categories of the data, got {groups} for a layer on codes; give them to the first"
            " layer"
        )
    kept = set(columns_in(groups))
    if layer.scale == "auto" and scale == "standard" and inputs.binary is not None:
        kept.update(np.flatnonzero(inputs.binary).tolist())
    return replace(
        layer,
        activation=activation,
        loss=loss,
        scale=scale,
        output=output,
        kept=tuple(sorted(kept)),
        groups=groups,
    )


def _refuse_combinations(layer: Composition, inputs: Inputs) -> None:
    network = layer.network
    if layer.tied_weights and not network.can_tie:
        raise ParameterError(
            f"{type(network).__name__} has a decoder of its own, whose weights cannot be tied; set"
            " tied_weights=False"
        )
    if layer.code is not None:
        layer.code.refuse(layer.n_units)
    if layer.missing and not network.is_trained:
        raise ParameterError(
            f"{type(network).__name__} is solved from complete rows; impute the missing values first"
        )
    if layer.indicator and not network.takes_indicators:
        raise ParameterError(
            f"{type(network).__name__} has no place for an indicator of missing values; set"
            " add_indicator=False"
        )
    network.refuse(layer.corruption, [part for part in (layer.code, *layer.penalties) if part is not None])
    n_units, n_inputs = layer.n_components, prod(inputs.shape)
    with torch.device("meta"):  # what it refuses, it refuses without taking memory
        network.build(n_inputs, n_units, activation="identity", tied_weights=False)


def _resolve_loss(layer: Composition, inputs: Inputs, scale: str | None) -> Loss:
    scaled_to_unit = inputs.in_unit_interval if scale is None else scale == "minmax"
    wanted = layer.network.loss
    if layer.loss is None:
        unit = scaled_to_unit and inputs.activation in (None, "sigmoid")
        return LOSSES[wanted or ("cross_entropy" if unit else "squared_error")]()
    if wanted is not None and type(layer.loss) is not LOSSES[wanted]:
        raise ParameterError(
            f"{type(layer.network).__name__} is fitted by loss={wanted!r}, got {type(layer.loss).__name__};"
            " leave loss='auto', or choose another network"
        )
    if layer.loss.needs_unit_interval and not scaled_to_unit:
        raise ParameterError(
            f"{type(layer.loss).__name__} needs inputs in [0, 1], got values from {inputs.low:g} to"
            f" {inputs.high:g} with scale={scale!r}; set scale='minmax' or loss='squared_error'"
        )
    return layer.loss.fitted_to(prod(inputs.shape), inputs.binary, layer.groups)


def _resolve_activation(layer: Composition, linear_code: bool) -> str:
    parts = (layer.network, layer.code, *layer.penalties)
    choosy = [(type(part).__name__, part.activations) for part in parts if part and part.activations]
    allowed = [name for name in ACTIVATIONS if all(name in names for _, names in choosy)]
    who = " and ".join(name for name, _ in choosy)
    if not allowed:
        needs = ", ".join(f"{name} is defined for {' or '.join(names)}" for name, names in choosy)
        raise ParameterError(f"{who} cannot be combined: {needs}; leave one of them out")
    if layer.activation == "auto":
        if linear_code and "identity" in allowed:
            return "identity"
        return next((name for _, names in choosy for name in names if name in allowed), DEFAULT_ACTIVATION)
    if layer.activation not in allowed:
        raise ParameterError(
            f"{who} is defined for activation={' or '.join(map(repr, allowed))},"
            f" got {layer.activation!r}; choose that, or leave activation='auto'"
        )
    return layer.activation


def _resolve_scale(layer: Composition, inputs: Inputs) -> str | None:
    if layer.scale != "auto":
        return layer.scale
    needs_unit = layer.loss is not None and layer.loss.needs_unit_interval
    if inputs.activation is None:
        keep = inputs.in_unit_interval or (inputs.is_scaled and not needs_unit)
    else:
        keep = ACTIVATIONS[inputs.activation].bounded and (inputs.in_unit_interval or not needs_unit)
    if keep:
        return None
    if needs_unit:
        return "minmax"
    if layer.network.keeps_proportions or inputs.activation not in (None, "identity") or inputs.sparse:
        return "spread"
    return "standard"


def resolve_all(layers: Sequence[Composition], inputs: Inputs) -> list[Composition]:
    """Resolve a whole stack before anything is computed, so that what cannot combine is refused at once."""
    resolved: list[Composition] = []
    for k, layer in enumerate(layers):
        parts = resolve(layer, inputs, linear_code=k > 0 and k == len(layers) - 1)
        resolved.append(parts)
        activation = ACTIVATIONS[parts.activation]
        sparse = parts.code is not None and parts.code.sparse
        inputs = Inputs(activation.low, activation.high, parts.code_shape, parts.activation, sparse)
    return resolved


def default_widths(n_features: int, n_components: int | None = None) -> tuple[int, int]:
    """Widths of a stack of which at most the code's is given: hidden units, and numbers in the code."""
    hidden = min(_MOST_HIDDEN, max(_LEAST_HIDDEN, _HIDDEN_PER_COLUMN * n_features))
    return hidden, n_components or min(_MOST_CODES, -(-n_features // 2))


def default_layer(n_components: int, *, tied_weights: bool) -> Composition:
    """The layer that a bare width stands for.

    Cross-validated on digits, tied weights gave better linear probes than untied ones, and gaussian noise
    gave better probes and reconstructions than masking, whose share of zeros the clean codes of the next
    layer lack. Beside a shortcut encoder and decoder start small on one side only, so they are not tied.
    """
    return Composition(n_components, Dense(), tied_weights=tied_weights, corruption=GaussianNoise())
