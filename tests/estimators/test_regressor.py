"""A regressor on few targets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import SHORT, small_stack
from sklearn.datasets import load_diabetes
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from stackae import Autoencoder, StackedAutoencoderRegressor, Training, load
from stackae.exceptions import DataError


def small(layers=(8, 3), **parameters):
    """A regressor with an encoder that is soon fitted."""
    return StackedAutoencoderRegressor(
        small_stack(layers), **{"finetune": SHORT, "random_state": 0, **parameters}
    )


def test_a_linear_network_finds_the_least_squares_solution():
    X, y = load_diabetes(return_X_y=True)
    encoder = Autoencoder(10, activation="identity", network="pca", training=SHORT)
    tuning = Training(max_epochs=100, learning_rate=0.01, corruption=None, validation_fraction=0)
    model = StackedAutoencoderRegressor(encoder, finetune=tuning, random_state=0).fit(X, y)
    linear = LinearRegression().fit(X, y)
    assert model.score(X, y) == pytest.approx(linear.score(X, y), abs=0.002)
    assert np.corrcoef(model.predict(X), linear.predict(X))[0, 1] > 0.995


def test_targets_come_back_in_their_own_units_and_shape(table):
    y = 1e6 + 1e3 * table[:, 0]
    model = small(finetune=Training(max_epochs=60)).fit(table, y)
    assert model.predict(table).shape == (200,)
    assert abs(model.predict(table).mean() - y.mean()) < 200
    two = small(finetune=Training(max_epochs=60)).fit(table, np.c_[y, -table[:, 1]])
    assert two.predict(table).shape == (200, 2)
    assert two.score(table, np.c_[y, -table[:, 1]]) > 0.5


def test_samples_without_a_target_pretrain_only(table):
    encoder = small_stack().fit(table)
    y = np.where(np.arange(200) % 2 == 0, table[:, 0], np.nan)
    model = StackedAutoencoderRegressor(FrozenEstimator(encoder), finetune=SHORT, random_state=0)
    known = ~np.isnan(y)
    whole = model.fit(table, y).predict(table)
    np.testing.assert_array_equal(whole, model.fit(table[known], y[known]).predict(table))


@pytest.mark.parametrize("nothing", [np.nan, None, pd.NA, ""])
def test_nothing_means_no_target_in_fit_and_score(table, nothing):
    known = np.arange(200) % 2 == 0
    y = np.where(known, table[:, 0], np.nan)
    model = small().fit(table, y)
    others = np.where(known, table[:, 0].astype(object), nothing)
    np.testing.assert_array_equal(small().fit(table, others).predict(table), model.predict(table))
    assert model.score(table, others) == pytest.approx(r2_score(y[known], model.predict(table)[known]))
    weights = np.arange(200)
    expected = r2_score(y[known], model.predict(table)[known], sample_weight=weights[known])
    assert model.score(table, others, weights) == pytest.approx(expected)
    with pytest.raises(DataError, match="must have a target for some row to judge by"):
        model.score(table, np.full(200, nothing))


def test_score_of_several_outputs_is_the_mean_each_over_what_it_has(table):
    y = np.c_[table[:, 0], table[:, 1]]
    model = small().fit(table, y)
    assert model.score(table, y) == pytest.approx(r2_score(y, model.predict(table)))
    holes = y.copy()
    holes[:100, 1] = np.nan
    expected = [r2_score(y[k:, j], model.predict(table)[k:, j]) for j, k in ((0, 0), (1, 100))]
    assert model.score(table, holes) == pytest.approx(np.mean(expected))


def test_of_several_outputs_some_may_be_missing(table):
    y = np.c_[table[:, 0], table[:, 1]]
    holes = y.copy()
    holes[::2, 0] = np.nan
    holes[1::4, 1] = np.nan
    model = small((32, 8), finetune=Training(max_epochs=80)).fit(table, holes)
    assert model.score(table, y) > 0.6


def test_a_fitted_regressor_is_saved_to_the_same_bits(table, tmp_path):
    for number, y in enumerate((table[:, 0], table[:, :2])):
        model = small().fit(table, y)
        model.save(tmp_path / f"{number}.safetensors")
        again = load(tmp_path / f"{number}.safetensors")
        np.testing.assert_array_equal(again.predict(table), model.predict(table))
        assert again.predict(table).shape == y.shape


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(200, np.nan), "y must have a target for some row, got none among 200 rows"),
        (np.where(np.arange(200) == 3, np.inf, 0.0), "Input y contains infinity"),
        (np.zeros(199), "y must have one target a row, 200, got 199"),
        (
            np.c_[np.zeros(200), np.full(200, np.nan)],
            "y must have a target in every output, got none in output 1",
        ),
        (np.array(["a"] * 200), "could not convert string to float"),
        (None, "requires y to be passed"),
    ],
)
def test_targets_that_cannot_be_learned_from_are_refused(y, message, table):
    with pytest.raises(DataError, match=message):
        small().fit(table, y)


def test_constant_targets_are_predicted(table):
    model = small().fit(table, np.full(200, 5.0))
    np.testing.assert_allclose(model.predict(table), 5.0, atol=1e-3)
