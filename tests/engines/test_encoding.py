"""The core: record batches in, record batches out."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from helpers import BRIEF, small_stack

from stackae import (
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
)
from stackae.engines import Encoding, encoding
from stackae.engines.methods import METHODS
from stackae.exceptions import DataFileError, ModelFileError, ParameterError

NAMES = list("abcdef")


def table_of(X, names=NAMES):
    return pa.table([np.arange(len(X)), *X.T], ["key", *names])


def applied(own: Encoding, table: pa.Table, size: int | None = None) -> pa.Table:
    return pa.Table.from_batches(own(table.to_batches(size)))


def matrix(table: pa.Table) -> np.ndarray:
    return np.stack([column.to_numpy() for column in table.columns], 1)


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(3000, 6))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 37, 1500, None])
def test_codes_are_those_of_transform_bit_for_bit_however_rows_are_divided(X, dtype, size):
    X = X.astype(dtype)[: 60 if size == 1 else None]
    model = small_stack((64, 3)).fit(pd.DataFrame(X, columns=NAMES))
    more = np.concatenate([X, np.ones((2000, 6), dtype)])  # as many as a block has, whatever X has
    found = applied(Encoding.of(model, keep=["key"]), table_of(X), size)
    assert found.column_names == ["key", *(f"stackedautoencoder{k}" for k in range(3))]
    np.testing.assert_array_equal(found["key"].to_numpy(), np.arange(len(X)))
    expected = model.transform(pd.DataFrame(more, columns=NAMES))[: len(X)]
    np.testing.assert_array_equal(matrix(found.drop_columns("key")), expected)


def test_columns_are_picked_by_name_and_batches_without_rows_stay_without(X):
    model = small_stack().fit(pd.DataFrame(X, columns=NAMES))
    table = table_of(X)
    turned = table.select(["f", "key", *NAMES[:5]])
    own = Encoding.of(model)
    assert applied(own, turned).equals(applied(own, table))
    empty, whole = own(
        [
            turned.slice(0, 0).to_batches(1)[0]
            if turned.slice(0, 0).to_batches(1)
            else pa.RecordBatch.from_pylist([], turned.schema),
            table.to_batches()[0],
        ]
    )
    assert (len(empty), len(whole)) == (0, len(X))
    assert empty.schema == whole.schema == own.schema(table.schema)


def model_for(method, X):
    """A model that has the method, and rows for it."""
    labels = np.array(["ant", "bee"])[(X[:, 0] > 0).astype(int)]
    gappy = X.copy()
    gappy[::5, 2] = np.nan
    classifier = StackedAutoencoderClassifier((4,), finetune=BRIEF, random_state=0)
    match method:
        case "predict" | "predict_proba":
            return classifier.fit(X[:200], labels[:200]), X
        case "score":
            return StackedAutoencoderDetector((4,), random_state=0).fit(X[:300]), X
        case "impute":
            return small_stack(missing_values=np.nan).fit(gappy[:500]), gappy
    return small_stack().fit(X), X


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_the_models_own(X, method):
    model, rows = model_for(method, X)
    found = applied(Encoding.of(model, method=method), pa.table(list(rows.T), NAMES), 700)
    if method == "score":
        expected = np.column_stack([-model.score_samples(rows), model.predict(rows) == -1])
        assert found.column_names == ["squared_error", "outlier"]
    else:
        expected = getattr(model, method)(rows)
    np.testing.assert_array_equal(matrix(found), expected.reshape(len(rows), -1))


def test_several_numbers_are_predicted_in_a_column_each(X):
    model = StackedAutoencoderRegressor((4,), finetune=BRIEF, random_state=0).fit(X[:200], X[:200, :2])
    found = applied(Encoding.of(model, method="predict"), pa.table(list(X.T), NAMES))
    assert found.column_names == ["prediction0", "prediction1"]
    np.testing.assert_array_equal(matrix(found), model.predict(X))


def mixed(n):
    rng = np.random.default_rng(1)
    kinds = rng.choice(["ant", "bee", "fly"], n)
    size = rng.normal(size=n) + 3 * (kinds == "bee")
    return pa.table([np.arange(n), pa.array(kinds), size, rng.normal(size=n)], ["key", "kind", "size", "age"])


def test_tables_of_mixed_columns_are_encoded_reconstructed_and_filled_in_their_own_types():
    table = mixed(1500)
    model = StackedAutoencoder((4,), pretrain=BRIEF, finetune=None, random_state=0).fit(
        table.drop_columns("key")
    )
    codes = applied(Encoding.of(model, keep=["key"]), table, 400)
    np.testing.assert_array_equal(
        matrix(codes.drop_columns("key")), model.transform(table.drop_columns("key"))
    )
    back = applied(Encoding.of(model, method="reconstruct"), table, 400)
    assert back.equals(model.reconstruct(table.drop_columns("key")).cast(back.schema))
    gaps = np.arange(1500) % 4 == 0
    gappy = table.set_column(1, "kind", pa.array(table["kind"].to_pylist(), mask=gaps))
    filled = applied(Encoding.of(model, method="impute"), gappy, 400)
    assert filled.schema == gappy.schema
    assert filled["kind"].null_count == 0
    known = pa.array(~gaps)
    assert filled.filter(known).equals(table.filter(known))


def test_a_refused_row_is_named_with_the_rows_before_its_batch(X):
    model = small_stack().fit(X)
    bad = X.copy()
    bad[1205, 3] = np.nan
    with pytest.raises(
        DataFileError, match=r"rows.parquet: .*NaN in row 5, .*\(rows counted from row 1,200\)"
    ):
        list(Encoding.of(model)(pa.table(list(bad.T), NAMES).to_batches(600), "rows.parquet"))


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"method": "predict"}, "has no predict"),
        ({"method": "encode"}, "must be one of transform, predict"),
        ({"keep": ["key", "key"]}, "each column once"),
    ],
)
def test_what_cannot_be_is_refused_before_any_row(X, parameters, says):
    with pytest.raises(ParameterError, match=says):
        Encoding.of(small_stack().fit(X), **parameters)


def test_columns_that_are_not_there_or_would_be_written_twice_are_refused(X):
    model = small_stack().fit(pd.DataFrame(X, columns=NAMES))
    schema = table_of(X).schema
    with pytest.raises(DataFileError, match="rows: no column 'name'"):
        Encoding.of(model, keep=["name"]).schema(schema, "rows")
    with pytest.raises(ParameterError, match="'a' to be kept is called as one that is written"):
        Encoding.of(model, keep=["a"], method="reconstruct").schema(schema)
    with pytest.raises(DataFileError, match="rows: no column 'c'"):
        Encoding.of(model).schema(table_of(X).drop_columns("c").schema, "rows")


def test_a_process_loads_the_model_once_and_no_other_file_of_that_name(X, tmp_path, monkeypatch):
    model = small_stack().fit(X)
    model.save(tmp_path / "model.safetensors")
    own = Encoding.of(tmp_path)
    assert len(pickle.dumps(own)) < 1000
    loads = []
    monkeypatch.setattr(Encoding, "_load", lambda self, load=Encoding._load: (loads.append(1), load(self))[1])
    for _ in range(3):
        applied(pickle.loads(pickle.dumps(own)), pa.table(list(X.T), NAMES), 500)
    assert loads == []
    small_stack().fit(X[:100]).save(tmp_path / "model.safetensors")
    encoding._loaded.clear()
    with pytest.raises(ModelFileError, match="another file than when the work began"):
        applied(own, pa.table(list(X.T), NAMES))


def test_threads_are_as_many_as_were_asked_for_and_then_as_before(X):
    before, seen = torch.get_num_threads(), []
    own = replace(Encoding.of(small_stack().fit(X)), threads=3)
    for _ in own(pa.table(list(X.T), NAMES).to_batches(1000)):
        seen.append(torch.get_num_threads())
    assert seen == [3, 3, 3]
    assert torch.get_num_threads() == before
