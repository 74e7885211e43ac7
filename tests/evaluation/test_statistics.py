"""Means, intervals and paired tests against values worked by hand."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import r2_score

from stackae.evaluation.statistics import (
    interval,
    of_share,
    over_samples,
    over_splits,
    over_squared_errors,
)


def test_the_interval_is_students():
    # Mean 2, standard error 1/√3, and t of 2 degrees of freedom at 97.5 %: 4.303.
    half = 4.3027 / sqrt(3)
    assert interval([1, 2, 3]) == pytest.approx((2, half, 2 - half, 2 + half), rel=1e-4)


@pytest.mark.parametrize(("values", "mean", "ends"), [([5.0], 5, (5, 5)), ([4.0, 1.0], 2.5, (1, 4))])
def test_of_fewer_than_three_values_there_is_the_range_alone(values, mean, ends):
    found = interval(values)
    assert (found.mean, found.low, found.high) == (mean, *ends)
    assert isnan(found.half_width)


@pytest.mark.parametrize(("n_right", "n"), [(8, 12), (12, 12), (0, 5)])
def test_the_interval_of_a_share_is_wilsons(n_right, n):
    z, p = 1.959964, n_right / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert of_share(p, n) == pytest.approx((p, half, middle - half, middle + half), abs=1e-6)


def test_without_overlap_the_test_over_splits_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.1, 1, 7), rng.normal(0, 1, 7)
    found, expected = over_splits(ours, theirs, 0.0), ttest_rel(ours, theirs)
    assert found.p_value == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))


def test_shared_training_rows_make_the_test_over_splits_less_sure():
    ours, theirs = [0.9, 0.92, 0.91, 0.93], [0.9, 0.9, 0.9, 0.9]
    alone, shared = over_splits(ours, theirs, 0.0), over_splits(ours, theirs, 0.25)
    # (1/4 + 1/4) of the variance instead of 1/4.
    assert shared.half_width == pytest.approx(sqrt(2) * alone.half_width)
    assert shared.p_value > alone.p_value


def test_of_two_splits_there_is_a_test_and_no_interval():
    found = over_splits([0.9, 0.8], [0.5, 0.3], 0.0)
    assert found.p_value == pytest.approx(ttest_rel([0.9, 0.8], [0.5, 0.3]).pvalue)
    assert isnan(found.half_width)
    assert isnan(over_splits([0.75, 0.5], [0.5, 0.25], 0.3).half_width)


def test_equal_values_are_no_difference_and_a_constant_one_is_sure():
    assert over_splits([0.5, 0.6], [0.5, 0.6], 0.3).sign == 0
    assert over_splits([0.75, 0.5], [0.5, 0.25], 0.3).sign == 1
    assert over_splits([0.25, 0.5], [0.5, 0.75], 0.3).sign == -1
    assert over_splits([0.75], [0.5], 0.3).p_value == 1


def test_the_test_over_samples_is_mcnemars_exact():
    ours = np.array([True] * 9 + [False] * 1 + [True] * 90)
    theirs = np.array([False] * 9 + [True] * 1 + [True] * 90)
    # Ten rows on which they differ, nine of them ours: twice the binomial tail, 2 · (1 + 10) / 1024.
    found = over_samples(ours, theirs)
    assert found.p_value == pytest.approx(22 / 1024)
    assert (found.mean, found.sign) == (pytest.approx(0.08), 1)
    # The variance of a difference of paired proportions: (10 - 8²/100) / 100².
    assert found.half_width == pytest.approx(1.96 * sqrt(10 - 0.64) / 100)
    assert over_samples(theirs, ours).sign == -1
    assert over_samples(ours, ours).p_value == 1


def test_the_test_over_squared_errors_is_the_paired_t_test_and_its_mean_the_difference_of_r2():
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    near, far = y + 0.3 * rng.normal(size=80), y + 0.6 * rng.normal(size=80)
    ours, theirs = (np.square(y - guess) / y.var() for guess in (near, far))
    found, expected = over_squared_errors(ours, theirs), ttest_rel(theirs, ours)
    assert found.mean == pytest.approx(r2_score(y, near) - r2_score(y, far))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.half_width == pytest.approx(np.ptp(expected.confidence_interval(0.95)) / 2)
    assert found.sign == 1
    assert over_squared_errors(theirs, ours).sign == -1
    assert over_squared_errors(ours, ours).p_value == 1


def test_who_is_nearer_in_most_rows_is_not_better_where_a_few_are_far_off():
    # Nearer in 99 of 100 rows, and so far off in one that the R² is lower: no gain, whatever ranks say.
    ours, theirs = np.full(100, 0.1), np.full(100, 0.2)
    ours[0] = 50.0
    found = over_squared_errors(ours, theirs)
    assert found.mean < 0
    assert found.sign == 0
