"""One layer: the five parts joined, with the scaling of its inputs.

Network, corruption, code, penalty and loss are independent of each other; this module is the only place
that knows how they fit together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Generator, Tensor, nn

from stackae._utils.groups import numbered_columns
from stackae.codes.base import Code
from stackae.corruption.base import Corruption
from stackae.exceptions import ParameterError
from stackae.losses.base import Loss
from stackae.modules.scaling import Scaling
from stackae.networks import ACTIVATIONS
from stackae.networks.base import Network
from stackae.penalties.base import Penalty
from stackae.serialization.description import scaling_in_words


@dataclass(frozen=True)
class Composition:
    """The five parts of a shallow autoencoder and how they are joined.

    ``activation``, ``scale`` and ``output`` may be ``"auto"``, and ``loss`` None, until the inputs are known.
    ``missing``: cells may be NaN; they are filled for the encoder and left out of the loss. ``indicator``:
    the encoder is told which they are. ``kept``: columns of zeros and ones that ``scale`` leaves as they are.
    ``groups``: ranges (start, stop) of columns that are one category each, which corruption damages as a
    whole; those that the loss names come before them. ``frozen``: fine-tuning leaves the layer as it is.
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
    kept: tuple[int, ...] = ()
    groups: tuple[tuple[int, int], ...] = ()
    frozen: bool = False

    @property
    def scaling_in_words(self) -> str:
        """What becomes of the columns, as tables say it; the scale must be resolved."""
        return scaling_in_words(self.scale, len(self.kept))

    @property
    def code_shape(self) -> tuple[int, ...]:
        """The shape of one sample's code, before it is flattened; the network must be resolved."""
        return self.network.code_shape(self.n_components)

    @property
    def n_units(self) -> int:
        """The width of the code."""
        return prod(self.code_shape)

    @property
    def n_neighbors(self) -> int | None:
        """Of how many nearest rows each is to be paired with one, as its penalties need it; None: of none."""
        return max((p.n_neighbors for p in self.penalties if p.n_neighbors is not None), default=None)


class Layer(nn.Module):
    """An encoder, its code and a decoder, their parameters allocated but not initialised.

    ``encode`` and ``decode`` take and give the outer units (the user's, or the codes of the layer below);
    methods with ``scaled`` in their name work behind ``scaling``.

    Parameters
    ----------
    parts : Composition
        Resolved: nothing in it is ``"auto"``.
    n_inputs : int
    scaling : Scaling

    Attributes
    ----------
    fill : Tensor of shape (n_inputs,), float64, or None
        What the encoder is given, in the layer's own units, where a cell is missing; None where none may be.
    low, high : Tensor of shape (n_inputs,), float64, or None
        Least and greatest value of each column of the data, in the user's units, 0 and 1 for those of
        ``groups``; None likewise.
    columns : Tensor of shape (n_inputs,), int64, or None
        Of each column the number of what it belongs to: a category or itself; None where there is none.
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
        # Not kept in files, since the parts say it.
        columns = numbered_columns(parts.groups, n_inputs) if parts.groups else None
        self.columns: Tensor | None
        self.register_buffer("columns", columns, persistent=False)
        self.network = parts.network.build(
            n_inputs * (2 if parts.indicator else 1),
            parts.n_components,
            activation=parts.activation,
            tied_weights=parts.tied_weights,
            heads=1 if parts.code is None else parts.code.heads,
        )
        self.network.scaled_by(scaling)
        self.output = ACTIVATIONS[parts.output]
        self.code = None if parts.code is None else parts.code.build(self.n_units)
        self.penalties = [penalty.build(self.n_units) for penalty in parts.penalties]
        #: Those of the penalties that own parameters.
        self.penalty_modules = nn.ModuleList(p for p in self.penalties if isinstance(p, nn.Module))

    @classmethod
    def without_memory(cls, parts: Composition, n_inputs: int) -> Layer:
        """A layer of resolved parts without memory behind it, to be counted or to receive a saved state."""
        with torch.device("meta"):
            return cls(parts, n_inputs, Scaling.identity(n_inputs))

    @property
    def has_coordinates(self) -> bool:
        """Whether it is given coordinates of the samples, of which there are fewer than columns."""
        return self.n_inputs < self.scaling.n_columns

    def initialise(self, generator: Generator) -> None:
        """Draw the starting weights."""
        self.network.initialise(generator)
        if self.has_coordinates:  # which are as long as samples of all columns
            with torch.no_grad():
                self.network.filters.mul_((self.n_inputs / self.scaling.n_columns) ** 0.5)
        heads = self.network.head_parameters
        if self.code is not None and heads is not None:
            self.code.initialise(*heads)
        for module in self.penalty_modules:
            module.initialise(generator)  # type: ignore[operator]

    def advance(self, fraction: float, z: Tensor | None) -> None:
        """Take note that a fraction of the phase has been trained, and of the samples that come next."""
        if self.code is not None:
            self.code.advance(fraction, self.network, None if z is None else self.network_input(z))

    def network_input(self, z: Tensor) -> Tensor:
        """Scaled samples as the network is given them: gaps filled and, with the indicator, marked behind."""
        if self.fill is None:
            return z
        gaps = z.isnan()
        filled = torch.where(gaps, self.fill.to(z.dtype), z)
        return torch.cat([filled, gaps.to(z.dtype)], 1) if self.parts.indicator else filled

    def observed(self, z: Tensor) -> Tensor | None:
        """Which cells of clean scaled samples are data, neither gaps nor filling; None: all of them."""
        observed = self.network.observed(z)
        if self.fill is None:
            return observed
        present = ~z.isnan()
        return present if observed is None else present & observed

    def corrupt(
        self, corruptions: Sequence[Corruption], z: Tensor, generator: Generator, fraction: float
    ) -> Tensor:
        """Scaled samples as corruptions of the input leave them."""
        result = z
        more = {} if self.columns is None else {"columns": self.columns}
        for corruption in corruptions:
            if self.fill is not None and corruption.hides and corruption.damages("input"):
                # What is hidden is shown as what is missing.
                kept = corruption(torch.ones_like(z), generator, fraction, **more)
                result = torch.where(kept != 0, result, torch.nan)
            elif corruption.damages("input"):
                result = corruption(result, generator, fraction, **more)
        observed = None if result is z else self.observed(z)
        return result if observed is None else torch.where(observed, result, z)

    # Encoding and decoding ---------------------------------------------------------------------------

    def activate(self, z: Tensor) -> Tensor:
        """The encoder's output for scaled samples, before it is the code."""
        return self.network.encode(self.network_input(z))

    def code_of(self, activations: Tensor, generator: Generator | None = None) -> Tensor:
        """The code that the encoder's output becomes."""
        return activations if self.code is None else self.code(activations, generator)

    def code_in_objective(self, activations: Tensor, generator: Generator | None) -> Tensor:
        """The code by which the objective judges: drawn, where codes are, outside of training too.

        There (no generator) the same samples have one code.
        """
        if generator is None and self.code is not None and self.code.draws:
            generator = torch.Generator(activations.device).manual_seed(0)
        return self.code_of(activations, generator)

    def encode_scaled(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """The code of scaled samples."""
        return self.code_of(self.activate(z), generator)

    def decode_scaled(self, code: Tensor, offset: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The scaled reconstruction before and after its activation; the offset is added before it."""
        preactivation = self.network.decode(code)
        if offset is not None:
            preactivation = preactivation + offset
        return preactivation, self.loss.reconstruction(preactivation, self.output)

    def encode(self, x: Tensor) -> Tensor:
        """(samples × features) to (samples × units), without corruption."""
        return self.encode_scaled(self.scaling(x))

    def decode(self, code: Tensor, offset: Tensor | None = None) -> Tensor:
        """(samples × units) to (samples × features); see :meth:`decode_scaled`."""
        return self.scaling.inverse(self.decode_scaled(code, offset)[1][:, : self.n_inputs])

    def squared_jacobian(self, code: Tensor) -> Tensor | None:
        """Each sample's squared norm of the encoder's Jacobian, where its code gives it in closed form."""
        return self.network.squared_jacobian(code) if self.code is None else None

    # The objective's terms ---------------------------------------------------------------------------

    def penalise(
        self,
        z: Tensor,
        corrupted: Tensor,
        activations: Tensor,
        code: Tensor,
        reconstruction: Tensor,
        generator: Generator | None,
    ) -> list[Tensor]:
        """What one batch costs beside the loss: the penalties, and the code's own cost."""
        costs = [
            penalty(z, code, reconstruction, self, corrupted=corrupted, generator=generator)
            for penalty in self.penalties
        ]
        cost = None if self.code is None else self.code.cost(activations)
        return costs if cost is None else [*costs, cost]

    def cell_weights(self, z: Tensor, corrupted: Tensor) -> Tensor | None:
        """How much each cell counts in the loss; None: each once."""
        emphasis = None if corrupted is z else self.loss.emphasis(z, corrupted)
        observed = self.observed(z)
        if observed is None:
            return emphasis
        weights = observed.to(z.dtype) if emphasis is None else observed * emphasis
        # What marks the gaps is no data to reconstruct.
        return torch.cat([weights, torch.zeros_like(weights)], 1) if self.parts.indicator else weights

    def sample_codes(self, n_samples: int, generator: Generator) -> Tensor:
        """Codes drawn from the prior of the code or of a penalty.

        Raises
        ------
        ParameterError
            None of them has a prior.
        """
        for part in (self.code, *self.parts.penalties):
            codes = None if part is None else part.sample(n_samples, self.n_units, generator)
            if codes is not None:
                return codes
        raise ParameterError(
            "only a layer with a prior on its code can be sampled from; give it code='variational' or"
            " penalty='adversarial'"
        )
