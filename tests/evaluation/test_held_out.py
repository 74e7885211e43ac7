"""What a model is worth beside simpler ones, on samples held out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression

from stackae.data import NamedMatrix
from stackae.evaluation import beside_baselines, hold_out


def test_of_each_class_its_share_is_held_out():
    y = np.array(["a"] * 80 + ["b"] * 20)
    train, test = hold_out(y, 0.2, 0, classes=True)
    assert sorted([*train, *test]) == list(range(100))
    assert [(y[half] == "b").sum() for half in (train, test)] == [16, 4]
    again, others = (hold_out(y, 0.2, seed, classes=True)[1] for seed in (0, 1))
    np.testing.assert_array_equal(test, again)
    assert not np.array_equal(test, others)


@pytest.mark.parametrize(
    ("y", "classes"),
    [(np.arange(19) % 2, True), (np.linspace(0, 1, 19), False), (np.arange(40) == 7, True)],
)
def test_nothing_is_held_out_where_too_little_would_be_left(y, classes):
    halves = [hold_out(y, 0.5, seed, classes=classes) for seed in range(20)]
    assert None in halves  # of one sample of a class, where that is held out
    assert all(half is None or len(np.unique(y[half[0]])) > 1 for half in halves)


def test_classes_of_one_sample_do_not_stop_it():
    assert hold_out(np.r_[np.arange(40) % 2, 7], 0.2, 0, classes=True) is not None


@pytest.mark.parametrize("named", [False, True])
def test_baselines_are_what_their_names_say(named):
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1, 1000, 1]
    X[::7, 2] = np.nan  # which linear models are given as the mean
    y = np.where(X[:, 1] > 300, "up", "down")
    given = (NamedMatrix(X[half], list("abc")) if named else X[half] for half in (np.s_[:100], np.s_[100:]))
    train, test = given
    scores = beside_baselines(Told(y[100:]), train, y[:100], test, y[100:])
    assert list(scores) == ["fine-tuned", "logistic regression on the columns", "most frequent class"]
    assert scores["fine-tuned"] == 1
    assert scores["logistic regression on the columns"] > 0.9
    assert scores["most frequent class"] == (y[100:] == "down").mean()


def test_numbers_are_judged_by_r2_beside_ridge_regression_and_the_mean():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = 5 + 2 * X[:, 0]
    model = DummyRegressor().fit(X[:100], y[:100])
    scores = beside_baselines(model, X[:100], y[:100], X[100:], y[100:])
    assert list(scores) == ["fine-tuned", "ridge regression on the columns", "mean"]
    assert scores["ridge regression on the columns"] == pytest.approx(1, abs=1e-3)
    assert scores["fine-tuned"] == scores["mean"] == pytest.approx(0, abs=0.1)


class Told(DummyClassifier):
    """Knows the answers."""

    def __init__(self, y):
        super().__init__()
        self.y = y

    def score(self, X, y, sample_weight=None):
        return float((self.y == y).mean())


def test_a_model_is_scored_by_its_own_measure():
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    model = LogisticRegression().fit(X[:40], y[:40])
    found = beside_baselines(model, X[:40], y[:40], X[40:], y[40:])
    assert found["fine-tuned"] == model.score(X[40:], y[40:])
