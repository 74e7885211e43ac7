"""How much more labels would help."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import SHORT, small_stack
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator

from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor
from stackae.evaluation import LabelCurve, label_curve
from stackae.exceptions import DataError, ParameterError


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(120, 4, centers=3, random_state=0)
    few = np.array(["abc"[k] for k in y], dtype=object)
    few[60:] = None
    return X, few


class Asked(StackedAutoencoderClassifier):
    """Remembers which rows its fits and scores were given labels of."""

    told: list = []  # noqa: RUF012 - of all clones together

    def fit(self, X, y):
        self.told.append(np.flatnonzero([label is not None for label in y]))
        return super().fit(X, y)

    def score(self, X, y):
        self.told.append(np.flatnonzero([label is not None for label in y]))
        return super().score(X, y)


def test_smaller_shares_lie_within_larger_ones_and_apart_from_what_is_held_out(blobs):
    X, few = blobs
    Asked.told = []
    encoder = FrozenEstimator(small_stack((4, 2)).fit(X))
    curve = label_curve(Asked(encoder, finetune=SHORT, random_state=0), X, few, shares=(0.2, 0.5, 1))
    assert curve.scores.shape == (3, 5)
    judged = []
    for fold in range(5):
        fits, held_out = Asked.told[6 * fold : 6 * fold + 6 : 2], Asked.told[6 * fold + 1 : 6 * fold + 6 : 2]
        assert set(fits[0]) < set(fits[1]) < set(fits[2])
        assert all(np.array_equal(own, held_out[0]) for own in held_out)
        assert sorted([*fits[2], *held_out[0]]) == list(range(60))
        assert len(fits[0]) == sum(np.ceil(0.2 * (few[fits[2]] == c).sum()) for c in "abc")
        judged += held_out[0].tolist()
    assert sorted(judged) == list(range(60))
    assert curve.n_labels[-1] == 48


def test_its_last_point_is_cross_validation_with_all_labels(blobs):
    X, few = blobs
    model = StackedAutoencoderClassifier(small_stack((4, 2), random_state=0), finetune=SHORT, random_state=0)
    curve = label_curve(model, pd.DataFrame(X), few, shares=(0.1, 1.0), n_folds=3)
    again = label_curve(model, X, few, shares=(0.1, 1.0), n_folds=3)
    np.testing.assert_array_equal(curve.scores, again.scores)
    assert curve.measure == "accuracy"
    assert curve.means[1] > 0.9
    assert not hasattr(model, "module_")


def test_numbers_are_judged_by_r2():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    y = np.where(np.arange(80) % 2, X @ [1, 2, 0, 0], np.nan)
    model = StackedAutoencoderRegressor(small_stack((4,), random_state=0), finetune=SHORT, random_state=0)
    curve = label_curve(model, X, y, shares=(0.2, 1))
    assert curve.measure == "r2"
    assert curve.n_labels == (7, 32)
    assert curve.means[1] > curve.means[0]


def test_it_says_what_the_last_labels_brought_and_whether_that_is_sure():
    rising = LabelCurve("accuracy", (10, 20), np.array([[0.5, 0.6, 0.55], [0.7, 0.75, 0.8]]))
    assert str(rising).splitlines() == [
        "   labels   accuracy in %",
        "       10   55.0 ± 2.9",
        "       20   75.0 ± 2.9",
        "from 10 to 20 labels: +20.0 ± 2.9 points (standard error): more labels are likely to help",
    ]
    flat = LabelCurve("r2", (1000, 2000), np.array([[0.5, 0.6, 0.55], [0.6, 0.5, 0.55]]))
    assert (
        str(flat).splitlines()[-1]
        == "from 1,000 to 2,000 labels: +0.000 ± 0.058 (standard error): no clear gain"
    )
    assert flat.to_dict()["labels"] == [1000, 2000]


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.5), (0.0, 1.0), (0.5, 1.1)])
def test_shares_that_do_not_rise_are_refused(shares, blobs):
    with pytest.raises(ParameterError, match="shares must rise within"):
        label_curve(StackedAutoencoderClassifier((2,)), *blobs, shares=shares)


def test_too_few_labels_are_refused(blobs):
    X, few = blobs
    one_of_a_class = np.where(np.arange(120) < 3, few, None)
    one_of_a_class[:3] = ["a", "a", "b"]
    with pytest.raises(
        DataError, match="at least 2 labels of each of two classes or more, got 1 of one class"
    ):
        label_curve(StackedAutoencoderClassifier((2,)), X, one_of_a_class)
    with pytest.raises(DataError, match="at least 2 numbers, got 1; give more"):
        label_curve(StackedAutoencoderRegressor((2,)), X, np.where(np.arange(120) == 5, 1.0, np.nan))
    with pytest.raises(DataError, match="one number a row"):
        label_curve(StackedAutoencoderRegressor((2,)), X, X)


def test_its_fits_are_not_calibrated_which_changes_no_accuracy(blobs, monkeypatch):
    X, few = blobs
    encoder = FrozenEstimator(small_stack((4, 2), random_state=0).fit(X))
    model = StackedAutoencoderClassifier(encoder, finetune=SHORT, calibration=3, random_state=0)
    plain = StackedAutoencoderClassifier(encoder, finetune=SHORT, random_state=0)
    expected = label_curve(plain, X, few, shares=(0.2, 1.0), n_folds=2)
    fits = []
    fit = StackedAutoencoderClassifier.fit
    monkeypatch.setattr(
        StackedAutoencoderClassifier,
        "fit",
        lambda self, X, y: fits.append(self.calibration) or fit(self, X, y),
    )
    curve = label_curve(model, X, few, shares=(0.2, 1.0), n_folds=2)
    assert fits == [None] * 4
    assert model.calibration == 3
    np.testing.assert_array_equal(curve.scores, expected.scores)
