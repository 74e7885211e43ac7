"""Filters by k-means: responses and pooling worked by hand, whitening, clusters, the decoder's closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import layer_of
from scipy.signal import correlate2d
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import Autoencoder, KMeansFilters, Masking, StackedAutoencoder, Training, load
from stackae.exceptions import ParameterError
from stackae.networks import kmeans_filters
from stackae.networks.kmeans_filters import _centroids


def fitted(X, n_filters=8, shape=(8, 8), **parameters):
    network = KMeansFilters(shape, **{"kernel_size": 3, "pool": 4, **parameters})
    return Autoencoder(n_filters, network=network, random_state=0).fit(X)


@pytest.mark.parametrize(
    ("shape", "kernel_size", "pool", "code_shape"),
    [
        ((7, 5), 3, 2, (4, 3, 6)),
        ((1, 9), 3, 4, (1, 3, 6)),
        ((5, 5, 2), 1, 1, (5, 5, 6)),
        ((3, 3), 3, 5, (1, 1, 6)),
    ],
)
def test_shapes_of_odd_sizes_are_mirrored(shape, kernel_size, pool, code_shape, generator):
    layer = layer_of(
        int(np.prod(shape)), 3, network=KMeansFilters(shape, kernel_size, pool), activation="relu"
    )
    x = torch.rand(4, int(np.prod(shape)), generator=generator)
    assert layer.parts.code_shape == code_shape
    assert layer.encode(x).shape == (4, np.prod(code_shape))
    assert layer.decode(layer.encode(x)).shape == x.shape


@pytest.mark.parametrize("channels_first", [False, True])
def test_the_code_is_worked_by_hand(channels_first, generator):
    """Two filters on two channels of 5 x 6, against SciPy, the last cells in part outside."""
    given = (2, 5, 6) if channels_first else (5, 6, 2)
    network = KMeansFilters(given, kernel_size=3, pool=4, channels_first=channels_first, threshold=0.1)
    module = layer_of(60, 2, network=network, activation="relu").network
    module.floor.fill_(0.3)
    x = torch.rand(1, 60, generator=generator)
    image = x.numpy().reshape(given) if channels_first else np.moveaxis(x.numpy().reshape(given), 2, 0)

    def around(kernels):
        return sum(correlate2d(own, kernel, mode="same") for own, kernel in zip(image, kernels, strict=True))

    means = around(np.full((2, 3, 3), 1 / 18))
    squares = sum(correlate2d(own**2, np.full((3, 3), 1 / 18), mode="same") for own in image)
    spread = np.sqrt(squares - means**2 + 0.3)
    expected = np.empty((2, 2, 4))
    for k, kernels in enumerate(module.encoder_weight.detach().numpy()):
        response = around(kernels) / spread
        for sign in (0, 1):
            kept = np.maximum(0, (-response if sign else response) - 0.1)
            # The middles are at 1.5 and 5.5, the last beyond the 5 x 6 places; a standard deviation is 2.
            down, across = (norm.pdf(np.arange(n), np.array([[1.5], [5.5]]), 2) for n in (5, 6))
            cells = [[np.average(kept, weights=np.outer(i, j)) for j in across] for i in down]
            expected[:, :, k + 2 * sign] = np.sqrt(np.array(cells) + 1e-3) - np.sqrt(1e-3)
    np.testing.assert_allclose(module.encode(x).detach().numpy()[0], expected.ravel(), rtol=1e-4, atol=1e-6)


def test_images_are_encoded_a_few_at_a_time(digits, monkeypatch):
    model = fitted(digits[:300])
    codes = model.transform(digits[:300])
    monkeypatch.setattr(kmeans_filters, "_AT_ONCE", 8 * 64 * 7)
    np.testing.assert_allclose(model.transform(digits[:300]), codes, rtol=1e-5, atol=1e-6)


def test_within_an_image_brightness_makes_no_difference(digits):
    model = fitted(digits[:300], pool=1)
    dark, light = (model.transform(digits[:20] + more).reshape(20, 8, 8, -1) for more in (0, 0.4))
    np.testing.assert_allclose(light[:, 1:7, 1:7], dark[:, 1:7, 1:7], atol=1e-4)
    assert np.abs(light - dark).max() > 0.1  # beyond the border there are zeros


def test_the_range_of_the_pixels_makes_no_difference(digits):
    """Outside [0, 1] all of them are divided by one number."""
    codes, of_raw = (fitted(factor * digits[:300]).transform(factor * digits[:300]) for factor in (1, 16))
    np.testing.assert_allclose(of_raw, codes, atol=0.02)
    assert codes.std() > 0.1


def test_clusters_of_directions_are_found():
    """Rows around four directions, of many lengths: one centroid each."""
    draws = np.random.default_rng(0)
    axes = np.eye(6)[[0, 2, 3, 5]]
    rows = np.repeat(axes, 200, 0) * draws.uniform(0.5, 2, (800, 1)) + 0.05 * draws.normal(size=(800, 6))
    found = _centroids(torch.from_numpy(rows).float(), 4, torch.Generator().manual_seed(1)).numpy()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert sorted((found @ axes.T).argmax(1)) == [0, 1, 2, 3]
    assert (found @ axes.T).max(1).min() > 0.99


def test_an_empty_cluster_is_drawn_anew():
    rows = torch.ones(50, 3) + 1e-3 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    found = _centroids(rows, 7, torch.Generator().manual_seed(0))
    assert found.isfinite().all()
    torch.testing.assert_close(found.norm(dim=1), torch.ones(7))


def test_whitened_filters_of_noise_are_as_far_apart_as_directions_can_be():
    """Patches of white noise are white already: filters are the centroids, of equal length."""
    X = np.random.default_rng(0).normal(size=(3000, 25))
    weight = fitted(X, 16, (5, 5), pool=5).module_[0].network.encoder_weight.detach().flatten(1)
    lengths = weight.norm(dim=1)
    assert lengths.max() / lengths.min() < 1.25


def test_the_decoder_is_the_least_squares_map_of_cells_to_their_parts(digits):
    X = digits[:400]
    model = fitted(X, 6)
    cells = model.transform(X).reshape(-1, 12)
    parts = X.reshape(-1, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4).reshape(-1, 16)
    ridge = Ridge(alpha=1e-8).fit(cells, parts)
    expected = ridge.predict(cells).reshape(-1, 2, 2, 4, 4).transpose(0, 1, 3, 2, 4).reshape(-1, 64)
    np.testing.assert_allclose(model.reconstruct(X), expected, atol=5e-3)


def test_a_linear_classifier_errs_less_on_the_codes_than_on_the_pixels():
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)

    def accuracy(features):
        linear = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        return linear.fit(X_train, y_train).score(X_test, y_test)

    network = KMeansFilters((8, 8), kernel_size=3)
    assert accuracy(Autoencoder(32, network=network, random_state=0)) > accuracy("passthrough") + 0.01


def test_one_seed_gives_one_layer_and_another_another(digits):
    X, network = digits[:200], KMeansFilters((8, 8), kernel_size=3)
    one, same, other = (
        Autoencoder(4, network=network, random_state=seed).fit_transform(X) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_it_stands_below_dense_layers_is_fine_tuned_and_kept(digits, tmp_path):
    X, layers = digits[:500], [Autoencoder(8, network=KMeansFilters((8, 8), kernel_size=3)), 16]
    untuned = StackedAutoencoder(layers, finetune=None, random_state=0).fit(X)
    model = StackedAutoencoder(layers, finetune=Training(max_epochs=20), random_state=0).fit(X)
    assert model.score(X) > untuned.score(X) + 0.2
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        load(tmp_path / "model.safetensors").transform(digits[:50]), model.transform(digits[:50])
    )


def test_later_pieces_change_the_decoder_alone(digits):
    model = Autoencoder(4, network=KMeansFilters((8, 8), kernel_size=3), random_state=0)
    model.partial_fit(digits[:300])
    weights = {name: value.clone() for name, value in model.module_[0].network.state_dict().items()}
    model.partial_fit(digits[300:600])
    for name, value in model.module_[0].network.state_dict().items():
        assert torch.equal(value, weights[name]) is not name.startswith("decoder")


def test_images_without_any_contrast_are_encoded_as_nothing():
    X = np.full((30, 16), 0.25)
    codes = Autoencoder(3, network=KMeansFilters((4, 4), kernel_size=1), random_state=0).fit_transform(X)
    np.testing.assert_array_equal(codes, 0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"corruption": Masking()}, "finds its filters without training, and takes no Masking"),
        ({"code": "variational"}, "takes no GaussianCode; leave one of them out"),
        ({"penalty": "l1"}, "takes no L1"),
        ({"loss": "cross_entropy"}, "KMeansFilters is fitted by loss='squared_error'"),
        ({"tied_weights": True}, "KMeansFilters has a decoder of its own"),
        ({"activation": "tanh"}, "relu"),
        ({"network": KMeansFilters(kernel_size=4)}, r"KMeansFilters\(kernel_size=...\) must be odd, got 4"),
        ({"network": KMeansFilters((3, 3))}, r"KMeansFilters\(image_shape=\(3, 3\)\) has 9 values"),
    ],
)
def test_what_cannot_be_is_refused(parameters, message, digits):
    with pytest.raises(ParameterError, match=message):
        Autoencoder(**{"n_components": 4, "network": "kmeans_filters", **parameters}).fit(digits[:50])


def test_a_threshold_below_zero_is_refused(digits):
    with pytest.raises(
        ValueError, match="'threshold' parameter of KMeansFilters must be a number from 0 to 5"
    ):
        Autoencoder(4, network=KMeansFilters(threshold=-1)).fit(digits[:50])


def test_the_decoder_is_fitted_to_some_of_many_images(digits, monkeypatch):
    model = Autoencoder(8, network=KMeansFilters((8, 8), kernel_size=3), random_state=0)
    score = model.fit(digits).score(digits)
    monkeypatch.setattr(kmeans_filters, "_N_IMAGES", 300)
    fewer = model.fit(digits)
    assert 0 < abs(fewer.score(digits) - score) < 0.01
