"""The probes find what is there, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from stackae.evaluation.probes import (
    _drawn_evenly,
    clustering_accuracy,
    few_labels_probe,
    linear_probe,
    neighbour_probe,
)


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
