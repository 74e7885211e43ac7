"""One shallow autoencoder: known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, VARIANTS, small_autoencoder
from scipy.linalg import subspace_angles
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV

from stackae import L1, L2, Adversarial, Autoencoder, Contractive, KLSparsity, Masking, Training, load
from stackae.exceptions import DivergedError, ParameterError


def test_a_linear_dense_autoencoder_spans_the_subspace_of_pca():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 10)) + 0.3 * rng.normal(size=(500, 10))
    long = Training(
        max_epochs=600,
        batch_size=100,
        learning_rate=0.02,
        schedule="cosine",
        patience=None,
        validation_fraction=0,
    )
    linear = Autoencoder(3, activation="identity", scale=None, training=long, random_state=0).fit(X)
    pca = PCA(3).fit(X)
    decoder = linear.module_[0].network.decoder_weight.numpy()
    assert subspace_angles(decoder, pca.components_.T).max() < 1e-2
    error = ((linear.reconstruct(X) - X) ** 2).sum()
    assert error == pytest.approx(((pca.inverse_transform(pca.transform(X)) - X) ** 2).sum(), rel=1e-3)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(digits):
    first, second, other = (
        small_autoencoder(corruption="masking", random_state=s).fit(digits) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.transform(digits), second.transform(digits))
    assert not np.array_equal(first.transform(digits), other.transform(digits))


def test_a_random_state_object_is_advanced_as_scikit_learn_does(digits):
    rng = np.random.RandomState(0)
    first, second = (small_autoencoder(random_state=rng).fit(digits) for _ in range(2))
    assert not np.array_equal(first.components_, second.components_)


def test_the_global_random_states_are_untouched(digits):
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    small_autoencoder(corruption="gaussian", random_state=0).fit(digits).transform(digits)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])


def test_inverse_transform_decodes_to_the_units_of_the_input(table):
    model = Autoencoder(3, activation="identity", training=Training(learning_rate=0.02), random_state=0).fit(
        table
    )
    decoded = model.inverse_transform(model.transform(table))
    spread = table.std(0)
    assert (np.sqrt(((decoded - table) ** 2).mean(0))[:5] < 0.35 * spread[:5]).all()
    np.testing.assert_allclose(decoded[:, 5], 7.0, atol=0.2)
    np.testing.assert_allclose(model.reconstruct(table), decoded)


def test_score_is_r2_and_score_samples_the_negative_squared_error(digits):
    model = small_autoencoder(8).fit(digits)
    x = model.reconstruct(digits)
    assert model.score(digits) == pytest.approx(r2_score(digits, x, multioutput="variance_weighted"))
    np.testing.assert_allclose(model.score_samples(digits), -((x - digits) ** 2).sum(1), rtol=1e-9)


def test_score_samples_counts_in_standard_deviations_for_a_table(table):
    model = small_autoencoder().fit(table)
    scaled = (model.reconstruct(table) - table) / np.where(table.std(0) > 0, table.std(0), 1)
    np.testing.assert_allclose(model.score_samples(table), -(scaled**2).sum(1), rtol=1e-6)


def test_components_are_the_encoders_weights(digits):
    model = small_autoencoder(5, activation="identity").fit(digits)
    assert model.components_.shape == (5, 64)
    codes = digits @ model.components_.T.astype(float) + model.module_[0].network.encoder_bias.numpy()
    np.testing.assert_allclose(model.transform(digits), codes, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.bool_, np.float16, ">f8"])
def test_every_numeric_type_is_accepted_and_codes_are_floating(dtype, digits):
    X = (digits * 16).astype(dtype)
    codes = small_autoencoder().fit(X).transform(X)
    assert codes.dtype == (np.float32 if dtype == np.float32 else np.float64)


def test_memory_layout_and_writability_change_nothing(digits):
    expected = small_autoencoder().fit_transform(digits)
    read_only = digits.copy()
    read_only.flags.writeable = False
    turned = digits[::-1, ::-1].copy()[::-1, ::-1]
    assert min(turned.strides) < 0
    for X in (np.asfortranarray(digits), read_only, turned):
        np.testing.assert_array_equal(small_autoencoder().fit_transform(X), expected)


def test_float32_and_float64_samples_give_the_same_codes_to_float32_precision(digits):
    model = small_autoencoder().fit(digits)
    narrow = model.transform(digits.astype(np.float32))
    np.testing.assert_allclose(narrow, model.transform(digits), rtol=1e-4, atol=1e-5)


def test_float32_precision_asked_for_is_used_for_float64_samples(digits):
    model = small_autoencoder(precision="float32").fit(digits)
    codes = model.transform(digits)
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, codes.astype(np.float32))


@pytest.mark.parametrize("n_samples", [2, 33])
def test_few_samples_and_a_last_batch_of_one_are_fitted(n_samples, table):
    model = small_autoencoder(2).fit(table[:n_samples])
    assert np.isfinite(model.transform(table[:n_samples])).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_fitted_to_one_sample(variant, table):
    model = small_autoencoder(2, **VARIANTS[variant]).fit(table[:1])
    assert np.isfinite(model.transform(table[:1])).all()


def test_a_tensor_that_requires_grad_is_detached(digits):
    X = torch.from_numpy(digits).requires_grad_()
    np.testing.assert_array_equal(
        small_autoencoder().fit_transform(X), small_autoencoder().fit_transform(digits)
    )


def test_nothing_is_printed_unless_asked(digits, capfd):
    small_autoencoder().fit(digits)
    assert capfd.readouterr() == ("", "")
    small_autoencoder(verbose=1).fit(digits)
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 4  # the begin, and its three epochs


def test_history_has_a_record_an_epoch(digits):
    model = small_autoencoder().fit(digits)
    assert model.n_iter_ == len(model.history_) == 3
    assert {"phase": "pretrain", "layer": 1, "epoch": 1}.items() <= model.history_[0].items()
    assert model.history_[-1]["validation_loss"] < model.history_[0]["validation_loss"]


def test_parameters_of_parts_can_be_set_also_where_the_part_is_given_by_name():
    model = Autoencoder(corruption="masking", penalty=KLSparsity(), training="auto")
    model.set_params(corruption__level=0.4, penalty__target=0.1, training__max_epochs=7)
    assert (model.corruption.level, model.penalty.target, model.training.max_epochs) == (0.4, 0.1, 7)
    assert clone(model).get_params()["corruption__level"] == 0.4


def test_a_name_means_the_default_part(digits):
    by_name, by_object = (small_autoencoder(corruption=c).fit(digits) for c in ("masking", Masking()))
    np.testing.assert_array_equal(by_name.components_, by_object.components_)


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score_samples", "score"]
)
def test_an_unfitted_model_says_so(method, digits):
    with pytest.raises(NotFittedError):
        getattr(Autoencoder(), method)(digits)


def test_a_fit_that_diverges_says_where_and_how_to_mend_it(digits):
    training = Training(learning_rate=1e30, optimizer="sgd")
    with pytest.raises(DivergedError, match=r"epoch \d+ of layer 1; try learning_rate="):
        Autoencoder(training=training, loss="squared_error").fit(digits)


def test_a_device_that_is_not_there_is_refused_before_any_work(digits):
    with pytest.raises(ParameterError, match="device must be one that is there, got 'cuda:77'"):
        small_autoencoder(device="cuda:77").fit(digits)
    with pytest.raises(ParameterError, match="device"):
        small_autoencoder(device="toaster").fit(digits)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 0},
        {"n_components": True},
        {"n_components": 2.5},
        {"corruption": Masking(1.5)},
        {"corruption": "sawdust"},
        {"penalty": KLSparsity(0)},
        {"loss": "hinge"},
        {"training": Training(learning_rate=float("nan"))},
        {"training": 3},
        {"scale": "tiny"},
    ],
)
def test_an_impossible_parameter_is_refused_in_fit_with_rule_and_value(parameters, digits):
    with pytest.raises(ValueError, match=r"must be .* Got .* instead"):
        Autoencoder(**parameters).fit(digits)


def test_wider_codes_than_inputs_are_fitted(table):
    model = Autoencoder(50, corruption=Masking(0.2), training=SHORT, random_state=0)
    assert model.fit_transform(table).shape == (200, 50)


def test_several_penalties_are_given_as_a_list_of_names_and_parts():
    model = Autoencoder(penalty=["l1", Contractive(0.3)])
    assert [type(p).__name__ for p in model._penalties()] == ["L1", "Contractive"]
    assert model.get_params()["penalty__1__weight"] == 0.3
    model.set_params(penalty__0__weight=0.7, penalty__1=L2(0.2))
    assert [repr(p) for p in model.penalty] == ["L1(weight=0.7)", "L2(weight=0.2)"]
    again = clone(model).set_params(penalty__1__weight=0.4)
    assert (again.penalty[1].weight, model.penalty[1].weight) == (0.4, 0.2)


def test_a_list_of_penalties_is_grid_searched_saved_and_loaded(digits, tmp_path):
    layer = small_autoencoder(4, activation="sigmoid", penalty=("kl", "contractive"))
    search = GridSearchCV(layer, {"penalty__1__weight": [0.0, 50.0]}, cv=2).fit(digits[:200])
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    search.best_estimator_.save(tmp_path / "m.safetensors")
    assert repr(load(tmp_path / "m.safetensors").penalty) == repr(search.best_estimator_.penalty)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (["l1", "l3"], "must hold instances of Penalty or names among l1.*'l3' in place 1"),
        ([Masking()], r"Got Masking\(\) in place 0"),
        ([L1(-1)], "'weight' parameter of L1"),
        (["kl", Adversarial()], "KLSparsity and Adversarial cannot be combined"),
        (3, "'penalty' parameter"),
    ],
)
def test_an_impossible_list_of_penalties_is_refused(penalty, message, digits):
    with pytest.raises(ValueError, match=message):
        small_autoencoder(penalty=penalty).fit(digits)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"code": "variational", "activation": "relu"},
            "GaussianCode is defined for activation='identity', got 'relu'",
        ),
        (
            {"code": "variational", "penalty": "kl"},
            "GaussianCode and KLSparsity cannot be combined: GaussianCode is",
        ),
        (
            {"penalty": "adversarial", "activation": "relu"},
            "Adversarial is defined for activation='identity' or 'tanh'",
        ),
    ],
)
def test_parts_that_cannot_combine_are_named_with_what_is_missing(parts, message, digits):
    with pytest.raises(ParameterError, match=message):
        small_autoencoder(**parts).fit(digits)


def test_parts_are_grid_searched(digits):
    grid = {"code": ["topk", "variational"], "network": ["dense", "convolutional"]}
    search = GridSearchCV(small_autoencoder(4), grid, cv=2, error_score="raise").fit(digits[:150])
    assert len(search.cv_results_["params"]) == 4
