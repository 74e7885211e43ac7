"""The probes find what is there, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from threadpoolctl import threadpool_info, threadpool_limits

from stackae.data.labels import REGRESS
from stackae.evaluation.probes import (
    _drawn_evenly,
    clustering_accuracy,
    few_labels_probe,
    linear_probe,
    neighbour_probe,
    outcomes,
    score,
)
from stackae.exceptions import DataError


@pytest.fixture
def blobs():
    """Three far blobs in two dimensions, 40 rows of each."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    X = np.array([[0, 0], [9, 0], [0, 9]])[y] + rng.normal(size=(120, 2))
    order = rng.permutation(120)
    return X[order], y[order]


def test_separate_classes_are_all_found(blobs):
    X, y = blobs
    halves = X[:60], y[:60], X[60:], y[60:]
    assert linear_probe(*halves).all()
    assert neighbour_probe(*halves).all()
    assert few_labels_probe(*halves, 3, 4, 0) > 0.95
    assert clustering_accuracy(X[:60], X[60:], y[60:], 3, 0) == 1


def test_clusters_are_matched_to_classes_whatever_their_names(blobs):
    X, y = blobs
    names = np.array(["c", "a", "b"])[y]
    assert clustering_accuracy(X, X, names, 3, 0) == 1
    # Two classes in the place of three clusters: the smaller clusters' rows count as wrong.
    assert clustering_accuracy(X, X, np.minimum(y, 1), 3, 0) == pytest.approx(80 / 120)


def test_few_labels_come_from_every_class_in_turn():
    y = np.array([0] * 50 + [1] * 5 + [2] * 1)
    for seed in range(5):
        rows = _drawn_evenly(y, np.unique(y), 8, np.random.default_rng(seed))
        assert len(set(rows)) == 8
        counts = np.bincount(y[rows], minlength=3)
        assert counts[2] == 1
        assert sorted(counts[:2]) == [3, 4]


def test_few_labels_are_not_measured_where_they_are_fewer_than_classes_or_no_fewer_than_rows(blobs):
    X, y = blobs
    assert few_labels_probe(X, y, X, y, 2, 1, 0) is None
    assert few_labels_probe(X, y, X, y, 120, 1, 0) is None
    assert few_labels_probe(X, y, X, y, 119, 1, 0) is not None


def test_few_labels_do_not_blow_up_features_that_hardly_vary(blobs):
    X, y = blobs
    noise = 1e-3 * np.random.default_rng(1).normal(size=(120, 50))
    with_noise = np.hstack([X, noise])
    assert few_labels_probe(with_noise, y, with_noise, y, 3, 5, 0) > 0.95


@pytest.fixture
def fits(monkeypatch):
    """The steps of each logistic regression, and the threads that it had."""
    found = []

    class Told(LogisticRegression):
        def fit(self, X, y):
            super().fit(X, y)
            found.append((int(self.n_iter_[0]), {info["num_threads"] for info in threadpool_info()}))
            return self

    monkeypatch.setattr("stackae.evaluation.probes.LogisticRegression", Told)
    return found


def test_few_labels_are_learned_in_as_few_steps_wherever_the_features_lie(blobs, fits):
    X, y = blobs
    halves = X[:60], y[:60], X[60:], y[60:]
    told = few_labels_probe(*halves, 20, 3, 0)
    assert few_labels_probe(X[:60] + 1000, y[:60], X[60:] + 1000, y[60:], 20, 3, 0) == told
    steps = [n for n, _ in fits]
    assert steps[3:] == steps[:3]


def test_small_probes_have_one_thread(blobs, fits):
    X, y = blobs
    with threadpool_limits(2):
        few_labels_probe(X, y, X, y, 20, 2, 0)
        linear_probe(X, y, X, y)
        assert [threads for _, threads in fits] == [{1}] * 3
        assert {info["num_threads"] for info in threadpool_info()} == {2}


@pytest.fixture
def line():
    """Three features, targets that are linear in them, in units of their own, and 40 rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)) * [1, 100, 0.01]
    return X, 1e4 + X @ [3, 0.02, 50]


def test_targets_that_are_linear_in_the_features_are_found(line):
    X, y = line
    halves = X[:20], y[:20], X[20:], y[20:]
    assert score(linear_probe(*halves, REGRESS)) > 0.9999
    alike = X / X.std(0)
    assert few_labels_probe(alike[:20], y[:20], alike[20:], y[20:], 10, 4, 0, REGRESS) > 0.99
    assert score(neighbour_probe(*halves, REGRESS)) < score(linear_probe(*halves, REGRESS))


def test_the_linear_probe_of_targets_is_the_ridge_regression_worked_by_hand(line):
    X, y = line
    y = y + np.random.default_rng(1).normal(size=40)
    train, test = (X[:20] - X[:20].mean(0)) / X[:20].std(0), (X[20:] - X[:20].mean(0)) / X[:20].std(0)
    guesses = []
    for penalty in 20 * np.logspace(-6, 2, 17):
        # Leaving a row out changes its residual by 1 / (1 - h), h from the hat matrix, intercept included.
        hat = train @ np.linalg.solve(train.T @ train + penalty * np.eye(3), train.T) + 1 / 20
        left_out = (y[:20] - hat @ y[:20]) / (1 - np.diag(hat))
        weights = np.linalg.solve(train.T @ train + penalty * np.eye(3), train.T @ (y[:20] - y[:20].mean()))
        guesses.append(((left_out**2).mean(), test @ weights + y[:20].mean()))
    _, guess = min(guesses, key=lambda found: found[0])
    found = score(linear_probe(X[:20], y[:20], X[20:], y[20:], REGRESS))
    assert found == pytest.approx(r2_score(y[20:], guess), abs=1e-6)


def test_five_neighbours_of_a_row_give_their_mean(line):
    X, y = line
    nearest = np.argsort(np.abs(X[20:, :1] - X[None, :20, 0]), 1)[:, :5]
    found = neighbour_probe(X[:20, :1], y[:20], X[20:, :1], y[20:], REGRESS)
    assert score(found) == pytest.approx(r2_score(y[20:], y[nearest].mean(1)))


def test_a_constant_guess_at_the_mean_scores_nothing_and_a_right_one_all(line):
    _, y = line
    assert score(outcomes(np.full(40, y.mean()), y, REGRESS)) == pytest.approx(0)
    assert score(outcomes(y, y, REGRESS)) == 1
    with pytest.raises(DataError, match="targets must differ among the 40 test rows"):
        outcomes(y, np.ones(40), REGRESS)


def test_few_targets_are_not_measured_where_they_are_no_fewer_than_rows_or_than_two(line):
    X, y = line
    assert few_labels_probe(X, y, X, y, 1, 1, 0, REGRESS) is None
    assert few_labels_probe(X, y, X, y, 40, 1, 0, REGRESS) is None
    assert few_labels_probe(X, y, X, y, 2, 1, 0, REGRESS) is not None


def test_a_wild_draw_of_few_targets_does_not_decide(line, monkeypatch):
    X, y = line
    drawn = iter([0.8, -50.0, 0.7])
    monkeypatch.setattr("stackae.evaluation.probes._linear", lambda *args: 1 - np.array([next(drawn)]))
    assert few_labels_probe(X, y, X, y, 10, 3, 0, REGRESS) == pytest.approx(0.7)
