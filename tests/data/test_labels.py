"""What counts as a label, in every container."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stackae.data.labels import as_cells, as_labels, as_targets, holds_marker, task_of
from stackae.exceptions import DataError, StackaeWarning


@pytest.mark.parametrize(
    ("y", "known", "values"),
    [
        ([0, 1, None], [1, 1, 0], [0, 1]),
        ([0.0, 1.0, np.nan], [1, 1, 0], [0, 1]),
        (np.array([0, 1, np.nan]), [1, 1, 0], [0, 1]),
        (np.array([0.5, np.nan]), [1, 0], [0.5]),
        (["a", np.nan, "b"], [1, 0, 1], ["a", "b"]),
        (np.array(["a", "", " "]), [1, 0, 0], ["a"]),
        (np.array(["a", None, float("nan"), pd.NA], dtype=object), [1, 0, 0, 0], ["a"]),
        (pd.Series([1, None, 2]), [1, 0, 1], [1, 2]),
        (pd.Series([1, None, 2], dtype="Int64"), [1, 0, 1], [1, 2]),
        (pd.Series([True, None], dtype="boolean"), [1, 0], [True]),
        (pd.Series(["a", None], dtype="string"), [1, 0], ["a"]),
        (pd.Series(["a", None]).astype("category"), [1, 0], ["a"]),
        (pd.Series([pd.Timestamp("2020-01-01"), pd.NaT]), [1, 0], [np.datetime64("2020-01-01")]),
        (pl.Series([1, None]), [1, 0], [1]),
        (pl.Series(["a", None, ""]), [1, 0, 0], ["a"]),
        (pa.array(["a", None]), [1, 0], ["a"]),
        (pa.chunked_array([[1, None], [3]]), [1, 0, 1], [1, 3]),
        (np.array([b"a", b""]), [1, 0], ["a"]),
        (["01", "02", ""], [1, 1, 0], ["01", "02"]),
    ],
    ids=str,
)
def test_nothing_means_no_label_in_every_container(y, known, values):
    labels = as_labels(y)
    assert labels.known.tolist() == list(map(bool, known))
    assert (labels.values == np.array(values)).all()
    assert labels.values.dtype.kind != "O"
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        assert labels.values.dtype.kind == "i"  # which NaN had made floats


@pytest.mark.parametrize("text", ["NA", "nan", "NaN", "<NA>", "None", "null", "N/A"])
@pytest.mark.parametrize("container", [list, np.array, pd.Series, pl.Series])
def test_texts_that_say_nothing_are_no_labels_and_are_warned_of(text, container):
    with pytest.warns(StackaeWarning, match=f"y: '{text}', in 1 of 3 rows, is taken as no label"):
        assert as_labels(container(["a", text, "b"])).values.tolist() == ["a", "b"]


CONTAINERS = [list, np.array, pd.Series, pl.Series, pa.array, lambda y: np.array(y, dtype=object)]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("made", [int, float, str])
def test_minus_one_is_no_label_beside_two_classes_and_a_class_beside_one(container, made):
    text = made if made is not str else lambda number: str(int(number))
    three, two = (container([text(n) for n in numbers]) for numbers in ([-1, 0, 1], [-1, 1]))
    with pytest.warns(StackaeWarning, match="in 1 of 3 rows, is taken as no label beside 2 classes"):
        assert as_labels(three).known.tolist() == [False, True, True]
    with pytest.warns(StackaeWarning, match="in 1 of 2 rows, is taken as a class beside"):
        assert as_labels(two).known.all()
    assert as_labels(three, None).known.all()
    assert as_labels(two, -1).known.tolist() == [False, True]


@pytest.mark.parametrize(
    "y", [[-2, -1, 0, 1], [-1.0, 0.5, 1.5], ["-1", "-2", "0"], ["x", "y"], [True, False]]
)
def test_minus_one_among_negative_numbers_or_fractions_is_a_class_and_needs_no_word(y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_labels(y).known.all()


def test_minus_one_alone_is_no_label():
    assert not as_labels([-1, -1]).known.any()


def test_labels_of_several_types_are_refused_unless_one_stands_for_none():
    with pytest.raises(DataError, match="y must hold labels of one type, got int, str"):
        as_labels(["a", 2, "b"])
    assert as_labels(["a", -1, "b"], -1).values.tolist() == ["a", "b"]


def test_targets_keep_their_shape_and_nothing_is_nan():
    targets = as_targets(np.array([[1, None], [pd.NA, 2.5]], dtype=object)).astype(float)
    np.testing.assert_array_equal(targets, [[1, np.nan], [np.nan, 2.5]])
    np.testing.assert_array_equal(as_targets(pd.Series([1, None], dtype="Int64")).astype(float), [1, np.nan])
    assert as_targets([1, 2]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("y", "task", "labels"),
    [
        (["a", "b"] * 200, "classify", "2 different texts in 400 rows"),
        ([True, False], "classify", "2 different truth values"),
        ([f"name {k}" for k in range(20)], "classify", "20 different texts"),
        ([f"name {k}" for k in range(21)], None, "21 different texts in 21 rows"),
        ([f"name {k % 50}" for k in range(100)], "classify", "50 different texts"),
        ([0, 1, None] * 5, "classify", "2 different whole numbers in 10 rows"),
        (np.arange(10), "classify", "10 different whole numbers in 10 rows"),
        ([0.5, 1, 2], "regress", "numbers with a fraction"),
        (np.arange(442) % 214, "regress", "214 different whole numbers in 442 rows"),
        (np.arange(10_000) % 100, "classify", "100 different whole numbers in 10,000 rows"),
        (np.arange(10_100) % 101, "regress", "101 different"),
        (np.arange(300) % 50, "regress", "50 different"),
    ],
)
def test_classes_and_numbers_are_told_apart_or_it_is_asked(y, task, labels):
    found = task_of(as_labels(y))
    assert found.task == task
    assert found.labels.startswith(labels)


def test_a_class_of_minus_one_is_found_as_number_and_as_text():
    assert holds_marker(np.array([-1, 1]))
    assert holds_marker(np.array(["-1", "a"]))
    assert not holds_marker(np.array([0, 1]))
    assert as_cells(["a", np.nan]).dtype == object  # NaN has not become text
