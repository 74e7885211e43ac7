"""Means, intervals and paired tests against values worked by hand."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest
from scipy.stats import ttest_rel

from stackae.evaluation.statistics import interval, over_samples, over_splits


def test_the_interval_is_students():
    # Mean 2, standard error 1/√3, and t of 2 degrees of freedom at 97.5 %: 4.303.
    assert interval([1, 2, 3]) == pytest.approx((2, 4.3027 / sqrt(3)), rel=1e-4)
    mean, half = interval([5.0])
    assert mean == 5
    assert isnan(half)


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
