"""Few samples of many columns, by their coordinates: what a dense layer learns lies in their span.

The squared error and isotropic noise do not change under rotations, and the gradient of a dense layer's
weights is made of the samples. So a stack may be trained on the coordinates of n samples along n axes, which
is quicker where there are more columns, and its weights have no random share outside of the span, where
nothing is learned.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from stackae._utils.threads import one_thread_for
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.layer import Layer
from stackae.modules.scaling import Scaling
from stackae.modules.shortcut import PrefixDecoders, Shortcut
from stackae.networks.dense import DenseModule

#: Axes along which the samples' length is a smaller share of that along the first are noise of the computing.
_TOLERANCE = 1e-6


class Span(Scaling):
    """x ↦ V·((x - shift) / factor): scaled samples as their coordinates along orthonormal axes.

    Parameters
    ----------
    shift, factor : Tensor of shape (features,), float64
    axes : Tensor of shape (coordinates, features), float64
        V; what they do not span is lost.
    """

    axes: Tensor

    def __init__(self, shift: Tensor, factor: Tensor, axes: Tensor) -> None:
        super().__init__(shift, factor)
        self.register_buffer("axes", axes)

    @classmethod
    def of(cls, scaling: Scaling, blocks: Iterable[Tensor]) -> Span:
        """The span of all scaled samples, its axes those along which they are longest, in that order.

        Costs n²·(n + d) products for n samples of d columns.
        """
        samples = torch.cat(list(blocks)).double().cpu().numpy()
        with one_thread_for(len(samples) ** 3):  # by numpy, since torch's own threads are not told
            squares, vectors = np.linalg.eigh(samples @ samples.T)
        lengths = np.sqrt(np.maximum(squares[::-1], 0))
        n_axes = max(1, int((lengths > _TOLERANCE * lengths[0]).sum()))
        axes = vectors[:, ::-1][:, :n_axes].T @ samples / np.maximum(lengths[:n_axes, np.newaxis], 1e-300)
        return cls(scaling.shift, scaling.factor, torch.from_numpy(axes).to(scaling.shift.device))

    def coordinates(self, z: Tensor) -> Tensor:
        """Of scaled samples (samples × features): (samples × coordinates)."""
        return z @ self.axes.to(z.dtype).t()

    def forward(self, x: Tensor) -> Tensor:
        """From the outer units to coordinates."""
        return self.coordinates(super().forward(x))

    def inverse(self, z: Tensor) -> Tensor:
        """Back to the outer units."""
        return super().inverse(z @ self.axes.to(z.dtype))


def widened(module: DeepAutoencoder) -> DeepAutoencoder:
    """The same autoencoder on all columns, where it works on coordinates; else the module itself.

    Codes are the same for every sample, reconstructions too; weights are the narrow ones times the axes.
    """
    narrow, span = module[0], module[0].scaling
    if not isinstance(span, Span):
        return module
    with torch.device(span.axes.device):
        first = Layer(narrow.parts, span.n_columns, Scaling(span.shift, span.factor))
        shortcut = None
        if module.shortcut is not None:
            shortcut = Shortcut(span.n_columns, module.widths[-1], module.shortcut.n_kept)
            if module.shortcut.prefixes is not None:
                shortcut.prefixes = PrefixDecoders(span.n_columns, module.widths[0], module.widths[-1])
            _widen(shortcut, module.shortcut, span.axes)
    assert isinstance(first.network, DenseModule)
    _widen(first.network, narrow.network, span.axes)
    first.penalty_modules.load_state_dict(narrow.penalty_modules.state_dict())
    wide = DeepAutoencoder([first, *list(module)[1:]], shortcut=shortcut)
    wide.corruptions, wide.fraction = module.corruptions, module.fraction
    return wide.train(module.training)


@torch.no_grad()
def _widen(wide: torch.nn.Module, narrow: torch.nn.Module, axes: Tensor) -> None:
    """Give a module the tensors of another, those with an axis of coordinates times the axes."""
    own = narrow.state_dict()
    for name, tensor in wide.state_dict().items():
        value = own[name].double()
        if value.shape != tensor.shape:
            along = next(k for k in range(value.dim()) if value.shape[k] != tensor.shape[k])
            value = torch.tensordot(value, axes, dims=([along], [0])).movedim(-1, along)
        tensor.copy_(value)
