"""The gradient by hand agrees with autograd's, for every combination that it accepts."""

from __future__ import annotations

import itertools

import pytest
import torch
from helpers import shallow

from stackae.backprop import by_hand
from stackae.corruption.masking import Masking
from stackae.losses import LOSSES
from stackae.networks import ACTIVATIONS
from stackae.penalties import PENALTIES
from stackae.scaling import Scaling
from stackae.stack import UnrolledStack
from stackae.training.gradients import by_autograd
from stackae.training.precision import computing

DIFFERENTIATED = [name for name, activation in ACTIVATIONS.items() if activation.backward is not None]


def agree(module, n_features=6, **tolerance):
    z = torch.rand(10, n_features, generator=torch.Generator().manual_seed(1))
    hand = by_hand(module)
    assert hand is not None
    generator = torch.Generator().manual_seed(2)
    seen = module.corrupt(z, generator)
    (loss, gradients), (expected_loss, expected) = (
        way(z, seen, generator) for way in (hand, by_autograd(module))
    )
    torch.testing.assert_close(loss, expected_loss, **tolerance)
    assert len(gradients) == len(expected)
    for gradient, known in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, known, **tolerance)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("loss", [*LOSSES])
@pytest.mark.parametrize("penalty", [None, *PENALTIES])
@pytest.mark.parametrize("activation", DIFFERENTIATED)
def test_a_layer_agrees_with_autograd(tied, loss, penalty, activation):
    part = PENALTIES[penalty]() if penalty else None
    if part is not None and part.activations is not None and activation not in part.activations:
        pytest.skip(f"{penalty} is not defined for {activation}")
    agree(
        shallow(
            tied_weights=tied,
            loss=LOSSES[loss](),
            penalty=part,
            activation=activation,
            corruption=Masking(0.25),
        )
    )


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("penalty", [None, "l2"])
@pytest.mark.parametrize("activations", [*itertools.product(("sigmoid", "relu"), ("tanh", "identity"))])
def test_a_stack_agrees_with_autograd(tied, penalty, activations):
    widths = (6, 5, 4, 3)
    layers = []
    for k, activation in enumerate((*activations, "softplus")):
        layer = shallow(
            widths[k],
            widths[k + 1],
            tied_weights=tied,
            activation=activation,
            penalty=PENALTIES[penalty]() if penalty else None,
            loss=LOSSES["squared_error"](),
            output="identity" if k == 0 else ("sigmoid", *activations)[k],
        )
        if k:
            layer.scaling = Scaling(torch.linspace(-1, 1, widths[k]), torch.linspace(0.5, 2, widths[k]))
        layers.append(layer)
    agree(UnrolledStack(layers, Masking(0.25)))


def test_bfloat16_products_agree_to_their_own_precision():
    with computing(torch.device("cpu"), bfloat16=True):
        for tied in (False, True):
            agree(shallow(tied_weights=tied, activation="sigmoid"), atol=0.02, rtol=0.05)


def test_a_unit_saturated_over_a_whole_batch_has_no_gradient_from_the_bounded_divergence():
    module = shallow(activation="sigmoid", penalty=PENALTIES["kl"]())
    with torch.no_grad():
        module.network.encoder_bias[0] = 200.0
    agree(module)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - set(DIFFERENTIATED)))
def test_what_has_no_derivative_by_hand_is_left_to_autograd(activation):
    assert by_hand(shallow(activation=activation)) is None


def test_a_formula_that_a_subclass_replaced_is_left_to_autograd():
    class Halved(LOSSES["squared_error"]().__class__):
        def __call__(self, preactivation, reconstruction, target):
            return super().__call__(preactivation, reconstruction, target) / 2

    class Weighted(PENALTIES["l2"]().__class__):
        def __call__(self, batch, code, reconstruction, module):
            return code.pow(4).sum()

    class Both(Weighted):
        def gradient(self, code):
            return 4 * code**3

    assert by_hand(shallow(loss=Halved())) is None
    assert by_hand(shallow(penalty=Weighted())) is None
    agree(shallow(penalty=Both()))
