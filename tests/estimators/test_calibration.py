"""Temperatures: a known answer, what they do to probabilities, and that they are kept."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import small_stack
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from stackae import StackedAutoencoder, StackedAutoencoderClassifier, Training, load
from stackae._utils.constraints import InvalidParameterError
from stackae.estimators._calibration import temperature
from stackae.exceptions import DataError, StackaeWarning


@pytest.mark.parametrize("factor", [0.2, 1.0, 7.0])
def test_a_factor_of_calibrated_logits_is_found(factor):
    """Labels in exactly the shares that the logits say: the likeliest temperature is the factor."""
    logits = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    labels = np.tile(np.repeat([0, 1, 2, 0, 1, 2], [5, 3, 2, 1, 1, 8]), 1000)
    rows = np.tile(np.repeat([0, 1], 10), 1000)
    assert temperature(factor * logits[rows], labels) == pytest.approx(factor, rel=1e-3)


def test_weights_are_counts_but_for_the_one_label_of_every_class():
    logits, labels = np.log([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])
    counted = temperature(np.repeat(logits, [300, 100], 0), np.repeat(labels, [300, 100]))
    assert temperature(logits, labels, np.array([300.0, 100.0])) == pytest.approx(counted)


def test_few_labels_that_are_all_right_do_not_make_it_certain():
    """Of n labels and one of both classes alike: (n + 1/2) / (n + 1)."""
    logits = np.tile([2.0, 0.0], (9, 1))
    found = 1 / (1 + np.exp(-2 / temperature(logits, np.zeros(9, int))))
    assert found == pytest.approx(0.95, abs=1e-4)


@pytest.fixture(scope="module")
def noisy():
    X, y = make_classification(2000, 10, flip_y=0.3, random_state=0)
    labels = np.array(["no", "yes"], dtype=object)[y]
    few = labels.copy()
    few[100:] = None
    return X, few, labels


def predictor(X, **own):
    encoder = FrozenEstimator(StackedAutoencoder((32, 8), shortcut=None, random_state=0).fit(X))
    return StackedAutoencoderClassifier(encoder, random_state=0, **own)


def test_what_is_too_sure_becomes_less_so_and_predicts_the_same(noisy, tmp_path):
    X, few, labels = noisy
    plain = predictor(X, class_weight={"no": 2.0}).fit(X, few)
    model = predictor(X, class_weight={"no": 2.0}, calibration=3).fit(X, few)
    assert model.temperature_ > 1.2
    np.testing.assert_allclose(
        model.decision_function(X), plain.decision_function(X) / model.temperature_, atol=1e-5
    )
    assert (model.predict(X) == plain.predict(X)).all()
    unseen = slice(100, None)
    better, worse = (log_loss(labels[unseen], m.predict_proba(X[unseen])) for m in (model, plain))
    assert better < worse
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.temperature_ == model.temperature_
    assert not hasattr(model.set_params(calibration=None).fit(X, few), "temperature_")


def test_it_goes_with_spread_labels_and_repeats(noisy):
    X, few, _ = noisy
    own = {"semi": "propagation", "finetune": Training(updates=100), "calibration": 2}
    first, again = (predictor(X, **own).fit(X, few) for _ in range(2))
    assert first.temperature_ == again.temperature_
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))


def test_a_class_with_a_single_label_cannot_be_calibrated(digits):
    few = np.full(len(digits), np.nan)
    few[:3] = 0, 0, 1
    model = StackedAutoencoderClassifier(small_stack(), calibration=2)
    with pytest.raises(DataError, match="at least 2 labels of each class, got 1 of 1; leave"):
        model.fit(digits, few)
    with pytest.raises(InvalidParameterError, match="'calibration' parameter"):
        model.set_params(calibration=1).fit(digits, few)


def test_each_fold_is_named_and_fewer_than_asked_are_told(noisy, capsys):
    X, few, _ = noisy
    model = StackedAutoencoderClassifier(
        FrozenEstimator(small_stack().fit(X)), finetune=Training(max_epochs=1), calibration=5, verbose=1
    )
    rare = few.copy()
    rare[np.flatnonzero(few == "yes")[3:]] = None
    with pytest.warns(StackaeWarning, match="calibration=5 takes 3 folds: class 'yes' has 3 labels"):
        model.fit(X, rare)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("calibration")]
    assert said == [f"calibration: fold {k} of 3" for k in (1, 2, 3)]
    with pytest.warns(StackaeWarning, match="takes 3 folds"):
        model.set_params(verbose=0).fit(X, rare)
    assert capsys.readouterr().err == ""
