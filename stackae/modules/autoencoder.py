"""Shallow autoencoders joined: their encoders in a row, and the deep autoencoder that they unroll to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Generator, Tensor, nn

from stackae.corruption.base import Corruption
from stackae.modules.layer import ShallowAutoencoder, corrupted, shown
from stackae.modules.shortcut import Shortcut


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
    shortcut : Shortcut or None, default=None
        What joins the last code, and the reconstruction, past the layers.
    """

    def __init__(
        self,
        layers: Sequence[ShallowAutoencoder],
        corruptions: Sequence[Corruption] = (),
        shortcut: Shortcut | None = None,
    ) -> None:
        super().__init__()
        self.corruptions = tuple(corruptions)
        self.progress = 1.0
        self.layers = nn.ModuleList(layers)
        self.shortcut = shortcut

    @property
    def shallow(self) -> list[ShallowAutoencoder]:
        """The layers, bottom first."""
        return [cast(ShallowAutoencoder, layer) for layer in self.layers]

    def codes(self, x: Tensor) -> list[Tensor]:
        """The codes of every layer, bottom first, of rows in the user's units."""
        codes = []
        code = x
        for layer in self.shallow:
            code = layer.encode(code)
            codes.append(code)
        if self.shortcut is not None:
            codes[-1] = self.shortcut.code(self.shallow[0].scaling(x), codes[-1])
        return codes

    def encode(self, x: Tensor) -> Tensor:
        """(rows × features) to (rows × units of the last layer)."""
        return self.codes(x)[-1]

    def encode_scaled(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """The last code of scaled rows; in training (a generator is given) as the corruptions leave it."""
        code, last = z, len(self.layers) - 1
        for k, layer in enumerate(self.shallow):
            code = layer.encode_scaled(layer.scaling(code) if k else code)
            if k == last and self.shortcut is not None:
                code = self.shortcut.code(z, code)
            code = self.corrupt_code(code, generator)
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
        return self.shallow[0].decode(self.hidden(code), self.beside(code))

    def hidden(self, code: Tensor) -> Tensor:
        """What the first layer's decoder is given of a code."""
        for layer in reversed(self.shallow[1:]):
            code = layer.decode(code)
        return code

    def beside(self, code: Tensor) -> Tensor | None:
        """What the shortcut adds to the first decoder's answer."""
        return None if self.shortcut is None else self.shortcut.answer(code)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``."""
        return self.decode(self.encode(x))

    def reconstruct_scaled(self, z: Tensor) -> Tensor:
        """The reconstruction of scaled rows, scaled."""
        code = self.encode_scaled(z)
        return self.shallow[0].decode_scaled(self.hidden(code), self.beside(code))[1]

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
            if k == len(layers) - 1 and self.shortcut is not None:
                code = self.shortcut.code(seen, code)
            passes.append((inputs, activations, code))
            answer = self.corrupt_code(code, generator)

        costs = []
        beside = self.beside(answer)
        for k, layer in reversed(list(enumerate(layers))):
            preactivation, reconstruction = layer.decode_scaled(answer, None if k else beside)
            inputs, activations, code = passes[k]
            target = inputs if k else layer.presented(z)
            costs += layer.penalise(target, inputs, activations, code, reconstruction, generator)
            answer = layer.scaling.inverse(reconstruction) if k else reconstruction
        weights = layer.weights(z, seen)
        total = layer.loss(preactivation, reconstruction, target, weights)
        for cost in costs:
            total = total + cost
        return total
