"""What each input has to do with each code: on the way from a reference, and by the mean Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, linear, max_pool2d

from stackae.codes.gaussian import GaussianCode
from stackae.codes.nested import Nested
from stackae.codes.topk import TopK
from stackae.modules.autoencoder import DeepEncoder
from stackae.modules.layer import Layer
from stackae.networks.activations import ACTIVATIONS, Activation
from stackae.networks.convolutional import ConvolutionalModule
from stackae.networks.dense import DenseModule

#: So many nonlinear layers at most have a mean Jacobian that is a product of matrices.
MOST_NONLINEAR = 2
#: So many values of Jacobians are computed at once.
_BLOCK = 2**22
#: Points of the way at which encoders that are not dense are differentiated.
_POINTS = 64
#: Where a preactivation changes by less, the slope in the middle stands for the mean one.
_LEAST_CHANGE = 1e-9


def is_dense(module: DeepEncoder) -> bool:
    """Whether every layer is an affine map and a function of each unit, of which the code is left or kept."""
    return all(
        isinstance(layer.network, DenseModule)
        and type(layer.network).encode is DenseModule.encode
        and (layer.parts.code is None or isinstance(layer.parts.code, (TopK, GaussianCode, Nested)))
        for layer in module
    )


def nonlinear_layers(module: DeepEncoder) -> list[int]:
    """Which layers, by their numbers, are no affine map of their inputs."""
    return [
        k
        for k, layer in enumerate(module)
        if ACTIVATIONS[layer.parts.activation].function or isinstance(layer.parts.code, TopK)
    ]


def why_no_way(module: DeepEncoder) -> str | None:
    """What jumps on the way from a reference to a sample, so that no sum of shares is the change; or None."""
    for layer in module:
        if layer.parts.code is not None and layer.parts.code.sparse:
            return f"units of {type(layer.parts.code).__name__} jump to zero"
        if getattr(layer.network, "filling", None) is not None:
            return "the code jumps where a step becomes padding"
    return None


class DenseChain:
    """The encoder of dense layers as affine maps of scaled inputs, a function of each unit behind each.

    Parameters
    ----------
    module : DeepEncoder
        One that :func:`is_dense`.
    """

    def __init__(self, module: DeepEncoder) -> None:
        self.layers, self.shortcut = list(module), module.shortcut
        networks = [layer.network for layer in module]
        self.activations = [network.activation for network in networks if isinstance(network, DenseModule)]
        self.nonlinear = nonlinear_layers(module)
        self.weights, self.biases = [], []
        for k, layer in enumerate(module):
            # Of a Gaussian code's two heads the first, its mean.
            weight, bias = (own[: layer.n_units].detach() for own in layer.network.head_parameters or ())
            if k:
                weight = weight / layer.scaling.factor.to(weight)
                bias = bias - weight @ layer.scaling.shift.to(bias)
            self.weights.append(weight)
            self.biases.append(bias)

    def preactivations(self, k: int, inputs: Tensor) -> Tensor:
        """What a layer's activation is given, of the codes below it or the scaled inputs."""
        return linear(inputs, self.weights[k], self.biases[k])

    def slopes(self, z: Tensor) -> dict[int, Tensor]:
        """Of each nonlinear layer the slopes of its units at each scaled sample."""
        found: dict[int, Tensor] = {}
        code = z
        for k in range(self.nonlinear[-1] + 1 if self.nonlinear else 0):
            before, activation = self.preactivations(k, code), self.activations[k]
            code = activation(before)
            if k in self.nonlinear:
                slope = activation.slope(code)
                found[k] = _derivative(activation, before) if slope is None else slope
            if isinstance(self.layers[k].parts.code, TopK):
                code = self.layers[k].code_of(code)
                found[k] = found[k] * (code != 0)
        return found

    def summed_jacobians(self, slopes: dict[int, Tensor], depth: int) -> Tensor:
        """The sum over samples of the Jacobians of a layer's code, before the first affine map, float64."""
        weights = self.weights
        n_values = len(weights[depth]) * max(weight.shape[1] for weight in weights[1 : depth + 1])
        total = torch.zeros((), dtype=torch.float64, device=weights[0].device)
        size, n_samples = max(1, _BLOCK // n_values), len(slopes[depth])
        for first in range(0, n_samples, size):
            slope = {k: own[first : first + size] for k, own in slopes.items()}
            result = slope[depth][:, :, None] * weights[depth]
            for k in range(depth - 1, -1, -1):
                result = result * slope[k][:, None] if k in slope else result
                result = result @ weights[k] if k else result
            total = total + result.sum(0).double()
        return total

    def multipliers(self, z: Tensor, start: Tensor, depth: int, unit: int) -> Tensor:
        """What the change of each scaled input, from a start, is multiplied by in the change of a unit."""
        slopes = []
        for k in range(depth + 1):
            after, before = self.preactivations(k, z), self.preactivations(k, start)
            z, start = self.activations[k](after), self.activations[k](before)
            slopes.append(_mean_slope(self.activations[k], after, before, z - start))
        result = slopes[depth][:, unit, None] * self.weights[depth][unit]
        for k in range(depth - 1, -1, -1):
            result = (result * slopes[k]) @ self.weights[k]
        if self.shortcut is None or depth < len(self.layers) - 1:
            return result
        n_kept = self.shortcut.n_kept
        if unit < n_kept:
            return self.shortcut.kept[unit].expand_as(result)
        return result + self.shortcut.encoder_weight[unit - n_kept]


class MeanJacobian:
    """The mean Jacobian of dense layers over samples that come in blocks.

    With affine maps A, B, C and slopes s, t of the units the Jacobian of two nonlinear layers is
    C·diag(t)·B·diag(s)·A, and its mean C·(B∘E[t·sᵀ])·A: it costs less than encoding the samples twice. With
    more of them it costs, of each sample, as many encodings as there are units.
    """

    def __init__(self) -> None:
        self._chain: DenseChain | None = None
        self._n_samples = 0
        #: The sums of the first nonlinear layer's slopes, of the products of the first two's, and of the
        #: Jacobians before the first affine map, by depth.
        self._slopes: Any = 0.0
        self._products: Any = 0.0
        self._jacobians: dict[int, Any] = {}

    def take(self, module: DeepEncoder, x: Tensor) -> Tensor:
        """Count a block of samples in (samples × features, in the user's units); gives samples × 0."""
        if self._chain is None:
            self._chain = DenseChain(module)
        slopes = self._chain.slopes(module[0].network_input(module[0].scaling(x)))
        first = list(slopes.values())[:MOST_NONLINEAR]
        self._n_samples += len(x)
        if first:
            self._slopes = self._slopes + first[0].sum(0).double()
        if len(first) == MOST_NONLINEAR:
            self._products = self._products + (first[1].t() @ first[0]).double()
        for depth in list(slopes)[MOST_NONLINEAR:]:
            total = self._chain.summed_jacobians(slopes, depth)
            self._jacobians[depth] = self._jacobians.get(depth, 0.0) + total
        return x.new_empty(len(x), 0)

    def jacobian(self, depth: int) -> Tensor:
        """The mean Jacobian of a layer's code (units × scaled inputs), float64."""
        assert self._chain is not None
        passed = [k for k in self._chain.nonlinear if k <= depth]
        weights = [weight.double() for weight in self._chain.weights[: depth + 1]]
        result, below = weights[0], None
        for k, weight in enumerate(weights):
            result = weight if k == 0 or k - 1 in passed[:-1] else weight @ result
            if len(passed) > MOST_NONLINEAR and k == passed[-1]:
                result = self._jacobians[k] / self._n_samples @ weights[0]
            elif k not in passed:
                continue
            elif k != passed[-1]:
                below = result
            elif below is None:
                result = result * (self._slopes / self._n_samples)[:, None]
            else:
                result = (result * (self._products / self._n_samples)) @ below
        shortcut = self._chain.shortcut
        if shortcut is None or depth < len(self._chain.layers) - 1:
            return result
        return torch.cat([shortcut.kept.double(), result[shortcut.n_kept :] + shortcut.encoder_weight])


class ConvolutionalJacobian:
    """The mean Jacobian of a convolutional layer's own code over samples that come in blocks.

    A unit's Jacobian at one sample is its filter, at the cell that its pooling has chosen, times the unit's
    slope. So its mean is the filter at each cell of the window, times the mean of the slopes where that cell
    was chosen: it costs about one encoding.

    The layer is one that :func:`is_convolutional`.
    """

    def __init__(self) -> None:
        self._n_samples, self._slopes = 0, torch.zeros(())

    def take(self, layer: Layer, x: Tensor) -> None:
        """Count a block of samples in (samples × features, in the user's units)."""
        network = layer.network
        assert isinstance(network, ConvolutionalModule)
        n_filters = network.code[2]
        image = network.image.unflatten(layer.network_input(layer.scaling(x))).movedim(3, 1)
        weight, bias = network.encoder_weight[:n_filters], network.encoder_bias[:n_filters]
        maps = conv2d(image, weight, bias, padding=network.padding)
        before, chosen = max_pool2d(maps, network.pool, ceil_mode=True, return_indices=True)
        slope = network.activation.slope(network.activation(before))
        slope = _derivative(network.activation, before) if slope is None else slope
        at_cells = torch.zeros_like(maps).flatten(2)
        at_cells.scatter_(2, chosen.flatten(2), slope.flatten(2))
        self._slopes = self._slopes + at_cells.sum(0).double().view(maps.shape[1:])
        self._n_samples += len(x)

    def jacobian(self, network: ConvolutionalModule) -> Tensor:
        """Units × scaled inputs, float64."""
        slopes = self._slopes / self._n_samples
        height, width, n_filters = network.code
        rows, columns = (
            torch.arange(size, device=slopes.device) // network.pool for size in slopes.shape[1:]
        )
        window = rows[:, None] * width + columns  # of each cell
        windows = torch.arange(height * width, device=slopes.device)[:, None, None]
        found = []
        for own, weight in zip(slopes, network.encoder_weight[:n_filters].double(), strict=True):
            of_windows = torch.where(window == windows, own, 0.0)[:, None]
            images = conv_transpose2d(of_windows, weight[None], padding=network.padding)
            found.append(network.image.flatten(images.movedim(1, 3)))
        return torch.stack(found, 1).flatten(0, 1)


def is_convolutional(layer: Layer) -> bool:
    """Whether a layer is a convolution, pooled, of which the code is kept as it is."""
    network, code = layer.network, layer.parts.code
    return (
        isinstance(network, ConvolutionalModule)
        and type(network).encode is ConvolutionalModule.encode
        and (code is None or isinstance(code, GaussianCode))
    )


def contributions_to(module: DeepEncoder, x: Tensor, reference: Tensor, depth: int, unit: int) -> Tensor:
    """What each input adds to a unit of a layer's code on the way from a reference to each sample.

    Dense layers are passed one after the other: each, on the straight way of its own inputs, has the mean
    slope Δa/Δz of every unit, exactly, over all kinks, and slopes and weights multiply (Shrikumar et al.
    2017). Other encoders are integrated on the straight way as a whole (Sundararajan et al. 2017).

    Parameters
    ----------
    module : DeepEncoder
        In the precision of the samples.
    x, reference : Tensor of shape (samples, features), (1, features)
        In the user's units.
    depth, unit : int
        Which layer, 0 the first, and which number of its code.

    Returns
    -------
    Tensor of shape (samples, features)
        A row's sum is its code less the reference's.
    """
    first = module[0]
    z, start = (first.network_input(first.scaling(own)) for own in (x, reference))
    if is_dense(module):
        shares = DenseChain(module).multipliers(z, start, depth, unit) * (z - start)
        # What marks a gap belongs to the column that has it.
        return torch.stack(torch.split(shares, first.n_inputs, 1)).sum(0)
    x, start = first.scaling.inverse(z), first.scaling.inverse(start)
    mean = torch.zeros_like(x)
    for place, weight in zip(*np.polynomial.legendre.leggauss(_POINTS), strict=True):
        between = torch.lerp(start.expand_as(x), x, (place + 1) / 2)
        mean += weight / 2 * gradients(module, between, [(depth, unit)])[0]
    return mean * (x - start)


@torch.enable_grad()
def gradients(module: DeepEncoder, x: Tensor, units: list[tuple[int, int]]) -> list[Tensor]:
    """The gradients of units of codes, each a layer's number and its own, where no cell is missing.

    ``x`` and each of the gradients are (samples × features), in the user's units.
    """
    x = x.detach().requires_grad_()
    codes = module.codes(x)
    return [
        torch.autograd.grad(codes[depth][:, unit].sum(), x, retain_graph=True)[0] for depth, unit in units
    ]


@torch.enable_grad()
def _derivative(activation: Activation, x: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(activation(x).sum(), x)[0]


def _mean_slope(activation: Activation, after: Tensor, before: Tensor, change: Tensor) -> Tensor:
    """By what the change of preactivations is multiplied where it becomes that of activations."""
    difference = after - before
    slope = change / difference
    is_small = difference.abs() < _LEAST_CHANGE
    slope[is_small] = _derivative(activation, ((after + before) / 2)[is_small])
    return slope
