"""A narrower autoencoder, cut from one whose code is ordered."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
from torch import nn

from stackae.codes.nested import Nested
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.layer import Layer
from stackae.modules.shortcut import PrefixDecoders, Shortcut
from stackae.networks.dense import Dense, DenseModule


def is_ordered(module: DeepAutoencoder) -> bool:
    """Whether any prefix of the code is a code, and can be cut."""
    parts = module[len(module) - 1].parts
    return isinstance(parts.code, Nested) and type(parts.network) is Dense


@torch.no_grad()
def truncated(module: DeepAutoencoder, n_components: int) -> DeepAutoencoder:
    """The autoencoder whose code is the first so many numbers of an ordered one's.

    The last encoder loses rows, its decoder columns, and the shortcut both. Layers below the last one are
    shared with ``module``, but for the first where a decoder for such prefixes was solved.
    """
    if n_components == module.widths[-1]:
        return module
    layers, last, shortcut = list(module), module[len(module) - 1], module.shortcut
    with torch.device(last.scaling.shift.device):
        parts = replace(last.parts, n_components=n_components)
        layers[-1] = Layer(parts, last.n_inputs, last.scaling)
    _cut(layers[-1], last)
    if shortcut is not None:
        prefixes = shortcut.prefixes
        if prefixes is not None:
            layers[0] = deepcopy(layers[0])
        shortcut = _narrow(shortcut, layers[0], n_components)
    narrow = DeepAutoencoder(layers, shortcut=shortcut)
    narrow.corruptions, narrow.fraction = module.corruptions, module.fraction
    return narrow.requires_grad_(False).train(module.training)


def _narrow(wide: Shortcut, first: Layer, n_units: int) -> Shortcut:
    """A shortcut to fewer numbers; of the decoders solved for prefixes, it and the first layer get one."""
    n_inputs, n_kept, prefixes = len(wide.mean), min(wide.n_kept, n_units), wide.prefixes
    with torch.device(wide.mean.device):
        shortcut = Shortcut(n_inputs, n_units, n_kept)
        if prefixes is not None:
            shortcut.prefixes = PrefixDecoders(n_inputs, prefixes.n_hidden, n_units)
    _cut(shortcut, wide)
    if prefixes is not None:
        network, n_hidden = first.network, prefixes.n_hidden
        assert isinstance(network, DenseModule)
        assert network.decoder_weight is not None
        whole = torch.cat([network.decoder_weight, wide.decoder_weight], 1)
        weight, bias = prefixes.of_length(n_units, whole, wide.decoder_bias)
        network.decoder_weight.copy_(weight[:, :n_hidden])
        shortcut.decoder_weight.copy_(weight[:, n_hidden:])
        shortcut.decoder_bias.copy_(bias)
    return shortcut


def _cut(narrow: nn.Module, wide: nn.Module) -> None:
    """Give a module the leading entries of a wider one's tensors."""
    own = wide.state_dict()
    for name, tensor in narrow.state_dict().items():
        tensor.copy_(own[name][tuple(slice(n) for n in tensor.shape)])
