"""Estimators on tables of text, categories, dates and gaps."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from stackae import (
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    TableEncoder,
    load,
)
from stackae.exceptions import DataError, ModelFileError, ParameterError

LIBRARIES = {"pandas": lambda frame: frame, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}


def made(n=240, seed=0, gaps=True):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], n),
            "height": rng.normal(170, 9, n),
            "member": rng.random(n) < 0.3,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
            "who": [f"person-{k:04d}" for k in range(n)],
        }
    )
    if gaps:
        frame.loc[::9, "city"] = None
        frame.loc[::7, "height"] = np.nan
    return frame


@pytest.fixture(params=LIBRARIES)
def library(request):
    return LIBRARIES[request.param]


@pytest.fixture
def y():
    return (made(gaps=False).age > 45).astype(int).to_numpy()


def as_pandas(table):
    return table.to_pandas() if hasattr(table, "to_pandas") else table


def test_a_stack_takes_a_table_and_gives_tables_back(library):
    table = library(made())
    model = small_stack().fit(table)
    assert (model.n_features_in_, list(model.feature_names_in_)) == (6, list(made().columns))
    assert [info.kind for info in model.table_] == ["number", "category", "number", "binary", "date", "drop"]
    parts = model.module_[0].parts
    assert (type(parts.loss).__name__, parts.groups, parts.missing) == ("PerFeature", ((1, 4),), True)
    assert model.transform(table).shape == (240, model.module_.widths[-1])
    for answer in (model.reconstruct(table), model.inverse_transform(model.transform(table))):
        assert type(answer) is type(table)
        back = as_pandas(answer)
        assert list(back.columns) == list(made().columns)
        assert set(back.city) <= {"Rome", "Oslo", "Bonn"}
        assert back.age.between(18, 80).all()
    assert np.isfinite(model.score(table))
    assert "PerFeature" in repr(model.plan(table))


def test_only_gaps_are_imputed(library):
    frame = made()
    given = as_pandas(library(frame))
    filled = as_pandas(small_stack().fit(library(frame)).impute(library(frame)))
    assert filled.notna().all(axis=None)
    for name in frame:
        known = given[name].notna()
        assert (filled[name][known] == given[name][known]).all()


def test_gaps_are_taken_and_filled_though_the_fit_had_none(library):
    frame = made()
    model = small_stack().fit(library(made(gaps=False)))
    assert as_pandas(model.impute(library(frame))).notna().all(axis=None)
    assert not np.isnan(model.transform(library(frame))).any()


def test_columns_may_come_in_another_order_and_beside_others(library):
    frame = made()
    model = small_stack().fit(library(frame))
    other = library(frame[frame.columns[::-1]].assign(more=1))
    np.testing.assert_array_equal(model.transform(other), model.transform(library(frame)))
    with pytest.raises(DataError, match="the table has no column 'city'"):
        model.transform(library(frame.drop(columns="city")))


def test_the_codes_are_those_of_the_encoded_table():
    frame = made(gaps=False)
    model = small_stack().fit(frame)
    encoded = TableEncoder().fit_transform(frame)
    x = model.module_.encode(torch.from_numpy(encoded).float()).detach().numpy()
    np.testing.assert_allclose(model.transform(frame), x, atol=1e-4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: small_stack(),
        lambda: small_autoencoder(3),
        lambda: StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0),
        lambda: StackedAutoencoderRegressor(small_stack(), finetune=SHORT, random_state=0),
        lambda: StackedAutoencoderDetector(small_stack()),
    ],
)
def test_every_estimator_keeps_its_table(make, library, y, tmp_path):
    table = library(made())
    model = make().fit(table, y)
    again = clone(model).fit(table, y)
    model.save(tmp_path / "m.safetensors")
    loaded, copied = load(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(model))
    for other in (again, loaded, copied):
        np.testing.assert_array_equal(other.transform(table), model.transform(table))
        assert repr(other.table_) == repr(model.table_)
        assert other.n_features_in_ == 6
        if hasattr(model, "predict"):
            np.testing.assert_array_equal(other.predict(table), model.predict(table))
    with pytest.raises(ParameterError, match="ONNX takes numbers"):
        model.export_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("kind", [StackedAutoencoderClassifier, StackedAutoencoderDetector])
def test_a_frozen_encoder_knows_the_table(kind, y):
    frame = made()
    encoder = small_stack().fit(frame)
    model = kind(FrozenEstimator(encoder)).fit(frame, y)
    assert model.table_ is encoder.table_
    assert model.predict(frame[frame.columns[::-1]]).shape == (240,)


def test_errors_are_explained_by_the_users_columns():
    frame = made(gaps=False)
    model = StackedAutoencoderDetector(small_stack()).fit(frame)
    errors = model.explain(frame)
    assert errors.shape == (240, 6)
    assert (errors[:, 5] == 0).all()  # the identifier was left out
    np.testing.assert_allclose(errors.sum(1), -model.score_samples(frame), rtol=1e-4)


def test_pieces_of_a_table_go_on_with_the_first_ones_columns():
    model = small_stack().partial_fit(made(seed=0))
    table = model.table_
    model.partial_fit(made(seed=1))
    assert model.table_ is table
    assert model.transform(made(seed=2)).shape[0] == 240


def test_depths_are_compared_on_tables():
    model = StackedAutoencoder("auto", pretrain=SHORT, finetune=SHORT, random_state=0).fit(made())
    assert len(model.depth_scores_) >= 2


def test_frames_of_numbers_stay_what_they_were():
    frame = made(gaps=False)[["age", "height", "member"]]
    model, array = small_stack().fit(frame), small_stack().fit(frame.to_numpy(float))
    np.testing.assert_array_equal(model.transform(frame), array.transform(frame.to_numpy(float)))
    with pytest.raises(AttributeError, match="was fitted on numbers, and has no table_"):
        _ = model.table_


def test_a_damaged_table_in_a_model_file_is_refused(tmp_path):
    from stackae.serialization.model_file import read_model, write_model

    path = tmp_path / "m.safetensors"
    small_stack().fit(made()).save(path)
    header, tensors = read_model(path)
    header["table"]["columns"] = header["table"]["columns"][:2]
    write_model(path, header, tensors)
    with pytest.raises(ModelFileError):
        load(path)
