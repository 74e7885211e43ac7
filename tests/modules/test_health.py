"""The health report: known answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers import layer_of, small_autoencoder, small_stack

from stackae import Autoencoder, TopK, load
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.health import _effective_rank, health_of, n_samples_looked_at
from stackae.modules.shortcut import Shortcut


def report_on(z, weight, bias, activation):
    """The report of a layer with these weights."""
    layer = layer_of(2, len(weight), activation=activation)
    with torch.no_grad():
        layer.network.encoder_weight.copy_(torch.tensor(weight))
        layer.network.encoder_bias.copy_(torch.tensor(bias))
    (report,) = health_of(DeepAutoencoder([layer]), z)
    return report


@pytest.fixture
def z(generator):
    return torch.rand(1000, 2, generator=generator)


def test_dead_units_are_those_that_never_change(z):
    weight, bias = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], [0.0, -2.0, 0.0, 3.0]
    assert report_on(z, weight, bias, "relu")["dead_units"] == 0.5  # one below zero, one constant


def test_saturated_units_lie_at_a_bound_for_nearly_all_samples(z):
    weight, bias = [[0.1, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [0.0, 9.0, -9.0, 50.0]
    report = report_on(z, weight, bias, "sigmoid")
    assert (report["saturated_units"], report["dead_units"]) == (0.5, 0.25)
    assert report_on(z, [[1.0, 0.0]], [0.0], "relu")["saturated_units"] == 0


def test_activity_is_the_mean_of_the_codes_and_active_cells_those_that_are_not_zero(z):
    report = report_on(z, [[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0], "relu")
    assert report["mean_activity"] == pytest.approx(float(z[:, 0].mean()) / 2)
    assert report["active_cells"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("n_samples", "n_units"), [(5000, 4), (600, 220)])
def test_the_effective_rank_of_independent_units_is_their_number(n_samples, n_units, generator):
    """And that of copies of one unit is one."""
    independent = torch.randn(n_samples, n_units, generator=generator)
    rank = _effective_rank(independent)
    assert rank == pytest.approx(n_units, rel=0.01) if n_units == 4 else 160 < rank <= 220
    assert _effective_rank(independent[:, :1].expand(-1, 5)) == pytest.approx(1)
    assert _effective_rank(torch.ones(10, 3)) == 1


def test_the_effective_rank_is_the_exponential_of_the_singular_values_entropy(generator):
    code = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    singular = np.linalg.svd((code - code.mean(0)).numpy(), compute_uv=False)
    shares = singular / singular.sum()
    assert _effective_rank(code) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)


def test_the_variance_reconstructed_is_r2_in_the_layers_units(digits):
    model = small_autoencoder(8).fit(digits)
    r2 = 1 + model.score_samples(digits).sum() / ((digits - digits.mean(0)) ** 2).sum()
    assert model.health_["variance_reconstructed"] == pytest.approx(r2, rel=1e-4)
    assert model.health_["rows"] == 1797


def test_every_layer_of_a_stack_has_its_report_and_it_is_of_the_fine_tuned_layer(digits, tmp_path):
    stack = small_stack([Autoencoder(20, code=TopK(5)), 3]).fit(digits)
    below, above = stack.health_
    assert below["variance_reconstructed"] == above["variance_reconstructed"]
    assert below["variance_reconstructed"] == pytest.approx(stack.score(digits), rel=1e-2)
    assert [below, above] == [layer.health_ for layer in stack.layers_]
    assert below["active_cells"] == 0.25
    assert above["mean_activity"] == pytest.approx(stack.transform(digits).mean(), rel=1e-3)
    # They survive a file, and are plain numbers.
    stack.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.health_ == [layer.health_ for layer in again.layers_] == stack.health_
    assert list(again.layers_[0].health_) == list(below)
    json.dumps(stack.health_)


def test_layers_that_were_trained_by_themselves_tell_of_their_own_inputs(digits):
    stack = small_stack(finetune=None, shortcut=None).fit(digits)
    codes = stack.layers_[0].transform(digits)
    z = codes / stack.module_[1].scaling.factor.numpy()
    r2 = 1 + stack.layers_[1].score_samples(codes).sum() / ((z - z.mean(0)) ** 2).sum()
    assert stack.health_[1]["variance_reconstructed"] == pytest.approx(r2, rel=1e-3)


def test_beside_a_shortcut_the_whole_is_what_is_reconstructed(digits):
    stack = small_stack(shortcut="pca").fit(digits)
    for report in stack.health_:
        assert report["variance_reconstructed"] == pytest.approx(stack.score(digits), rel=1e-4)


def test_beside_a_shortcut_the_report_of_the_last_layer_is_of_the_joint_code(z):
    layers = [layer_of(2, 5), layer_of(5, 2, activation="identity")]
    shortcut = Shortcut(2, 2, 1)
    shortcut.initialise(torch.tensor([0.5, 0.5]), torch.eye(2))
    with torch.no_grad():
        for parameter in layers[1].parameters():
            parameter.zero_()
    below, above = health_of(DeepAutoencoder(layers, shortcut=shortcut), z)
    assert above["mean_activity"] == pytest.approx(float((z - 0.5).mean()))
    assert above["dead_units"] == 0
    assert below == health_of(DeepAutoencoder(layers[:1]), z)[0]


def test_a_single_sample_has_a_report(digits):
    report = small_autoencoder().fit(digits[:1]).health_
    assert report["rows"] == 1
    assert all(np.isfinite(value) for value in report.values())


def test_pieces_report_on_the_last_one(digits):
    model = small_autoencoder().partial_fit(digits[:300]).partial_fit(digits[300:400])
    assert model.health_["rows"] == 100


def test_the_report_looks_at_more_samples_the_longer_training_was():
    assert n_samples_looked_at(300, 1) == 300
    assert n_samples_looked_at(60_000, 1) == 3000
    assert n_samples_looked_at(20_000, 1) == 2000
    assert n_samples_looked_at(60_000, 50) == 10_000
