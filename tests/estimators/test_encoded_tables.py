"""Estimators on tables that are encoded already: in memory, or on the disk."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.frozen import FrozenEstimator

from stackae import (
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    TableEncoder,
    load,
)
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import DenseMatrix
from stackae.exceptions import DataError, DataTypeError

N = 240
MAKERS = [
    lambda: small_stack(),
    lambda: small_autoencoder(3),
    lambda: StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0),
    lambda: StackedAutoencoderRegressor(small_stack(), finetune=SHORT, random_state=0),
    lambda: StackedAutoencoderDetector(small_stack()),
]


def made(seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, N),
            "table": rng.choice(["round", "square", "long"], N),
            "member": rng.random(N) < 0.3,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), "D"),
            "who": [f"person-{k:04d}" for k in range(N)],
        }
    )
    frame.loc[::9, "table"] = None
    return frame


def dense(frame, encoder, folder=None):
    return DenseMatrix(encoder.transform(frame)).of_table(encoder)


def mapped(frame, encoder, folder):
    np.save(folder / "X.npy", encoder.transform(frame))
    return MappedMatrix([np.load(folder / "X.npy", mmap_mode="r")]).of_table(encoder)


Y = (np.arange(N) % 3 == 0).astype(int)


@pytest.mark.parametrize("encoded", [dense, mapped])
@pytest.mark.parametrize("make", MAKERS)
def test_a_fit_on_an_encoded_table_is_that_on_the_table(make, encoded, tmp_path):
    frame = made()
    X = encoded(frame, TableEncoder().fit(frame), tmp_path)
    model, other = make().fit(X, Y), make().fit(frame, Y)
    for name, tensor in other.module_.state_dict().items():
        np.testing.assert_array_equal(model.module_.state_dict()[name], tensor, name)
    assert (model.n_features_in_, list(model.feature_names_in_)) == (5, list(frame.columns))
    assert repr(model.table_) == repr(other.table_)
    for method in ("transform", "predict", "score_samples", "predict_proba", "decision_function", "explain"):
        if hasattr(model, method):
            given = [getattr(model, method)(rows) for rows in (frame, X)]
            np.testing.assert_array_equal(*given)
            np.testing.assert_array_equal(given[0], getattr(other, method)(frame))
    for rows in (frame, X):
        np.testing.assert_array_equal(model.loadings(rows), other.loadings(frame))
        np.testing.assert_array_equal(model.contributions(rows)[0], other.contributions(frame)[0])
    if hasattr(model, "score"):
        assert model.score(X, Y) == other.score(frame, Y)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "m.safetensors").transform(X), other.transform(frame))


@pytest.mark.parametrize("encoded", [dense, mapped])
def test_what_is_reconstructed_of_an_encoded_table_is_encoded(encoded, tmp_path):
    frame = made()
    model = small_stack().fit(frame)
    encoder = TableEncoder().fit(frame)
    X = encoded(frame, encoder, tmp_path)
    back, filled = model.reconstruct(X), model.impute(X)
    assert back.shape == X.shape
    assert encoder.inverse_transform(back).equals(model.reconstruct(frame))
    known = ~np.isnan(X[:])
    np.testing.assert_array_equal(filled[known], X[:][known])
    assert not np.isnan(filled).any()
    codes = DenseMatrix(model.transform(X))
    np.testing.assert_array_equal(model.inverse_transform(codes.of_table(encoder)), back)
    assert isinstance(model.inverse_transform(codes), pd.DataFrame)
    assert isinstance(model.reconstruct(frame), pd.DataFrame)


def test_pieces_go_on_and_plans_are_those_of_the_table():
    first, second = made(), made(1)
    encoder = TableEncoder().fit(first)
    model = small_stack().partial_fit(dense(first, encoder)).partial_fit(dense(second, encoder))
    other = small_stack().partial_fit(first).partial_fit(second)
    np.testing.assert_array_equal(model.transform(second), other.transform(second))
    assert repr(small_stack().plan(dense(first, encoder))) == repr(small_stack().plan(first))


def test_a_frozen_encoder_takes_what_its_own_encoder_made():
    frame = made()
    frozen = FrozenEstimator(small_stack().fit(frame))
    X = dense(frame, TableEncoder().fit(frame))
    model = StackedAutoencoderClassifier(frozen, finetune=SHORT, random_state=0).fit(X, Y)
    assert model.table_ is frozen.estimator.table_
    other = dense(frame, TableEncoder(max_categories=2).fit(frame))
    with pytest.raises(DataTypeError, match="encoded by another TableEncoder than the table"):
        StackedAutoencoderClassifier(frozen).fit(other, Y)


@pytest.mark.parametrize("kind", [StackedAutoencoderClassifier, StackedAutoencoderDetector])
def test_a_frozen_encoder_of_numbers_takes_no_table(kind):
    frame = made()[["age", "table"]]
    frozen = FrozenEstimator(small_stack().fit(np.random.default_rng(0).random((50, 4))))
    for rows in (frame, dense(frame, TableEncoder().fit(frame))):
        with pytest.raises(DataTypeError, match="encoder= was fitted on numbers, and X is a table of more"):
            kind(frozen).fit(rows, Y)


def test_another_encoder_another_width_and_numbers_are_refused():
    frame = made()
    encoder = TableEncoder().fit(frame)
    X = dense(frame, encoder)
    model = small_stack().fit(X)
    assert model.transform(dense(frame, TableEncoder().fit(frame))).shape == (N, 3)  # it is the same
    for other in (TableEncoder().fit(frame[::2]), TableEncoder(numeric="quantile").fit(frame)):
        with pytest.raises(DataTypeError, match="encoded by another TableEncoder than the table"):
            model.transform(dense(frame, other))
        with pytest.raises(DataTypeError, match="encoded by another TableEncoder than the table"):
            model.partial_fit(dense(frame, other))
    of_numbers = small_stack().fit(np.nan_to_num(X[:]))
    with pytest.raises(DataTypeError, match=r"fitted on numbers, and X is an encoded table; give X\[:\]"):
        of_numbers.transform(X)
    narrow = DenseMatrix(X[:][:, :3]).of_table(encoder)
    for call in (model.transform, small_stack().fit):
        with pytest.raises(DataError, match="X must have the 10 columns of its encoder, got 3"):
            call(narrow)


def test_a_table_without_rows_is_refused_by_a_fit_and_has_no_codes():
    frame = made()
    X = dense(frame, TableEncoder().fit(frame))
    none = X.take(np.arange(0))
    with pytest.raises(DataError, match="the table has no rows; give at least one"):
        small_stack().fit(none)
    assert small_stack().fit(X).transform(none).shape == (0, 3)


def test_values_that_are_not_finite_are_named_by_the_encoded_column():
    frame = made()
    X = dense(frame, TableEncoder().fit(frame))
    X.array[7, 0] = np.inf
    with pytest.raises(DataError, match="inf in row 7, column 'age'"):
        small_stack().fit(X)
