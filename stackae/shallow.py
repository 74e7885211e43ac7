"""One shallow autoencoder: the five parts joined.

Network, corruption, code, penalty and loss are independent of each other; this module is the only place
that knows how they fit together, and :func:`resolve` the only one that says what ``"auto"`` means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from stackae.codes.base import Code
from stackae.corruption.base import Corruption
from stackae.exceptions import ParameterError
from stackae.losses import LOSSES
from stackae.losses.base import Loss
from stackae.networks import ACTIVATIONS
from stackae.networks.base import Network
from stackae.penalties.base import Penalty
from stackae.scaling import Scaling

#: What ``activation="auto"`` means, but for the linear code on top of a deeper stack and for penalties
#: that are defined for one activation only.
DEFAULT_ACTIVATION = "relu"


@dataclass(frozen=True)
class Composition:
    """The five parts of a shallow autoencoder and how they are joined.

    ``activation``, ``loss``, ``scale`` and ``output`` may be ``"auto"`` until :func:`resolve` has seen what
    the layer's inputs are.
    """

    n_components: int
    network: Network
    activation: str = "auto"
    tied_weights: bool = False
    corruption: Corruption | None = None
    code: Code | None = None
    penalty: Penalty | None = None
    loss: Loss | None = None
    scale: str | None = "auto"
    output: str = "auto"


@dataclass(frozen=True)
class Inputs:
    """What a layer is given: data, or the codes of the layer below.

    Parameters
    ----------
    low, high : float
        Least and greatest value.
    activation : str or None
        The activation that made them; None for data.
    """

    low: float
    high: float
    activation: str | None = None

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
    activation = _resolve_activation(layer, linear_code)
    scale = _resolve_scale(layer, inputs)
    scaled_to_unit = inputs.in_unit_interval if scale is None else scale == "minmax"
    loss = layer.loss
    if loss is None:
        loss = (
            LOSSES["cross_entropy"]() if scaled_to_unit and inputs.activation in (None, "sigmoid") else None
        )
        loss = loss or LOSSES["squared_error"]()
    elif loss.needs_unit_interval and not scaled_to_unit:
        raise ParameterError(
            f"{type(loss).__name__} needs inputs in [0, 1], got values from {inputs.low:g} to {inputs.high:g}"
            f" with scale={scale!r}; set scale='minmax' or loss='squared_error'"
        )
    # A decoder answers in the range of what it reconstructs, so that the unrolled stack is nonlinear
    # throughout (Xie et al. 2016).
    output = loss.output or inputs.activation or "identity"
    return replace(layer, activation=activation, loss=loss, scale=scale, output=output)


def _resolve_activation(layer: Composition, linear_code: bool) -> str:
    allowed = layer.penalty.activations if layer.penalty is not None else None
    if layer.activation == "auto":
        if allowed is not None:
            return allowed[0]
        return "identity" if linear_code else DEFAULT_ACTIVATION
    if allowed is not None and layer.activation not in allowed:
        raise ParameterError(
            f"{type(layer.penalty).__name__} is defined for activation={' or '.join(map(repr, allowed))},"
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
    return "standard" if inputs.activation in (None, "identity") else "spread"


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
    """

    def __init__(self, parts: Composition, n_inputs: int, scaling: Scaling) -> None:
        super().__init__()
        if parts.loss is None:
            raise ParameterError("a layer needs a loss; resolve() chooses one")
        self.parts = parts
        self.loss = parts.loss
        self.scaling = scaling
        self.network = parts.network.build(
            n_inputs, parts.n_components, activation=parts.activation, tied_weights=parts.tied_weights
        )
        self.output = ACTIVATIONS[parts.output]

    def initialise(self, generator: Generator) -> ShallowAutoencoder:
        """Draw the starting weights; return self."""
        self.network.initialise(generator)
        return self

    # In the layer's own units ------------------------------------------------------------------------

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """What the encoder sees of scaled rows in training."""
        return z if self.parts.corruption is None else self.parts.corruption(z, generator)

    def encode_scaled(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """The code of scaled rows."""
        activations = self.network.encode(z)
        return activations if self.parts.code is None else self.parts.code(activations, generator)

    def decode_scaled(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled reconstruction before and after its activation."""
        preactivation = self.network.decode(code)
        return preactivation, self.output(preactivation)

    def penalise(self, z: Tensor, code: Tensor, reconstruction: Tensor) -> Tensor | None:
        """The penalty of one batch, or None where the layer has none."""
        if self.parts.penalty is None:
            return None
        return self.parts.penalty(z, code, reconstruction, self)

    def objective(self, z: Tensor, seen: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Loss plus penalty of one batch of scaled rows.

        Parameters
        ----------
        z : Tensor of shape (rows, features)
            What is to be reconstructed.
        seen : Tensor of shape (rows, features) or None
            What the encoder sees: what :meth:`corrupt` made of ``z``, or None for ``z`` itself.
        generator : Generator or None
            Given in training, for codes that draw.
        """
        code = self.encode_scaled(z if seen is None else seen, generator)
        preactivation, reconstruction = self.decode_scaled(code)
        loss = self.loss(preactivation, reconstruction, z)
        penalty = self.penalise(z, code, reconstruction)
        return loss if penalty is None else loss + penalty

    # In the outer units ------------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        """(rows × features) to (rows × units), without corruption."""
        return self.encode_scaled(self.scaling(x))

    def decode(self, code: Tensor) -> Tensor:
        """(rows × units) to (rows × features)."""
        return self.scaling.inverse(self.decode_scaled(code)[1])

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``."""
        return self.decode(self.encode(x))


def build(parts: Composition, n_inputs: int) -> ShallowAutoencoder:
    """A module of resolved parts without memory behind it, to receive a state that was saved."""
    with torch.device("meta"):
        return ShallowAutoencoder(parts, n_inputs, Scaling.identity(n_inputs))
