"""``columns``: what the columns of a table are told to be."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import BRIEF, SHORT, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from stackae import (
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    TableEncoder,
    load,
)
from stackae._utils.constraints import InvalidParameterError
from stackae.data.named_matrix import NamedMatrix
from stackae.exceptions import ParameterError

LIBRARIES = {"pandas": lambda frame: frame, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}
TOLD = {"zip": "category", "when": "drop"}
KINDS = ["category", "number", "drop"]


def numbers(n=120, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "zip": rng.choice([10115, 20095, 80331, 50667], n),
            "age": rng.integers(18, 80, n).astype(float),
            "when": rng.normal(size=n),
        }
    )


Y = (numbers().age > 45).astype(int).to_numpy()
MODELS = {
    "stack": lambda columns: small_stack(columns=columns),
    "autoencoder": lambda columns: small_autoencoder(3, columns=columns),
    "classifier": lambda columns: StackedAutoencoderClassifier(
        small_stack(columns=columns), finetune=SHORT, random_state=0
    ),
    "regressor": lambda columns: StackedAutoencoderRegressor(
        small_autoencoder(3, columns=columns), finetune=SHORT, random_state=0
    ),
    "detector": lambda columns: StackedAutoencoderDetector(small_stack(columns=columns)),
}


def kinds_of(model):
    return [info.kind for info in model.table_]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("columns", [TOLD, TableEncoder(TOLD)], ids=["kinds", "encoder"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_whole_numbers_are_a_category_where_that_is_told(library, columns, name, tmp_path):
    table = LIBRARIES[library](numbers())
    model = MODELS[name](columns).fit(table, Y)
    assert (kinds_of(model), model.n_features_in_, model.module_.n_inputs) == (KINDS, 3, 5)
    assert not hasattr(columns, "table_")
    model.save(tmp_path / "m.safetensors")
    loaded = load(tmp_path / "m.safetensors")
    told = loaded.get_params()["encoder__columns" if hasattr(model, "encoder") else "columns"]
    assert getattr(told, "columns", told) == TOLD
    for other in (clone(model).fit(table, Y), loaded, pickle.loads(pickle.dumps(model))):
        assert kinds_of(other) == KINDS
        np.testing.assert_array_equal(other.transform(table), model.transform(table))
    with pytest.raises(ParameterError, match="ONNX takes numbers"):
        model.export_onnx(tmp_path / "m.onnx")


def test_all_parameters_of_an_encoder_are_heeded_and_kept(tmp_path):
    asked = TableEncoder({"zip": "category", "age": "number"}, numeric="quantile", max_categories=3)
    model = small_stack(columns=asked).fit(numbers())
    assert [(info.kind, info.n_encoded, info.note) for info in model.table_] == [
        ("category", 3, "2 rare ones are 'other'"),
        ("number", 1, "through quantiles"),
        ("number", 1, "through quantiles"),
    ]
    model.save(tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").columns.get_params() == asked.get_params()


def test_the_kinds_may_be_of_numbered_columns(tmp_path):
    frame = numbers().set_axis([0, 1, 2], axis=1)
    told = TableEncoder({np.int64(0): "category"}, max_categories=np.int64(9), min_frequency=np.float64(0))
    model = small_stack(columns=told).fit(frame)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.columns.columns == {0: "category"}
    np.testing.assert_array_equal(again.transform(frame), model.transform(frame))


def test_what_is_told_is_planned_and_compared_by_depth():
    assert "PerFeature" in repr(small_stack(columns=TOLD).plan(numbers()))
    told = StackedAutoencoder("auto", pretrain=BRIEF, finetune=BRIEF, random_state=0, columns=TOLD)
    assert kinds_of(told.fit(numbers())) == KINDS


def test_no_kinds_leave_a_table_of_numbers_an_array():
    frame = numbers()
    array = small_stack().fit(frame.to_numpy())
    for columns in (None, {}):
        model = small_stack(columns=columns).fit(frame)
        assert not hasattr(model, "table_")
        np.testing.assert_array_equal(model.transform(frame), array.transform(frame.to_numpy()))
        model.set_params(columns=None).transform(frame)  # is no change
    assert kinds_of(small_stack(columns=TableEncoder()).fit(frame)) == ["number"] * 3


@pytest.mark.parametrize("columns", [{0: "category"}, TableEncoder(), TableEncoder(numeric="quantile")])
@pytest.mark.parametrize(
    "X", [np.ones((4, 2)), [[1.0, 2.0]] * 4, NamedMatrix(np.ones((4, 2)), ("a", "b"))], ids=type
)
def test_what_is_no_table_is_refused(columns, X):
    for model in (small_stack(columns=columns), StackedAutoencoderDetector(small_stack(columns=columns))):
        for ask in (model.fit, model.plan):
            with pytest.raises(
                ParameterError, match=r"columns= speaks of a table, got .*; give a data frame"
            ):
                ask(X)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"zap": "category"}, "columns: the table has no column 'zap'; it has 'zip', 'age', 'when'"),
        ({"zip": "kategory"}, "columns: a kind is one of .* got 'kategory' for 'zip'"),
        ({"zip": ["category"]}, r"columns: a kind is one of .* got \['category'\] for 'zip'"),
        ([("zip", "category")], "The 'columns' parameter of StackedAutoencoder must be"),
        ("category", "The 'columns' parameter of StackedAutoencoder must be"),
        (TableEncoder(numeric="none"), "The 'numeric' parameter of TableEncoder must be"),
    ],
)
def test_kinds_that_cannot_be_are_refused(columns, message):
    for ask in (
        small_stack(columns=columns).fit,
        StackedAutoencoderDetector(small_stack(columns=columns)).fit,
    ):
        with pytest.raises((ParameterError, InvalidParameterError), match=message):
            ask(numbers())


def test_a_layer_takes_what_is_told_from_its_stack():
    for columns in (TOLD, TableEncoder()):
        with pytest.raises(
            ParameterError, match=r"a layer takes columns from its stack, got columns=.* layers\[0\]"
        ):
            small_stack([Autoencoder(4, columns=columns), 3]).fit(numbers())


def test_the_first_layer_reads_the_table_as_its_stack():
    stack = small_stack(columns=TOLD).fit(numbers())
    first = stack.layers_[0]
    assert (kinds_of(first), first.columns, list(first.feature_names_in_)) == (
        KINDS,
        TOLD,
        ["zip", "age", "when"],
    )
    codes = stack.set_params(output="all").transform(numbers())
    np.testing.assert_array_equal(first.transform(numbers()), codes[:, :8])


def test_an_encoders_parameters_are_searched():
    search = GridSearchCV(
        small_stack(columns=TableEncoder()), {"columns__numeric": ["standard", "quantile"]}, cv=2
    ).fit(numbers())
    assert set(search.cv_results_["param_columns__numeric"]) == {"standard", "quantile"}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("columns", [TOLD, None])
def test_an_encoders_parameters_can_be_set_where_only_kinds_are_given(columns):
    model = StackedAutoencoderDetector(small_stack(columns=columns))
    model.set_params(encoder__columns__numeric="quantile")
    told = model.encoder.columns
    assert (told.columns, told.numeric) == (columns, "quantile")


@pytest.mark.parametrize("name", MODELS)
def test_what_was_told_may_not_change_after_fit(name, tmp_path):
    asked = TableEncoder(TOLD)
    model = MODELS[name](asked).fit(numbers(), Y)
    prefix = "encoder__" if hasattr(model, "encoder") else ""
    model.save(tmp_path / "m.safetensors")
    for kept in (model, load(tmp_path / "m.safetensors")):
        codes = kept.transform(numbers())
        for changed in ({"columns": None}, {"columns": {"zip": "number"}}, {"columns__numeric": "quantile"}):
            before = clone(kept).get_params()[f"{prefix}columns"]
            kept.set_params(**{prefix + key: value for key, value in changed.items()})
            with pytest.raises(ParameterError, match="columns was changed after fit, from TableEncoder"):
                kept.transform(numbers())
            with pytest.raises(ParameterError, match="columns was changed after fit"):
                kept.save(tmp_path / "other.safetensors")
            kept.set_params(**{f"{prefix}columns": before})  # equal, not the same
            np.testing.assert_array_equal(kept.transform(numbers()), codes)


def test_a_frozen_encoder_knows_what_was_told():
    encoder = small_stack(columns=TOLD).fit(numbers())
    model = StackedAutoencoderDetector(FrozenEstimator(encoder)).fit(numbers(seed=1))
    assert kinds_of(model) == KINDS


def test_pieces_are_read_as_the_first_was_told_to_be():
    model = small_stack(columns=TOLD).partial_fit(numbers())
    table = model.table_
    assert kinds_of(model.partial_fit(numbers(seed=1))) == KINDS
    assert model.table_ is table
    with pytest.raises(ParameterError, match="columns was changed after fit"):
        model.set_params(columns={"zip": "number"}).partial_fit(numbers())
