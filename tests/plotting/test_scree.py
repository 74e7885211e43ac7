"""R² of models and of PCA are taken by one rule."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import BRIEF, small_autoencoder, small_stack
from sklearn.decomposition import PCA

from stackae import StackedAutoencoderClassifier
from stackae.exceptions import DataError, ParameterError
from stackae.plotting import ScreeDisplay


def test_pcas_curve_is_the_share_of_the_variance_that_it_explains(fitted):
    display = ScreeDisplay.from_estimator(fitted.stack, fitted.X)
    expected = np.cumsum(PCA(10, svd_solver="full").fit(fitted.X).explained_variance_ratio_)
    np.testing.assert_allclose(display.pca_r2, expected, atol=1e-5)
    curve, model = display.ax_.lines
    np.testing.assert_array_equal(curve.get_xdata(), np.arange(1, 11))
    np.testing.assert_array_equal(curve.get_ydata(), display.pca_r2)
    assert model.get_xdata().tolist() == [3]
    assert model.get_ydata() == pytest.approx([fitted.stack.score(fitted.X)], abs=1e-5)


def test_several_models_are_a_curve_in_the_order_of_their_widths(fitted):
    display = ScreeDisplay.from_estimator([fitted.wide, fitted.stack], fitted.X)
    assert display.ax_.lines[1].get_xdata().tolist() == [3, 8]
    scores = [model.score(fitted.X) for model in (fitted.stack, fitted.wide)]
    assert display.r2 == pytest.approx(scores, abs=1e-5)
    assert len(display.pca_r2) == 16


def test_a_model_of_ordered_codes_has_a_point_for_each_octave_of_them(fitted):
    model = small_stack((8, 6), ordered=True).fit(fitted.X)
    display = ScreeDisplay.from_estimator(model, fitted.X)
    assert display.n_codes.tolist() == [1, 2, 4, 6]
    scores = [model.truncated(k).score(fitted.X) for k in (1, 2, 4, 6)]
    assert display.r2 == pytest.approx(scores, abs=1e-5)


def test_a_model_that_is_pca_lies_on_its_curve_in_the_units_of_the_model(table):
    model = small_autoencoder(2, network="pca", scale="standard").fit(table[:, :5])
    display = ScreeDisplay.from_estimator(model, table[:, :5])
    assert display.r2[0] == pytest.approx(display.pca_r2[1], abs=1e-4)
    assert display.pca_r2[-1] == pytest.approx(1)


def test_of_a_table_each_column_counts_once_as_in_score(fitted):
    complete = fitted.table.dropna()
    display = ScreeDisplay.from_estimator(fitted.on_table, complete)
    assert display.r2 == pytest.approx([fitted.on_table.score(complete)], abs=1e-5)
    # By hand: what PCA leaves of each encoded column, shared out to the columns of the table.
    z = fitted.on_table.table_encoder_.transform(complete)
    scaling = fitted.on_table.module_[0].scaling
    z = (z - scaling.shift.numpy()) / scaling.factor.numpy()
    pca = PCA(3, svd_solver="full").fit(z)
    left = np.square(z - pca.inverse_transform(pca.transform(z))).sum(0)
    varied = np.square(z - z.mean(0)).sum(0)
    owner = fitted.on_table.table_encoder_.column_of_
    each = [1 - left[owner == k].sum() / varied[owner == k].sum() for k in np.unique(owner)]
    assert display.pca_r2[2] == pytest.approx(np.mean(each))


def test_gaps_are_bridged(fitted):
    display = ScreeDisplay.from_estimator(fitted.on_table, fitted.table)
    assert np.isfinite(display.pca_r2).all()
    assert np.isfinite(display.r2).all()
    assert display.r2 == pytest.approx([fitted.on_table.score(fitted.table)], abs=1e-5)


def test_what_cannot_be_compared_is_refused(fitted):
    with pytest.raises(DataError, match="X does not vary"):
        ScreeDisplay.from_estimator(fitted.stack, np.ones((5, 64), np.float32))
    with pytest.raises(ParameterError, match="needs a model, got none"):
        ScreeDisplay.from_estimator([], fitted.X)
    model = StackedAutoencoderClassifier((4,), finetune=BRIEF).fit(fitted.X, fitted.y)
    with pytest.raises(ParameterError, match="needs a model that reconstructs"):
        ScreeDisplay.from_estimator(model, fitted.X)
    other = small_stack((4, 2), missing_values=np.nan, columns={"smokes": "category"}).fit(fitted.table)
    with pytest.raises(ParameterError, match="the models encode X to different columns"):
        ScreeDisplay.from_estimator([fitted.on_table, other], fitted.table)
    with pytest.raises(ParameterError, match="one R² for each number of codes, got 1 and 2"):
        ScreeDisplay([1, 2], [0.5], [0.1])
