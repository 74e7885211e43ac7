"""What is drawn is the first layer's weights."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import BRIEF, small_autoencoder
from pictures import tick_labels

from stackae import Convolutional
from stackae.exceptions import ParameterError
from stackae.plotting import WeightsDisplay


def test_images_are_the_units_weights_each_on_its_own_scale(fitted):
    display = WeightsDisplay.from_estimator(fitted.layer, image_shape=(8, 8), units=[3, 0, 15])
    weights = fitted.layer.components_[[3, 0, 15]]
    assert len(display.ax_.images) == 3
    for image, own in zip(display.ax_.images, weights, strict=True):
        np.testing.assert_array_equal(image.get_array(), own.reshape(8, 8))
        largest = float(np.abs(own).max())
        assert image.get_clim() == pytest.approx((-largest, largest))
    assert display.ax_.get_title() == "units 3, 0, 15"
    assert tick_labels(display.figure_.axes[1].yaxis) == ["−max", "0", "max"]


def test_of_many_units_the_first_36_are_drawn(fitted):
    model = small_autoencoder(50, training=BRIEF).fit(fitted.X)
    display = WeightsDisplay.from_estimator(model, image_shape="square")
    assert len(display.ax_.images) == 36
    assert display.ax_.get_title() == "units 0 to 35, row by row"


@pytest.mark.parametrize("first", [False, True])
def test_filters_have_the_shape_of_their_kernel(first):
    X = np.random.default_rng(0).random((30, 2 * 6 * 6)).astype(np.float32)
    network = Convolutional((2, 6, 6) if first else (6, 6, 2), kernel_size=3, channels_first=first)
    model = small_autoencoder(3, network=network, training=BRIEF).fit(X)
    display = WeightsDisplay.from_estimator(model)
    kernel = model.module_[0].network.encoder_weight.numpy()  # filters × channels × height × width
    drawn = np.asarray(display.ax_.images[2].get_array())
    np.testing.assert_allclose(drawn, np.hstack([kernel[2, 0], kernel[2, 1]]), atol=1e-6)
    with pytest.raises(ParameterError, match="filters have a shape of their own"):
        WeightsDisplay.from_estimator(model, image_shape=(6, 6))


def test_bars_are_the_strongest_columns_by_the_users_names(fitted):
    display = WeightsDisplay.from_estimator(fitted.on_table, units=[1])
    weights = fitted.on_table.components_[1]
    names = fitted.on_table.table_encoder_.get_feature_names_out()
    strongest = np.argsort(-np.abs(weights))[:6]
    assert [bar.get_width() for bar in display.ax_.patches] == pytest.approx(weights[strongest].tolist())
    assert tick_labels(display.ax_.yaxis)[0] in {names[strongest[0]], "a very long …f a column"}
    assert "city=Oslo" in names
    assert display.ax_.get_title(loc="left") == "unit 1"


def test_the_columns_that_mark_gaps_are_named(fitted):
    X = fitted.series.copy()
    X[0, 0] = np.nan
    model = small_autoencoder(3, missing_values=np.nan, add_indicator=True, training=BRIEF).fit(X)
    display = WeightsDisplay.from_estimator(model)
    assert display.column_names == [*(f"x{k}" for k in range(12)), *(f"x{k} missing" for k in range(12))]
    assert len(WeightsDisplay.from_estimator(model, sequence_shape=(12,)).ax_.lines[1].get_ydata()) == 12


def test_a_recurrent_layers_weights_are_those_of_the_channels(fitted):
    display = WeightsDisplay.from_estimator(fitted.of_channels, units=[0])
    assert sorted(tick_labels(display.ax_.yaxis)) == [f"channel {k}" for k in range(4)]


def test_units_that_are_not_there_are_refused(fitted):
    with pytest.raises(ParameterError, match=r"units must be numbers below 16, one at least, got \[16\]"):
        WeightsDisplay.from_estimator(fitted.layer, units=[16])


def test_series_are_lines(fitted):
    display = WeightsDisplay.from_estimator(fitted.stack, sequence_shape=(64,), units=[2, 5])
    for axes, unit in zip(display.axes_, (2, 5), strict=True):
        np.testing.assert_array_equal(axes.lines[1].get_ydata(), fitted.stack.components_[unit])
