"""The sentence at the top of a report: what a linear model makes of the codes, and of what is simpler."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import small_stack, two_halves

from stackae.evaluation import Comparison, Record
from stackae.report.verdict import _result

N_TEST = 200


def right(n):
    """Of the test rows the first so many are right."""
    return np.arange(N_TEST) < n


def comparison(**n_right):
    """Of each probe, how many rows are right on the codes and on the components."""
    records = []
    for k, (method, width) in enumerate((("stackae", 4), ("PCA", 3))):
        outcomes = {probe: right(own[k]) for probe, own in n_right.items()}
        measures = {probe: float(found.mean()) for probe, found in outcomes.items()}
        records.append(Record(0, method, 4, width, measures, outcomes))
    return Comparison(records, 0.3, commonest_class=(0.25,))


@pytest.mark.parametrize(
    ("linear", "neighbours", "told"),
    [
        ((190, 150), (190, 150), ""),
        ((190, 189), (190, 189), " By this model, codes and components differ by no more than chance."),
        (
            (190, 150),
            (100, 150),
            " Nearest neighbours come to 50.0 % on the codes and 75.0 % on the components.",
        ),
        (
            (190, 150),
            (150, 151),
            " Nearest neighbours come to 75.0 % on the codes and 75.5 % on the components, no more than chance"
            " apart.",
        ),
    ],
    ids=["both gain", "chance", "neighbours lose", "neighbours see no difference"],
)
def test_the_result_says_what_is_chance_and_where_neighbours_say_otherwise(linear, neighbours, told):
    found = comparison(linear_probe=linear, knn_probe=neighbours)
    assert _result(found, N_TEST) == (
        f"A logistic regression on the 4 codes is right on 95.0 % of 200 labelled rows held out from it; on 3"
        f" principal components, on {linear[1] / 2:.1f} %; always answering the commonest class, on 25.0 %.{told}"
    )


def test_of_targets_the_result_is_r2():
    X, _ = two_halves()
    verdict = small_stack().fit(X).report(X, X[:, 0] + 0.1 * X[:, 1]).contents.section("verdict")
    lines = {line[0]: line for line in verdict.tables[0].lines}
    assert verdict.result.startswith(
        f"A ridge regression on the 3 codes has an R² of {lines['stackae'][2]} on 30 labelled rows held out from it;"
        f" on 3 principal components, of {lines['PCA'][2]}; always answering the mean, of about 0."
    )
    assert "commonest class" not in lines
    assert verdict.sentences[-1].startswith("Linear probe: a ridge regression ")
