"""Heavy tails are seen as such, and become normal, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackae.tables._quantiles import is_heavy_tailed, normal_shape

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (RNG.normal(size=10_000), False),
        (RNG.uniform(size=10_000), False),
        (RNG.exponential(size=10_000), False),
        (RNG.laplace(size=10_000), False),
        (RNG.poisson(0.3, 10_000), False),
        (np.r_[RNG.normal(-50, 1, 5000), RNG.normal(50, 1, 5000)], False),
        (RNG.lognormal(size=10_000), True),
        (RNG.standard_cauchy(10_000), True),
        (RNG.pareto(1.5, 10_000), True),
        (np.r_[np.zeros(9000), RNG.lognormal(8, 1, 1000)], True),
        (np.r_[RNG.normal(size=9999), 1e6], True),
        (RNG.lognormal(0, 3, 10), False),
    ],
)
def test_heavy_tails_are_told_from_others(numbers, expected):
    assert is_heavy_tailed(np.sort(numbers)) is expected


@pytest.mark.parametrize("numbers", [RNG.lognormal(0, 3, 50_000), RNG.standard_cauchy(700)])
def test_scores_are_normal(numbers):
    knots, scores = normal_shape(np.sort(numbers))
    assert len(knots) <= 1000
    found = np.interp(numbers, knots, scores)
    assert abs(found.mean()) < 0.01
    assert abs(found.std() - 1) < 0.02
    assert not is_heavy_tailed(np.sort(found))


def test_equal_numbers_have_the_score_of_their_mean_rank():
    knots, scores = normal_shape(np.sort(np.r_[np.zeros(50), np.arange(1.0, 51)]))
    assert np.interp(0, knots, scores) == pytest.approx(-0.6745, abs=1e-4)  # a quarter lies below


def test_what_lies_beyond_is_further_out_but_not_far():
    ordered = np.sort(RNG.lognormal(0, 2, 5000))
    knots, scores = normal_shape(ordered)
    low, lowest, highest, high = np.interp([-1, ordered[0], ordered[-1], 1.5 * ordered[-1]], knots, scores)
    assert lowest - 1 < low < lowest
    assert highest < high < highest + 10


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-1e12, 1e12).map(lambda x: float(f"{x:.6g}")), min_size=2, max_size=60).filter(
        lambda v: len(set(v)) > 1
    )
)
def test_the_map_is_strictly_monotone_and_its_own_inverse_exchanged(numbers):
    ordered = np.sort(numbers)
    knots, scores = normal_shape(ordered)
    assert (np.diff(knots) > 0).all()
    assert (np.diff(scores) > 0).all()
    back = np.interp(np.interp(ordered, knots, scores), scores, knots)
    np.testing.assert_allclose(back, ordered, rtol=1e-9, atol=1e-9 * np.ptp(ordered))


def test_numbers_that_hardly_differ_have_finite_scores():
    _, scores = normal_shape(np.array([0.0, 5e-324, 1.0, 2.0]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()
    assert np.isfinite(normal_shape(np.array([0.0, 5e-324]))[1]).all()
