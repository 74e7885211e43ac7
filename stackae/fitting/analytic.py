"""The gradient of dense autoencoders worked by hand: the same as autograd's, in a third of the time where
layers are small.

It serves the shallow autoencoder and the unrolled stack alike, as one chain of dense maps. Each part brings
its own derivative, next to its formula; where one of them has none, :func:`by_hand` answers None and the
engine falls back on autograd. The engine's loop is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Generator, Tensor

from stackae.codes.base import CodeModule
from stackae.losses.base import Loss
from stackae.modules.autoencoder import Encoders, UnrolledStack
from stackae.modules.layer import ShallowAutoencoder
from stackae.modules.shortcut import Shortcut, ShortcutByHand
from stackae.networks.activations import Activation
from stackae.networks.dense import DenseByHand, DenseModule
from stackae.penalties.base import CodePenalty, Penalty
from stackae.training.gradients import Gradient, trainable_parameters


def by_hand(module: ShallowAutoencoder | Encoders) -> Gradient | None:
    """The gradient of the module's objective, or None where some part has no derivative by hand."""
    if isinstance(module, ShallowAutoencoder):
        layers, shortcut = [module], None
    elif isinstance(module, UnrolledStack):
        layers, shortcut = module.shallow, module.shortcut
    else:
        return None
    damaged = any(corruption.damages("hidden") for corruption in module.corruptions)
    if damaged or not all(map(_is_differentiated, layers)):
        return None
    return _Chain(layers, shortcut, trainable_parameters(module))


def _is_differentiated(layer: ShallowAutoencoder) -> bool:
    """Whether every part of a layer brings its derivative."""
    network = layer.network
    return (
        isinstance(network, DenseModule)
        and type(network).encode is DenseModule.encode
        and type(network).decode is DenseModule.decode
        and network.activation.backward is not None
        and layer.output.backward is not None
        and (layer.code is None or _brings(layer.code, "backward"))
        and all(_brings(penalty, "gradient") for penalty in layer.penalties)
        and _brings(layer.loss, "with_gradient")
    )


#: What the formula of a part may be called.
_FORMULAS = {"__call__", "cells", "value", "forward", "answer", "cost"}


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

    def __init__(
        self, layers: Sequence[ShallowAutoencoder], shortcut: Shortcut | None, parameters: Sequence[Tensor]
    ) -> None:
        into: dict[Tensor, Tensor] = {p: torch.empty_like(p, requires_grad=False) for p in parameters}
        self.gradients = list(into.values())
        self.networks = [DenseByHand(cast(DenseModule, layer.network), into) for layer in layers]
        self.shortcut = None if shortcut is None else ShortcutByHand(shortcut, into)
        self.layers = list(layers)
        self.loss = layers[0].loss
        self.outputs = [layer.output for layer in layers]
        self.codes = [layer.code for layer in layers]
        self.penalties = [cast("list[CodePenalty]", layer.penalties) for layer in layers]
        # The maps between layers, in the precision of the products.
        self.shifts = [layer.scaling.shift.float() for layer in layers]
        self.factors = [layer.scaling.factor.float() for layer in layers]

    def __call__(self, z: Tensor, seen: Tensor, generator: Generator) -> tuple[Tensor, Sequence[Tensor]]:
        networks, outputs, last = self.networks, self.outputs, len(self.networks) - 1
        shortcut = self.shortcut

        # Forward. inputs[k] is what encoder k is given, codes[k] what becomes of its activations.
        weights = self.layers[0].weights(z, seen)
        z, seen = self.layers[0].presented(z), self.layers[0].presented(seen)
        inputs = [seen]
        activations: list[Tensor] = []
        codes: list[Tensor] = []
        for k in range(last + 1):
            if k:
                inputs.append((codes[-1] - self.shifts[k]) / self.factors[k])
            activations.append(networks[k].encode(inputs[k]))
            code = self.codes[k]
            codes.append(activations[k] if code is None else code(activations[k], generator))
        joint = codes[-1] if shortcut is None else shortcut.code(seen, codes[-1])
        # answers[k] is what decoder k is given, reconstructions[k] what it makes of that.
        answers, reconstructions = [joint] * (last + 1), [z] * (last + 1)
        for k in range(last, 0, -1):
            reconstructions[k] = outputs[k](networks[k].decode(answers[k]))
            answers[k - 1] = torch.addcmul(self.shifts[k], reconstructions[k], self.factors[k])
        preactivation = networks[0].decode(answers[0])
        if shortcut is not None:
            preactivation = shortcut.answer(joint, preactivation)
        reconstruction = reconstructions[0] = outputs[0](preactivation)

        # Back through the decoders, bottom first.
        loss, delta = self.loss.with_gradient(preactivation, reconstruction, z, weights)
        if self.loss.output is None:
            delta = _back(outputs[0], delta, reconstruction)
        beside = None if shortcut is None else shortcut.answer_backward(delta, joint)
        for k in range(last):
            delta = networks[k].decode_backward(delta, answers[k]) * self.factors[k + 1]
            delta = _back(outputs[k + 1], delta, reconstructions[k + 1])
        delta = networks[last].decode_backward(delta, answers[last])
        if beside is not None:
            delta = delta + beside

        # Back through the encoders, top first; each code has its penalty.
        for k in range(last, -1, -1):
            judged = joint if k == last else codes[k]
            for penalty in self.penalties[k]:
                target = z if k == 0 else inputs[k]
                loss = loss + penalty(target, judged, reconstructions[k], self.layers[k])
                delta = delta + penalty.gradient(judged)
            if k == last and shortcut is not None:
                delta = shortcut.code_backward(delta)
            if (code := self.codes[k]) is not None:
                delta = code.backward(delta, codes[k])
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
