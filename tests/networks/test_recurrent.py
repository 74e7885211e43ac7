"""The recurrent network: known recurrences, padding, and sequences that PCA cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, layer_of, shallow, small_autoencoder
from sklearn.decomposition import PCA

from stackae import Autoencoder, GaussianNoise, Recurrent, StackedAutoencoder, Training
from stackae.modules.autoencoder import DeepAutoencoder


def built(steps, width, **parameters):
    return layer_of(steps * width, 3, network=Recurrent((steps, width), hidden=5, **parameters))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_code_is_a_map_of_the_state_after_the_last_step(cell, generator):
    module = built(4, 2, cell=cell)
    x = torch.rand(6, 8, generator=generator)
    state = module.network.encoder(x.view(6, 4, 2))[0][:, -1]
    torch.testing.assert_close(
        module.activate(x), state @ module.network.code_weight.t() + module.network.code_bias
    )


def test_one_step_of_the_gru_worked_by_hand(generator):
    module = built(1, 2)
    x = torch.rand(3, 2, generator=generator)
    w, b, c = (
        p.detach()
        for p in (
            module.network.encoder.weight_ih_l0,
            module.network.encoder.bias_ih_l0,
            module.network.encoder.bias_hh_l0,
        )
    )
    gates = x @ w.t() + b + c
    update = gates[:, 5:10].sigmoid()
    state = (1 - update) * torch.tanh(gates[:, 10:])
    torch.testing.assert_close(
        module.activate(x), state @ module.network.code_weight.t() + module.network.code_bias
    )


def test_each_code_is_unrolled_to_a_sequence_of_its_own(generator):
    module = built(4, 2)
    code = torch.rand(6, 3, generator=generator)
    decoded = module.network.decode(code)
    assert decoded.shape == (6, 8)
    assert not torch.allclose(decoded[0], decoded[1])


def padded(x, steps):
    """A sequence that ends after so many steps of two values, filled up with -1."""
    return torch.cat([x[:, : 2 * steps], torch.full((len(x), 8 - 2 * steps), -1.0)], 1)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_padded_sequence_has_the_code_of_the_shorter_one(steps, generator):
    x = torch.rand(6, 8, generator=generator)
    module, shorter = built(4, 2, padding=-1.0), built(steps, 2)
    shorter.load_state_dict(
        {
            name: value
            for name, value in module.state_dict().items()
            if "filling" not in name and "scaling" not in name
        },
        strict=False,
    )
    torch.testing.assert_close(module.encode(padded(x, steps)), shorter.encode(x[:, : 2 * steps]))


def test_padding_neither_counts_in_the_loss_nor_is_corrupted(generator):
    x = padded(torch.rand(6, 8, generator=generator), 3)
    module = shallow(
        8,
        3,
        low=-1.0,
        network=Recurrent((4, 2), hidden=5, padding=-1.0),
        corruption=GaussianNoise(0.5),
        scale=None,
    )
    corrupted = module.corrupt(x, generator)
    assert torch.equal(corrupted[:, 6:], x[:, 6:])
    assert (corrupted[:, :6] != x[:, :6]).all()
    error = (module(x) - x).square()[:, :6].sum(1).mean()
    torch.testing.assert_close(module.objective(x), error)


def test_padding_is_told_from_data_after_scaling(generator):
    """In the units of the data: the columns are standardised, and so is the filling."""
    rng = np.random.default_rng(0)
    X = 50 + 10 * rng.normal(size=(200, 8))
    lengths = rng.integers(1, 5, 200)
    for x, length in zip(X, lengths, strict=True):
        x[2 * length :] = 0.0
    model = small_autoencoder(3, network=Recurrent((4, 2), hidden=5, padding=0.0)).fit(X)
    layer = model.module_[0]
    observed = layer.network.observed(layer.scaling(torch.from_numpy(X)).float())
    assert (observed.sum(1) == torch.from_numpy(2 * lengths)).all()
    double = model.transform(X)
    np.testing.assert_allclose(double, model.transform(X.astype(np.float32)), rtol=1e-3, atol=1e-4)


def test_a_sample_that_is_all_padding_has_a_code_and_costs_nothing():
    layer = built(4, 2, padding=0.5)
    x = torch.full((2, 8), 0.5)
    assert torch.isfinite(layer.encode(x)).all()
    assert DeepAutoencoder([layer]).objective(x) == 0


def sines(n_samples, seed):
    """Sines of every frequency from 1 to 3 periods and every phase, on 12 steps."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, 12)
    frequency, phase = rng.uniform(1, 3, (n_samples, 1)), rng.uniform(0, 2 * np.pi, (n_samples, 1))
    return np.sin(2 * np.pi * frequency * time + phase)


@pytest.mark.slow
def test_held_out_sines_are_reconstructed_where_the_mean_and_pca_fail():
    """Three numbers a sine: a mean squared error under 0.04, where the mean has 0.50 and PCA 0.16."""
    X, new = sines(1000, 0), sines(500, 1)
    model = Autoencoder(
        3,
        network=Recurrent(hidden=32),
        activation="identity",
        training=Training(max_epochs=15, batch_size=40, learning_rate=0.02),
        precision="float32",
        random_state=0,
    ).fit(X)
    error = ((model.reconstruct(new) - new) ** 2).mean()
    pca = PCA(3).fit(X)
    of_pca = ((pca.inverse_transform(pca.transform(new)) - new) ** 2).mean()
    of_mean = ((X.mean(0) - new) ** 2).mean()
    assert error < 0.04
    assert of_pca > 0.15
    assert of_mean > 0.45


def test_it_is_a_layer_of_a_stack(digits):
    stack = StackedAutoencoder(
        [Autoencoder(6, network=Recurrent((8, 8), "lstm", 8)), 3],
        pretrain=SHORT,
        finetune=SHORT,
        random_state=0,
    ).fit(digits[:200])
    assert stack.transform(digits[:5]).shape == (5, 3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"network": Recurrent((7, 8))}, r"sequence_shape=\(7, 8\)\) has 56 values, but the rows have 64"),
        (
            {"network": "recurrent", "tied_weights": True},
            "Recurrent has a decoder of its own.*tied_weights=False",
        ),
        ({"network": Recurrent(cell="rnn")}, "'cell' parameter.*Got 'rnn'"),
    ],
)
def test_what_cannot_be_is_refused(parameters, message, digits):
    with pytest.raises(ValueError, match=message):
        small_autoencoder(4, **parameters).fit(digits)


def test_it_leaves_the_global_generator_alone(digits):
    state = torch.get_rng_state()
    first, second = (
        small_autoencoder(2, network=Recurrent((8, 8), hidden=4)).fit(digits[:100]) for _ in range(2)
    )
    np.testing.assert_array_equal(first.transform(digits[:9]), second.transform(digits[:9]))
    assert torch.equal(torch.get_rng_state(), state)
