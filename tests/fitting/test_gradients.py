"""Fits by the analytic gradient and by autograd agree, and the plan says which one runs and why."""

from __future__ import annotations

import pytest
import torch
from helpers import VARIANTS, small_autoencoder, small_stack

from stackae import Autoencoder, StackedAutoencoder, StackedAutoencoderClassifier, Training
from stackae.fitting import phases

#: What the plan names, of the variants that are left to autograd.
REASONS = {
    "network batch_normalised": "BatchNormalised",
    "network convolutional": "Convolutional",
    "network recurrent": "Recurrent",
    "activation gelu": "gelu",
    "activation silu": "silu",
    "corruption dropout": "a damaged code",
    "code variational": "GaussianCode",
    "penalty contractive": "Contractive",
    "penalty adversarial": "Adversarial",
    "two penalties": "Contractive",
    "hidden noise": "a damaged code",
}
#: A few steps: what float32 rounds differently has no time to grow.
FIRST_STEPS = Training(max_epochs=2, batch_size=50)


def both_ways(model, X, **fit):
    """The model fitted as it is, and with autograd forced."""
    forced = model.__class__(**model.get_params(deep=False))
    forced._analytic = False
    return model.fit(X, **fit), forced.fit(X, **fit)


def agree(one, other):
    for a, b in zip(one.history_, other.history_, strict=True):
        for name in ("loss", "validation_loss"):
            if a[name] is not None:  # a closed form holds none out
                assert a[name] == pytest.approx(b[name], rel=2e-4)
    for name, weight in one.module_.state_dict().items():
        torch.testing.assert_close(weight, other.module_.state_dict()[name], atol=2e-4, rtol=2e-3)


@pytest.fixture
def analytic(monkeypatch):
    """How many gradients are analytic."""
    made = []
    original = phases.analytic_gradient
    monkeypatch.setattr(phases, "analytic_gradient", lambda module: made.append(1) or original(module))
    return made


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_layer_is_fitted_alike_either_way(variant, digits, analytic):
    X = digits[:200]
    model = small_autoencoder(5, **VARIANTS[variant], training=FIRST_STEPS, precision="float32")
    ((name, phase),) = model.plan(X).phases
    assert name == "layer 1"
    if VARIANTS[variant].get("network") in ("marginalised", "kmeans_filters"):
        assert phase is None
    else:
        assert phase.autograd == REASONS.get(variant)
    one, other = both_ways(model, X)
    assert len(analytic) == (phase is not None and phase.autograd is None)
    agree(one, other)


@pytest.mark.parametrize("shortcut", ["pca", None])
def test_a_stack_is_fitted_alike_either_way(shortcut, digits, analytic):
    X = digits[:200]
    model = small_stack(
        (8, 3), shortcut=shortcut, pretrain=FIRST_STEPS, finetune=FIRST_STEPS, precision="float32"
    )
    assert [phase.autograd for _, phase in model.plan(X).phases] == [None] * 3
    one, other = both_ways(model, X)
    assert len(analytic) == 3
    agree(one, other)


def test_missing_cells_are_fitted_alike_either_way(digits, analytic):
    X = digits[:200].copy()
    X[::3, ::5] = float("nan")
    model = small_autoencoder(
        5,
        missing_values=float("nan"),
        add_indicator=True,
        corruption="masking",
        training=FIRST_STEPS,
        precision="float32",
    )
    agree(*both_ways(model, X))
    assert len(analytic) == 1


def test_each_phase_has_its_own_gradient(digits):
    """One layer without a derivative is enough for fine-tuning, and a code that it damages."""
    layers = [Autoencoder(8, activation="gelu"), Autoencoder(3)]
    reasons = [phase.autograd for _, phase in small_stack(layers).plan(digits).phases]
    assert reasons == ["gelu", "gelu", "gelu"]  # the second's decoder gives what the codes below it are
    damaging = Training(max_epochs=1, corruption="dropout")
    reasons = [phase.autograd for _, phase in small_stack((8, 3), finetune=damaging).plan(digits).phases]
    assert reasons == [None, None, "a damaged code"]


def test_the_plan_says_in_words_which_gradient_runs(digits):
    model = StackedAutoencoder([Autoencoder(8), Autoencoder(3, activation="gelu")], random_state=0)
    lines = repr(model.plan(digits)).splitlines()
    of_phase = {line.split("  ")[0]: line for line in lines}
    assert of_phase["layer 1"].endswith("  analytic")
    assert of_phase["layer 2"].endswith("  autograd (gelu)")
    assert of_phase["finetune"].endswith("  autograd (gelu)")
    model._analytic = False
    assert repr(model.plan(digits)).count("autograd (a switch)") == 3


def test_labels_are_learned_with_gradients_by_hand_too(digits, analytic):
    y = [0, 1] * 100
    model = StackedAutoencoderClassifier(
        small_stack(pretrain=FIRST_STEPS, finetune=None), finetune=FIRST_STEPS, random_state=0
    )
    one, other = both_ways(model, digits[:200], y=y)
    assert len(analytic) == 3
    assert len(one.history_) == len(other.history_) == 6
