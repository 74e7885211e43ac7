"""Rows and labels of any container become the same arrays, and what labels are for is decided once."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from helpers import BRIEF, METHODS_HERE, small_stack
from sklearn.base import clone
from sklearn.decomposition import PCA

from stackae.data.labels import as_labels
from stackae.evaluation import Split, compare, resplit
from stackae.evaluation.splits import checked
from stackae.exceptions import DataError, ParameterError

X = np.random.default_rng(0).normal(size=(60, 4))
KINDS = np.where(X[:, 0] > 0, "ant", "bee")
NAMES = list("abcd")
ROWS = {
    "array": np.asarray,
    "pandas": lambda X: pd.DataFrame(X, columns=NAMES, index=np.arange(60)[::-1]),
    "pandas, nullable": lambda X: pd.DataFrame(X, columns=NAMES).convert_dtypes(),
    "polars": lambda X: pl.DataFrame(X, schema=NAMES),
    "pyarrow": lambda X: pa.table(dict(zip(NAMES, X.T, strict=True))),
    "lists": np.ndarray.tolist,
    "sparse": sp.csr_array,
    "sparse columns": lambda X: pd.DataFrame(X, columns=NAMES).astype(pd.SparseDtype(float, 0.0)),
}
LABELS = {
    "array": np.asarray,
    "column": lambda y: y[:, None],
    "list": np.ndarray.tolist,
    "objects": lambda y: y.astype(object),
    "series": lambda y: pd.Series(y, index=np.arange(60)[::-1]),
    "category": lambda y: pd.Series(y, dtype="category"),
    "string": lambda y: pd.Series(y, dtype="string"),
    "arrow": lambda y: pd.Series(y, dtype="string[pyarrow]"),
    "frame": lambda y: pd.DataFrame({"kind": y}),
    "polars": pl.Series,
    "polars categorical": lambda y: pl.Series(y, dtype=pl.Categorical),
    "polars enum": lambda y: pl.Series(y, dtype=pl.Enum(["ant", "bee"])),
    "pyarrow": pa.array,
}


def judged(rows, labels):
    stack = small_stack((4, 1), pretrain=BRIEF, finetune=BRIEF)
    comparison = compare(
        stack,
        resplit(rows, labels),
        (2,),
        methods=("stackae", "PCA", "random features"),
        n_splits=2,
        few_labels=(9,),
    )
    keys = ("linear_probe", "knn_probe", "few_labels_9", "clusters", "r2")
    return [[record.measures.get(key) for key in keys] for record in comparison.records]


@pytest.mark.parametrize("container", ROWS)
@pytest.mark.filterwarnings("error")
def test_rows_of_any_container_are_judged_as_an_array_is(container):
    assert judged(ROWS[container](X), KINDS) == judged(X, KINDS)


@pytest.mark.parametrize("container", LABELS)
@pytest.mark.filterwarnings("error")
def test_labels_of_any_container_are_those_of_an_array(container):
    expected, found = resplit(X, KINDS)(3), resplit(X, LABELS[container](KINDS))(3)
    for own, other in zip(found[:4], expected[:4], strict=True):
        assert own.dtype.kind == other.dtype.kind
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize(
    "convert",
    [
        np.ndarray.tolist,
        lambda y: pd.Series(y).convert_dtypes(),
        lambda y: pd.Series(y, dtype="category"),
        pl.Series,
        pa.array,
    ],
)
@pytest.mark.parametrize("y", [np.arange(60) % 3, np.arange(60) % 2 == 0])
def test_numbers_and_booleans_stay_what_they_are(convert, y):
    found = as_labels(convert(y)).values
    assert found.dtype.kind in "ib"
    np.testing.assert_array_equal(found, y)


def test_rows_of_whole_numbers_are_judged_as_floats_are():
    whole = np.round(10 * X).astype(int)
    assert judged(whole, KINDS) == judged(whole.astype(float), KINDS)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_features_that_come_as_a_frame_are_judged_alike(output):
    stack = small_stack((4, 1), pretrain=BRIEF, finetune=BRIEF)
    plain, framed = (
        compare(model, resplit(X, KINDS), (2,), methods=("stackae",), n_splits=1, few_labels=(9,)).records[0]
        for model in (stack, clone(stack).set_output(transform=output))
    )
    assert framed.measures["few_labels_9"] == plain.measures["few_labels_9"]
    assert framed.measures["r2"] == pytest.approx(plain.measures["r2"])


def test_the_task_may_be_said():
    whole = np.arange(60) % 5
    assert resplit(X, whole)(0).task == "classify"
    split = resplit(X, whole, task="regress")(0)
    assert (split.task, split.y.dtype) == ("regress", np.float64)
    halves = resplit(X, np.arange(60) % 4 / 2, task="classify")(0)
    assert (halves.task, set(halves.y)) == ("classify", {"0.0", "0.5", "1.0", "1.5"})
    assert checked(Split(X, whole, X, whole), "regress").task == "regress"
    assert checked(Split(X, whole, X, whole, "classify"), "regress").task == "classify"
    with pytest.raises(ParameterError, match="task must be 'auto', 'classify' or 'regress', got 'guess'"):
        resplit(X, whole, task="guess")


@pytest.mark.parametrize(
    ("y", "task", "said"),
    [
        (
            KINDS,
            "regress",
            r"targets must be numbers, got '(ant|bee)' in row 0; take them as classes \(task classify\)",
        ),
        (
            np.where(np.arange(60) == 7, np.inf, X[:, 0]),
            "regress",
            "targets must be finite, got inf in row 7",
        ),
        (np.full(60, 0.5), "regress", "targets must differ, got one value for 60 rows"),
        (X[:, 0], "classify", "classes of two rows or more on the average, got 60 for 60 rows"),
        (X[:, :2], "auto", r"y must have one label a row, got an array of shape \(60, 2\)"),
        (KINDS[:59], "auto", "y must have one label a row, 60, got 59"),
        ([f"row {k}" for k in range(60)], "auto", "60 different texts in 60 rows, names rather than classes"),
        (np.where(np.arange(60) < 2, np.nan, 1.0), "auto", "at least 2 classes, got 1 class, 1; name"),
        ([""] * 60, "classify", "y must have a label for some row, got none among 60 rows"),
        ([""] * 60, "regress", "y must have a label for some row, got none among 60 rows"),
    ],
)
def test_labels_that_cannot_be_judged_by_are_refused(y, task, said):
    with pytest.raises((DataError, ParameterError), match=said):
        resplit(X, y, task=task)


@pytest.mark.parametrize(
    "without",
    [
        lambda y: np.where(np.arange(60) % 4 == 0, None, y.astype(object)),
        lambda y: pd.Series(np.where(np.arange(60) % 4 == 0, "", y), dtype="string"),
        lambda y: pl.Series([None if k % 4 == 0 else kind for k, kind in enumerate(y)]),
    ],
)
def test_rows_without_a_label_train_features_and_have_no_part_in_the_probes(without):
    known = np.arange(60) % 4 != 0
    found, expected = resplit(X, without(KINDS))(3), resplit(X[known], KINDS[known])(3)
    for own, other in zip(found[:5], expected[:5], strict=True):
        np.testing.assert_array_equal(own, other)
    np.testing.assert_array_equal(found.unlabelled, X[~known])
    assert len(found.all_training_rows) == len(found.X) + 15
    given = Split(X[:40], without(KINDS)[:40], X[40:], without(KINDS)[40:])
    split = checked(given)
    np.testing.assert_array_equal(split.X, X[:40][known[:40]])
    np.testing.assert_array_equal(split.unlabelled, X[:40][~known[:40]])
    np.testing.assert_array_equal(split.X_test, X[40:][known[40:]])
    assert (split.y == KINDS[:40][known[:40]]).all()


def test_features_are_fitted_on_rows_without_a_label_too():
    y = np.where(np.arange(60) < 30, KINDS.astype(object), None)
    seen = []

    class Watched(PCA):
        def fit(self, X, y=None):
            seen.append(len(X))
            return super().fit(X)

    with mock.patch("stackae.evaluation.methods.PCA", Watched):
        compare(small_stack((4, 1)), resplit(X, y), (2,), methods=("PCA",), n_splits=1, few_labels=())
    assert seen == [22 + 30]


@pytest.mark.parametrize("low", [0, -1])
def test_missing_cells_are_filled_for_rivals_and_left_out_of_r2(low):
    rows = np.abs(X) + low
    rows[::7, 1] = np.nan
    stack = small_stack((4, 1), pretrain=BRIEF, finetune=BRIEF, missing_values=np.nan)
    found = compare(
        stack, resplit(rows, KINDS), (2,), methods=METHODS_HERE, n_splits=1, few_labels=(9,)
    ).records
    assert len(found) == len(METHODS_HERE) - (low < 0)  # NMF
    for record in found:
        assert all(np.isfinite(value) for value in record.measures.values()), record.method
        if "r2" in record.measures and record.method in ("PCA", "raw rows"):
            assert record.measures["r2"] > 0.2
