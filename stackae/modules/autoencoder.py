"""The autoencoder of n layers: encoders 1 to n, then decoders n to 1. A shallow one has one layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Self

import torch
from torch import Generator, Tensor, nn

from stackae.corruption.base import Corruption, in_coordinates
from stackae.modules.layer import Layer
from stackae.modules.shortcut import Shortcut


class DeepEncoder(nn.Module):
    """The encoders of layers, each on the codes of the one before; it shares their parameters.

    The maps between layers are part of it, so that before fine-tuning it is exactly the function that the
    layers computed one after the other.

    Parameters
    ----------
    layers : sequence of Layer
        Bottom first; each takes the codes of the one before.
    shortcut : Shortcut or None, default=None
        What joins the last code, and the reconstruction, past the layers.

    Attributes
    ----------
    corruptions : tuple of Corruption
        In training: what the first encoder is given instead of the scaled input and, of those that damage
        hidden units, what each layer's code becomes before it goes on.
    below : tuple of Layer
        In training: layers below these that stay as they are, and whose codes the samples are.
    """

    def __init__(self, layers: Sequence[Layer], *, shortcut: Shortcut | None = None) -> None:
        super().__init__()
        self.corruptions: tuple[Corruption, ...] = ()
        self.below: tuple[Layer, ...] = ()
        #: The fraction of the phase that has been trained.
        self.fraction = 1.0
        self.layers = nn.ModuleList(layers)
        self._chain = tuple(layers)  # the same, found without torch's look-up, which a small step would feel
        self.shortcut = shortcut

    def __getitem__(self, k: int) -> Layer:
        """A layer, by its place from the bottom."""
        return self._chain[k]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._chain)

    def __len__(self) -> int:
        return len(self._chain)

    @property
    def n_inputs(self) -> int:
        """Columns of the data."""
        return self[0].n_inputs

    @property
    def widths(self) -> list[int]:
        """Units of each layer's code, bottom first."""
        return [layer.n_units for layer in self]

    def whole(self) -> Self:
        """The same on the data themselves: with the layers below."""
        if not self.below:
            return self
        whole, layers = copy(self), (*self.below, *self)
        whole._modules = dict(self._modules)
        whole.layers, whole._chain, whole.below = nn.ModuleList(layers), layers, ()
        return whole

    def set_corruptions(self, corruptions: Sequence[Corruption]) -> None:
        """Train with these or, where the first layer is given coordinates, with what they are to those."""
        first = self[0]
        known = in_coordinates(corruptions, first.scaling.n_columns) if first.has_coordinates else corruptions
        assert known is not None  # the plan has seen to it
        self.corruptions = tuple(known)

    def codes(self, x: Tensor) -> list[Tensor]:
        """The codes of every layer, bottom first, of samples in the user's units."""
        codes = []
        code = x
        for layer in self:
            code = layer.encode(code)
            codes.append(code)
        if self.shortcut is not None:
            codes[-1] = self.shortcut.code(self[0].scaling(x), codes[-1])
        return codes

    def encode(self, x: Tensor) -> Tensor:
        """(samples × features) to (samples × units of the last layer)."""
        return self.codes(x)[-1]

    def encode_scaled(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """The last code of scaled samples; in training (a generator is given) as the corruptions leave it."""
        return self.codes_scaled(z, generator)[-1]

    def codes_scaled(self, z: Tensor, generator: Generator | None = None) -> list[Tensor]:
        """The same of every layer, bottom first."""
        codes, code, last = [], z, len(self) - 1
        for k, layer in enumerate(self):
            code = layer.encode_scaled(layer.scaling(code) if k else code)
            if k == last and self.shortcut is not None:
                code = self.shortcut.code(z, code)
            code = self.corrupt_code(code, generator)
            codes.append(code)
        return codes

    def advance(self, fraction: float, z: Tensor) -> None:
        """Take note that a fraction of fine-tuning is done; the layers' own schedules are at their end."""
        self.fraction = fraction
        for layer in self:
            layer.advance(1.0, None)

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """Scaled samples as the first encoder is given them in training."""
        return self[0].corrupt(self.corruptions, z, generator, self.fraction)

    def corrupt_code(self, code: Tensor, generator: Generator | None) -> Tensor:
        """What goes on of a layer's code in training; outside of it (no generator) all of it."""
        if generator is not None:
            for corruption in self.corruptions:
                if corruption.damages("hidden"):
                    code = corruption(code, generator, self.fraction)
        return code


class DeepAutoencoder(DeepEncoder):
    """The deep autoencoder that layers unroll to: encoders 1 to n, then decoders n to 1."""

    def decode(self, code: Tensor) -> Tensor:
        """(samples × units of the last layer) to (samples × features)."""
        return self[0].decode(self.hidden(code), self.offset(code))

    def hidden(self, code: Tensor) -> Tensor:
        """What the first layer's decoder is given of a code."""
        for layer in reversed(list(self)[1:]):
            code = layer.decode(code)
        return code

    def offset(self, code: Tensor) -> Tensor | None:
        """What the shortcut adds to the first decoder's preactivation."""
        return None if self.shortcut is None else self.shortcut.offset(code)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``."""
        return self.decode(self.encode(x))

    def objective(
        self, z: Tensor, corrupted: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """The first layer's loss of the reconstruction of scaled samples, plus every layer's penalties.

        Parameters
        ----------
        z : Tensor of shape (samples, features)
            What is to be reconstructed.
        corrupted : Tensor of shape (samples, features) or None
            What the first encoder is given: what :meth:`corrupt` made of ``z``. None: ``z`` itself or, where
            cells may be missing, what one fixed draw of the corruption leaves, since gaps are what it will
            meet.
        generator : Generator or None
            Given in training, for what draws or is damaged inside.
        """
        layers, last, shortcut = self._chain, len(self._chain) - 1, self.shortcut
        if corrupted is None:
            corrupted = z if layers[0].fill is None else self.corrupt(z, _fixed_draw(z))
        passes = []
        code = corrupted
        for k, layer in enumerate(layers):
            inputs = layer.scaling(code) if k else code
            activations = layer.activate(inputs)
            if k == last and shortcut is not None:
                activations = shortcut.code(corrupted, activations)
            code = layer.code_in_objective(activations, generator)
            passes.append((inputs, activations, code))
            code = self.corrupt_code(code, generator)

        offset = self.offset(code)
        costs = []
        for k in range(last, -1, -1):
            layer, (inputs, activations, own) = layers[k], passes[k]
            preactivation, reconstruction = layer.decode_scaled(code, None if k else offset)
            target = inputs if k else layer.network_input(z)
            if k == 0:
                total = layer.loss(preactivation, reconstruction, target, layer.cell_weights(z, corrupted))
            costs += layer.penalise(target, inputs, activations, own, reconstruction, generator)
            code = layer.scaling.inverse(reconstruction) if k else reconstruction
        for cost in costs:
            total = total + cost
        return total


class GreedyAutoencoder(DeepAutoencoder):
    """One layer while it is pretrained: its own corruption and schedules are those that advance.

    Parameters
    ----------
    layer : Layer
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__([layer])
        self.set_corruptions(() if layer.parts.corruption is None else (layer.parts.corruption,))

    def advance(self, fraction: float, z: Tensor) -> None:
        self.fraction = fraction
        self[0].advance(fraction, z)


def _fixed_draw(z: Tensor) -> Generator:
    return torch.Generator(z.device).manual_seed(0)
