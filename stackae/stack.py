"""Shallow autoencoders joined into one deep one: encoders 1 to n, then decoders n to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Generator, Tensor, nn

from stackae.corruption.base import Corruption
from stackae.shallow import ShallowAutoencoder


class UnrolledStack(nn.Module):
    """The deep autoencoder that a stack of shallow ones computes; it shares their parameters.

    The maps between layers are unrolled with it, so that before fine-tuning it is exactly the function that
    the layers computed one after the other.

    Parameters
    ----------
    layers : sequence of ShallowAutoencoder
        Bottom first; each takes the codes of the one before.
    corruption : Corruption or None, default=None
        What the first encoder sees instead of the scaled input in fine-tuning.
    """

    def __init__(self, layers: Sequence[ShallowAutoencoder], corruption: Corruption | None = None) -> None:
        super().__init__()
        self.corruption = corruption
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

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """What the first encoder sees of scaled rows in fine-tuning."""
        return z if self.corruption is None else self.corruption(z, generator)

    def objective(self, z: Tensor, seen: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """The first layer's loss of the whole stack's reconstruction, plus every layer's penalty.

        Its parameters are those of :meth:`ShallowAutoencoder.objective`.
        """
        layers = self.shallow
        inputs, codes = [z], [layers[0].encode_scaled(z if seen is None else seen, generator)]
        for layer in layers[1:]:
            inputs.append(layer.scaling(codes[-1]))
            codes.append(layer.encode_scaled(inputs[-1], generator))

        penalties = []
        answer = codes[-1]
        for k, layer in reversed(list(enumerate(layers))):
            preactivation, reconstruction = layer.decode_scaled(answer)
            penalties.append(layer.penalise(inputs[k], codes[k], reconstruction))
            answer = layer.scaling.inverse(reconstruction) if k else reconstruction
        total = layers[0].loss(preactivation, reconstruction, z)
        for penalty in penalties:
            if penalty is not None:
                total = total + penalty
        return total
