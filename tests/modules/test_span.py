"""A stack that is trained on coordinates is one on all columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import small_autoencoder, small_stack

from stackae import (
    Autoencoder,
    Contractive,
    Dropout,
    GaussianNoise,
    KLSparsity,
    Masking,
    SaltAndPepper,
    SquaredError,
    StackedAutoencoder,
    Swap,
    Training,
    load,
)
from stackae.corruption.base import in_coordinates
from stackae.data.matrix import DenseMatrix
from stackae.fitting import spanning
from stackae.modules.scaling import fit_scaling
from stackae.modules.span import Span, widened
from stackae.training.callbacks import Callback

BRIEF = Training(max_epochs=3)


@pytest.fixture
def wide():
    """40 samples of 120 columns, of 5 factors and noise; and as many others."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 120)) + 0.3 * rng.normal(size=(80, 120))
    return X[:40].astype(np.float32), X[40:].astype(np.float32)


class Narrow(Callback):
    """Keeps the module of the last phase, as it was trained."""

    def end_phase(self, run):
        self.module = run.module


def test_coordinates_keep_lengths_and_give_the_samples_back(wide):
    X = torch.from_numpy(wide[0])
    scaling = fit_scaling("standard", DenseMatrix(wide[0]))
    span = Span.of(scaling, [scaling(X)])
    assert len(span.axes) == 39  # of 40 samples whose mean is zero
    torch.testing.assert_close(span.axes @ span.axes.t(), torch.eye(39, dtype=torch.float64))
    torch.testing.assert_close(span(X).norm(dim=1), scaling(X).norm(dim=1))
    torch.testing.assert_close(span.inverse(span(X)), X, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "parameters", [{}, {"shortcut": None}, {"shortcut": None, "scale": None}], ids=["pca", "none", "as it is"]
)
def test_codes_and_reconstructions_are_those_of_the_narrow_stack_for_samples_it_has_not_seen(
    parameters, wide
):
    X, other = wide
    kept = Narrow()
    model = StackedAutoencoder((8, 3), pretrain=BRIEF, finetune=BRIEF, random_state=0, **parameters)
    assert model.plan(X).in_span
    model.set_callbacks(kept).fit(X)
    narrow, wider = kept.module, model.module_
    assert narrow.n_inputs <= 40
    assert wider.n_inputs == model.n_features_in_ == 120
    assert type(wider[0].scaling).__name__ == "Scaling"
    for given in map(torch.from_numpy, (X, other)):
        with torch.no_grad():
            torch.testing.assert_close(wider.encode(given), narrow.encode(given), rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(wider(given), narrow(given), rtol=1e-4, atol=1e-4)


def test_steepest_descent_is_the_same_in_the_span(wide, monkeypatch):
    """Its steps are as long along all axes; Adam's are not."""
    X, _ = wide
    steps = Training(
        max_epochs=5, batch_size=40, optimizer="sgd", momentum=0.0, learning_rate=1e-3, schedule="constant"
    )
    exact = {"precision": "float32", "device": "cpu", "random_state": 0}
    model = Autoencoder(4, activation="tanh", scale="standard", training=steps, **exact)
    in_span = model.fit(X).module_
    started = start_of(model, X)
    monkeypatch.setattr(spanning, "_SPARED", 1000)
    assert not model.plan(X).in_span
    monkeypatch.setattr("stackae.modules.layer.Layer.initialise", lambda layer, _: copy(started[0], layer))
    full = model.fit(X).module_
    for name, value in full.state_dict().items():
        torch.testing.assert_close(value, in_span.state_dict()[name], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(full[0].network.encoder_weight, started[0].network.encoder_weight, atol=1e-4)


def start_of(model, X):
    """The stack on all columns before its first step."""

    class AtStart(Callback):
        def begin_phase(self, phase, run):
            self.module = widened(run.module)

    kept = AtStart()
    model.set_callbacks(kept).fit(X)
    model.set_callbacks()
    return kept.module


@torch.no_grad()
def copy(source, target):
    target.network.load_state_dict(source.network.state_dict())


def test_weights_start_as_large_as_on_all_columns(wide):
    X, _ = wide
    model = small_autoencoder(200, scale="standard")
    weight = start_of(model, X)[0].network.encoder_weight.detach()
    bound = (6 / 120) ** 0.5  # uniform within it on all columns: He et al. 2015
    share = 39 / 120  # of its directions the samples span so many
    assert float(weight.square().mean()) == pytest.approx(share * bound**2 / 3, rel=0.1)


@pytest.mark.parametrize("corruption", [Masking(0.4), GaussianNoise(0.5)], ids=str)
def test_noise_moves_coordinates_as_it_moves_them_on_all_columns(corruption, generator):
    n_features = 400
    axes = torch.linalg.qr(torch.randn(n_features, 40, generator=generator))[0].t()
    z = torch.randn(1, 40, generator=generator) @ axes * 3
    copies = z.expand(4000, -1)
    on_all = corruption(copies, generator) @ axes.t()
    (known,) = in_coordinates([corruption], n_features)
    narrow = known(copies @ axes.t(), generator)
    torch.testing.assert_close(narrow.mean(0), on_all.mean(0), rtol=0.05, atol=0.2)
    torch.testing.assert_close(narrow.var(0).mean(), on_all.var(0).mean(), rtol=0.1, atol=0.0)


def test_levels_fall_in_coordinates_too(generator):
    (falling,) = in_coordinates([Masking((0.5, 0.0))], 100)
    x = torch.ones(3, 4)
    assert torch.equal(falling(x, generator, 1.0), x)
    assert float(falling(x, generator, 0.0).mean()) == pytest.approx(0.5, abs=0.2)


class Louder(GaussianNoise):
    def __call__(self, x, generator, fraction=1.0, columns=None):
        return 10 * super().__call__(x, generator, fraction, columns)


@pytest.mark.parametrize(
    "layer",
    [
        {"corruption": Swap()},
        {"corruption": SaltAndPepper()},
        {"corruption": Dropout(on="input")},
        {"corruption": Louder()},
        {"corruption": Masking(on="both")},
        {"loss": "huber"},
        {"loss": SquaredError(corrupted=2.0)},
        {"scale": "minmax"},
        {"network": "marginalised", "activation": "identity"},
        {"missing_values": np.nan},
    ],
    ids=str,
)
def test_what_is_not_known_of_coordinates_is_trained_on_all_columns(layer, wide):
    parameters = {"scale": "standard"} | layer
    assert small_autoencoder(scale="standard").plan(wide[0]).in_span
    assert not small_autoencoder(**parameters).plan(wide[0]).in_span


@pytest.mark.parametrize("penalty", [KLSparsity(), Contractive()], ids=str)
def test_penalties_that_do_not_change_under_rotations_are_trained_in_the_span(penalty, wide):
    model = small_autoencoder(activation="sigmoid", scale="standard", penalty=penalty)
    assert model.plan(wide[0]).in_span
    assert model.fit(wide[0]).transform(wide[1]).shape == (40, 4)


def test_no_plan_has_a_span_where_there_are_not_many_more_columns_or_a_fit_goes_on(wide):
    X, _ = wide
    assert not small_autoencoder(scale="standard").plan(X[:, :79]).in_span
    assert small_autoencoder(scale="standard").plan(X[:, :80]).in_span
    pieces = small_autoencoder(scale="standard").partial_fit(X).partial_fit(X)
    assert pieces.module_.n_inputs == 120


def test_the_plan_says_so(wide):
    assert "trained in the span of the 40 rows" in repr(small_stack().plan(wide[0]))
    assert "span" not in repr(small_stack().plan(wide[0][:, :50]))


def test_samples_that_do_not_vary_have_a_span_too():
    X = np.ones((5, 30), np.float32)
    model = small_autoencoder(2, scale="standard").fit(X)
    np.testing.assert_allclose(model.reconstruct(X), X, atol=1e-5)


def test_a_stack_that_was_trained_in_the_span_goes_on_with_pieces_and_through_files(wide, tmp_path):
    X, other = wide
    model = small_stack().fit(X)
    model.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.transform(other), model.transform(other))
    assert model.partial_fit(other).transform(other).shape == (40, 3)


def test_the_reconstruction_of_other_samples_is_no_worse(wide, monkeypatch):
    X, other = wide
    model = StackedAutoencoder((32, 5), random_state=0)
    in_span = model.fit(X).score(other)
    monkeypatch.setattr(spanning, "_SPARED", 1000)
    assert in_span > model.fit(X).score(other) - 0.02
