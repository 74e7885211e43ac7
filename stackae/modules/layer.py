"""One shallow autoencoder: the five parts joined.

Network, corruption, code, penalty and loss are independent of each other; this module is the only place
that knows how they fit together, and :func:`resolve` the only one that says what ``"auto"`` means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor, nn

from stackae.codes.base import Code
from stackae.corruption.base import Corruption
from stackae.exceptions import ParameterError
from stackae.losses import LOSSES
from stackae.losses.base import Loss
from stackae.modules.scaling import Scaling
from stackae.networks import ACTIVATIONS
from stackae.networks.base import Network
from stackae.penalties.base import Penalty

#: What ``activation="auto"`` means, but for the linear code on top of a deeper stack and for parts that are
#: defined for some activations only.
DEFAULT_ACTIVATION = "relu"
#: Activations that a decoder which was linear may be given: they bring no reconstruction further from codes
#: that they made.
_PROJECTIONS = ("identity", "relu")


@dataclass(frozen=True)
class Composition:
    """The five parts of a shallow autoencoder and how they are joined.

    ``activation``, ``loss``, ``scale`` and ``output`` may be ``"auto"`` until :func:`resolve` has seen what
    the layer's inputs are. ``missing``: cells may be NaN; they are filled for the encoder and left out of the
    loss. ``indicator``: the encoder is told which they are.
    """

    n_components: int
    network: Network
    activation: str = "auto"
    tied_weights: bool = False
    corruption: Corruption | None = None
    code: Code | None = None
    penalties: tuple[Penalty, ...] = ()
    loss: Loss | None = None
    scale: str | None = "auto"
    output: str = "auto"
    missing: bool = False
    indicator: bool = False

    @property
    def code_shape(self) -> tuple[int, ...]:
        """The shape of one row's code, before it is flattened; the network must be resolved."""
        return self.network.code_shape(self.n_components)

    @property
    def n_units(self) -> int:
        """The width of the code."""
        return prod(self.code_shape)


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
        Which columns hold nothing but zeros and ones, where the loss asks; None for codes.
    """

    low: float
    high: float
    shape: tuple[int, ...]
    activation: str | None = None
    sparse: bool = False
    binary: npt.NDArray[np.bool_] | None = None

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
    # A decoder answers in the range of what it reconstructs, so that the unrolled stack is nonlinear
    # throughout (Xie et al. 2016).
    output = loss.output or inputs.activation or "identity"
    if layer.network.starts_from_rows and output not in _PROJECTIONS:
        output = "identity"
    return replace(layer, activation=activation, loss=loss, scale=scale, output=output)


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
    return layer.loss.fitted_to(prod(inputs.shape), inputs.binary)


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
        keep = inputs.in_unit_interval
    else:
        keep = ACTIVATIONS[inputs.activation].bounded and (inputs.in_unit_interval or not needs_unit)
    if keep:
        return None
    if needs_unit:
        return "minmax"
    return "standard" if inputs.activation in (None, "identity") and not inputs.sparse else "spread"


class ShallowAutoencoder(nn.Module):
    """A shallow autoencoder as a module, its parameters allocated but not initialised.

    ``encode``, ``decode`` and ``forward`` take and give the outer units (the user's, or the codes of the
    layer below); ``objective`` takes rows that ``scaling`` has already mapped, since those are computed
    once and not once a batch.

    Parameters
    ----------
    parts : Composition
        Resolved: nothing in it is ``"auto"``.
    n_inputs : int
    scaling : Scaling

    Attributes
    ----------
    fill : Tensor of shape (n_inputs,), float64, or None
        What the encoder sees, in the layer's own units, where a cell is missing; None where none may be.
    low, high : Tensor of shape (n_inputs,), float64, or None
        Least and greatest value of each column of the data, in the user's units; None likewise.
    """

    def __init__(self, parts: Composition, n_inputs: int, scaling: Scaling) -> None:
        super().__init__()
        if parts.loss is None:
            raise ParameterError("a layer needs a loss; resolve() chooses one")
        self.parts = parts
        self.loss = parts.loss
        self.scaling = scaling
        self.n_inputs = n_inputs
        self.n_units = parts.n_units
        self.fill: Tensor | None
        self.low: Tensor | None
        self.high: Tensor | None
        for name in ("fill", "low", "high"):
            values = torch.zeros(n_inputs, dtype=torch.float64) if parts.missing else None
            self.register_buffer(name, values)
        self.network = parts.network.build(
            n_inputs * (2 if parts.indicator else 1),
            parts.n_components,
            activation=parts.activation,
            tied_weights=parts.tied_weights,
            heads=1 if parts.code is None else parts.code.heads,
        )
        self.network.scaled_by(scaling)
        self.output = ACTIVATIONS[parts.output]
        self.corruptions = () if parts.corruption is None else (parts.corruption,)
        self.code = None if parts.code is None else parts.code.build(self.n_units)
        self.penalties = [penalty.build(self.n_units) for penalty in parts.penalties]
        #: Those of the penalties that own parameters.
        self.penalty_modules = nn.ModuleList(p for p in self.penalties if isinstance(p, nn.Module))
        #: The share of the phase that has been trained.
        self.progress = 1.0

    def initialise(self, generator: Generator) -> ShallowAutoencoder:
        """Draw the starting weights; return self."""
        self.network.initialise(generator)
        for module in self.penalty_modules:
            module.initialise(generator)  # type: ignore[operator]
        return self

    def advance(self, progress: float, z: Tensor | None) -> None:
        """Take note that a share of the phase has been trained, and of the scaled rows that come next."""
        self.progress = progress
        if self.code is not None:
            self.code.advance(progress, self.network, None if z is None else self.presented(z))

    # In the layer's own units ------------------------------------------------------------------------

    def presented(self, z: Tensor) -> Tensor:
        """Scaled rows as the network is given them: gaps filled and, with the indicator, marked behind."""
        if self.fill is None:
            return z
        gaps = z.isnan()
        filled = torch.where(gaps, self.fill.to(z.dtype), z)
        return torch.cat([filled, gaps.to(z.dtype)], 1) if self.parts.indicator else filled

    def observed(self, z: Tensor) -> Tensor | None:
        """Which cells of clean scaled rows are data, neither gaps nor filling; None: all of them."""
        observed = self.network.observed(z)
        if self.fill is None:
            return observed
        present = ~z.isnan()
        return present if observed is None else present & observed

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """What the encoder sees of scaled rows in training."""
        return self.corrupt_by(self.corruptions, z, generator, self.progress)

    def corrupt_by(
        self, corruptions: Sequence[Corruption], z: Tensor, generator: Generator, progress: float
    ) -> Tensor:
        """What the encoder sees of scaled rows under other corruptions than the layer's own."""
        seen = z
        for corruption in corruptions:
            if self.fill is not None and corruption.hides and corruption.damages("input"):
                # What is hidden is shown as what is missing.
                kept = corruption(torch.ones_like(z), generator, progress)
                seen = torch.where(kept != 0, seen, torch.nan)
            else:
                seen = corrupted([corruption], "input", seen, generator, progress)
        observed = None if seen is z else self.observed(z)
        return seen if observed is None else torch.where(observed, seen, z)

    def corrupt_code(self, code: Tensor, generator: Generator | None) -> Tensor:
        """What the decoder sees of the code in training."""
        return corrupted(self.corruptions, "hidden", code, generator, self.progress)

    def activate(self, z: Tensor) -> Tensor:
        """The encoder's output for scaled rows, before it is the code."""
        return self.network.encode(self.presented(z))

    def code_of(self, activations: Tensor, generator: Generator | None = None) -> Tensor:
        """The code that the encoder's output becomes."""
        return activations if self.code is None else self.code(activations, generator)

    def judged_code_of(self, activations: Tensor, generator: Generator | None) -> Tensor:
        """The code by which the objective judges: drawn, where codes are, outside of training too.

        There (no generator) the same rows have one answer.
        """
        if generator is None and self.code is not None and self.code.draws:
            generator = torch.Generator(activations.device).manual_seed(0)
        return self.code_of(activations, generator)

    def encode_scaled(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """The code of scaled rows."""
        return self.code_of(self.activate(z), generator)

    def decode_scaled(self, code: Tensor, beside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The scaled reconstruction before and after its activation, with what is added before it."""
        preactivation = self.network.decode(code)
        if beside is not None:
            preactivation = preactivation + beside
        return preactivation, self.loss.answer(preactivation, self.output)

    def squared_jacobian(self, code: Tensor) -> Tensor | None:
        """Each row's squared norm of the encoder's Jacobian, where its code gives it in closed form."""
        return self.network.squared_jacobian(code) if self.code is None else None

    def penalise(
        self,
        z: Tensor,
        seen: Tensor,
        activations: Tensor,
        code: Tensor,
        reconstruction: Tensor,
        generator: Generator | None,
    ) -> list[Tensor]:
        """What one batch costs beside the loss: the penalties, and the code's own cost."""
        costs = [
            penalty(z, code, reconstruction, self, seen=seen, generator=generator)
            for penalty in self.penalties
        ]
        cost = None if self.code is None else self.code.cost(activations)
        return costs if cost is None else [*costs, cost]

    def weights(self, z: Tensor, seen: Tensor) -> Tensor | None:
        """How much each cell counts in the loss; None: each once."""
        emphasis = None if seen is z else self.loss.emphasis(z, seen)
        observed = self.observed(z)
        if observed is None:
            return emphasis
        weights = observed.to(z.dtype) if emphasis is None else observed * emphasis
        # What marks the gaps is no data to reconstruct.
        return torch.cat([weights, torch.zeros_like(weights)], 1) if self.parts.indicator else weights

    def objective(self, z: Tensor, seen: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Loss plus penalties of one batch of scaled rows.

        Parameters
        ----------
        z : Tensor of shape (rows, features)
            What is to be reconstructed.
        seen : Tensor of shape (rows, features) or None
            What the encoder sees: what :meth:`corrupt` made of ``z``. None: ``z`` itself or, where cells may
            be missing, what one fixed draw of the corruption leaves, since gaps are what it will meet.
        generator : Generator or None
            Given in training, for what draws or is damaged inside.
        """
        seen = shown(self, z) if seen is None else seen
        activations = self.activate(seen)
        code = self.judged_code_of(activations, generator)
        preactivation, reconstruction = self.decode_scaled(self.corrupt_code(code, generator))
        target = self.presented(z)
        total = self.loss(preactivation, reconstruction, target, self.weights(z, seen))
        for cost in self.penalise(target, seen, activations, code, reconstruction, generator):
            total = total + cost
        return total

    def sample_codes(self, n_rows: int, generator: Generator) -> Tensor:
        """Codes drawn from the prior of the code or of a penalty.

        Raises
        ------
        ParameterError
            None of them has a prior.
        """
        for part in (self.code, *self.parts.penalties):
            codes = None if part is None else part.sample(n_rows, self.n_units, generator)
            if codes is not None:
                return codes
        raise ParameterError(
            "only a layer with a prior on its code can be sampled from; give it code='variational' or"
            " penalty='adversarial'"
        )

    # In the outer units ------------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        """(rows × features) to (rows × units), without corruption."""
        return self.encode_scaled(self.scaling(x))

    def decode(self, code: Tensor, beside: Tensor | None = None) -> Tensor:
        """(rows × units) to (rows × features); see :meth:`decode_scaled`."""
        return self.scaling.inverse(self.decode_scaled(code, beside)[1][:, : self.n_inputs])

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``."""
        return self.decode(self.encode(x))


def corrupted(
    corruptions: Sequence[Corruption],
    place: str,
    values: Tensor,
    generator: Generator | None,
    progress: float,
) -> Tensor:
    """Values of a place, ``"input"`` or ``"hidden"``, as the corruptions of it leave them, one after another.

    Outside of training (no generator) they stay as they are.
    """
    if generator is None:
        return values
    for corruption in corruptions:
        if corruption.damages(place):
            values = corruption(values, generator, progress)
    return values


def shown(module: nn.Module, z: Tensor) -> Tensor:
    """What the encoder of a layer or a stack is shown of rows on which it is judged."""
    first: Any = module if isinstance(module, ShallowAutoencoder) else module.shallow[0]  # type: ignore[index]
    if first.fill is None:
        return z
    seen: Tensor = module.corrupt(z, torch.Generator(z.device).manual_seed(0))  # type: ignore[operator]
    return seen


def build(parts: Composition, n_inputs: int) -> ShallowAutoencoder:
    """A module of resolved parts without memory behind it, to receive a state that was saved."""
    with torch.device("meta"):
        return ShallowAutoencoder(parts, n_inputs, Scaling.identity(n_inputs))
