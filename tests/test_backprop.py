"""The gradient by hand agrees with autograd's, for every combination that it accepts."""

from __future__ import annotations

import itertools

import pytest
import torch
from helpers import shallow

from stackae import Dropout, GaussianCode, TopK
from stackae.corruption.masking import Masking
from stackae.fitting.analytic import by_hand
from stackae.losses import LOSSES
from stackae.modules.autoencoder import UnrolledStack
from stackae.modules.scaling import Scaling
from stackae.modules.shortcut import Shortcut
from stackae.networks import ACTIVATIONS, NETWORKS
from stackae.penalties import PENALTIES
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
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "huber"])
@pytest.mark.parametrize("penalty", [None, "l1", "l2", "kl"])
@pytest.mark.parametrize("activation", DIFFERENTIATED)
def test_a_layer_agrees_with_autograd(tied, loss, penalty, activation):
    part = PENALTIES[penalty]() if penalty else None
    if part is not None and part.activations is not None and activation not in part.activations:
        pytest.skip(f"{penalty} is not defined for {activation}")
    agree(
        shallow(
            tied_weights=tied,
            loss=LOSSES[loss](),
            penalties=(part,) if part else (),
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
            penalties=(PENALTIES[penalty](),) if penalty else (),
            loss=LOSSES["squared_error"](),
            output="identity" if k == 0 else ("sigmoid", *activations)[k],
        )
        if k:
            layer.scaling = Scaling(torch.linspace(-1, 1, widths[k]), torch.linspace(0.5, 2, widths[k]))
        layers.append(layer)
    agree(UnrolledStack(layers, [Masking(0.25)]))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("n_kept", [0, 1])
@pytest.mark.parametrize(("loss", "output"), [("squared_error", "identity"), ("cross_entropy", "sigmoid")])
@pytest.mark.parametrize("penalty", [None, "l2"])
def test_a_stack_with_a_shortcut_agrees_with_autograd(depth, n_kept, loss, output, penalty):
    widths = (6, 5, 4, 3)
    layers = [
        shallow(
            widths[k],
            widths[k + 1],
            activation="identity" if k == depth - 1 else "relu",
            penalties=(PENALTIES[penalty](),) if penalty else (),
            loss=LOSSES["squared_error" if k else loss](),
            output="relu" if k else output,
        )
        for k in range(depth)
    ]
    shortcut = Shortcut(6, widths[depth], n_kept)
    for tensor in shortcut.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3)))
    agree(UnrolledStack(layers, [Masking(0.25)], shortcut))


def test_bfloat16_products_agree_to_their_own_precision():
    with computing(torch.device("cpu"), bfloat16=True):
        for tied in (False, True):
            agree(shallow(tied_weights=tied, activation="sigmoid"), atol=0.02, rtol=0.05)


def test_a_unit_saturated_over_a_whole_batch_has_no_gradient_from_the_bounded_divergence():
    module = shallow(activation="sigmoid", penalties=(PENALTIES["kl"](),))
    with torch.no_grad():
        module.network.encoder_bias[0] = 200.0
    agree(module)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - set(DIFFERENTIATED)))
def test_what_has_no_derivative_by_hand_is_left_to_autograd(activation):
    assert by_hand(shallow(activation=activation)) is None


def test_a_formula_that_a_subclass_replaced_is_left_to_autograd():
    class Halved(LOSSES["squared_error"]().__class__):
        def cells(self, preactivation, reconstruction, target):
            return super().cells(preactivation, reconstruction, target) / 2

        def __call__(self, preactivation, reconstruction, target, weights=None):
            return super().__call__(preactivation, reconstruction, target, weights) / 2

    class Weighted(PENALTIES["l2"]().__class__):
        def value(self, code):
            return code.pow(4).sum()

    class Called(PENALTIES["l2"]().__class__):
        def __call__(self, batch, code, reconstruction, module, **_):
            return code.pow(4).sum()

    class Both(Called):
        def gradient(self, code):
            return 4 * code**3

    assert by_hand(shallow(loss=Halved())) is None
    assert by_hand(shallow(penalties=(Weighted(),))) is None
    assert by_hand(shallow(penalties=(Called(),))) is None
    agree(shallow(penalties=(Both(),)))


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "huber"])
def test_weighted_cells_and_several_penalties_agree_with_autograd(loss):
    agree(
        shallow(
            loss=LOSSES[loss](corrupted=1.0, intact=0.3),
            penalties=(PENALTIES["l1"](0.3), PENALTIES["l2"](0.2)),
            corruption=Masking(0.5),
        )
    )


def test_a_sparse_code_agrees_with_autograd_alone_and_in_a_stack():
    agree(shallow(code=TopK(2, start=2)))
    below, above = shallow(6, 5, code=TopK(2, start=2)), shallow(5, 3, loss=LOSSES["squared_error"]())
    agree(UnrolledStack([below, above]))


def test_a_network_that_starts_from_the_rows_is_trained_by_hand_too():
    agree(shallow(network=NETWORKS["pca"]()))


@pytest.mark.parametrize(
    "parts",
    [
        {"code": GaussianCode()},
        {"penalties": (PENALTIES["contractive"](),)},
        {"corruption": Dropout(0.5)},
        {"loss": LOSSES["per_feature"]()},
        {"network": NETWORKS["convolutional"]()},
    ],
    ids=repr,
)
def test_a_part_without_a_derivative_by_hand_is_left_to_autograd(parts):
    assert by_hand(shallow(**parts)) is None
