"""One fully connected layer each way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from stackae.networks.activations import ACTIVATIONS
from stackae.networks.base import Network, NetworkModule
from stackae.networks.initialisation import draw_uniform


class Dense(Network):
    """A fully connected layer: encoder h = a(W·x + b), decoder V·h + c, with V = Wᵀ if weights are tied.

    A batch of n rows, with d features and k units, costs 4·n·d·k floating-point operations forward and twice
    that backward.

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

    takes_indicators = True

    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> NetworkModule:
        return self._module(
            n_inputs, n_components, activation=activation, tied_weights=tied_weights, heads=heads
        )

    @property
    def _module(self) -> type[DenseModule]:
        return DenseModule


class DenseModule(NetworkModule):
    """The module of :class:`Dense`."""

    def __init__(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.n_components = n_components
        self.encoder_weight = nn.Parameter(torch.empty(heads * n_components, n_inputs, dtype=torch.float32))
        self.encoder_bias = nn.Parameter(torch.empty(heads * n_components, dtype=torch.float32))
        self.decoder_weight = (
            None if tied_weights else nn.Parameter(torch.empty(n_inputs, n_components, dtype=torch.float32))
        )
        self.decoder_bias = nn.Parameter(torch.empty(n_inputs, dtype=torch.float32))

    @property
    def filters(self) -> Tensor:
        return self.encoder_weight

    @property
    def head_parameters(self) -> tuple[Tensor, Tensor]:
        return self.encoder_weight, self.encoder_bias

    @property
    def unit_bias(self) -> Tensor:
        return self.encoder_bias

    @property
    def multiplications(self) -> int:
        return self.encoder_weight.numel() + self._decoder_weight.numel()

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        draw_uniform(self.encoder_weight, self.encoder_weight.shape[1], generator, self.activation.gain)
        if self.decoder_weight is not None:
            draw_uniform(self.decoder_weight, self.decoder_weight.shape[1], generator)
        self.encoder_bias.zero_()
        self.decoder_bias.zero_()

    def encode(self, x: Tensor) -> Tensor:
        return self.activation.over(linear(x, self.encoder_weight, self.encoder_bias))

    def decode(self, code: Tensor) -> Tensor:
        return linear(code, self._decoder_weight, self.decoder_bias)

    def squared_jacobian(self, activations: Tensor) -> Tensor | None:
        # ‖J‖² = Σᵢ a'(zᵢ)²·Σⱼ Wᵢⱼ²
        slope = self.activation.slope(activations)
        return None if slope is None else slope.square() @ self.encoder_weight.square().sum(1)

    @property
    def _decoder_weight(self) -> Tensor:
        if self.decoder_weight is None:
            return self.encoder_weight[: self.n_components].t()
        return self.decoder_weight


class AnalyticDense:
    """A dense module and its derivatives worked by hand, on its own weights but outside autograd.

    The weights are looked up once, here, and not in every step: of a small layer's step that is a good part.
    What is multiplied going forward is remembered for the way back, in the number format that autocast says,
    so that nothing is converted twice.

    Parameters
    ----------
    module : DenseModule
    into : mapping
        From each parameter to the tensor that its gradient is written to. Where it lacks the decoder's, the
        encoder alone is asked for.
    """

    def __init__(self, module: DenseModule, into: Mapping[Tensor, Tensor]) -> None:
        self.activation = module.activation
        self._tied = module.decoder_weight is None
        self._decodes = module.decoder_bias in into
        decoder = module.encoder_weight if module.decoder_weight is None else module.decoder_weight
        self._w, self._b = module.encoder_weight.detach(), module.encoder_bias.detach()
        self._v, self._c = decoder.detach(), module.decoder_bias.detach()
        if self._tied:
            self._v = self._v.t()
        self._wt, self._vt = self._w.t(), self._v.t()
        self._grad_w, self._grad_b = into[module.encoder_weight], into[module.encoder_bias]
        if self._decodes:
            self._grad_v, self._grad_c = into[decoder], into[module.decoder_bias]

    def encode(self, x: Tensor) -> Tensor:
        """As the module does."""
        self._x = narrowed(x)
        return self.activation.over(torch.addmm(self._b, self._x, narrowed(self._wt)))

    def decode(self, code: Tensor) -> Tensor:
        """As the module does."""
        self._code, vt = narrowed(code), narrowed(self._vt)
        self._v_used = self._v if vt is self._vt else vt.t()
        return torch.addmm(self._c, self._code, vt)

    def decode_backward(self, delta: Tensor) -> Tensor:
        """Back through ``decode``; to be called before :meth:`encode_backward`.

        Parameters
        ----------
        delta : Tensor of shape (samples, features)
            The gradient with respect to what ``decode`` gave.

        Returns
        -------
        Tensor of shape (samples, units)
            The gradient with respect to the code.
        """
        torch.sum(delta, 0, out=self._grad_c)
        delta = narrowed(delta)
        if self._tied:
            product(self._code.t(), delta, self._grad_v)
        else:
            product(delta.t(), self._code, self._grad_v)
        return torch.mm(delta, self._v_used)

    def encode_backward(self, delta: Tensor) -> None:
        """Back through the affine map of ``encode``, as far as its parameters.

        Parameters
        ----------
        delta : Tensor of shape (samples, units)
            The gradient with respect to the encoder's preactivation.
        """
        # Of a tied one decode_backward has begun.
        product(delta.t(), self._x, self._grad_w, add=self._tied and self._decodes)
        torch.sum(delta, 0, out=self._grad_b)

    def input_gradient(self, delta: Tensor) -> Tensor:
        """The gradient with respect to the encoder's input (samples × features), from the same ``delta``."""
        return torch.mm(delta, self._w)


def narrowed(tensor: Tensor) -> Tensor:
    """A tensor in the number format that autocast computes products in; itself where there is none."""
    kind = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor


def product(a: Tensor, b: Tensor, out: Tensor, *, add: bool = False) -> None:
    """Write or add a matrix product to ``out``, in the number format that autocast says."""
    if torch.is_autocast_enabled(out.device.type):  # which leaves products with an ``out`` alone
        product = torch.mm(a, b)
        out.add_(product) if add else out.copy_(product)
    elif add:
        out.addmm_(a, b)
    else:
        torch.mm(a, b, out=out)
