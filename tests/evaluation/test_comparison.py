"""The comparison with PCA is fair and says what it sees."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import small_stack
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from stackae.evaluation import compare_with_pca
from stackae.evaluation.comparison import _by_value, _verdict


@pytest.fixture(scope="module")
def halves():
    X, y = load_digits(return_X_y=True)
    return (X[:600] / 16, y[:600]), (X[600:900] / 16, y[600:900])


def test_pca_against_itself_is_a_tie_in_every_column(halves):
    train, test = halves
    pca = PCA(8, random_state=0).fit(train[0])
    comparison = compare_with_pca(pca, None, train[0], train, test, standardise=False)
    ours, theirs, raw = comparison.results
    assert (ours.width, theirs.width, raw.width) == (8, 8, 64)
    assert (ours.linear_probe, ours.neighbour_probe) == (theirs.linear_probe, theirs.neighbour_probe)
    assert ours.r2 == pytest.approx(theirs.r2)
    assert raw.r2 == 1
    assert all("a tie" in verdict for verdict in comparison.verdicts)


def test_pca_has_the_codes_width_or_as_many_as_there_are_columns(halves):
    train, test = halves
    wide = small_stack((80,)).fit(train[0])
    results = compare_with_pca(wide, 1.0, train[0], train, test, standardise=False).results
    assert [r.width for r in results] == [80, 64, 64]


def test_pca_wins_where_it_wins_and_the_verdict_says_so(halves):
    train, test = halves
    untrained = small_stack((4, 2)).fit(train[0][:20])
    comparison = compare_with_pca(untrained, 5.0, train[0], train, test, standardise=False)
    assert comparison.verdicts[0].startswith("linear probe: PCA wins by")
    assert "beyond chance" in comparison.verdicts[0]
    assert comparison.verdicts[2].startswith("R²: PCA wins by")
    assert comparison.verdicts[3].startswith("seconds: PCA is")


def test_a_verdict_is_mcnemars_exact_test():
    ours = np.array([True] * 9 + [False] * 1 + [True] * 90)
    theirs = np.array([False] * 9 + [True] * 1 + [True] * 90)
    # Ten rows on which they differ, nine of them ours: twice the binomial tail, 2 · (1 + 10) / 1024.
    assert _verdict(ours, theirs) == "stackae wins by 8.0 points (a difference beyond chance, p = 0.021)"
    assert _verdict(theirs, ours).startswith("PCA wins by 8.0 points")
    assert _verdict(ours, ours) == "a tie (within chance, p = 1)"


def test_values_equal_to_the_digits_printed_are_a_tie():
    assert _by_value(0.9501, 0.9504) == "a tie"
    assert _by_value(0.91, 0.96) == "PCA wins by 0.050"
