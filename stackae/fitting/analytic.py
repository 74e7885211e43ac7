"""The analytic gradient of dense networks: the same as autograd's, in a third of the time where layers are
small.

An autoencoder of n layers is one chain of dense maps, and so are encoders with a head. Each part brings its
own derivative, next to its formula; where one of them has none, :func:`why_autograd` and
:func:`why_autograd_of_head` name it. The loop is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import torch
from torch import Generator, Tensor

from stackae.codes.base import CodeModule
from stackae.corruption.base import Corruption
from stackae.losses.base import Loss
from stackae.modules.autoencoder import DeepAutoencoder, DeepEncoder
from stackae.modules.heads import Predictor
from stackae.modules.layer import Layer
from stackae.modules.shortcut import AnalyticShortcut
from stackae.networks.activations import Activation
from stackae.networks.dense import AnalyticDense, DenseModule, product
from stackae.penalties.base import CodePenalty, Penalty
from stackae.training.gradients import Gradient, trainable_parameters


def analytic_gradient(module: DeepAutoencoder | Predictor) -> Gradient:
    """The gradient of a module's objective, where nothing has been found that needs autograd."""
    return _EncodersAndHead(module) if isinstance(module, Predictor) else _Autoencoder(module)


def why_autograd(layers: Iterable[Layer], corruptions: Sequence[Corruption]) -> str | None:
    """The first part of an autoencoder that brings no derivative, so that autograd is needed; None where
    there is none."""
    if any(corruption.damages("hidden") for corruption in corruptions):
        return "a damaged code"
    for layer in layers:
        if (why := _why_encoder(layer)) is not None:
            return why
        if layer.output.backward is None:
            return layer.parts.output
        for penalty, part in zip(layer.penalties, layer.parts.penalties, strict=True):
            if not _brings(penalty, "gradient"):
                return type(part).__name__
        if not _brings(layer.loss, "with_gradient"):
            return type(layer.loss).__name__
    return None


def why_autograd_of_head(layers: Iterable[Layer], corruptions: Sequence[Corruption]) -> str | None:
    """The same of encoders with a head, whose decoders and penalties have no part."""
    for corruption in corruptions:
        if corruption.damages("hidden") and not _brings(corruption, "with_slope"):
            return type(corruption).__name__
    return next(filter(None, map(_why_encoder, layers)), None)


def _why_encoder(layer: Layer) -> str | None:
    network, code = layer.network, layer.code
    if not (
        isinstance(network, DenseModule)
        and type(network).encode is DenseModule.encode
        and type(network).decode is DenseModule.decode
    ):
        return type(layer.parts.network).__name__
    if network.activation.backward is None:
        return layer.parts.activation
    if code is not None and not (_brings(code, "backward") and type(code).cost is CodeModule.cost):
        return type(layer.parts.code).__name__
    return None


#: What the formula of a part may be called.
_FORMULAS = {"__call__", "cells", "value", "forward", "reconstruction", "cost"}


def _brings(part: object, derivative: str) -> bool:
    """Whether the derivative is that of the part's own formula, and not of one that a subclass replaced."""
    for kind in type(part).__mro__:
        if kind in (Loss, Penalty, CodePenalty, CodeModule, Corruption):
            return False
        if derivative in vars(kind):
            return True
        if _FORMULAS & vars(kind).keys():
            return False
    return False


class _Encoders:
    """Encoders 1 to n, and the shortcut past them, forward and back."""

    def __init__(self, module: DeepEncoder, into: Mapping[Tensor, Tensor]) -> None:
        self.layers = list(module)
        self.networks = [AnalyticDense(cast(DenseModule, layer.network), into) for layer in self.layers]
        self.shortcut = None if module.shortcut is None else AnalyticShortcut(module.shortcut, into)
        self.codes = [layer.code for layer in self.layers]
        # The maps between layers, in the precision of the products.
        self.shifts = [layer.scaling.shift.float() for layer in self.layers]
        self.factors = [layer.scaling.factor.float() for layer in self.layers]

    def forward(
        self,
        corrupted: Tensor,
        generator: Generator | None,
        damage: Callable[[Tensor], tuple[Tensor, Tensor | None]] | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What each encoder is given; and what becomes of its activations and, at the top, the shortcut's.

        ``damage`` maps a code to what goes on of it, and the slope of that; the second list has what goes on.
        """
        inputs = [corrupted]
        activations: list[Tensor] = []
        codes: list[Tensor] = []
        passed: list[Tensor] = []
        slopes: list[Tensor | None] = []
        last = len(self.networks) - 1
        for k, network in enumerate(self.networks):
            if k:
                inputs.append((passed[-1] - self.shifts[k]) / self.factors[k])
            activations.append(network.encode(inputs[k]))
            code = activations[k]
            if k == last and self.shortcut is not None:
                code = self.shortcut.code(corrupted, code)
            if (own := self.codes[k]) is not None:
                code = own(code, generator)
            codes.append(code)
            goes_on, slope = (code, None) if damage is None else damage(code)
            passed.append(goes_on)
            slopes.append(slope)
        self._activations, self._codes, self._slopes = activations, codes, slopes
        return inputs, passed

    def backward(self, delta: Tensor, add: Callable[[int, Tensor], Tensor] | None = None) -> None:
        """Back from the gradient of the last code, top first; ``add`` is what each code costs."""
        last = len(self.networks) - 1
        for k in range(last, -1, -1):
            if add is not None:
                delta = add(k, delta)
            if (slope := self._slopes[k]) is not None:
                delta = delta * slope
            if (code := self.codes[k]) is not None:
                delta = code.backward(delta, self._codes[k])
            if k == last and self.shortcut is not None:
                delta = self.shortcut.code_backward(delta)
            delta = _back(self.networks[k].activation, delta, self._activations[k])
            self.networks[k].encode_backward(delta)
            if k:
                delta = self.networks[k].input_gradient(delta) / self.factors[k]


class _Autoencoder:
    """Encoders 1 to n and decoders n to 1."""

    def __init__(self, module: DeepEncoder) -> None:
        into = _places(module)
        self.gradients = list(into.values())
        self.encoders = _Encoders(module, into)
        self.layers = self.encoders.layers
        self.loss = self.layers[0].loss
        self.outputs = [layer.output for layer in self.layers]
        self.penalties = [cast("list[CodePenalty]", layer.penalties) for layer in self.layers]

    def __call__(self, z: Tensor, corrupted: Tensor, generator: Generator) -> tuple[Tensor, Sequence[Tensor]]:
        encoders, outputs = self.encoders, self.outputs
        networks, shortcut, last = encoders.networks, encoders.shortcut, len(encoders.networks) - 1
        weights = self.layers[0].cell_weights(z, corrupted)
        z, corrupted = self.layers[0].network_input(z), self.layers[0].network_input(corrupted)
        inputs, codes = encoders.forward(corrupted, generator)
        joint = codes[-1]
        # hidden[k] is what decoder k is given, reconstructions[k] what it makes of that.
        hidden, reconstructions = [joint] * (last + 1), [z] * (last + 1)
        for k in range(last, 0, -1):
            reconstructions[k] = outputs[k](networks[k].decode(hidden[k]))
            hidden[k - 1] = torch.addcmul(encoders.shifts[k], reconstructions[k], encoders.factors[k])
        preactivation = networks[0].decode(hidden[0])
        if shortcut is not None:
            preactivation = shortcut.add_offset(joint, preactivation)
        reconstruction = reconstructions[0] = self.loss.reconstruction(preactivation, outputs[0])

        # Back through the decoders, bottom first.
        loss, delta = self.loss.with_gradient(preactivation, reconstruction, z, weights)
        if self.loss.output is None:
            delta = delta.to(reconstruction.dtype)
            delta = self.loss.reconstruction_backward(delta, reconstruction, outputs[0])
        of_offset = None if shortcut is None else shortcut.offset_backward(delta, joint)
        for k in range(last):
            delta = networks[k].decode_backward(delta) * encoders.factors[k + 1]
            delta = _back(outputs[k + 1], delta, reconstructions[k + 1])
        delta = networks[last].decode_backward(delta)
        if of_offset is not None:
            delta = delta + of_offset

        def add(k: int, delta: Tensor) -> Tensor:
            nonlocal loss
            for penalty in self.penalties[k]:
                target = z if k == 0 else inputs[k]
                loss = loss + penalty(target, codes[k], reconstructions[k], self.layers[k])
                delta = delta + penalty.gradient(codes[k])
            return delta

        encoders.backward(delta, add)
        return loss, self.gradients


class _EncodersAndHead:
    """Encoders 1 to n, and an affine head on the last code."""

    def __init__(self, module: Predictor) -> None:
        into = _places(module)
        self.gradients = list(into.values())
        self.module = module
        self.encoders = _Encoders(module, into)
        self.shift, self.factor = module.code_scaling.shift.float(), module.code_scaling.factor.float()
        self.weight, self.bias = module.head.weight.detach(), module.head.bias.detach()
        self.of_weight, self.of_bias = into[module.head.weight], into[module.head.bias]
        self.damages = [own for own in module.corruptions if own.damages("hidden")]

    def __call__(self, z: Tensor, corrupted: Tensor, generator: Generator) -> tuple[Tensor, Sequence[Tensor]]:
        def damage(code: Tensor) -> tuple[Tensor, Tensor | None]:
            slope = None
            for corruption in self.damages:
                code, own = corruption.with_slope(code, generator, self.module.fraction)
                slope = own if slope is None else slope if own is None else slope * own
            return code, slope

        corrupted = self.encoders.layers[0].network_input(corrupted)
        _, codes = self.encoders.forward(corrupted, None, damage if self.damages else None)
        code = (codes[-1] - self.shift) / self.factor
        outputs = torch.addmm(self.bias, code, self.weight.t())
        loss, delta = self.module.cost_with_gradient(outputs, z[:, self.module.n_inputs :])
        product(delta.t(), code, self.of_weight)
        torch.sum(delta, 0, out=self.of_bias)
        self.encoders.backward(torch.mm(delta, self.weight) / self.factor)
        return loss, self.gradients


def _places(module: DeepEncoder) -> dict[Tensor, Tensor]:
    """Of each parameter that is trained, where its gradient is written."""
    return {p: torch.empty_like(p, requires_grad=False) for p in trainable_parameters(module)}


def _back(activation: Activation, gradient: Tensor, output: Tensor) -> Tensor:
    """Back through an activation, in the number format of its output."""
    if gradient.dtype != output.dtype:
        gradient = gradient.to(output.dtype)
    return cast("Callable[[Tensor, Tensor], Tensor]", activation.backward)(gradient, output)
