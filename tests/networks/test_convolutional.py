"""The convolutional network: shapes, translation, a convolution worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, layer_of, small_autoencoder
from scipy.signal import correlate2d

from stackae import Autoencoder, Convolutional, GaussianCode, StackedAutoencoder
from stackae.exceptions import ParameterError


def built(shape, n_filters=3, **parameters):
    parts = {
        name: parameters.pop(name) for name in ("activation", "tied_weights", "code") if name in parameters
    }
    network = Convolutional(shape, **parameters)
    return layer_of(int(np.prod(shape)), n_filters, network=network, **parts)


@pytest.mark.parametrize(
    ("shape", "kernel_size", "pool", "code_shape"),
    [
        ((7, 5), 3, 2, (4, 3, 3)),
        ((7, 5), 5, 3, (3, 2, 3)),
        ((6, 4), 3, 2, (3, 2, 3)),
        ((1, 9), 3, 4, (1, 3, 3)),
        ((5, 5, 2), 1, 1, (5, 5, 3)),
        ((3, 3), 3, 5, (1, 1, 3)),
    ],
)
def test_shapes_of_odd_sizes_are_mirrored(shape, kernel_size, pool, code_shape, generator):
    module = built(shape, kernel_size=kernel_size, pool=pool)
    x = torch.rand(4, int(np.prod(shape)), generator=generator)
    assert module.parts.code_shape == code_shape
    assert module.encode(x).shape == (4, np.prod(code_shape))
    assert module.decode(module.encode(x)).shape == x.shape


def test_the_encoder_is_a_convolution_and_a_maximum_worked_by_hand(generator):
    """One filter on one channel, against SciPy."""
    module = built((5, 6), 1, activation="identity")
    image = torch.rand(5, 6, generator=generator)
    kernel = module.network.encoder_weight[0, 0].detach().numpy()
    maps = correlate2d(image.numpy(), kernel, mode="same")
    pooled = [[maps[i : i + 2, j : j + 2].max() for j in (0, 2, 4)] for i in (0, 2, 4)]
    np.testing.assert_allclose(
        module.encode_scaled(image.reshape(1, -1)).detach().numpy()[0], np.ravel(pooled), rtol=1e-5
    )


def test_the_decoder_repeats_each_cell_and_convolves_back(generator):
    module = built((4, 4), 1)
    code = torch.rand(1, 4, generator=generator)
    repeated = np.kron(code.numpy().reshape(2, 2), np.ones((2, 2)))
    kernel = module.network.decoder_weight[0, 0].detach().numpy()[::-1, ::-1]
    expected = correlate2d(repeated, kernel, mode="same")
    np.testing.assert_allclose(module.network.decode(code).detach().numpy()[0], expected.ravel(), rtol=1e-5)


@pytest.mark.parametrize("pool", [1, 2, 3])
def test_moving_the_image_by_the_stride_moves_the_code_by_a_cell(pool, generator):
    side = 6 * pool
    module = built((side, side), 4, pool=pool)
    image = torch.zeros(side, side)
    image[2 * pool : 4 * pool, 2 * pool : 4 * pool] = torch.rand(2 * pool, 2 * pool, generator=generator)
    moved = image.roll((pool, pool), (0, 1))
    codes = [module.encode_scaled(x.reshape(1, -1)).reshape(6, 6, 4) for x in (image, moved)]
    torch.testing.assert_close(codes[0].roll((1, 1), (0, 1)), codes[1])
    assert not torch.allclose(codes[0], codes[1])


def test_channels_come_last_as_in_an_image_array(generator):
    """A filter that looks at the second channel only."""
    module = built((4, 4, 3), 1, activation="identity", kernel_size=1, pool=1)
    with torch.no_grad():
        module.network.encoder_weight.copy_(torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1))
    image = torch.rand(4, 4, 3, generator=generator)
    torch.testing.assert_close(module.encode_scaled(image.reshape(1, -1))[0], image[:, :, 1].flatten())


def test_a_tied_decoder_is_the_adjoint_of_the_convolution(generator):
    module = built((5, 5, 2), 3, activation="identity", tied_weights=True, pool=1).double()
    x, code = (torch.rand(1, n, generator=generator, dtype=torch.float64) for n in (50, 75))
    forward = (module.encode_scaled(x) * code).sum()
    back = (x * (module.network.decode(code) - module.network.decode(0 * code))).sum()
    torch.testing.assert_close(forward, back)


@pytest.mark.slow
def test_a_convolutional_layer_above_takes_the_shape_of_the_codes(digits):
    stack = StackedAutoencoder(
        [Autoencoder(6, network="convolutional"), Autoencoder(4, network="convolutional"), 5],
        pretrain=SHORT,
        finetune=SHORT,
        random_state=0,
    ).fit(digits)
    first, second, last = (layer.parts for layer in stack.module_)
    assert (first.network.image_shape, first.code_shape) == ((8, 8, 1), (4, 4, 6))
    assert (second.network.image_shape, second.code_shape) == ((4, 4, 6), (2, 2, 4))
    assert last.n_units == 5
    assert stack.transform(digits).shape == (1797, 5)
    assert stack.set_params(output="all").transform(digits).shape == (1797, 96 + 16 + 5)


def test_the_automatic_shape_is_a_square_or_a_line(digits, table):
    for X, shape in ((digits, (8, 8, 1)), (table, (1, 6, 1))):
        model = small_autoencoder(2, network="convolutional").fit(X)
        assert model.module_[0].parts.network.image_shape == shape


def test_a_variational_code_has_its_heads_side_by_side(generator):
    module = built((4, 4), 3, code=GaussianCode())
    x = torch.rand(2, 16, generator=generator)
    assert module.activate(x).shape == (2, 2 * 2 * 2 * 3)
    weight = module.network.encoder_weight
    mean = built((4, 4), 3, activation="identity")
    with torch.no_grad():
        mean.network.encoder_weight.copy_(weight[:3])
    torch.testing.assert_close(module.encode(x), mean.encode(x))


def test_components_are_the_filters(digits):
    model = small_autoencoder(5, network=Convolutional((8, 8), kernel_size=5)).fit(digits)
    assert model.components_.shape == (5, 25)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Convolutional((7, 8)), r"image_shape=\(7, 8\)\) has 56 values, but the rows have 64"),
        (Convolutional((8, 8, 3)), r"image_shape=\(8, 8, 3\)\) has 192 values"),
        (Convolutional(kernel_size=4), "kernel_size=...\\) must be odd, got 4"),
        (Convolutional((8,)), "'image_shape' parameter.*Got"),
        (Convolutional(pool=0), "'pool' parameter.*Got"),
    ],
)
def test_what_does_not_fit_the_samples_is_refused(network, message, digits):
    with pytest.raises((ParameterError, ValueError), match=message):
        small_autoencoder(4, network=network).fit(digits)
