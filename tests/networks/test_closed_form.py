"""Networks with a closed form: PCA's start, and corruption that is averaged out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, small_autoencoder
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from stackae import Autoencoder, Dropout, GaussianNoise, Masking, StackedAutoencoder, Swap, Training, load
from stackae.exceptions import ParameterError


def squared_error(model, X):
    return ((model.inverse_transform(model.transform(X)) - X) ** 2).sum()


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 4)) @ rng.normal(size=(4, 8)) + 0.3 * rng.normal(size=(400, 8)) + 2.0


# PCA's start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("corruption", [None, "masking"])
def test_a_layer_started_from_pca_never_reconstructs_worse(tied, corruption, X):
    reference = squared_error(PCA(3).fit(X), X)
    for epochs in (1, 5):
        model = Autoencoder(
            3,
            network="pca",
            scale=None,
            tied_weights=tied,
            corruption=corruption,
            training=Training(max_epochs=epochs, learning_rate=0.05),
            random_state=0,
        ).fit(X)
        assert squared_error(model, X) <= reference * (1 + 1e-6)


def test_before_the_first_step_it_is_pca(X):
    from stackae.networks.closed_form import PCAStart

    module = PCAStart().build(8, 3, activation="identity", tied_weights=False)
    module.initialise(torch.Generator().manual_seed(0))
    x = torch.from_numpy(X).float()
    module.initialise_from(lambda: x.split(64), None, warm_start=False)
    pca = PCA(3).fit(X)
    with torch.no_grad():
        codes, reconstruction = module.encode(x), module.decode(module.encode(x))
    np.testing.assert_allclose(np.abs(codes.numpy()), np.abs(pca.transform(X)), atol=1e-4)
    assert ((reconstruction.numpy() - X) ** 2).sum() <= squared_error(pca, X) * (1 + 1e-6)


def test_on_digits_it_is_not_worse_than_pca_of_that_width_at_the_end(digits):
    model = Autoencoder(16, network="pca", random_state=0).fit(digits)
    assert type(model.module_[0].loss).__name__ == "SquaredError"
    assert squared_error(model, digits) <= squared_error(PCA(16).fit(digits), digits) * (1 + 1e-6)


def test_on_top_of_relu_codes_training_makes_it_better_than_pca(digits):
    """The decoder ends in relu, as the codes below: what PCA leaves below zero is gained at once."""
    stack = StackedAutoencoder(
        [32, Autoencoder(6, network="pca")], pretrain=SHORT, finetune=None, random_state=0
    )
    stack.fit(digits)
    codes = stack.layers_[0].transform(digits)
    assert stack.module_[1].parts.output == "relu"
    scaled = codes / stack.module_[1].scaling.factor.numpy()
    error = -stack.layers_[1].score_samples(codes).sum()
    assert error < squared_error(PCA(6).fit(scaled), scaled)


# Marginalised denoising --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "corruption", [Masking(0.3), GaussianNoise(0.8), Swap(0.3), Dropout(0.3, on="input")], ids=repr
)
def test_it_is_the_least_squares_map_from_very_many_corrupted_copies(corruption, X):
    """Of full rank: regress the samples on 2,000 corrupted copies of each."""
    model = Autoencoder(
        8, network="marginalised", activation="identity", corruption=corruption, scale=None
    ).fit(X)
    network = model.module_[0].network
    restoration = (network.decoder_weight @ network.encoder_weight).double()

    x = torch.from_numpy(X).repeat(2000, 1)
    corrupted = corruption(x, torch.Generator().manual_seed(1)).double()
    corrupted, x = corrupted - corrupted.mean(0), x - x.mean(0)
    sampled = torch.linalg.solve(corrupted.t() @ corrupted, corrupted.t() @ x).t()
    torch.testing.assert_close(restoration, sampled, atol=0.015, rtol=0)


def test_of_lower_rank_it_is_the_best_of_that_rank(X):
    """No other map of rank 3, such as PCA's, restores samples better from their corrupted copies."""
    corruption = Masking(0.3)
    model = Autoencoder(
        3, network="marginalised", activation="identity", corruption=corruption, scale=None
    ).fit(X)
    x = np.tile(X, (500, 1))
    corrupted = corruption(torch.from_numpy(x), torch.Generator().manual_seed(1)).numpy()
    error = ((model.reconstruct(corrupted) - x) ** 2).sum()

    # Reduced-rank regression of the sampled copies, by its textbook form.
    centred, target = corrupted - corrupted.mean(0), x - x.mean(0)
    full = np.linalg.lstsq(centred, target, rcond=None)[0]
    axes = np.linalg.svd(centred @ full, full_matrices=False)[2][:3]
    best = ((centred @ full @ axes.T @ axes - target) ** 2).sum()
    assert error == pytest.approx(best, rel=2e-3)
    pca = PCA(3).fit(X)
    assert error < 0.95 * ((pca.inverse_transform(pca.transform(corrupted)) - x) ** 2).sum()


def test_without_corruption_it_is_pca(X):
    model = Autoencoder(3, network="marginalised", activation="identity", scale=None).fit(X)
    pca = PCA(3).fit(X)
    assert subspace_angles(model.components_.T, pca.components_.T).max() < 1e-3
    assert squared_error(model, X) == pytest.approx(squared_error(pca, X), rel=1e-6)


def test_the_decoder_of_a_nonlinear_code_is_its_least_squares_map(X):
    model = Autoencoder(5, network="marginalised", corruption="masking", scale=None).fit(X)
    assert model.module_[0].parts.activation == "tanh"
    codes = model.transform(X)
    design = np.column_stack([codes, np.ones(len(X))])
    expected = design @ np.linalg.lstsq(design, X, rcond=None)[0]
    np.testing.assert_allclose(model.reconstruct(X), expected, atol=1e-3)


def test_the_units_of_a_nonlinear_code_have_variance_one_before_their_activation(X):
    model = Autoencoder(4, network="marginalised", corruption=GaussianNoise(0.0), scale=None).fit(X)
    before = X @ model.components_.T.astype(float)
    np.testing.assert_allclose(before.std(0), 1, rtol=1e-3)


def test_nothing_is_trained_by_descent_and_the_history_says_so(X):
    model = Autoencoder(5, network="marginalised", corruption="gaussian").fit(X)
    (record,) = model.history_
    assert (record["epoch"], record["learning_rate"]) == (1, 0.0)
    assert record["loss"] == pytest.approx(-model.score_samples(X).mean(), rel=1e-5)
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(
        model.transform(X), Autoencoder(5, network="marginalised", corruption="gaussian").fit(X).transform(X)
    )


def test_pieces_give_what_all_samples_give(X, tmp_path):
    whole, pieces = (
        Autoencoder(3, network="marginalised", activation="identity", corruption="masking", scale=None)
        for _ in range(2)
    )
    whole.fit(X)
    pieces.partial_fit(X[:150])
    pieces.save(tmp_path / "m.safetensors")
    pieces = load(tmp_path / "m.safetensors").partial_fit(X[150:])
    np.testing.assert_allclose(np.abs(pieces.transform(X)), np.abs(whole.transform(X)), rtol=1e-3, atol=1e-4)


def test_constant_columns_do_no_harm(table):
    model = Autoencoder(4, network="marginalised", corruption="masking").fit(table)
    assert np.isfinite(model.reconstruct(table)).all()
    assert model.score(table) > 0.5


def test_it_is_a_layer_of_a_stack_and_is_fine_tuned_with_it(digits):
    stack = StackedAutoencoder(
        [
            Autoencoder(40, network="marginalised", corruption="masking"),
            Autoencoder(20, network="marginalised"),
            5,
        ],
        pretrain=SHORT,
        finetune=SHORT,
        random_state=0,
    ).fit(digits)
    assert [len(layer.history_) for layer in stack.layers_] == [1, 1, 3]
    assert stack.score(digits) > 0.3


def test_samples_from_the_disk_give_what_samples_in_memory_give(digits, tmp_path):
    np.save(tmp_path / "X.npy", np.tile(digits, (40, 1)).astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    models = [
        Autoencoder(8, network="marginalised", corruption="masking", max_memory=memory).fit(mapped)
        for memory in (None, "16MiB")
    ]
    np.testing.assert_allclose(*(np.abs(model.transform(digits)) for model in models), atol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"penalty": "l1"}, "solved in closed form, which L1 has not"),
        ({"code": "topk"}, "solved in closed form, which TopK has not"),
        ({"corruption": "salt-and-pepper"}, "no closed form for SaltAndPepper; choose masking, gaussian"),
        ({"corruption": "dropout"}, "averages out what damages the input.*set on='input'"),
        ({"loss": "cross_entropy"}, "Marginalised is fitted by loss='squared_error', got CrossEntropy"),
        ({"tied_weights": True}, "Marginalised has a decoder of its own"),
        ({"n_components": 9}, "at most as many components as there are features, 8, got 9"),
    ],
)
def test_what_has_no_closed_form_is_refused_before_anything_is_computed(parameters, message, X):
    with pytest.raises(ParameterError, match=message):
        Autoencoder(**{"n_components": 4, "network": "marginalised", **parameters}).fit(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"code": "variational"}, "has no closed form for GaussianCode"),
        ({"activation": "relu"}, "PCAStart is defined for activation='identity', got 'relu'"),
        ({"penalty": "kl"}, "PCAStart and KLSparsity cannot be combined"),
        ({"n_components": 9}, "at most as many components as there are features, 8, got 9"),
    ],
)
def test_what_cannot_start_from_pca_is_refused(parameters, message, X):
    with pytest.raises(ParameterError, match=message):
        small_autoencoder(**{"n_components": 4, "network": "pca", **parameters}).fit(X)
