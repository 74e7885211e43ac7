"""Loadings: the mean Jacobian by columns, in standard deviations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import small_autoencoder, small_stack
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from stackae import (
    Autoencoder,
    Convolutional,
    Recurrent,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    TableEncoder,
    TopK,
    Training,
    load,
)
from stackae.data.matrix import DenseMatrix
from stackae.data.statistics import column_covariances
from stackae.estimators.attributions import Loadings
from stackae.exceptions import DataError, ParameterError
from stackae.networks import ACTIVATIONS

N = 70


def rows(n_features=6, n=N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n_features)) @ rng.normal(size=(n_features, n_features)) * 3 + 5


def mean_jacobian(model, X):
    """Of transform, by autograd on the whole module, times each column's standard deviation."""
    module, x = model.module_, torch.tensor(X, dtype=torch.float32, requires_grad=True)
    codes = model._features(module, x)
    found = [torch.autograd.grad(code.sum(), x, retain_graph=True)[0].mean(0).numpy() for code in codes.T]
    return np.array(found) * X.std(0)


def close(values, expected):
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


MODELS = {
    **{f"{name}, one layer": [small_autoencoder(4, activation=name)] for name in ACTIVATIONS},
    **{f"{name}, two": [small_autoencoder(w, activation=name) for w in (5, 3)] for name in ACTIVATIONS},
    "three": [small_autoencoder(5), small_autoencoder(4, activation="tanh"), small_autoencoder(3)],
    "linear between": [
        small_autoencoder(5),
        small_autoencoder(4, activation="identity"),
        small_autoencoder(3, activation="sigmoid"),
    ],
    "linear below": [small_autoencoder(5, activation="identity"), small_autoencoder(3, activation="tanh")],
    "three nonlinear": [small_autoencoder(w, activation="relu") for w in (7, 5, 3)],
    "tied": [small_autoencoder(5, tied_weights=True), small_autoencoder(3, tied_weights=True)],
    "topk": [small_autoencoder(9, code=TopK(3))],
    "topk below": [small_autoencoder(9, code=TopK(3)), small_autoencoder(3, activation="relu")],
    "variational": [small_autoencoder(5), small_autoencoder(2, code="variational")],
    "convolutional": [small_autoencoder(2, network=Convolutional(image_shape=(2, 3), pool=1))],
    "convolutional, pooled": [small_autoencoder(2, network=Convolutional(image_shape=(2, 3)))],
    "convolutional, smooth": [
        small_autoencoder(2, network=Convolutional(image_shape=(3, 2)), activation="softplus")
    ],
    "convolutional, channels": [
        small_autoencoder(3, network=Convolutional(image_shape=(3, 1, 2)), code="variational")
    ],
    "convolutional, channels first": [
        small_autoencoder(3, network=Convolutional(image_shape=(2, 3, 1), channels_first=True))
    ],
    "convolutional below": [
        small_autoencoder(2, network=Convolutional(image_shape=(2, 3))),
        small_autoencoder(2),
    ],
    "recurrent": [small_autoencoder(3, network=Recurrent())],
}


@pytest.mark.parametrize("output", ["code", "all"])
@pytest.mark.parametrize("name", MODELS)
def test_loadings_are_the_mean_jacobian_in_standard_deviations(name, output):
    X = rows()
    model = small_stack(MODELS[name], output=output).fit(X)
    loadings = model.loadings(X)
    close(loadings.values, mean_jacobian(model, X))
    assert loadings.shape == loadings.values.shape == (model.transform(X).shape[1], 6)
    assert loadings.code_names == tuple(model.get_feature_names_out())
    assert loadings.column_names == tuple(f"x{k}" for k in range(6))


def test_a_shortcut_has_its_share_in_the_loadings():
    X = rows()
    model = small_stack((5, 4), shortcut="pca").fit(X)
    close(model.loadings(X).values, mean_jacobian(model, X))
    pca = PCA(4).fit(StandardScaler().fit_transform(X))
    same = np.abs(model.loadings(X).values[:2] @ pca.components_[:2].T)
    np.testing.assert_allclose(same, np.eye(2), atol=1e-4)


@pytest.mark.parametrize("scale", ["standard", None])
@pytest.mark.parametrize("in_a_stack", [False, True])
def test_loadings_of_pca_are_its_components(scale, in_a_stack):
    X = load_iris().data
    given = StandardScaler().fit_transform(X) if scale else X
    pca = PCA(3).fit(given)
    layer = Autoencoder(3, network="pca", training=Training(max_epochs=1))
    model = StackedAutoencoder([layer], scale=scale) if in_a_stack else layer.set_params(scale=scale)
    model.fit(X)
    expected = pca.components_ * given.std(0)
    values = model.loadings(X).values
    np.testing.assert_allclose(values * np.sign((values * expected).sum(1))[:, None], expected, atol=1e-5)


def test_loadings_of_a_linear_stack_span_what_the_components_of_pca_span():
    X = rows()
    layers = [Autoencoder(3, network="pca", training=Training(max_epochs=1)) for _ in range(2)]
    values = StackedAutoencoder(layers, finetune=None).fit(X).loadings(X).values
    components = PCA(3).fit(StandardScaler().fit_transform(X)).components_
    assert np.linalg.matrix_rank(values) == 3
    np.testing.assert_allclose(values @ components.T @ components, values, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "identity", "tanh"])
def test_a_planted_column_is_found_first(activation):
    X = np.random.default_rng(0).normal(size=(300, 10)) * 0.3
    X[:, 4] *= 10  # has all that a single code can hold
    layers = [Autoencoder(8, activation=activation), Autoencoder(1, activation="identity")]
    model = StackedAutoencoder(layers, scale=None, random_state=0).fit(X)
    (first, value), (_, second) = model.loadings(X).strongest(0, 2)
    assert first == "x4"
    assert abs(value) > 3 * abs(second)
    assert abs(model.contributions(X)[0]).mean(0).argmax() == 4


def test_the_column_that_decides_the_labels_is_found_first():
    X = np.random.default_rng(0).normal(size=(400, 10))
    frame = pd.DataFrame(X, columns=[f"noise{k}" for k in range(10)]).rename(columns={"noise7": "cause"})
    model = StackedAutoencoderClassifier((16, 4), random_state=0).fit(frame, X[:, 7] > 0)
    loadings = model.loadings(frame)
    assert [loadings.strongest(code, 1)[0][0] for code in loadings.code_names] == ["cause"] * 4


def test_a_column_that_does_not_vary_has_none():
    X = rows()
    X[:, 2] = 7
    model = small_stack().fit(X)
    assert (model.loadings(X).values[:, 2] == 0).all()
    assert (model.loadings(X).values[:, 1] != 0).all()


def test_precision_and_container_make_no_difference(tmp_path):
    X = rows().clip(0)
    model = small_stack().fit(X)
    expected = model.loadings(X)
    assert expected.values.dtype == np.float64
    narrow = model.loadings(X.astype(np.float32)).values
    assert narrow.dtype == np.float32
    close(narrow, expected.values)
    np.testing.assert_allclose(model.loadings(sparse.csr_matrix(X)).values, expected.values)
    np.save(tmp_path / "X.npy", X)
    np.testing.assert_allclose(
        model.loadings(np.load(tmp_path / "X.npy", mmap_mode="r")).values, expected.values
    )
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "m.safetensors").loadings(X).values, expected.values)


def test_few_rows_of_many_are_looked_at_where_codes_must_be_gone_through(monkeypatch):
    X = rows(n=2000)
    model = small_stack(MODELS["three nonlinear"]).fit(X)
    seen = []
    apply = model._apply
    monkeypatch.setattr(model, "_apply", lambda some, *args: (seen.append(len(some)), apply(some, *args))[1])
    of_all = model.loadings(X)
    assert seen == [1333]  # three codes
    model.output = "all"  # fifteen
    of_some = model.loadings(X).values[-3:]
    assert seen == [1333, 266]
    np.testing.assert_allclose(of_some, of_all.values, atol=0.15 * np.abs(of_all.values).max())


def test_gaps_are_taken_as_the_encoder_takes_them():
    X = rows()
    X[::5, 1] = np.nan
    for add_indicator in (False, True):
        model = small_stack(missing_values=np.nan, add_indicator=add_indicator).fit(X)
        filled = np.where(np.isnan(X), np.nanmean(X, 0), X)
        values = model.loadings(X).values
        assert values.shape == (3, 6)
        if not add_indicator:
            np.testing.assert_allclose(
                values / np.nanstd(X, 0), model.loadings(filled).values / filled.std(0), rtol=1e-9
            )


def test_one_row_is_refused():
    model = small_stack().fit(rows())
    with pytest.raises(DataError, match="loadings need two rows or more, got 1"):
        model.loadings(rows()[:1])


def mixed():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(50, 9, N),
            "city": pd.Categorical(rng.choice(list("abcd"), N, p=[0.4, 0.3, 0.2, 0.1])),
            "id": [f"k{k}" for k in range(N)],
            "member": rng.random(N) < 0.3,
        }
    )


@pytest.mark.parametrize("kind", ["stack", "detector", "classifier"])
def test_a_category_counts_as_one_column_and_one_that_was_left_out_as_none(kind):
    frame = mixed()
    stack = small_stack().fit(frame)
    model = stack
    if kind == "detector":
        model = StackedAutoencoderDetector(FrozenEstimator(stack)).fit(frame)
    if kind == "classifier":
        model = StackedAutoencoderClassifier(small_stack(), finetune=Training(max_epochs=1))
        model.fit(frame, frame["member"])
    z = TableEncoder().fit_transform(frame)
    x = torch.tensor(z, dtype=torch.float32, requires_grad=True)
    codes = model.module_.encode(x)
    slopes = np.array(
        [torch.autograd.grad(c.sum(), x, retain_graph=True)[0].mean(0).numpy() for c in codes.T]
    )
    loadings = model.loadings(frame)
    assert loadings.column_names == ("size", "city", "id", "member")
    assert loadings.values.shape == (3, 4)
    close(loadings.values[:, 0], slopes[:, 0] * z[:, 0].std())
    close(loadings.values[:, 1], (z[:, 1:5] @ slopes[:, 1:5].T).std(0))
    assert (loadings.values[:, 2] == 0).all()
    close(loadings.values[:, 3], slopes[:, 5] * z[:, 5].std())


def test_covariances_of_ranges_pass_over_gaps():
    X = rows()
    X[::7, 2:4] = np.nan
    mean = np.nanmean(X, 0)
    whole, gappy = column_covariances(DenseMatrix(X), [(0, 2), (2, 4)], mean)
    np.testing.assert_allclose(whole, np.cov(X[:, :2].T, bias=True))
    there = X[~np.isnan(X[:, 2])]
    np.testing.assert_allclose(gappy, np.cov(there[:, 2:4].T, bias=True))


VALUES = np.array([[0.5, -2.0, 0.0], [0.0, 0.0, 0.0]])


def test_the_strongest_columns_come_first_whatever_their_sign():
    loadings = Loadings(VALUES, ("a", "b"), ("x", "y", "z"))
    assert (
        loadings.strongest("a") == loadings.strongest(0) == loadings.strongest(-2) == [("y", -2), ("x", 0.5)]
    )
    assert loadings.strongest(0, 1) == [("y", -2)]
    assert loadings.strongest("b") == []
    np.testing.assert_array_equal(loadings, VALUES)
    assert np.asarray(loadings, np.float32).dtype == np.float32


@pytest.mark.parametrize("code", [2, -3, "c", True, 0.0, None])
def test_a_code_that_is_none_is_refused(code):
    with pytest.raises(ParameterError, match="code must be a number below 2 or a name, 'a' to 'b', got"):
        Loadings(VALUES, ("a", "b"), ("x", "y", "z")).strongest(code)


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_loadings_are_a_frame_of_any_library(backend):
    frame = Loadings(VALUES, ("a", "b"), ("x", "code", "z")).to_frame(backend)
    columns = frame.column_names if backend == "pyarrow" else list(frame.columns)
    assert columns == ["code_2", "x", "code", "z"]
    assert type(frame).__module__.startswith(backend)
    assert list(np.asarray(frame["code"])) == [-2, 0]


def test_what_is_shown_is_short_and_escaped():
    wide = Loadings(
        np.ones((50, 90)), tuple(f"c{k}" for k in range(50)), ("<b>\x1b[2J", *map(str, range(89)))
    )
    assert repr(wide).splitlines()[0] == "loadings of 50 codes × 90 columns, the strongest of each"
    assert repr(wide).splitlines()[-1] == "... and 30 more codes"
    assert "\x1b" not in repr(wide)
    html = wide._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert html.count("<td>") == 20 * 30
