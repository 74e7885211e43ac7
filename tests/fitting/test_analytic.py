"""The analytic gradient agrees with autograd's, for every combination that it accepts."""

from __future__ import annotations

import itertools

import pytest
import torch
from helpers import gradient_by_hand, layer_of, shallow

from stackae import Dropout, GaussianCode, GaussianNoise, Masking, TopK
from stackae.codes.base import Code, CodeModule
from stackae.fitting.analytic import why_autograd
from stackae.losses import LOSSES
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.scaling import Scaling
from stackae.modules.shortcut import Shortcut
from stackae.networks import ACTIVATIONS, NETWORKS
from stackae.networks.dense import Dense, DenseModule
from stackae.penalties import PENALTIES
from stackae.training.gradients import by_autograd
from stackae.training.precision import computing

DIFFERENTIATED = [name for name, activation in ACTIVATIONS.items() if activation.backward is not None]


def agree(module, *, gaps=False, **tolerance):
    z = torch.rand(10, 6, generator=torch.Generator().manual_seed(1))
    if gaps:
        z[torch.rand(10, 6, generator=torch.Generator().manual_seed(3)) < 0.2] = torch.nan
    analytic = gradient_by_hand(module)
    assert analytic is not None
    generator = torch.Generator().manual_seed(2)
    corrupted = module.corrupt(z, generator)
    (loss, gradients), (expected_loss, expected) = (
        way(z, corrupted, generator) for way in (analytic, by_autograd(module))
    )
    torch.testing.assert_close(loss, expected_loss, **tolerance)
    assert len(gradients) == len(expected)
    for gradient, known in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, known, **tolerance)


def corrupted_stack(layers, shortcut=None):
    module = DeepAutoencoder(layers, shortcut=shortcut)
    module.corruptions = (Masking(0.25),)
    return module


LOSS_AND_PENALTY = [
    ("squared_error", None),
    ("cross_entropy", "l1"),
    ("huber", "l2"),
    ("squared_error", "kl"),
    ("cross_entropy", "kl"),
]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    ("activation", "loss", "penalty"),
    [
        (activation, loss, penalty)
        for activation in DIFFERENTIATED
        for loss, penalty in LOSS_AND_PENALTY
        if penalty is None or activation in (PENALTIES[penalty].activations or DIFFERENTIATED)
    ],
)
def test_a_layer_agrees_with_autograd(tied, activation, loss, penalty):
    agree(
        shallow(
            tied_weights=tied,
            loss=LOSSES[loss](),
            penalties=(PENALTIES[penalty](),) if penalty else (),
            activation=activation,
            corruption=Masking(0.25),
        )
    )


@pytest.mark.parametrize(("tied", "penalty"), [(False, "l2"), (True, None)])
@pytest.mark.parametrize("activations", [*itertools.product(("sigmoid", "relu"), ("tanh", "identity"))])
def test_a_stack_agrees_with_autograd(tied, penalty, activations):
    widths = (6, 5, 4, 3)
    layers = []
    for k, activation in enumerate((*activations, "softplus")):
        layer = layer_of(
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
    agree(corrupted_stack(layers))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("n_kept", [0, 1])
@pytest.mark.parametrize(
    ("loss", "output", "penalty"), [("squared_error", "identity", "l2"), ("cross_entropy", "sigmoid", None)]
)
def test_a_stack_with_a_shortcut_agrees_with_autograd(depth, n_kept, loss, output, penalty):
    widths = (6, 5, 4, 3)
    layers = [
        layer_of(
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
    agree(corrupted_stack(layers, shortcut))


@pytest.mark.parametrize("indicator", [False, True])
def test_missing_cells_agree_with_autograd(indicator):
    agree(shallow(missing=True, indicator=indicator, corruption=Masking(0.5)), gaps=True)


def test_bfloat16_products_agree_to_their_own_precision():
    with computing(torch.device("cpu"), bfloat16=True):
        for tied in (False, True):
            agree(shallow(tied_weights=tied, activation="sigmoid"), atol=0.02, rtol=0.05)
        agree(shallow(loss=LOSSES["per_feature"]([0], groups=[(1, 4)])), atol=0.02, rtol=0.05)


def test_a_unit_saturated_over_a_whole_batch_has_no_gradient_from_the_bounded_divergence():
    module = shallow(activation="sigmoid", penalties=(PENALTIES["kl"](),))
    with torch.no_grad():
        module[0].network.encoder_bias[0] = 200.0
    agree(module)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "huber"])
def test_weighted_cells_and_several_penalties_agree_with_autograd(loss):
    agree(
        shallow(
            loss=LOSSES[loss](corrupted=1.0, intact=0.3),
            penalties=(PENALTIES["l1"](0.3), PENALTIES["l2"](0.2)),
            corruption=Masking(0.5),
        )
    )


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
@pytest.mark.parametrize("continuous", ["squared_error", "huber"])
@pytest.mark.parametrize("missing", [False, True])
def test_columns_of_every_kind_agree_with_autograd(output, continuous, missing):
    """Of six, and of the six that mark gaps: the first is binary, those behind it may be categories."""
    for groups in ((), ((1, 3),), ((1, 3), (4, 6)), ((1, 6),)):
        loss = LOSSES["per_feature"]((0,), continuous, corrupted=1.0, intact=0.3, groups=groups)
        module = shallow(
            loss=loss, groups=groups, missing=missing, indicator=missing, corruption=Masking(0.4)
        )
        module[0].output = ACTIVATIONS[output]
        agree(module, gaps=missing)


def test_a_loss_whose_reconstruction_a_subclass_replaced_is_left_to_autograd():
    class Doubled(LOSSES["per_feature"]):
        def reconstruction(self, preactivation, activation):
            return 2 * super().reconstruction(preactivation, activation)

    assert why_autograd([layer_of(loss=Doubled())], []) == "Doubled"


def test_a_sparse_code_agrees_with_autograd_alone_and_in_a_stack():
    agree(shallow(code=TopK(2, start=2)))
    below, above = layer_of(6, 5, code=TopK(2, start=2)), layer_of(5, 3, loss=LOSSES["squared_error"]())
    agree(DeepAutoencoder([below, above]))


def test_a_network_that_is_initialised_from_the_samples_has_an_analytic_gradient_too():
    agree(shallow(network=NETWORKS["pca"]()))


# What is left to autograd ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"code": GaussianCode()}, "GaussianCode"),
        ({"penalties": (PENALTIES["l1"](), PENALTIES["contractive"]())}, "Contractive"),
        ({"corruption": Dropout(0.5)}, "a damaged code"),
        ({"corruption": GaussianNoise(0.5, on="both")}, "a damaged code"),
        ({"network": NETWORKS["convolutional"]()}, "Convolutional"),
        ({"activation": "gelu"}, "gelu"),
    ],
    ids=str,
)
def test_a_part_without_a_derivative_is_named(parts, reason):
    module = shallow(**parts)
    assert why_autograd(module, module.corruptions) == reason


def test_one_layer_without_a_derivative_is_enough():
    layers = [layer_of(6, 5), layer_of(5, 3, activation="silu")]
    assert why_autograd(layers, [Masking()]) == "silu"
    assert why_autograd(layers[:1], [Masking()]) is None


def test_a_formula_that_a_subclass_replaced_is_left_to_autograd():
    class Halved(LOSSES["squared_error"]):
        def cells(self, preactivation, reconstruction, target):
            return super().cells(preactivation, reconstruction, target) / 2

        def __call__(self, preactivation, reconstruction, target, weights=None):
            return super().__call__(preactivation, reconstruction, target, weights) / 2

    class Weighted(PENALTIES["l2"]):
        def value(self, code):
            return code.pow(4).sum()

    class Called(PENALTIES["l2"]):
        def __call__(self, batch, code, reconstruction, module, **_):
            return code.pow(4).sum()

    class Both(Called):
        def gradient(self, code):
            return 4 * code**3

    class Shifted(Dense):
        def build(self, *args, **parameters):
            return ShiftedModule(*args, **parameters)

    class ShiftedModule(DenseModule):
        def encode(self, x):
            return super().encode(x) + 1

    class Costly(Code):
        def build(self, n_units):
            return CostlyModule()

    class CostlyModule(CodeModule):
        def forward(self, activations, generator):
            return 2 * activations

        def backward(self, gradient, code):
            return 2 * gradient

        def cost(self, activations):  # which that gradient leaves out
            return activations.square().sum()

    for parts, reason in (
        ({"loss": Halved()}, "Halved"),
        ({"code": Costly()}, "Costly"),
        ({"penalties": (Weighted(),)}, "Weighted"),
        ({"penalties": (Called(),)}, "Called"),
        ({"network": Shifted()}, "Shifted"),
    ):
        assert why_autograd([layer_of(**parts)], []) == reason
    agree(shallow(penalties=(Both(),)))
