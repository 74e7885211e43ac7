"""One fully connected layer each way."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from stackae.networks.activations import ACTIVATIONS
from stackae.networks.base import Network, NetworkModule


class Dense(Network):
    """A dense encoder h = a(W·x + b) and decoder V·h + c, with V = Wᵀ where the weights are tied.

    A batch of n rows costs 4·n·d·h multiplications forward and twice that backward.

    Examples
    --------
    >>> import torch
    >>> from stackae.networks.dense import Dense
    >>> module = Dense().build(5, 3, activation="sigmoid", tied_weights=True)
    >>> module.initialise(torch.Generator().manual_seed(0))
    >>> module.decode(module.encode(torch.zeros(2, 5))).shape
    torch.Size([2, 5])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool
    ) -> NetworkModule:
        return DenseModule(n_inputs, n_components, activation=activation, tied_weights=tied_weights)


class DenseModule(NetworkModule):
    """The module of :class:`Dense`."""

    def __init__(self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.encoder_weight = nn.Parameter(torch.empty(n_components, n_inputs))
        self.encoder_bias = nn.Parameter(torch.empty(n_components))
        self.decoder_weight = None if tied_weights else nn.Parameter(torch.empty(n_inputs, n_components))
        self.decoder_bias = nn.Parameter(torch.empty(n_inputs))

    @property
    def filters(self) -> Tensor:
        return self.encoder_weight

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        # Uniform, with the standard deviation gain/√fan_in.
        bound = self.activation.gain * (3 / self.encoder_weight.shape[1]) ** 0.5
        self.encoder_weight.uniform_(-bound, bound, generator=generator)
        if self.decoder_weight is not None:
            bound = (3 / self.decoder_weight.shape[1]) ** 0.5
            self.decoder_weight.uniform_(-bound, bound, generator=generator)
        self.encoder_bias.zero_()
        self.decoder_bias.zero_()

    def encode(self, x: Tensor) -> Tensor:
        return self.activation(linear(x, self.encoder_weight, self.encoder_bias))

    def decode(self, code: Tensor) -> Tensor:
        weight = self.encoder_weight.t() if self.decoder_weight is None else self.decoder_weight
        return linear(code, weight, self.decoder_bias)
