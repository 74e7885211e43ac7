"""Sparse samples, made dense a batch at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone

from stackae import (
    Autoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    Training,
)
from stackae.data import matrix
from stackae.data.matrix import SparseMatrix
from stackae.exceptions import DataError
from stackae.training import batches


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    return np.where(rng.random((400, 30)) < 0.1, rng.integers(1, 5, (400, 30)), 0).astype(float)


@pytest.mark.parametrize(
    ("kind", "scale"),
    [(sp.csr_array, "auto"), (sp.csc_matrix, "minmax"), (sp.coo_array, "auto"), (sp.csr_array, None)],
)
def test_sparse_samples_give_the_bits_of_dense_ones(kind, scale, counts):
    dense, sparse = small_stack(scale=scale).fit(counts), small_stack(scale=scale).fit(kind(counts))
    np.testing.assert_array_equal(sparse.transform(kind(counts)), dense.transform(counts))
    np.testing.assert_array_equal(sparse.reconstruct(kind(counts)), dense.reconstruct(counts))
    assert sparse.score(kind(counts)) == dense.score(counts)


def test_other_estimators_take_them_too(counts):
    y = (counts.sum(1) > np.median(counts.sum(1))).astype(int)
    X = sp.csr_array(counts)
    model = StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0)
    dense, sparse = model.fit(counts, y).predict_proba(counts), model.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(sparse, dense, rtol=1e-6)
    detector = StackedAutoencoderDetector(small_stack(finetune=None))
    assert detector.fit(X).explain(X).shape == counts.shape


def with_gaps(X):
    return np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)


@pytest.mark.parametrize("indicator", [False, True])
@pytest.mark.parametrize("scale", ["auto", "pareto", "minmax", None])
def test_gaps_in_sparse_samples_are_those_of_dense_ones(indicator, scale, counts):
    X = with_gaps(counts)
    model = small_stack(missing_values=np.nan, add_indicator=indicator, scale=scale)
    dense, sparse = clone(model).fit(X), clone(model).fit(sp.csr_array(X))
    for method in ("transform", "reconstruct", "impute", "score_samples", "score"):
        expected = getattr(dense, method)(X)
        np.testing.assert_array_equal(getattr(sparse, method)(sp.csr_array(X)), expected)
    pieces = clone(model).partial_fit(sp.csr_array(X[:200])).partial_fit(sp.csr_array(X[200:]))
    assert np.isfinite(pieces.impute(sp.csr_array(X))).all()


def test_estimators_on_an_encoder_take_gaps_in_sparse_samples_too(counts):
    X, y = with_gaps(counts), counts.sum(1)
    encoder = small_stack(missing_values=np.nan)
    for model, targets, method in (
        (
            StackedAutoencoderClassifier(encoder, finetune=SHORT, random_state=0),
            y > y.mean(),
            "predict_proba",
        ),
        (StackedAutoencoderRegressor(encoder, finetune=SHORT, random_state=0), y, "predict"),
        (StackedAutoencoderDetector(encoder, random_state=0), None, "explain"),
    ):
        dense, sparse = clone(model).fit(X, targets), clone(model).fit(sp.csr_array(X), targets)
        expected = getattr(dense, method)(X)
        np.testing.assert_allclose(getattr(sparse, method)(sp.csr_array(X)), expected, rtol=1e-6)


@pytest.mark.parametrize("fill", [np.nan, 1.0])
def test_sparse_columns_that_leave_out_something_else_than_zeros_are_taken_too(fill, counts):
    X = np.where(counts == 0, fill, counts)
    frame = pd.DataFrame(X, columns=[f"c{k}" for k in range(30)]).astype(pd.SparseDtype(float, fill))
    model = small_stack(missing_values=np.nan)
    expected = clone(model).fit(X).transform(X)
    np.testing.assert_array_equal(clone(model).fit(frame).transform(frame), expected)


def test_pieces_and_weights_go_with_them(counts):
    model = small_stack().partial_fit(sp.csr_array(counts[:200])).partial_fit(sp.csr_array(counts[200:]))
    assert model.n_iter_ == 6
    weights = np.where(np.arange(400) % 2, 1.0, 0.0)
    weighted = small_stack().fit(sp.csr_array(counts), sample_weight=weights)
    half = small_stack().fit(sp.csr_array(counts[1::2]))
    np.testing.assert_array_equal(weighted.transform(counts), half.transform(counts))


def test_the_whole_is_never_dense(monkeypatch):
    X = sp.random_array((500, 2_000), density=1e-3, format="csr", rng=np.random.default_rng(0))
    monkeypatch.setattr(matrix, "_BLOCK", 2**16)
    monkeypatch.setattr(batches, "_DENSE_AT_ONCE", 2**16)
    largest = 0

    def watched(function):
        def wrapper(self, samples):
            nonlocal largest
            block = function(self, samples)
            largest = max(largest, block.size)
            return block

        return wrapper

    monkeypatch.setattr(SparseMatrix, "__getitem__", watched(SparseMatrix.__getitem__))
    monkeypatch.setattr(SparseMatrix, "gather", watched(SparseMatrix.gather))
    model = Autoencoder(2, training=Training(max_epochs=1, batch_size=16), random_state=0).fit(X)
    assert model.transform(X).shape == (500, 2)
    assert 0 < largest <= 2**17


def test_what_is_not_finite_is_refused_with_its_place(counts):
    for value, what in (
        (np.nan, "NaN"),
        (np.inf, "inf"),
        (1e39, "1e\\+39, over 1.7e\\+38, half of float32's range"),
    ):
        spoiled = counts.copy()
        spoiled[7, 5] = value
        with pytest.raises(DataError, match=rf"Input X contains {what}.* in row 7, column 5"):
            small_autoencoder().fit(sp.csr_array(spoiled))


def test_they_are_not_written(counts):
    X = sp.csr_array(counts)
    before = X.copy()
    small_stack().fit(X).transform(X)
    assert (before != X).nnz == 0
