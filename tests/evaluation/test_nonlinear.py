"""Kernel PCA and UMAP as rivals."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from helpers import small_stack
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.preprocessing import KernelCenterer

from stackae.evaluation import METHODS, Split, compare, compare_fitted, resplit
from stackae.evaluation.methods import Task, fitted, refusal
from stackae.evaluation.nonlinear import KernelComponents, NeighbourMap
from stackae.exceptions import ParameterError


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(60, 4))


def test_kernel_components_span_the_centred_kernel_of_the_median_distance(X):
    distances = euclidean_distances(X)
    median = np.median(distances[np.triu_indices(60, 1)])
    kernel = KernelCenterer().fit_transform(rbf_kernel(X, gamma=1 / (2 * median**2)))
    components = KernelComponents(60).fit(X).transform(X)
    assert components.shape == (60, 60)
    np.testing.assert_allclose(components @ components.T, kernel, atol=1e-9)
    few = KernelComponents(3).fit(X).transform(X)  # by another solver
    np.testing.assert_allclose(np.square(few).sum(0), np.linalg.eigvalsh(kernel)[-1:-4:-1], rtol=1e-9)


def test_of_many_rows_some_are_drawn_and_all_are_transformed_in_blocks(X, monkeypatch):
    whole = KernelComponents(2).fit(X[:25]).transform(X)
    monkeypatch.setattr("stackae.evaluation.nonlinear._BLOCK", 7)
    np.testing.assert_allclose(KernelComponents(2).fit(X[:25]).transform(X), whole, atol=1e-12)
    monkeypatch.setattr("stackae.evaluation.nonlinear._MOST_FITTED", 20)
    drawn = KernelComponents(2, random_state=1).fit(X)
    assert drawn.model_.X_fit_.shape == (20, 4)
    assert drawn.transform(X).shape == (60, 2)
    assert not np.array_equal(drawn.model_.X_fit_, KernelComponents(2, random_state=2).fit(X).model_.X_fit_)


def test_rows_that_are_mostly_alike_have_a_bandwidth_all_the_same(X):
    alike = np.vstack([np.zeros((50, 4)), X[:10]])
    assert np.ptp(KernelComponents(2).fit(alike).transform(alike)[:, 0]) > 0.1
    assert np.isfinite(KernelComponents(2).fit(X[:1].repeat(9, 0)).transform(X)).all()


def test_kernel_pca_stands_behind_the_scaling_of_the_stack(X):
    in_other_units = X * [1, 1000, 1, 1]
    features = [
        fitted("kernel PCA", Task(rows, 2, small_stack(), 0)).transform(rows) for rows in (X, in_other_units)
    ]
    np.testing.assert_allclose(features[0], features[1], atol=1e-8)


def test_umap_is_refused_before_anything_is_fitted_where_it_is_not_installed(X, monkeypatch):
    monkeypatch.setattr("stackae.evaluation.methods.find_spec", lambda name: name != "umap" or None)
    told = r"method 'UMAP' needs umap-learn; pip install 'stackae\[umap\]'"
    split = resplit(X, np.arange(60) % 2)
    with pytest.raises(ParameterError, match=told):
        compare(small_stack(), split, (2,), methods=("PCA", "UMAP"))
    with pytest.raises(ParameterError, match=told):
        compare_fitted(small_stack(), X, split(0), methods=("PCA", "UMAP"))
    assert [name for name in METHODS if refusal(name)] == ["UMAP"]
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ParameterError, match=told):
        NeighbourMap(2).fit(X)


@pytest.mark.slow
def test_umap_lays_out_training_and_test_rows_at_every_width():
    pytest.importorskip("umap", reason="umap-learn is not installed; pip install 'stackae[umap]'")
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = rng.normal(size=(90, 5)) + 8 * np.eye(5)[y]
    split = Split(X[:60], y[:60], X[60:], y[60:])
    stack = small_stack((6, 3))
    found = compare(stack, lambda seed: split, (2, 5), methods=("stackae", "UMAP"), n_splits=1, few_labels=())
    assert [(r.width, r.n_features) for r in found.of("UMAP", 2)] == [(2, 2)]
    assert found.values("knn_probe", "UMAP", 5) == [1.0]
    assert NeighbourMap(9).fit(X[:8]).transform(X[:3]).shape == (3, 6)
