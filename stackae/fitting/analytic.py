"""The analytic gradient of dense autoencoders: the same as autograd's, in a third of the time where layers
are small.

An autoencoder of n layers is one chain of dense maps. Each part brings its own derivative, next to its
formula; where one of them has none, :func:`why_autograd` names it. The loop is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
from torch import Generator, Tensor

from stackae.codes.base import CodeModule
from stackae.corruption.base import Corruption
from stackae.losses.base import Loss
from stackae.modules.autoencoder import DeepEncoder
from stackae.modules.layer import Layer
from stackae.modules.shortcut import AnalyticShortcut
from stackae.networks.activations import Activation
from stackae.networks.dense import AnalyticDense, DenseModule
from stackae.penalties.base import CodePenalty, Penalty
from stackae.training.gradients import Gradient, trainable_parameters


def analytic_gradient(module: DeepEncoder) -> Gradient:
    """The gradient of an autoencoder's objective, where :func:`why_autograd` has found nothing."""
    return _Chain(module)


def why_autograd(layers: Iterable[Layer], corruptions: Sequence[Corruption]) -> str | None:
    """The first part that brings no derivative, so that autograd is needed; None where there is none."""
    if any(corruption.damages("hidden") for corruption in corruptions):
        return "a damaged code"
    for layer in layers:
        network = layer.network
        if not (
            isinstance(network, DenseModule)
            and type(network).encode is DenseModule.encode
            and type(network).decode is DenseModule.decode
        ):
            return type(layer.parts.network).__name__
        for name, activation in (
            (layer.parts.activation, network.activation),
            (layer.parts.output, layer.output),
        ):
            if activation.backward is None:
                return name
        code = layer.code
        if code is not None and not (_brings(code, "backward") and type(code).cost is CodeModule.cost):
            return type(layer.parts.code).__name__
        for penalty, part in zip(layer.penalties, layer.parts.penalties, strict=True):
            if not _brings(penalty, "gradient"):
                return type(part).__name__
        if not _brings(layer.loss, "with_gradient"):
            return type(layer.loss).__name__
    return None


#: What the formula of a part may be called.
_FORMULAS = {"__call__", "cells", "value", "forward", "reconstruction", "cost"}


def _brings(part: object, derivative: str) -> bool:
    """Whether the derivative is that of the part's own formula, and not of one that a subclass replaced."""
    for kind in type(part).__mro__:
        if kind in (Loss, Penalty, CodePenalty, CodeModule):
            return False
        if derivative in vars(kind):
            return True
        if _FORMULAS & vars(kind).keys():
            return False
    return False


class _Chain:
    """Encoders 1 to n and decoders n to 1, forward and back."""

    def __init__(self, module: DeepEncoder) -> None:
        layers, parameters = list(module), trainable_parameters(module)
        into: dict[Tensor, Tensor] = {p: torch.empty_like(p, requires_grad=False) for p in parameters}
        self.gradients = list(into.values())
        self.networks = [AnalyticDense(cast(DenseModule, layer.network), into) for layer in layers]
        self.shortcut = None if module.shortcut is None else AnalyticShortcut(module.shortcut, into)
        self.layers = layers
        self.loss = layers[0].loss
        self.outputs = [layer.output for layer in layers]
        self.codes = [layer.code for layer in layers]
        self.penalties = [cast("list[CodePenalty]", layer.penalties) for layer in layers]
        # The maps between layers, in the precision of the products.
        self.shifts = [layer.scaling.shift.float() for layer in layers]
        self.factors = [layer.scaling.factor.float() for layer in layers]

    def __call__(self, z: Tensor, corrupted: Tensor, generator: Generator) -> tuple[Tensor, Sequence[Tensor]]:
        networks, outputs, last = self.networks, self.outputs, len(self.networks) - 1
        shortcut = self.shortcut

        # Forward. inputs[k] is what encoder k is given, codes[k] what becomes of its activations and,
        # at the top, of the shortcut's.
        weights = self.layers[0].cell_weights(z, corrupted)
        z, corrupted = self.layers[0].network_input(z), self.layers[0].network_input(corrupted)
        inputs = [corrupted]
        activations: list[Tensor] = []
        codes: list[Tensor] = []
        for k in range(last + 1):
            if k:
                inputs.append((codes[-1] - self.shifts[k]) / self.factors[k])
            activations.append(networks[k].encode(inputs[k]))
            of_code = activations[k]
            if k == last and shortcut is not None:
                of_code = shortcut.code(corrupted, of_code)
            code = self.codes[k]
            codes.append(of_code if code is None else code(of_code, generator))
        joint = codes[-1]
        # hidden[k] is what decoder k is given, reconstructions[k] what it makes of that.
        hidden, reconstructions = [joint] * (last + 1), [z] * (last + 1)
        for k in range(last, 0, -1):
            reconstructions[k] = outputs[k](networks[k].decode(hidden[k]))
            hidden[k - 1] = torch.addcmul(self.shifts[k], reconstructions[k], self.factors[k])
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
            delta = networks[k].decode_backward(delta, hidden[k]) * self.factors[k + 1]
            delta = _back(outputs[k + 1], delta, reconstructions[k + 1])
        delta = networks[last].decode_backward(delta, hidden[last])
        if of_offset is not None:
            delta = delta + of_offset

        # Back through the encoders, top first; each code has its penalty.
        for k in range(last, -1, -1):
            for penalty in self.penalties[k]:
                target = z if k == 0 else inputs[k]
                loss = loss + penalty(target, codes[k], reconstructions[k], self.layers[k])
                delta = delta + penalty.gradient(codes[k])
            if (code := self.codes[k]) is not None:
                delta = code.backward(delta, codes[k])
            if k == last and shortcut is not None:
                delta = shortcut.code_backward(delta)
            delta = _back(networks[k].activation, delta, activations[k])
            networks[k].encode_backward(delta, inputs[k])
            if k:
                delta = networks[k].input_gradient(delta) / self.factors[k]
        return loss, self.gradients


def _back(activation: Activation, gradient: Tensor, output: Tensor) -> Tensor:
    """Back through an activation, in the number format of its output."""
    if gradient.dtype != output.dtype:
        gradient = gradient.to(output.dtype)
    return cast("Callable[[Tensor, Tensor], Tensor]", activation.backward)(gradient, output)
