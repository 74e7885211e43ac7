"""Shallow autoencoders joined: their encoders in a row, and the deep autoencoder that they unroll to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Generator, Tensor, nn

from stackae.corruption.base import Corruption
from stackae.shallow import ShallowAutoencoder, corrupted, shown


class Encoders(nn.Module):
    """The encoders of shallow autoencoders, each on the codes of the one before; it shares their parameters.

    The maps between layers are part of it, so that before fine-tuning it is exactly the function that the
    layers computed one after the other.

    Parameters
    ----------
    layers : sequence of ShallowAutoencoder
        Bottom first; each takes the codes of the one before.
    corruptions : sequence of Corruption, default=()
        In fine-tuning: what the first encoder sees instead of the scaled input; and, of those that damage
        hidden units, what each layer's code becomes before it goes on.
    """

    def __init__(self, layers: Sequence[ShallowAutoencoder], corruptions: Sequence[Corruption] = ()) -> None:
        super().__init__()
        self.corruptions = tuple(corruptions)
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

    def encode_scaled(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """The last code of scaled rows; in training (a generator is given) as the corruptions leave it."""
        code = z
        for k, layer in enumerate(self.shallow):
            code = self.corrupt_code(layer.encode_scaled(layer.scaling(code) if k else code), generator)
        return code

    def advance(self, progress: float, z: Tensor) -> None:
        """Take note that a share of fine-tuning is done; the layers' own schedules are at their end."""
        self.progress = progress
        for layer in self.shallow:
            layer.advance(1.0, None)

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """What the first encoder sees of scaled rows in fine-tuning."""
        return self.shallow[0].corrupt_by(self.corruptions, z, generator, self.progress)

    def corrupt_code(self, code: Tensor, generator: Generator | None) -> Tensor:
        """What goes on of a layer's code in fine-tuning."""
        return corrupted(self.corruptions, "hidden", code, generator, self.progress)


class UnrolledStack(Encoders):
    """The deep autoencoder that a stack of shallow ones computes: encoders 1 to n, then decoders n to 1."""

    def decode(self, code: Tensor) -> Tensor:
        """(rows × units of the last layer) to (rows × features)."""
        for layer in reversed(self.shallow):
            code = layer.decode(code)
        return code

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``."""
        return self.decode(self.encode(x))

    def objective(self, z: Tensor, seen: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """The first layer's loss of the whole stack's reconstruction, plus every layer's penalties.

        Its parameters are those of :meth:`ShallowAutoencoder.objective`.
        """
        layers = self.shallow
        passes: list[tuple[Tensor, Tensor, Tensor]] = []
        answer = seen = shown(self, z) if seen is None else seen
        for k, layer in enumerate(layers):
            inputs = layer.scaling(answer) if k else answer
            activations = layer.activate(inputs)
            code = layer.judged_code_of(activations, generator)
            passes.append((inputs, activations, code))
            answer = self.corrupt_code(code, generator)

        costs = []
        for k, layer in reversed(list(enumerate(layers))):
            preactivation, reconstruction = layer.decode_scaled(answer)
            inputs, activations, code = passes[k]
            target = inputs if k else layer.presented(z)
            costs += layer.penalise(target, inputs, activations, code, reconstruction, generator)
            answer = layer.scaling.inverse(reconstruction) if k else reconstruction
        weights = layer.weights(z, seen)
        total = layer.loss(preactivation, reconstruction, target, weights)
        for cost in costs:
            total = total + cost
        return total
