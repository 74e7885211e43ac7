"""What is known of columns, against NumPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stackae.data import matrix as module
from stackae.data.matrix import DenseMatrix
from stackae.data.statistics import binary_columns, column_means, column_range, two_valuedness


@pytest.fixture
def gappy(monkeypatch):
    """Missing cells, in blocks of seven samples."""
    monkeypatch.setattr(module, "_BLOCK", 21)
    X = np.random.default_rng(0).normal(size=(50, 3))
    X[::4, 1] = np.nan
    X[:10, 2] = np.nan
    return X


def test_missing_cells_are_passed_over_by_means_and_ranges(gappy):
    np.testing.assert_allclose(column_means(DenseMatrix(gappy)), np.nanmean(gappy, 0))
    low, high = column_range(DenseMatrix(gappy))
    np.testing.assert_array_equal(low, np.nanmin(gappy, 0))
    np.testing.assert_array_equal(high, np.nanmax(gappy, 0))


def test_a_column_without_any_value_has_no_range():
    low, high = column_range(DenseMatrix(np.array([[np.nan, 1.0], [np.nan, 2.0]])))
    assert (low.tolist(), high.tolist()) == ([np.inf, 1], [-np.inf, 2])


def test_whole_weights_count_as_repeated_samples(gappy):
    weights = np.random.default_rng(1).integers(0, 4, 50)
    repeated = np.repeat(gappy, weights, axis=0)
    np.testing.assert_allclose(
        column_means(DenseMatrix(gappy), weights.astype(float)), np.nanmean(repeated, 0)
    )
    squares = column_means(DenseMatrix(gappy), weights.astype(float), np.square)
    np.testing.assert_allclose(squares, np.nanmean(repeated**2, 0))


def test_binary_columns_hold_zeros_and_ones_and_both():
    X = np.array([[0, 0, 0, 0, np.nan], [1, 0, 0.5, 2, 0], [1, 0, 1, 1, 1]], float)
    assert binary_columns(DenseMatrix(X), *column_range(DenseMatrix(X))).tolist() == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_two_valuedness_is_one_of_binary_columns_and_a_third_of_uniform_noise():
    rng = np.random.default_rng(0)
    uniform = rng.random((20_000, 3))
    assert two_valuedness((uniform > 0.3).astype(float)) == pytest.approx(1)
    assert two_valuedness(uniform) == pytest.approx(1 / 3, abs=0.01)
    assert two_valuedness(np.zeros((5, 2))) == 0  # that never vary


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.arange(1000, 1300)[::-1], True),
        (7 + 5 * np.random.default_rng(0).permutation(200), True),
        (np.append(np.arange(299), 400), False),
        (np.arange(300) + 0.5, False),
        (np.arange(300) // 2, False),
        (np.where(np.arange(300) == 250, np.nan, np.arange(300)), False),
        (np.arange(9), False),
    ],
)
def test_columns_of_whole_numbers_in_equal_steps_are_known(values, found):
    from stackae.data.data_set import DataSet

    X = np.stack([np.random.default_rng(0).normal(size=len(values)), values], 1)
    assert DataSet(X, None, ["a", "key"], "rows").numbered == (["key"] if found else [])
    assert DataSet(X, None, None, "rows").numbered == []
