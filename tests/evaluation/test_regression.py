"""Features judged by how well numbers are predicted from them."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import BRIEF, SHORT, small_stack
from scipy.stats import ttest_rel
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA

from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor
from stackae.evaluation import Comparison, Record, Split, compare, compare_fitted, resplit, summary
from stackae.exceptions import DataError


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X, y


@pytest.fixture(scope="module")
def found(diabetes):
    methods = ("stackae", "PCA", "random features", "raw rows")
    stack = small_stack((6, 1), pretrain=BRIEF, finetune=BRIEF)
    return compare(
        stack, resplit(*diabetes), (2, 4), methods=methods, n_splits=3, few_labels=(20,), n_draws=2
    )


def test_targets_are_predicted_and_judged_by_r2(found, diabetes):
    assert found.task == "regress"
    assert {measure.key: measure.title for measure in found.measures} == {
        "linear_probe": "linear probe",
        "knn_probe": "k-NN probe",
        "few_labels_20": "20 labels",
        "r2": "reconstruction",
    }
    assert not any(measure.is_share for measure in found.measures)
    # Ridge regression on the ten columns is known to explain about half of the variance.
    assert np.mean(found.values("linear_probe", "raw rows", None)) == pytest.approx(0.48, abs=0.08)
    assert all("clusters" not in record.measures for record in found.records)
    raw = [line for line in summary(found) if line["method"] == "raw rows"]
    assert raw[0]["linear_probe"].half_width > 0


def test_verdicts_speak_of_r2_and_json_says_the_task(found):
    worth, *widths = found.verdicts()
    assert "worth it at" in worth
    for sentence in widths:
        assert sentence.count(" of R²") == 2
        assert "points" not in sentence
        assert ", reconstruction " in sentence
    table = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert table["task"] == "regress"
    assert {test["measure"] for test in table["against_pca"]} == {"linear_probe", "knn_probe"}


def test_a_gain_in_r2_is_told_in_r2():
    def at(method, *scores):
        return [
            Record(k, method, 2, 2, {"linear_probe": r2, "knn_probe": 0.5}) for k, r2 in enumerate(scores)
        ]

    records = [*at("stackae", 0.45, 0.46, 0.44), *at("PCA", 0.40, 0.42, 0.38)]
    _, at_2 = Comparison(records, 0.0, task="regress").verdicts()
    # As of accuracies: mean .05, standard error .01/√3, t of 2 degrees of freedom 4.303.
    assert at_2 == (
        "at 2 dimensions, against PCA: linear probe +0.050 ± 0.025 of R², k-NN probe +0.000 ± 0.000 of R²"
        " (within chance)"
    )


def test_on_one_split_the_test_is_over_the_squared_errors_of_its_rows(diabetes):
    split = resplit(*diabetes)(0)
    ours, theirs = PCA(4, random_state=0).fit(split.X), "PCA"
    comparison = compare_fitted(ours, split.X[:, ::-1] ** 2, split, methods=(theirs,), few_labels=())
    own, other = (record.outcomes["linear_probe"] for record in comparison.records)
    found = comparison.difference("linear_probe", 4)
    assert found.p_value == pytest.approx(ttest_rel(own, other).pvalue)
    values = [record.measures["linear_probe"] for record in comparison.records]
    assert found.mean == pytest.approx(values[0] - values[1])
    assert values[0] == pytest.approx(1 - own.mean())


def test_splits_made_by_hand_are_taken_as_the_first_one_is(diabetes):
    X, y = diabetes
    splits = [
        Split(X[:300], y[:300] / 2, X[300:], y[300:] / 2),
        Split(X[:300], y[:300] % 3, X[300:], y[300:] % 3),
    ]
    stack = small_stack((6, 1), pretrain=BRIEF, finetune=BRIEF)
    found = compare(stack, lambda seed: splits[seed], (2,), methods=("PCA",), n_splits=2, few_labels=())
    assert found.task == "regress"
    assert [record.outcomes["linear_probe"].dtype for record in found.records] == [np.float64] * 2


def test_test_rows_of_one_target_are_refused(diabetes):
    X, y = diabetes
    split = Split(X[:300], y[:300], X[300:], np.full(142, 99.0), "regress")
    with pytest.raises(DataError, match="targets must differ among the 142 test rows"):
        compare_fitted(PCA(2).fit(X[:300]), X[:300], split, methods=(), few_labels=())


# Predictors ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classes(diabetes):
    X, y = diabetes
    return X, np.where(y > np.median(y), "ill", "well")


def test_a_classifiers_codes_are_judged_and_its_predictions_beside_them(classes):
    split = resplit(*classes)(0)
    model = StackedAutoencoderClassifier(small_stack((8, 3)), finetune=SHORT, random_state=0).fit(
        split.X, split.y
    )
    comparison = compare_fitted(model, split.X, split, methods=("PCA", "untrained stack"), few_labels=(10,))
    assert comparison.methods == ["stackae", "stackae head", "PCA"]
    codes, head, _ = comparison.records
    assert "linear_probe" in codes.measures
    assert "r2" not in codes.measures
    assert head.measures == {"head": pytest.approx(model.score(split.X_test, split.y_test))}
    assert [measure.key for measure in comparison.measures][-3:] == ["head", "clusters", "r2"]
    assert (head.width, head.n_features) == (3, 3)
    assert len(comparison.verdicts()) == 2
    assert len(summary(comparison)) == 4  # the last is of the commonest class


def test_a_regressors_codes_are_judged_and_its_predictions_beside_them(diabetes):
    split = resplit(*diabetes)(0)
    model = StackedAutoencoderRegressor(small_stack((8, 3)), finetune=SHORT, random_state=0).fit(
        split.X, split.y
    )
    comparison = compare_fitted(model, split.X, split, methods=("PCA",), few_labels=())
    assert comparison.task == "regress"
    assert comparison.records[1].measures == {"head": pytest.approx(model.score(split.X_test, split.y_test))}


def test_predictions_of_something_else_are_left_out(classes, diabetes):
    of_classes, of_targets = resplit(*classes)(0), resplit(*diabetes)(0)
    encoder = small_stack((8, 3), pretrain=BRIEF, finetune=BRIEF)
    classifier = StackedAutoencoderClassifier(encoder, finetune=BRIEF).fit(of_classes.X, of_classes.y)
    regressor = StackedAutoencoderRegressor(encoder, finetune=BRIEF)
    several = regressor.fit(of_targets.X, np.c_[of_targets.y, of_targets.y])
    others = of_classes._replace(y=np.char.add(of_classes.y, "!"), y_test=np.char.add(of_classes.y_test, "!"))
    numbers = of_classes._replace(y=of_classes.y == "ill", y_test=of_classes.y_test == "ill")
    for model, split in (
        (classifier, of_targets),
        (classifier, others),
        (classifier, numbers),
        (several, of_targets),
    ):
        comparison = compare_fitted(model, split.X, split, methods=(), few_labels=())
        assert comparison.methods == ["stackae"]


def test_a_model_of_named_columns_is_judged_on_a_frame_without_a_warning(diabetes):
    X, y = diabetes
    frame = pd.DataFrame(X, columns=[f"c{k}" for k in range(10)])
    model = small_stack((8, 3), pretrain=BRIEF, finetune=BRIEF).fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        comparison = compare_fitted(
            model, frame, resplit(frame, pd.Series(y))(0), methods=("PCA",), few_labels=()
        )
    assert comparison.methods == ["stackae", "PCA"]
