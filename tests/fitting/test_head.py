from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import StratifiedKFold

from stackae import StackedAutoencoder, StackedAutoencoderClassifier, StackedAutoencoderRegressor, Training
from stackae.fitting.head import Linear, better, fit_logistic, fit_ridge, scalings
from stackae.modules.scaling import Scaling

LITTLE = Training(max_epochs=1, learning_rate=1e-9, validation_fraction=0.0)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X - X.mean(0), y.astype(float)


def linear(*losses):
    return Linear(np.zeros((1, 1)), np.zeros(1), None, np.array(losses))


@pytest.mark.parametrize("first", [0, 50])
def test_few_labels_choose_how_strongly_the_head_is_regularised(iris, first):
    X, y = iris[0][first:], iris[1][first:]
    found = fit_logistic(X, y, None)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    choices = np.array([1, 10, 100, 1000]) / 4
    losses = np.zeros((5, 4))
    for k, (fitted, held_out) in enumerate(folds.split(X, y)):
        for c, choice in enumerate(choices):
            model = LogisticRegression(C=choice, tol=1e-8, max_iter=10_000).fit(X[fitted], y[fitted])
            likely = model.predict_log_proba(X[held_out])
            losses[k, c] = -likely[np.arange(len(held_out)), y[held_out].astype(int) - first // 50].mean()
    best = losses.mean(0).argmin()
    np.testing.assert_allclose(found.losses, losses[:, best], rtol=0.02)
    expected = LogisticRegression(C=choices[best]).fit(X, y)
    np.testing.assert_allclose(found.coef, expected.coef_, rtol=1e-6)
    np.testing.assert_array_equal(found.classes, np.unique(y))


def test_with_many_labels_or_one_of_a_class_nothing_is_held_out(iris):
    X, y = iris
    many = fit_logistic(np.tile(X, (4, 1)), np.tile(y, 4), None)
    alone = fit_logistic(X[:51], y[:51], None)
    assert len(many.losses) == len(alone.losses) == 0
    expected = LogisticRegression(C=10 / 4).fit(X[:51], y[:51])
    np.testing.assert_allclose(alone.coef, expected.coef_)
    assert fit_logistic(X[:50], y[:50], None) is None


def test_weights_count_where_the_head_is_judged(iris):
    X, y = iris
    wrong = y.copy()
    wrong[:10] = 2.0
    weights = np.where(y == wrong, 1.0, 1e-9)
    assert fit_logistic(X, wrong, None).losses.mean() > 3 * fit_logistic(X, wrong, weights).losses.mean()


def test_numbers_are_judged_by_those_left_out_one_at_a_time(iris):
    X, _ = iris
    found = fit_ridge(X[:, :3], X[:, 3:], None)
    model = RidgeCV((0.1, 1.0, 10.0, 100.0, 1000.0), store_cv_results=True).fit(X[:, :3], X[:, 3])
    np.testing.assert_allclose(found.coef[0], model.coef_)
    np.testing.assert_allclose(found.losses.mean(), model.cv_results_.mean(0).min())
    two = fit_ridge(X[:, :2], X[:, 2:], None)
    assert two.coef.shape == (2, 2)
    assert two.losses.shape == (150,)


def test_standardised_codes_are_taken_where_they_are_better_by_a_standard_error():
    first = linear(1.0, 2.0, 3.0)
    assert better(first, linear(0.8, 1.9, 2.7))
    assert not better(first, linear(0.0, 3.0, 2.9))
    assert not better(first, first)
    assert better(linear(), linear())


def test_the_scalings_by_hand():
    standard = Scaling(torch.tensor([1.0, 2.0]).double(), torch.tensor([3.0, 1.0]).double())
    common, evened = scalings(standard, 500)
    spread = 5**0.5
    np.testing.assert_allclose(common.factor, [spread, spread])
    np.testing.assert_allclose(evened.factor, [(9 + 0.45) ** 0.5, (1 + 0.45) ** 0.5])
    np.testing.assert_allclose(common.shift, [1, 2])
    (alone,) = scalings(standard, 501)  # nothing is chosen, so nothing is fitted in vain
    np.testing.assert_allclose(alone.factor, evened.factor)


@pytest.mark.parametrize("large", [0, 1])
def test_a_head_finds_what_tells_classes_apart_in_units_of_much_or_of_little_variance(large):
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    X = rng.normal(size=(400, 2)) * [10, 1]
    X[:, large] = (y - 0.5) * (20 if large == 0 else 3) + rng.normal(size=400) * 0.3
    stack = StackedAutoencoder([2], pretrain=None, finetune=None, scale=None, random_state=0).fit(X)
    few = np.where(np.arange(400) < 30, y, -1)
    model = StackedAutoencoderClassifier(FrozenEstimator(stack), finetune=LITTLE, unlabelled=-1)
    assert model.fit(X, few).score(X[30:], y[30:]) > 0.95


def test_a_regressor_starts_as_the_better_ridge_regression():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X @ [1.0, 2.0, 3.0, 4.0]
    stack = StackedAutoencoder([8], pretrain=None, finetune=None, random_state=0).fit(X)
    model = StackedAutoencoderRegressor(FrozenEstimator(stack), finetune=LITTLE).fit(X, y)
    codes = stack.transform(X).astype(float)
    targets = (y - y.mean()) / y.std()
    errors = []
    for scale in (codes.std(0), np.full(8, np.sqrt((codes.std(0) ** 2).mean()))):
        z = (codes - codes.mean(0)) / scale
        fitted = RidgeCV((0.1, 1.0, 10.0, 100.0, 1000.0)).fit(z, targets)
        errors.append(np.abs(fitted.predict(z) * y.std() + y.mean() - model.predict(X)).max() / y.std())
    assert min(errors) < 1e-3
