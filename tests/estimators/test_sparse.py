"""Sparse rows, made dense a batch at a time."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import small_autoencoder, small_stack

from stackae import Autoencoder, StackedAutoencoderClassifier, StackedAutoencoderDetector, Training
from stackae.data.sparse import SparseRows
from stackae.exceptions import DataError


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    return np.where(rng.random((400, 30)) < 0.1, rng.integers(1, 5, (400, 30)), 0).astype(float)


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_matrix, sp.coo_array])
@pytest.mark.parametrize("scale", ["auto", "minmax", None])
def test_sparse_rows_give_the_bits_of_dense_ones(kind, scale, counts):
    dense, sparse = small_stack(scale=scale).fit(counts), small_stack(scale=scale).fit(kind(counts))
    np.testing.assert_array_equal(sparse.transform(kind(counts)), dense.transform(counts))
    np.testing.assert_array_equal(sparse.reconstruct(kind(counts)), dense.reconstruct(counts))
    assert sparse.score(kind(counts)) == dense.score(counts)


def test_other_estimators_take_them_too(counts):
    y = (counts.sum(1) > np.median(counts.sum(1))).astype(int)
    model = StackedAutoencoderClassifier(
        encoder=small_stack((16, 4)), finetune=Training(max_epochs=30), random_state=0
    )
    dense, sparse = model.fit(counts, y).predict_proba(counts), model.fit(sp.csr_array(counts), y)
    np.testing.assert_allclose(sparse.predict_proba(sp.csr_array(counts)), dense, rtol=1e-6)
    detector = StackedAutoencoderDetector((16, 4), pretrain=Training(max_epochs=2), finetune=None)
    assert detector.fit(sp.csr_array(counts)).explain(sp.csr_array(counts)).shape == counts.shape


def test_pieces_and_weights_go_with_them(counts):
    model = small_stack().partial_fit(sp.csr_array(counts[:200])).partial_fit(sp.csr_array(counts[200:]))
    assert model.n_iter_ == 6
    weights = np.where(np.arange(400) % 2, 1.0, 0.0)
    weighed = small_stack().fit(sp.csr_array(counts), sample_weight=weights)
    half = small_stack().fit(sp.csr_array(counts[1::2]))
    np.testing.assert_array_equal(weighed.transform(counts), half.transform(counts))


def test_the_whole_is_never_dense(monkeypatch):
    X = sp.random_array(
        (2_000, 20_000), density=1e-3, format="csr", rng=np.random.default_rng(0)
    )  # 320 MB dense
    largest = 0

    def watched(function):
        def wrapper(self, rows):
            nonlocal largest
            block = function(self, rows)
            largest = max(largest, block.size)
            return block

        return wrapper

    monkeypatch.setattr(SparseRows, "__getitem__", watched(SparseRows.__getitem__))
    monkeypatch.setattr(SparseRows, "take", watched(SparseRows.take))
    model = Autoencoder(2, training=Training(max_epochs=1, batch_size=64), random_state=0).fit(X)
    codes = model.transform(X)
    assert codes.shape == (2_000, 2)
    assert 0 < largest <= X.shape[0] * X.shape[1] / 2


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
