"""Images and series flattened channel after channel are what those with channels last are."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from helpers import BRIEF, small_autoencoder, small_stack

import stackae
from stackae import Autoencoder, Convolutional, Recurrent
from stackae.exceptions import ParameterError
from stackae.networks.layout import Layout

N_SAMPLES, SEED = 80, 3


def arrays(shape, padding=None):
    """Samples × space × channels, flattened so and channel after channel, and the columns of the latter."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N_SAMPLES, 2)) @ rng.normal(size=(2, int(np.prod(shape))))
    values = (values + rng.normal(size=values.shape)).reshape(N_SAMPLES, *shape)
    if padding is not None:
        values[np.arange(shape[0]) >= rng.integers(1, shape[0] + 1, (N_SAMPLES, 1))] = padding
    order = np.moveaxis(np.arange(values[0].size).reshape(shape), -1, 0).ravel()
    last = values.reshape(N_SAMPLES, -1)
    return last, last[:, order], order


#: Of each case the shape with channels last, the network for it, and that for channels first.
CASES = {
    "image": ((5, 4, 3), Convolutional((5, 4, 3)), Convolutional((3, 5, 4), channels_first=True)),
    "series": ((1, 12, 2), Convolutional((1, 12, 2)), Convolutional((2, 12), channels_first=True)),
    "no pooling": (
        (5, 4, 3),
        Convolutional((5, 4, 3), 5, 1),
        Convolutional((3, 5, 4), 5, 1, channels_first=True),
    ),
    "gru": ((6, 3), Recurrent((6, 3), hidden=5), Recurrent((3, 6), hidden=5, channels_first=True)),
    "lstm, padded": (
        (6, 3),
        Recurrent((6, 3), "lstm", 5, padding=-9.0),
        Recurrent((3, 6), "lstm", 5, padding=-9.0, channels_first=True),
    ),
}


def pair(case, **parameters):
    """The same model on both, the rows of both, and the order of the latter's columns."""
    shape, *networks = CASES[case]
    last, first, order = arrays(shape, padding=networks[0].padding if "padded" in case else None)
    models = [
        small_autoencoder(3, network=network, precision="float32", random_state=SEED, **parameters)
        for network in networks
    ]
    return models[0].fit(last), models[1].fit(first), last, first, order


def close(one, other):
    np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("case", CASES)
def test_channels_first_gives_the_codes_and_the_reconstruction_of_channels_last(case, tmp_path):
    one, other, last, first, order = pair(case)
    codes = other.transform(first)
    close(codes, one.transform(last))
    close(other.reconstruct(first), one.reconstruct(last)[:, order])
    close(other.inverse_transform(codes), one.inverse_transform(codes)[:, order])
    close(other.score_samples(first), one.score_samples(last))
    assert other.score(first) == pytest.approx(one.score(last), abs=1e-3)

    other.save(tmp_path / "model.safetensors")
    again = stackae.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(first), codes)
    np.testing.assert_array_equal(again.reconstruct(first), other.reconstruct(first))

    other.export_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    close(session.run(None, {"X": first.astype(np.float32)})[0], codes)


@pytest.mark.parametrize("case", ["image", "gru"])
def test_gaps_and_draws_are_filled_and_made_in_the_order_of_the_columns(case):
    one, other, last, _, order = pair(case, code="variational", missing_values=np.nan)
    close(other.sample(5, random_state=0), one.sample(5, random_state=0)[:, order])
    gaps = np.where(np.random.default_rng(1).random(last.shape) < 0.2, np.nan, last)
    close(other.impute(gaps[:, order]), one.impute(gaps)[:, order])


def test_padding_of_channels_first_ends_a_series_where_all_channels_are_filled():
    _, other, _, first, _ = pair("lstm, padded")
    layer = other.module_[0]
    observed = layer.network.observed(layer.scaling(torch.from_numpy(first))).numpy()
    np.testing.assert_array_equal(observed, first != -9)


@pytest.mark.parametrize("case", ["image", "series"])
def test_components_have_the_order_of_the_columns(case):
    one, other, *_ = pair(case)
    channels = CASES[case][0][-1]
    of_window = one.components_.reshape(3, 3, 3, channels)
    close(other.components_.reshape(3, channels, 3, 3), np.moveaxis(of_window, -1, 1))
    image = np.random.default_rng(0).random((3, 3, channels))  # the window around its middle
    small = small_autoencoder(3, network=Convolutional((3, 3, channels), pool=1), activation="identity")
    small.fit(np.random.default_rng(0).random((20, 9 * channels)))
    network = small.module_[0].network
    with torch.no_grad():
        code = network.encode(torch.from_numpy(image.reshape(1, -1)).float()) - network.encode(
            torch.zeros(1, 9 * channels)
        )
    of_middle = code.reshape(3, 3, 3)[1, 1].numpy()
    np.testing.assert_allclose(small.components_ @ image.ravel(), of_middle, rtol=1e-5, atol=1e-6)


def test_a_convolution_stands_on_one_with_channels_first():
    _, first, _ = arrays((5, 4, 3))
    below = Autoencoder(2, network=Convolutional((3, 5, 4), channels_first=True))
    stack = small_stack([below, Autoencoder(4, network="convolutional"), 3], pretrain=BRIEF, finetune=BRIEF)
    parts = [layer.parts for layer in stack.fit(first).module_]
    assert parts[0].network.image_shape == (3, 5, 4)
    assert (parts[1].network.image_shape, parts[1].network.channels_first) == ((3, 2, 2), False)


@pytest.mark.parametrize("channels_first", [False, True])
def test_rows_are_taken_apart_and_put_together_again(channels_first):
    layout = Layout.of((2, 3, 4), channels_first=channels_first)
    rows = torch.arange(48.0).reshape(2, 24)
    values = layout.unflatten(rows)
    assert values.shape == ((2, 3, 4, 2) if channels_first else (2, 2, 3, 4))
    assert float(values[0, 0, 1, 1]) == (13 if channels_first else 5)
    assert torch.equal(layout.flatten(values), rows)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Convolutional((3, 7)),
            r"has 21 values.*60; give height, width and.*channels, in this order, or channels",
        ),
        (
            Convolutional((3, 7), channels_first=True),
            "give channels, height and width, or channels and length$",
        ),
        (Convolutional(channels_first=True), "needs a shape, got 'auto'; give channels, height and width"),
        (
            Recurrent((3, 7)),
            "give steps and channels, in this order, or channels first with channels_first=True",
        ),
        (Recurrent((3, 7), channels_first=True), "give channels and steps$"),
        (Recurrent(channels_first=True), "needs a shape, got 'auto'; give channels and steps"),
        (Convolutional((3, 20), channels_first="yes"), "'channels_first' parameter.*Got 'yes'"),
    ],
    ids=str,
)
def test_a_shape_that_does_not_fit_is_refused_with_its_order(network, message):
    with pytest.raises(ValueError, match=message):
        small_autoencoder(network=network).fit(np.random.default_rng(0).random((9, 60)))


@pytest.mark.parametrize(
    "above", [Convolutional((2, 3, 2), channels_first=True), Recurrent((2, 6), channels_first=True)], ids=str
)
def test_codes_of_a_convolution_have_no_channels_first(above):
    stack = small_stack([Autoencoder(2, network=Convolutional((5, 4, 3))), Autoencoder(2, network=above)])
    with pytest.raises(ParameterError, match="codes have their channels last; leave it out"):
        stack.fit(arrays((5, 4, 3))[0])
