"""Convolution and pooling, and the mirror of both."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, prod
from typing import Any, ClassVar

import torch
from sklearn.base import clone
from torch import Generator, Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, max_pool2d

from stackae._utils.constraints import Integral, Interval, Numbers, StrOptions
from stackae.exceptions import ParameterError
from stackae.networks.activations import ACTIVATIONS
from stackae.networks.base import Network, NetworkModule
from stackae.networks.initialisation import draw_uniform
from stackae.networks.layout import Layout, shape_given

Shape = tuple[int, int, int]


class Convolutional(Network):
    """A convolutional layer with max-pooling, for flattened images and series.

    ``n_components`` is the number of filters. The code has one unit per filter and pooled cell: height /
    ``pool`` × width / ``pool`` (rounded up) × filters, flattened with the filters last; a convolutional layer
    above sees that shape. Borders are padded with zeros. The decoder upsamples by repeating each cell, then
    convolves.

    Parameters
    ----------
    image_shape : "auto" or tuple of 2 or 3 int, default="auto"
        The shape before flattening: (height, width) or (height, width, channels), as in scikit-learn and
        Pillow; with ``channels_first`` (channels, height, width), or (channels, length) for series.
        ``"auto"``: the shape of the codes of a convolutional layer below; otherwise a square image if the
        number of features is a square, else a line.
    kernel_size : int, default=3
        Height and width of a filter; odd.
    pool : int, default=2
        Cells pooled into one along each axis; 1: no pooling.
    channels_first : bool, default=False
        Whether the columns of a channel are contiguous in ``X`` and in reconstructions, as in torch (images)
        and aeon (series). Codes have their filters last in either case.

    References
    ----------
    Masci et al. (2011), Stacked convolutional auto-encoders for hierarchical feature extraction, ICANN.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Autoencoder, Convolutional, Training
    >>> X = load_digits().data / 16
    >>> network = Convolutional(image_shape=(8, 8))
    >>> Autoencoder(6, network=network, training=Training(max_epochs=1)).fit_transform(X).shape  # 4 · 4 · 6
    (1797, 96)

    Series of 3 channels and 128 steps (samples × channels × steps), flattened:

    >>> import numpy as np
    >>> series = np.random.default_rng(0).normal(size=(20, 3, 128))
    >>> network = Convolutional(image_shape=(3, 128), channels_first=True)
    >>> model = Autoencoder(6, network=network, training=Training(max_epochs=1))
    >>> model.fit_transform(series.reshape(20, -1)).shape  # 64 · 6
    (20, 384)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "image_shape": [StrOptions({"auto"}), Numbers(Interval(Integral, 1, None, closed="left"), 2, 3)],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "pool": [Interval(Integral, 1, None, closed="left")],
        "channels_first": ["boolean"],
    }

    def __init__(
        self,
        image_shape: str | Sequence[int] = "auto",
        kernel_size: int = 3,
        pool: int = 2,
        channels_first: bool = False,
    ) -> None:
        self.image_shape = image_shape
        self.kernel_size = kernel_size
        self.pool = pool
        self.channels_first = channels_first

    def fitted_to(self, shape: tuple[int, ...]) -> Network:
        own = type(self).__name__
        if self.kernel_size % 2 == 0:
            raise ParameterError(f"{own}(kernel_size=...) must be odd, got {self.kernel_size}")
        first, n_features = bool(self.channels_first), prod(shape)
        order = "height, width and, where there are several, channels, in this order"
        if first:
            order = "channels, height and width, or channels and length"
        image = shape_given(f"{own}(image_shape={{}})", self.image_shape, order, shape, channels_first=first)
        if image is None:
            side = isqrt(n_features)
            line = (side, side) if side * side == n_features else (1, n_features)
            image = shape if len(shape) == 3 else line
        if len(image) == 2:
            image = (image[0], 1, image[1]) if first else (*image, 1)
        settled: Convolutional = clone(self).set_params(image_shape=image, channels_first=first)
        return settled

    def code_shape(self, n_components: int) -> Shape:
        height, width = self.layout.space
        return -(-height // self.pool), -(-width // self.pool), n_components

    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> NetworkModule:
        if self.layout.n_features != n_inputs:
            raise ParameterError(f"image_shape {self.image_shape} does not have {n_inputs} values")
        return self._module(n_components, activation, tied_weights=tied_weights, heads=heads)

    def _module(self, n_components: int, activation: str, *, tied_weights: bool, heads: int) -> NetworkModule:
        return ConvolutionalModule(
            self.layout,
            self.code_shape(n_components),
            self.kernel_size,
            self.pool,
            activation=activation,
            tied_weights=tied_weights,
            heads=heads,
        )

    @property
    def layout(self) -> Layout:
        if isinstance(self.image_shape, str) or len(self.image_shape) != 3:
            raise ParameterError("image_shape is not settled; fitted_to() settles it")
        return Layout.of(self.image_shape, channels_first=self.channels_first)


class ConvolutionalModule(NetworkModule):
    """The module of :class:`Convolutional`. Within, channels come second; rows have them where their layout
    says, codes last."""

    def __init__(
        self,
        image: Layout,
        code: Shape,
        kernel_size: int,
        pool: int,
        *,
        activation: str,
        tied_weights: bool,
        heads: int,
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.image, self.code, self.pool, self.heads = image, code, pool, heads
        self.padding = kernel_size // 2
        filters, channels = code[2], image.channels
        kernel = (kernel_size, kernel_size)
        self.encoder_weight = nn.Parameter(
            torch.empty(heads * filters, channels, *kernel, dtype=torch.float32)
        )
        self.encoder_bias = nn.Parameter(torch.empty(heads * filters, dtype=torch.float32))
        # As for a transposed convolution, so that the encoder's own can stand in its place.
        self.decoder_weight = (
            None
            if tied_weights
            else nn.Parameter(torch.empty(filters, channels, *kernel, dtype=torch.float32))
        )
        self.decoder_bias = nn.Parameter(torch.empty(channels, dtype=torch.float32))

    @property
    def filters(self) -> Tensor:
        weight = self.encoder_weight
        return (weight if self.image.channels_first else weight.permute(0, 2, 3, 1)).flatten(1)

    @property
    def head_parameters(self) -> tuple[Tensor, Tensor]:
        return self.encoder_weight, self.encoder_bias

    @property
    def multiplications(self) -> int:
        kernel, (height, width) = self.encoder_weight[0].numel(), self.image.space
        return height * width * (len(self.encoder_weight) + self.code[2]) * kernel

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        area = self.encoder_weight[0, 0].numel()
        draw_uniform(self.encoder_weight, area * self.image.channels, generator, self.activation.gain)
        if self.decoder_weight is not None:
            draw_uniform(self.decoder_weight, area * self.code[2], generator)
        self.encoder_bias.zero_()
        self.decoder_bias.zero_()

    def encode(self, x: Tensor) -> Tensor:
        image = self.image.unflatten(x).movedim(3, 1)
        maps = conv2d(image, self.encoder_weight, self.encoder_bias, padding=self.padding)
        if self.pool > 1:
            maps = max_pool2d(maps, self.pool, ceil_mode=True)
        height, width, filters = self.code
        by_head = maps.permute(0, 2, 3, 1).reshape(-1, height, width, self.heads, filters)
        return self.activation(by_head.movedim(3, 1).flatten(1))

    def decode(self, code: Tensor) -> Tensor:
        height, width = self.image.space
        maps = Layout.of(self.code, channels_first=False).unflatten(code).movedim(3, 1)
        if self.pool > 1:
            maps = interpolate(maps, scale_factor=self.pool, mode="nearest")
            maps = maps[:, :, :height, :width]
        weight = self.encoder_weight[: self.code[2]] if self.decoder_weight is None else self.decoder_weight
        image = conv_transpose2d(maps, weight, self.decoder_bias, padding=self.padding)
        return self.image.flatten(image.movedim(1, 3))
