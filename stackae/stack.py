"""Shallow autoencoders joined into one deep one: encoders 1 to n, then decoders n to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn

from stackae.corruption.base import Corruption
from stackae.shallow import ShallowAutoencoder, damaged


class UnrolledStack(nn.Module):
    """The deep autoencoder that a stack of shallow ones computes; it shares their parameters.

    The maps between layers are unrolled with it, so that before fine-tuning it is exactly the function that
    the layers computed one after the other.

    Parameters
    ----------
    layers : sequence of ShallowAutoencoder
        Bottom first; each takes the codes of the one before.
    corruption : Corruption or None, default=None
        What the first encoder sees instead of the scaled input in fine-tuning; or, where it damages hidden
        units, what is decoded or encoded further instead of each layer's code.
    """

    def __init__(self, layers: Sequence[ShallowAutoencoder], corruption: Corruption | None = None) -> None:
        super().__init__()
        self.corruption = corruption
        self.progress = 1.0
        self.layers = nn.ModuleList(layers)

    @property
    def shallow(self) -> list[ShallowAutoencoder]:
        """The layers, bottom first."""
        return [cast(ShallowAutoencoder, layer) for layer in self.layers]

    def codes(self, x: Tensor) -> list[Tensor]:
        """The codes of every layer, bottom first, of rows in the user's units."""
        codes = []
        for layer in self.shallow:
            x = layer.encode(x)
            codes.append(x)
        return codes

    def encode(self, x: Tensor) -> Tensor:
        """(rows × features) to (rows × units of the last layer)."""
        return self.codes(x)[-1]

    def decode(self, code: Tensor) -> Tensor:
        """(rows × units of the last layer) to (rows × features)."""
        for layer in reversed(self.shallow):
            code = layer.decode(code)
        return code

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``."""
        return self.decode(self.encode(x))

    def advance(self, progress: float, z: Tensor) -> None:
        """Take note that a share of fine-tuning is done; the layers' own schedules are at their end."""
        self.progress = progress
        for layer in self.shallow:
            layer.advance(1.0, None)

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """What the first encoder sees of scaled rows in fine-tuning."""
        if self.corruption is None or not self.corruption.damages("input"):
            return z
        seen = self.corruption(z, generator, self.progress)
        observed = self.shallow[0].network.observed(z)
        return seen if observed is None else torch.where(observed, seen, z)

    def objective(self, z: Tensor, seen: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """The first layer's loss of the whole stack's reconstruction, plus every layer's penalties.

        Its parameters are those of :meth:`ShallowAutoencoder.objective`.
        """
        layers = self.shallow
        passes: list[tuple[Tensor, Tensor, Tensor]] = []
        answer = z if seen is None else seen
        for k, layer in enumerate(layers):
            inputs = layer.scaling(answer) if k else answer
            activations = layer.activate(inputs)
            code = layer.judged_code_of(activations, generator)
            passes.append((inputs, activations, code))
            answer = damaged(self.corruption, code, generator, self.progress)

        costs = []
        for k, layer in reversed(list(enumerate(layers))):
            preactivation, reconstruction = layer.decode_scaled(answer)
            inputs, activations, code = passes[k]
            target = inputs if k else z
            costs += layer.penalise(target, inputs, activations, code, reconstruction, generator)
            answer = layer.scaling.inverse(reconstruction) if k else reconstruction
        first = layers[0]
        total = first.loss(preactivation, reconstruction, z, first.weights(z, z if seen is None else seen))
        for cost in costs:
            total = total + cost
        return total
