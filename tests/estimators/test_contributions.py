"""Contributions: what each column adds to a row's code, from a reference on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import small_autoencoder, small_stack
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from stackae import (
    Convolutional,
    Recurrent,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    TableEncoder,
    TopK,
    load,
)
from stackae.exceptions import DataError, ModelFileError, ParameterError
from stackae.networks import ACTIVATIONS
from stackae.serialization.model_file import read_model, write_model

N = 70


def rows(n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, n_features)) @ rng.normal(size=(n_features, n_features)) * 3 + 5


def assert_sums(model, X, reference=None, atol=1e-5):
    """Contributions and base values sum to the codes; the base values are the codes of the reference."""
    contributions, codes = model.contributions(X, reference), model.transform(X)
    assert contributions.shape == (*codes.shape, model.n_features_in_)
    for code, base, own in zip(codes.T, contributions.base_values, contributions, strict=True):
        np.testing.assert_allclose(own.sum(1) + base, code, atol=atol)
    assert max(np.abs(own).max() for own in contributions) > 10 * atol
    return contributions


@pytest.mark.parametrize("scale", ["standard", "pareto", None, "minmax"])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_row_s_contributions_sum_to_its_code(activation, depth, scale):
    layers = [small_autoencoder(w, activation=activation) for w in (7, 5, 3)[-depth:]]
    X = rows()
    model = small_stack(layers, scale=scale, output="all").fit(X)
    contributions = assert_sums(model, X)
    np.testing.assert_allclose(contributions.base_values, model.transform(X.mean(0)[None])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "parameters"),
    [
        ((7, 3), {"shortcut": "pca"}),
        ((7, 3), {"shortcut": "pca", "output": "all"}),
        ([small_autoencoder(5, tied_weights=True), small_autoencoder(3, tied_weights=True)], {}),
        ([small_autoencoder(5), small_autoencoder(2, code="variational")], {}),
        ([small_autoencoder(3, network="marginalised")], {}),
        ([small_autoencoder(3, network="pca")], {}),
        ([small_autoencoder(3, network=Recurrent())], {}),
        ([small_autoencoder(3, network=Recurrent(cell="lstm")), small_autoencoder(2)], {}),
    ],
    ids=str,
)
def test_so_they_do_with_every_part_that_does_not_jump(layers, parameters):
    assert_sums(small_stack(layers, **parameters).fit(rows()), rows())


@pytest.mark.parametrize("pool", [1, 2])
def test_those_of_convolutions_sum_to_about_a_percent(pool):
    X = np.random.default_rng(0).random((N, 64))
    layers = [
        small_autoencoder(4, network=Convolutional(image_shape=(8, 8), pool=pool)),
        small_autoencoder(3),
    ]
    model = small_stack(layers).fit(X)
    assert_sums(model, X, atol=0.01 * np.abs(model.transform(X) - model.transform(X).mean(0)).max())


def test_the_kinks_of_one_hidden_layer_are_integrated_exactly():
    """Against the sum over very many points of the straight way, which is wrong by as much as one of them."""
    X = rows()
    model = small_stack(
        [small_autoencoder(9, activation="relu"), small_autoencoder(2, activation="identity")]
    )
    model.fit(X)
    start, n = X.mean(0), 20_000
    x = torch.tensor(start + (np.arange(n) + 0.5)[:, None] / n * (X[3] - start), requires_grad=True)
    code = model.module_.double().encode(x)[:, 1]
    expected = torch.autograd.grad(code.sum(), x)[0].mean(0).numpy() * (X[3] - start)
    np.testing.assert_allclose(model.contributions(X)[1][3], expected, atol=3e-4 * np.abs(expected).max())


def test_contributions_of_a_linear_encoder_are_weight_times_difference():
    X = rows()
    model = small_autoencoder(3, activation="identity").fit(X)
    weight = model.module_[0].network.encoder_weight.numpy()
    contributions = model.contributions(X)
    for code in range(3):
        np.testing.assert_allclose(contributions[code], weight[code] * (X - X.mean(0)) / X.std(0), atol=1e-5)


def test_a_code_is_asked_for_by_number_or_name_and_computed_when_it_is(monkeypatch):
    X = rows()
    model = small_stack().fit(X)
    calls = []
    apply = model._apply
    monkeypatch.setattr(model, "_apply", lambda *args: (calls.append(args), apply(*args))[1])
    contributions = model.contributions(X)
    assert (repr(contributions), calls) == ("contributions of 70 rows × 3 codes × 6 columns, by code", [])
    last = contributions["stackedautoencoder2"]
    assert len(calls) == 1
    np.testing.assert_array_equal(last, contributions[-1])
    assert len(list(contributions)) == len(contributions) == 3
    with pytest.raises(ParameterError, match="code must be a number below 3 or a name"):
        contributions[3]


def test_a_column_that_is_as_in_the_reference_adds_nothing():
    X = rows()
    model = small_stack().fit(X)
    X[:, 2] = X[0, 2]
    contributions = assert_sums(model, X, X[:1])
    for own in contributions:
        assert (own[0] == 0).all()
        assert (own[:, 2] == 0).all()
    np.testing.assert_allclose(contributions.base_values, model.transform(X[:1])[0], atol=1e-6)


def test_a_reference_is_one_row():
    model = small_stack().fit(rows())
    with pytest.raises(DataError, match="reference must be one row, got 2"):
        model.contributions(rows(), rows()[:2])
    with pytest.raises(ValueError, match="5 features"):
        model.contributions(rows(), rows()[:1, :5])


@pytest.mark.parametrize("add_indicator", [False, True])
def test_a_missing_cell_adds_nothing_but_what_its_being_missing_does(add_indicator):
    X = rows()
    X[::5, 1] = np.nan
    model = small_stack(missing_values=np.nan, add_indicator=add_indicator).fit(X)
    for own in assert_sums(model, X):
        assert (own[::5, 1] == 0).all() == (not add_indicator)
        assert (own[1::5, 1] != 0).all()


def test_precision_and_container_make_no_difference(tmp_path):
    X = rows().clip(0)
    model = small_stack().fit(X)
    expected = model.contributions(X)[1]
    assert expected.dtype == np.float64
    narrow = model.contributions(X.astype(np.float32))[1]
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, expected, atol=1e-5)
    np.testing.assert_array_equal(model.contributions(sparse.csr_matrix(X))[1], expected)
    np.save(tmp_path / "X.npy", X)
    np.testing.assert_array_equal(
        model.contributions(np.load(tmp_path / "X.npy", mmap_mode="r"))[1], expected
    )
    with torch.inference_mode():
        np.testing.assert_array_equal(clone(model).fit(X).contributions(X)[1], expected)


def mixed():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(50, 9, N),
            "city": pd.Categorical(rng.choice(list("abcd"), N, p=[0.4, 0.3, 0.2, 0.1])),
            "id": [f"k{k}" for k in range(N)],
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), "D"),
        }
    )
    frame.loc[::6, "city"] = None
    return frame


def test_a_category_is_one_column_and_what_was_left_out_adds_nothing():
    frame = mixed()
    model = small_stack().fit(frame)
    contributions = assert_sums(model, frame)
    assert contributions.column_names == ("size", "city", "id", "when")
    own = contributions[0]
    assert (own[:, 2] == 0).all()
    assert (own[::6, 1] == 0).all()  # its mean stands for what is missing
    start = torch.from_numpy(np.nanmean(TableEncoder().fit_transform(frame), 0))[None]
    np.testing.assert_allclose(contributions.base_values, model.module_.double().encode(start)[0], atol=1e-6)
    assert_sums(model, frame, frame.iloc[[3]])


FITTED = {
    "number": (rows, lambda X: small_stack().fit(X)),
    "pieces": (rows, lambda X: small_stack().partial_fit(X).partial_fit(X + 1)),
    "unit interval": (lambda: rows() - rows().min() + 1, lambda X: small_stack(scale=None).fit(X / 100)),
    "table": (mixed, lambda X: small_stack().fit(X)),
    "detector": (mixed, lambda X: StackedAutoencoderDetector(small_stack()).fit(X)),
    "frozen": (mixed, lambda X: StackedAutoencoderDetector(FrozenEstimator(small_stack().fit(X))).fit(X)),
    "classifier": (rows, lambda X: StackedAutoencoderClassifier((4, 2)).fit(X, X[:, 0] > 0)),
    "first layer": (rows, lambda X: small_stack().fit(X).layers_[0]),
}


@pytest.mark.parametrize("name", FITTED)
def test_the_means_of_the_fit_are_kept_in_files(name, tmp_path):
    make, fit = FITTED[name]
    X = make()
    model = fit(X)
    contributions = assert_sums(model, X)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors").contributions(X)
    np.testing.assert_array_equal(again.base_values, contributions.base_values)
    np.testing.assert_array_equal(again[1], contributions[1])


def test_weights_count_in_the_means():
    X = rows()
    weights = np.arange(N) % 3
    for scale in ("standard", "minmax"):
        model = small_stack(scale=scale).fit(X, sample_weight=weights)
        np.testing.assert_allclose(model._means, np.average(X, axis=0, weights=weights))


def test_a_model_without_means_asks_for_a_reference(tmp_path):
    X = rows()
    model = small_stack().fit(X)
    model.save(tmp_path / "m.safetensors")
    header, tensors = read_model(tmp_path / "m.safetensors")
    del tensors["column_means"]  # as version 0.1.0 wrote it
    write_model(tmp_path / "m.safetensors", header, tensors)
    old = load(tmp_path / "m.safetensors")
    with pytest.raises(ParameterError, match=r"does not know the means .* give reference="):
        old.contributions(X)
    assert_sums(old, X, X.mean(0)[None])
    np.testing.assert_array_equal(old.loadings(X), model.loadings(X))
    with pytest.raises(ParameterError, match="give reference="):
        model.layers_[1].contributions(model.layers_[0].transform(X))


@pytest.mark.parametrize("means", [torch.zeros(5, dtype=torch.float64), torch.zeros(6)])
def test_damaged_means_in_a_model_file_are_refused(means, tmp_path):
    small_stack().fit(rows()).save(tmp_path / "m.safetensors")
    header, tensors = read_model(tmp_path / "m.safetensors")
    write_model(tmp_path / "m.safetensors", header, tensors | {"column_means": means})
    with pytest.raises(ModelFileError, match="column_means"):
        load(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([small_autoencoder(9, code=TopK(3))], "units of TopK jump to zero; use loadings"),
        ([small_autoencoder(9, code=TopK(3)), small_autoencoder(2)], "units of TopK jump to zero"),
        ([small_autoencoder(2, network=Recurrent(padding=0.0))], "jumps where a step becomes padding"),
    ],
    ids=["topk", "topk below", "padding"],
)
def test_codes_that_jump_are_refused(layers, why):
    model = small_stack(layers).fit(rows())
    with pytest.raises(ParameterError, match=why):
        model.contributions(rows())


def test_units_that_do_not_move_between_row_and_reference_are_no_division_by_zero():
    X = np.zeros((N, 4))
    X[:, 0] = np.random.default_rng(0).normal(size=N)
    model = StackedAutoencoder((3, 2), shortcut=None, pretrain=None, finetune=None).fit(X)
    for layer in model.module_:
        layer.network.encoder_weight[:] = 0
    assert all((own == 0).all() for own in model.contributions(X))
