"""What is drawn is the loadings, the strongest columns first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pictures import WithLoadings, faults, tick_labels

from stackae import Autoencoder
from stackae.exceptions import ParameterError
from stackae.plotting import LoadingsDisplay
from stackae.plotting.display import shortened


def test_the_map_is_of_the_strongest_columns(fitted):
    model = WithLoadings(n_codes=4)
    display = LoadingsDisplay.from_estimator(model, fitted.X, max_columns=6)
    values = model.found.values
    order = np.argsort(-np.square(values).sum(0))[:6]
    (image,) = display.ax_.images
    np.testing.assert_array_equal(image.get_array(), values[:, order].T)
    assert tick_labels(display.ax_.yaxis) == [shortened(f"a long name of column {k}", 20) for k in order]
    low, high = image.get_clim()
    assert -low == high == np.abs(values[:, order]).max()
    assert display.ax_.get_title() == "the strongest 6 of 18 columns"


def test_of_many_codes_the_strongest_are_drawn_each_by_its_name_which_the_title_says(fitted):
    model = WithLoadings(n_codes=50, n_columns=4)
    display = LoadingsDisplay.from_estimator(model, fitted.X)
    order = np.argsort(-np.square(model.found.values).sum(1))[:12]
    assert display.codes_.tolist() == order.tolist()
    assert tick_labels(display.ax_.xaxis) == [str(code) for code in order]
    np.testing.assert_array_equal(
        display.ax_.images[0].get_array(), model.found.values[np.ix_(order, display.columns_)].T
    )
    assert display.ax_.get_title() == "the strongest 12 of 50 codes"
    assert faults(display.figure_) == []


def test_codes_that_are_asked_for_are_all_drawn_in_their_order(fitted):
    model = WithLoadings(n_codes=50, n_columns=4)
    display = LoadingsDisplay.from_estimator(model, fitted.X, codes=range(30, 5, -1))
    assert display.ax_.images[0].get_array().shape == (4, 25)
    assert tick_labels(display.ax_.xaxis)[:2] == ["30", "26"]


def test_a_column_of_two_values_is_called_by_the_one_that_counts_as_1():
    rng = np.random.default_rng(0)
    of_text = pd.DataFrame(
        {
            "size": rng.normal(size=60),
            "city": ["Rome", "Oslo", "Bonn"] * 20,
            "id": [f"no {k}" for k in range(60)],
            "sex": ["male", "female"] * 30,
            "smokes": [True, False, True] * 20,
        }
    )
    model = Autoencoder(2).fit(of_text)
    display = LoadingsDisplay.from_estimator(model, of_text)
    assert set(tick_labels(display.ax_.yaxis)) == {"size", "city", "id", "sex=male", "smokes"}


def test_of_one_code_bars_are_drawn(fitted):
    model = WithLoadings()
    display = LoadingsDisplay.from_estimator(model, fitted.X, codes=[2])
    own = model.found.values[2]
    order = np.argsort(-np.abs(own))[:15]
    assert [bar.get_width() for bar in display.ax_.patches] == own[order].tolist()
    assert display.ax_.get_xlabel() == "loading on code 2"


def test_codes_that_differ_by_their_numbers_are_called_by_these(fitted):
    display = LoadingsDisplay.from_estimator(WithLoadings(n_codes=4), fitted.X)
    assert tick_labels(display.ax_.xaxis) == ["0", "1", "2", "3"]


def test_a_code_that_is_not_there_is_refused(fitted):
    with pytest.raises(ParameterError, match=r"codes must be numbers below 5, one at least, got \[5\]"):
        LoadingsDisplay.from_estimator(WithLoadings(), fitted.X, codes=[5])


def test_a_planted_column_stands_first():
    values = np.full((3, 40), 0.1)
    values[1, 17] = -5
    display = LoadingsDisplay(values, ["a", "b", "c"], [f"column {k}" for k in range(40)]).plot()
    assert tick_labels(display.ax_.yaxis)[0] == "column 17"
    assert tick_labels(display.ax_.xaxis) == ["a", "b", "c"]


def test_names_must_be_as_many_as_the_loadings():
    with pytest.raises(ParameterError, match=r"codes × columns: 1 × 2 names, got shape \(2, 2\)"):
        LoadingsDisplay(np.zeros((2, 2)), ["a"], ["x", "y"])
