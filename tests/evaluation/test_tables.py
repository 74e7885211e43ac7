"""Comparisons on tables of text, categories, dates and gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import METHODS_HERE, SHORT, small_stack
from sklearn.decomposition import PCA

from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor, TableEncoder
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import DenseMatrix
from stackae.evaluation import Split, beside_baselines, compare, compare_fitted, resplit
from stackae.evaluation.methods import Task, fitted, with_width
from stackae.evaluation.splits import checked
from stackae.exceptions import DataError, DataTypeError, ParameterError

N = 160
STACK = small_stack((6, 3))
ASKED = {"n_splits": 1, "few_labels": (20,), "n_draws": 2}


def made(n=N, gaps=True, seed=0):
    rng = np.random.default_rng(seed)
    names = rng.choice(["red hat", "blue shoe", "green coat", "old scarf"], (n, 2))
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "income": rng.lognormal(0, 3, n),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], n),
            "member": rng.choice(["yes", "no"], n),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
            "bought": [f"{a} and {b} {k % 150}" for k, (a, b) in enumerate(names)],
        }
    )
    if gaps:
        for name in frame:
            frame.loc[rng.random(n) < 0.1, name] = None
    return frame


@pytest.fixture
def y():
    labels = np.where(made(gaps=False).age > 45, "old", "young").astype(object)
    labels[::11] = None
    return labels


def figures(comparison):
    """What was found, but for the clock."""
    return [
        (record.method, {k: v for k, v in record.measures.items() if "seconds" not in k})
        for record in comparison.records
    ]


@pytest.mark.parametrize("library", [lambda frame: frame, pl.from_pandas])
def test_every_method_runs_on_a_table_with_gaps_and_goes_back_to_its_encoded_columns(library, y):
    frame = library(made())
    kinds = [info.kind for info in TableEncoder().fit(frame).table_]
    assert kinds == ["number", "number", "category", "binary", "date", "text"]
    found = compare(STACK, resplit(frame, y), (2, 40), methods=METHODS_HERE, **ASKED)
    assert found.methods == METHODS_HERE
    for record in found.records:
        assert all(np.isfinite(value) for value in record.measures.values()), record.method
        if "r2" in record.measures:
            assert record.measures["r2"] <= 1
    assert found.values("r2", "raw rows", 2) == [1.0]
    assert found.values("r2", "PCA", 40)[0] > 0.99  # as many as there are columns


def test_targets_are_compared_on_tables_too():
    frame = made()
    target = frame.pop("age")
    found = compare(STACK, resplit(frame, target), (2,), **ASKED)
    assert found.task == "regress"
    assert all(np.isfinite(record.measures["r2"]) for record in found.records if "r2" in record.measures)


def test_the_stack_is_told_the_columns_and_judged_on_the_encoded_ones(y):
    split = resplit(made(), y)
    found = compare(STACK, split, (2,), methods=["stackae"], **ASKED)
    drawn = split(0)
    encoder = drawn.X.table
    assert drawn.unlabelled.table is encoder
    assert repr(encoder.table_) == repr(TableEncoder().fit(made()).table_)
    rows = np.vstack([drawn.X[:], drawn.unlabelled[:]])
    model = with_width(STACK, 2, 0).fit(DenseMatrix(rows).of_table(encoder))
    assert model.module_[0].parts.groups == encoder.groups_
    X, back = drawn.X_test[:], model.reconstruct(drawn.X_test)
    as_they_are = [*encoder.binary_, *range(*encoder.groups_[0])]
    spread = np.nanstd(drawn.X[:], 0)
    spread[as_they_are] = 1
    left, total = (
        np.nansum(np.square((X - other) / spread)) for other in (back, np.nanmean(X, 0, keepdims=True))
    )
    assert found.values("r2", "stackae", 2)[0] == pytest.approx(1 - left / total)


def test_a_table_may_be_encoded_already_and_lie_on_the_disk(y, tmp_path):
    encoder = TableEncoder().fit(made())
    np.save(tmp_path / "X.npy", encoder.transform(made()))
    X = MappedMatrix([np.load(tmp_path / "X.npy", mmap_mode="r")]).of_table(encoder)
    asked = {"methods": ["stackae", "PCA", "NMF"], **ASKED}
    expected = compare(STACK, resplit(made(), y), (2,), **asked)
    for rows in (X, X.take(np.arange(N))):
        assert figures(compare(STACK, resplit(rows, y), (2,), **asked)) == figures(expected)


def test_a_split_of_tables_is_encoded_as_its_training_rows_ask(y):
    train, test = made()[:100], made()[100:].assign(city="Pisa")
    with pytest.warns(UserWarning, match="column 'city': 60 cells hold values that fit has not seen"):
        split = checked(Split(train, y[:100], test, y[100:]))
    assert split.X.table is split.X_test.table
    assert repr(split.X.table.table_) == repr(TableEncoder().fit(train).table_)
    with pytest.raises(DataTypeError, match="test rows are a table of other than numbers, and training"):
        checked(Split(train[["age"]], y[:100], test[["age", "city"]], y[100:]))


def test_gaps_may_be_in_the_test_rows_alone():
    whole, holed = made(gaps=False), made(seed=1)
    labels = (whole.age > 45).astype(int)
    numbers = ["age", "income"]
    for rows, rows_test, stack in (
        (whole, holed, STACK),
        (whole[numbers], holed[numbers], small_stack((6, 3), missing_values=np.nan)),
    ):
        split = Split(rows, labels, rows_test, labels)
        found = compare(stack, lambda seed, split=split: split, (2,), methods=METHODS_HERE, **ASKED)
        assert len(found.records) == len(METHODS_HERE)


def test_nmf_takes_later_rows_below_those_that_it_was_fitted_on():
    rows = made(gaps=False)[["age", "income"]].to_numpy()
    nmf = fitted("NMF", Task(rows, 2, STACK, 0))
    assert (nmf.transform(rows - 100) >= 0).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: small_stack((6, 3)),
        lambda: StackedAutoencoderClassifier(small_stack((6, 3)), finetune=SHORT, random_state=0),
    ],
)
def test_a_fitted_model_is_judged_by_its_own_encoder(make, y):
    frame = made()
    model = make().fit(frame[:120], y[:120])
    split = resplit(frame, y)(0)
    with pytest.raises(DataTypeError, match="encoded by another TableEncoder"):
        compare_fitted(model, frame[:120], split, n_draws=2)
    split = Split(frame[:100], y[:100], frame[120:], y[120:])
    found = compare_fitted(model, frame[:120], split, methods=METHODS_HERE, few_labels=(20,), n_draws=2)
    is_stack = not hasattr(model, "predict")
    methods = [m for m in METHODS_HERE if is_stack or m not in ("untrained stack", "end to end")]
    assert found.methods == (methods if is_stack else ["stackae", "stackae head", *methods[1:]])
    known = np.array([label is not None for label in y])
    if is_stack:
        X = DenseMatrix(model._table.transform(frame[120:][known[120:]])).of_table(model._table)
        own = found.records[0].measures["r2"]
        assert 1 - own == pytest.approx(1 - _r2_of(model, X, frame[:100][known[:100]]))
    else:
        head = found.values("head", "stackae head", 3)
        assert head == [model.score(frame[120:], y[120:])]


def test_a_model_is_judged_on_a_split_of_the_very_table_that_it_was_fitted_on(y):
    model = small_stack().fit(made())
    found = compare_fitted(model, made(), resplit(made(), y)(0), few_labels=(), n_draws=1)
    assert "raw rows" in found.methods


def _r2_of(model, X, train):
    parts = model.module_[0].parts
    spread = np.nanstd(model._table.transform(train), 0)
    spread[list(parts.kept)] = 1
    left, total = (
        np.nansum(np.square((X[:] - other) / spread))
        for other in (model.reconstruct(X), np.nanmean(X[:], 0, keepdims=True))
    )
    return 1 - left / total


def test_a_model_of_numbers_is_not_judged_on_a_table(y):
    frame, numbers = made(), made(gaps=False)[["age", "income"]]
    split = Split(frame[:100], y[:100], frame[100:], y[100:])
    for model, rows in ((small_stack().fit(numbers), frame), (PCA(2).fit(numbers), numbers)):
        with pytest.raises(DataTypeError, match="was fitted on numbers, got a table of more"):
            compare_fitted(model, rows, split)


def test_predictors_are_scored_beside_baselines_on_encoded_tables():
    frame = made()
    target = made(gaps=False).age.to_numpy()
    model = StackedAutoencoderRegressor(small_stack(), finetune=SHORT, random_state=0).fit(frame, target)
    X = DenseMatrix(model._table.transform(frame)).of_table(model._table)
    scores = beside_baselines(model, X, target, X, target)
    assert scores["fine-tuned"] == model.score(frame, target)


def test_labels_of_another_length_and_names_are_refused(y):
    with pytest.raises(DataError, match="y must have one label a row, 160, got 150"):
        resplit(made(), y[:150])
    with pytest.raises(ParameterError, match="names rather than classes"):
        resplit(made(), made(gaps=False).bought.to_numpy())
