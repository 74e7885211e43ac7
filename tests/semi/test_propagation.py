"""Labels spread over a graph: a closed form, scikit-learn's LabelSpreading, and what becomes of samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import make_moons
from sklearn.semi_supervised import LabelSpreading

from stackae import Propagation
from stackae.data.matrix import DenseMatrix
from stackae.exceptions import DataError, ParameterError
from stackae.fitting.unlabelled import Labelled, certainty, learned_from, surest
from stackae.semi.propagation import shares
from stackae.semi.virtual_adversarial import VirtualAdversarial


@pytest.fixture
def moons():
    X, y = make_moons(200, noise=0.05, random_state=0)
    labels = np.full(200, -1)
    labels[[np.flatnonzero(y == 0)[3], np.flatnonzero(y == 1)[5]]] = 0, 1
    return X, y, labels


def test_scores_are_the_closed_form(moons):
    X, _, labels = moons
    part = Propagation(alpha=0.9)
    graph = part.graph(X)
    given = np.eye(2)[labels] * (labels >= 0)[:, None]
    exact = 0.1 * np.linalg.solve(np.eye(200) - 0.9 * graph.toarray(), given)
    np.testing.assert_allclose(part.scores(graph, given), exact, rtol=1e-5, atol=1e-9)


def test_it_is_what_label_spreading_converges_to(moons):
    X, _, labels = moons
    part = Propagation(alpha=0.9)
    graph = part.graph(X).toarray()
    # The normalised weights have row sums of their own, which it would divide by again.
    theirs = LabelSpreading(kernel=lambda a, b: _weights(part, X), alpha=0.9, max_iter=5000, tol=1e-12)
    np.testing.assert_allclose(
        part.spread(X, labels, 2), theirs.fit(X, labels).label_distributions_, atol=1e-3
    )
    np.testing.assert_allclose(graph, graph.T)


def _weights(part, X):
    """The weights between samples, worked out one by one."""
    n, n_neighbors = len(X), part.n_neighbors
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, 1)
    scale = np.array([distances[i, order[i, 6]] for i in range(n)])
    weights = np.zeros((n, n))
    for i in range(n):
        for j in order[i, :n_neighbors]:
            weights[i, j] = np.exp(-(distances[i, j] ** 2) / (scale[i] * scale[j]))
    return np.maximum(weights, weights.T)


def test_one_label_a_moon_is_enough(moons):
    X, y, labels = moons
    assert (Propagation().spread(X, labels, 2).argmax(1) == y).all()


def test_equal_rows_and_fewer_rows_than_neighbours_are_taken():
    X = np.zeros((5, 2))
    spread = Propagation().spread(X, np.array([0, -1, -1, -1, 1]), 2)
    np.testing.assert_allclose(spread[1:4], 0.5, atol=1e-3)
    with pytest.raises(ParameterError, match="needs at least 2 rows that differ, got 1"):
        Propagation().graph(X[:1])


def test_where_no_label_comes_nothing_is_known():
    X = np.array([[0.0], [0.1], [9.0], [9.1]])
    spread = Propagation(n_neighbors=1).spread(X, np.array([0, -1, -1, -1]), 2)
    np.testing.assert_allclose(spread, [[1, 0], [1, 0], [0, 0], [0, 0]], atol=1e-6)


def test_shares_and_certainty_by_hand():
    np.testing.assert_allclose(
        shares(np.array([[3.0, 1.0], [0.0, 0.0], [-1.0, 2.0]])), [[0.75, 0.25], [0, 0], [0, 1]]
    )
    np.testing.assert_allclose(certainty(np.array([[0.5, 0.25, 0.25], [1, 0, 0], [0, 0, 0]])), [0.25, 1, 0])


def labelled(n_labels=2, n=6):
    targets = np.full((n, 1), np.nan)
    targets[:n_labels, 0] = np.arange(n_labels) % 2
    return Labelled(DenseMatrix(np.arange(2.0 * n).reshape(n, 2)), None, targets)


def test_samples_count_by_the_certainty_of_the_label_that_they_are_given(monkeypatch):
    spread = np.array([[1, 0], [0, 1], [0.75, 0.25], [0.5, 0.5], [0.0, 0.0], [0.0, 1.0]])
    monkeypatch.setattr(Propagation, "spread", lambda *_: spread)
    found = learned_from(labelled(), [Propagation(weight=0.5)], lambda: np.zeros((6, 1)), 2)
    assert found.targets[:, 0].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(found.weights / found.weights[0], [1, 1, 0.25, 0.5])
    assert found.weights.mean() == pytest.approx(1)
    assert np.asarray(found.X)[:, 0].tolist() == [0, 2, 4, 10]


def test_the_surest_of_each_class_get_a_label_and_the_rest_are_left_to_costs(monkeypatch):
    # Of class 1 all are less sure than those of class 0; no label reaches the last sample.
    first = np.array([1, 0, 1, 0.95, 0.9, 0.85, 0.4, 0.35, 0.3, 0])
    spread = np.stack([first, np.where(first > 0, 1 - first, [0, 1, *[0] * 8])], 1)
    monkeypatch.setattr(Propagation, "spread", lambda *_: spread)
    half = Propagation(weight=0.5, surest=0.5)
    found = learned_from(labelled(n=10), [half, VirtualAdversarial()], lambda: None, 2)
    np.testing.assert_array_equal(found.targets[:, 0], [0, 1, 0, 0, *[np.nan] * 3, 1, 1, np.nan])
    np.testing.assert_allclose(
        found.weights / found.weights[0], [1, 1, 0.5, 0.45, 0.5, 0.5, 0.5, 0.15, 0.2, 0.5], rtol=1e-6
    )
    alone = learned_from(labelled(n=10), [half], lambda: None, 2)
    assert alone.targets[:, 0].tolist() == [0, 1, 0, 0, 1, 1]
    np.testing.assert_allclose(alone.weights / alone.weights[0], [1, 1, 0.5, 0.45, 0.15, 0.2])


def test_of_few_samples_the_surest_is_kept():
    classes, sureness = np.array([0, 0, 0, 1, 1]), np.array([0.2, 0.6, 0.4, 0.0, 0.1])
    assert surest(classes, sureness, 1e-9).tolist() == [False, True, False, False, True]
    assert surest(classes, sureness, 1.0).tolist() == [True, True, True, False, True]
    assert not surest(classes, np.zeros(5), 0.5).any()


def test_those_with_a_target_are_visited_as_often_as_all_others():
    found = learned_from(labelled(), [VirtualAdversarial()], lambda: None, 2)
    assert found.weights[:2].sum() == pytest.approx(found.weights[2:].sum()) == pytest.approx(3)
    assert np.isnan(found.targets[2:]).all()


def test_without_parts_or_unlabelled_samples_nothing_changes():
    data = labelled()
    found = learned_from(data, [], lambda: None, 2)
    assert (len(found.X), found.weights) == (2, None)
    full = labelled(6)
    assert learned_from(full, [Propagation()], lambda: None, 2) is full
    with pytest.raises(DataError, match="none among 6 rows"):
        learned_from(labelled(0), [Propagation()], lambda: None, 2)


def test_softmax_is_what_certainty_is_taken_of():
    assert certainty(softmax(np.zeros((1, 4)), 1)) == pytest.approx(0)
