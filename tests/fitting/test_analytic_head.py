"""The analytic gradient of encoders with a head agrees with autograd's, damaged codes included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import layer_of
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator

from stackae import (
    Dropout,
    GaussianNoise,
    Masking,
    Nested,
    SaltAndPepper,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderRegressor,
    TopK,
    Training,
)
from stackae.fitting.analytic import analytic_gradient, why_autograd_of_head
from stackae.modules.heads import ClassPredictor, ValuePredictor
from stackae.modules.scaling import Scaling
from stackae.modules.shortcut import Shortcut
from stackae.training.gradients import by_autograd
from stackae.training.precision import computing


def drawn(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def predictor(kind=ClassPredictor, layers=None, n_outputs=3, shortcut=None, **parameters):
    if layers is None:
        layers = [layer_of(6, 5, activation="relu"), layer_of(5, 4, activation="sigmoid")]
        layers[1].scaling = Scaling(torch.linspace(-1, 1, 5), torch.linspace(0.5, 2, 5))
    module = kind(layers, n_outputs, shortcut=shortcut, **parameters)
    n_units = layers[-1].n_units
    module.code_scaling = Scaling(torch.linspace(0, 1, n_units), torch.linspace(1, 3, n_units))
    with torch.no_grad():
        module.head.weight.copy_(drawn(n_outputs, n_units, seed=4) - 0.5)
        module.head.bias.copy_(drawn(n_outputs, seed=5))
    return module


def agree(module, targets, *, gaps=False, corruptions=(), **tolerance):
    z = drawn(len(targets), 6)
    if gaps:
        z[drawn(len(targets), 6, seed=3) < 0.2] = torch.nan
    batch = torch.cat([z, torch.as_tensor(targets, dtype=torch.float32)], 1)
    module.freeze_unused(batch)
    module.corruptions = corruptions
    corrupted = module.corrupt(batch, torch.Generator().manual_seed(2))
    assert why_autograd_of_head(module, corruptions) is None
    found, known = (
        way(module)(batch, corrupted, torch.Generator().manual_seed(7))
        for way in (analytic_gradient, by_autograd)
    )
    torch.testing.assert_close(found[0], known[0], **tolerance)
    assert len(found[1]) == len(known[1])
    for gradient, expected in zip(found[1], known[1], strict=True):
        torch.testing.assert_close(gradient, expected, **tolerance)


CLASSES = [[0.0], [2.0], [1.0], [2.0], [2.0], [0.0], [1.0], [1.0]]
NUMBERS = drawn(8, 3, seed=6).tolist()
HIDDEN = (Masking(0.25), Dropout(0.5), GaussianNoise(0.3, on="both"), Masking((0.1, 0.3), on="hidden"))


@pytest.mark.parametrize("corruptions", [(), HIDDEN], ids=["clean", "damaged"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_classes_agree_with_autograd(smoothing, corruptions):
    agree(predictor(label_smoothing=smoothing), CLASSES, corruptions=corruptions)


@pytest.mark.parametrize("corruptions", [(), HIDDEN], ids=["clean", "damaged"])
def test_numbers_agree_with_autograd(corruptions):
    agree(predictor(ValuePredictor), NUMBERS, corruptions=corruptions)


def test_samples_without_a_target_agree_with_autograd():
    some = [[float("nan")] if k % 3 == 0 else label for k, label in enumerate(CLASSES)]
    agree(predictor(label_smoothing=0.1), some)
    agree(predictor(), [[float("nan")]] * 8)
    gaps = np.where(np.arange(24).reshape(8, 3) % 5 == 0, np.nan, NUMBERS)
    gaps[3] = np.nan
    agree(predictor(ValuePredictor), gaps)


@pytest.mark.parametrize("n_kept", [0, 2])
def test_a_shortcut_agrees_with_autograd(n_kept):
    shortcut = Shortcut(6, 4, n_kept)
    for tensor in shortcut.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3)))
    layers = [layer_of(6, 5, activation="relu"), layer_of(5, 4, activation="identity")]
    agree(predictor(layers=layers, shortcut=shortcut), CLASSES, corruptions=(Dropout(0.3),))


@pytest.mark.parametrize(
    "parts",
    [
        {"tied_weights": True},
        {"code": TopK(2, start=2)},
        {"code": Nested()},
        {"missing": True},
        {"missing": True, "indicator": True},
        {"corruption": Masking(0.2), "activation": "tanh", "output": "gelu"},
    ],
    ids=str,
)
@pytest.mark.parametrize("corruptions", [(), (GaussianNoise(0.3, on="hidden"),)], ids=["clean", "damaged"])
def test_a_layers_parts_agree_with_autograd(parts, corruptions):
    module = predictor(layers=[layer_of(6, 4, **parts)])
    for layer in module:
        layer.advance(1.0, None)
    agree(module, CLASSES, gaps="missing" in parts, corruptions=corruptions)


def test_bfloat16_products_agree_to_their_own_precision():
    with computing(torch.device("cpu"), bfloat16=True):
        agree(predictor(), CLASSES, atol=0.02, rtol=0.05)
        agree(predictor(ValuePredictor), NUMBERS, atol=0.02, rtol=0.05)


def test_what_needs_autograd_is_named():
    assert why_autograd_of_head([layer_of(6, 5, activation="gelu")], ()) == "gelu"
    assert why_autograd_of_head([layer_of(6, 5)], [SaltAndPepper(0.1, on="hidden")]) == "SaltAndPepper"
    assert why_autograd_of_head([layer_of(6, 5)], [SaltAndPepper(0.1)]) is None

    class Halved(Dropout):
        def __call__(self, x, generator, fraction=1.0, columns=None):
            return super().__call__(x, generator, fraction, columns) / 2

    assert why_autograd_of_head([layer_of(6, 5)], [Halved(0.1)]) == "Halved"


@pytest.mark.parametrize("kind", [StackedAutoencoderClassifier, StackedAutoencoderRegressor])
def test_a_fit_is_that_of_autograd_to_rounding(kind):
    X, y = load_wine(return_X_y=True)
    encoder = StackedAutoencoder((6, 3), pretrain=Training(max_epochs=5), random_state=0).fit(X)
    fast = kind(FrozenEstimator(encoder), finetune=Training(max_epochs=3, optimizer="sgd"), random_state=0)
    slow = clone(fast)
    slow._analytic = False
    plans = [model.plan(X, y).supervised for model in (fast, slow)]
    assert [plan.autograd for plan in plans] == [None, "a switch"]
    outputs = [model.fit(X, y)._outputs(X) for model in (fast, slow)]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4)


def test_the_plan_says_what_the_head_needs_autograd_for():
    X, y = load_wine(return_X_y=True)
    for parameters, why in (
        ({"adversarial": 0.1}, "adversarial steps"),
        ({"semi": "vat"}, "VirtualAdversarial"),
    ):
        assert StackedAutoencoderClassifier((6, 3), **parameters).plan(X, y).supervised.autograd == why
