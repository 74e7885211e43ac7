"""The points are the codes; colours mean what the legend or the colour bar says."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers import BRIEF, small_autoencoder
from pictures import faults
from sklearn.decomposition import PCA

from stackae import StackedAutoencoderClassifier
from stackae.exceptions import DataError, ParameterError
from stackae.plotting import CodesDisplay


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_two_codes_are_drawn_as_they_are(fitted):
    display = CodesDisplay.from_estimator(fitted.on_table, fitted.table)
    (points,) = display.ax_.collections
    np.testing.assert_array_equal(points.get_offsets(), fitted.on_table.transform(fitted.table))
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("code 0", "code 1")


def test_two_numbers_of_more_can_be_chosen(fitted):
    display = CodesDisplay.from_estimator(fitted.stack, fitted.X, method="codes", components=(2, 0))
    np.testing.assert_array_equal(display.points, fitted.stack.transform(fitted.X)[:, [2, 0]])
    assert display.ax_.get_xlabel() == "code 2"


def test_more_codes_are_seen_through_pca(fitted):
    display = CodesDisplay.from_estimator(fitted.stack, fitted.X)
    pca = PCA(2, random_state=0).fit(fitted.stack.transform(fitted.X))
    np.testing.assert_allclose(display.points, pca.transform(fitted.stack.transform(fitted.X)), atol=1e-5)
    share = f"{pca.explained_variance_ratio_[1]:.0%}"
    assert display.ax_.get_ylabel() == f"PC 2 of 3 codes, {share}"


def test_each_class_has_its_points_and_a_place_in_the_legend(fitted):
    display = CodesDisplay.from_estimator(fitted.on_table, fitted.table, fitted.table["city"])
    assert legend(display) == display.classes_ == ["Bonn", "Oslo", "Rome"]
    assert display.ax_.get_legend().get_title().get_text() == "city"
    codes = fitted.on_table.transform(fitted.table)
    for points, city in zip(display.ax_.collections, display.classes_, strict=True):
        np.testing.assert_array_equal(points.get_offsets(), codes[(fitted.table["city"] == city).to_numpy()])


@pytest.mark.parametrize("n_classes", [6, 10, 20])
def test_no_two_classes_look_alike(n_classes):
    points = np.random.default_rng(0).normal(size=(200, 2))
    display = CodesDisplay(points, np.arange(200) % n_classes).plot()
    looks = {
        (tuple(own.get_facecolor()[0]), own.get_paths()[0].vertices.tobytes())
        for own in display.ax_.collections
    }
    assert len(looks) == n_classes


def test_of_very_many_classes_the_rare_ones_share_a_grey():
    y = np.concatenate([np.repeat([f"class {k:02}" for k in range(30)], 3), np.repeat(["often"], 10)])
    display = CodesDisplay(np.zeros((len(y), 2)), y).plot()
    assert len(display.classes_) == 20
    assert display.classes_[-2:] == ["often", "others"]
    assert len(display.ax_.collections[-1].get_offsets()) == 12 * 3


def test_rows_without_a_label_are_shown_as_such():
    display = CodesDisplay(np.arange(8.0).reshape(4, 2), ["b", None, "a", "b"]).plot()
    assert legend(display) == ["a", "b", "no label"]
    assert display.ax_.collections[-1].get_offsets().tolist() == [[2, 3]]


def test_numbers_get_a_colour_bar(fitted):
    y = pd.Series(fitted.X.sum(1) + 0.5, name="ink")
    display = CodesDisplay.from_estimator(fitted.stack, fitted.X, y)
    assert display.classes_ is None
    assert display.ax_.get_legend() is None
    assert display.figure_.axes[1].get_ylabel() == "ink"
    (points,) = display.ax_.collections
    np.testing.assert_allclose(points.get_array(), np.sort(y))


def test_rows_without_a_number_have_a_place_in_the_legend(fitted):
    y = np.arange(len(fitted.X)) + 0.5
    y[::3] = np.nan
    display = CodesDisplay.from_estimator(fitted.stack, fitted.X, y)
    (text,) = display.ax_.get_legend().get_texts()
    assert text.get_text() == "no label"
    assert len(display.ax_.collections[0].get_offsets()) == np.isnan(y).sum()
    assert faults(display.figure_) == []
    y[::3] = 0
    assert CodesDisplay.from_estimator(fitted.stack, fitted.X, y).ax_.get_legend() is None


def test_errors_colour_the_points(fitted):
    display = CodesDisplay.from_estimator(fitted.stack, fitted.X, errors=True)
    (points,) = display.ax_.collections
    np.testing.assert_allclose(points.get_array(), np.sort(-fitted.stack.score_samples(fitted.X)), rtol=1e-5)
    assert display.figure_.axes[1].get_ylabel() == "reconstruction error"


def test_of_many_rows_some_are_drawn_with_their_labels(fitted):
    display = CodesDisplay.from_estimator(
        fitted.stack, fitted.X, np.arange(300) + 0.5, method="codes", max_samples=50
    )
    index = (np.asarray(display.y) - 0.5).astype(int)
    assert len(set(index)) == 50
    np.testing.assert_allclose(
        display.points, fitted.stack.transform(fitted.X[index])[:, :2], rtol=1e-4, atol=1e-5
    )


def test_dates_are_classes_also_of_some_of_the_rows():
    dates = np.array(["2024-01-01", "2024-02-01"], "datetime64[ns]")[np.arange(60) % 2]
    X = np.random.default_rng(0).normal(size=(60, 5))
    model = small_autoencoder(2, training=BRIEF).fit(X)
    for most in (None, 30):
        display = CodesDisplay.from_estimator(model, X, dates, max_samples=most)
        assert [name[:10] for name in display.classes_] == ["2024-01-01", "2024-02-01"]


def test_tsne_is_drawn_without_numbers_at_its_axes(fitted):
    display = CodesDisplay.from_estimator(fitted.stack, fitted.X[:40], method="tsne")
    assert display.points.shape == (40, 2)
    assert display.ax_.get_xlabel() == "t-SNE 1 of 3 codes"
    assert not len(display.ax_.get_xticks())


def test_umap_is_asked_where_it_is_installed_and_else_named(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ParameterError) as raised:
        CodesDisplay.from_estimator(fitted.stack, fitted.X, method="umap")
    assert str(raised.value) == "method='umap' needs umap-learn; pip install 'stackae[umap]'"

    class UMAP:
        def __init__(self, *, random_state):
            self.random_state = random_state

        def fit_transform(self, codes):
            return codes[:, :2] + self.random_state

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    display = CodesDisplay.from_estimator(fitted.stack, fitted.X, method="umap", random_state=7)
    np.testing.assert_array_equal(display.points, fitted.stack.transform(fitted.X)[:, :2] + 7)
    assert display.ax_.get_ylabel() == "UMAP 2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "mds"}, "method must be one of auto, codes, pca, tsne, umap, got 'mds'"),
        ({"components": (1, 2), "method": "tsne"}, r"components are those of codes and PCA, got \(1, 2\)"),
        ({"components": (0, 3)}, r"components must be two numbers below 3, got \(0, 3\)"),
        ({"y": np.zeros(300), "errors": True}, "coloured by y or by errors, not by both"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message, fitted):
    with pytest.raises(ParameterError, match=message):
        CodesDisplay.from_estimator(fitted.stack, fitted.X, **options)


def test_labels_of_another_number_and_a_single_code_are_refused(fitted):
    with pytest.raises(DataError, match="y must have one label a row, 300, got 10"):
        CodesDisplay.from_estimator(fitted.stack, fitted.X, np.arange(10))
    with pytest.raises(ParameterError, match="needs two code numbers or more, got 1"):
        CodesDisplay.from_estimator(small_autoencoder(1, training=BRIEF).fit(fitted.X), fitted.X)
    model = StackedAutoencoderClassifier((4,), finetune=BRIEF).fit(fitted.X, fitted.y)
    assert CodesDisplay.from_estimator(model, fitted.X).points.shape == (300, 2)
    with pytest.raises(ParameterError, match="needs a model that reconstructs"):
        CodesDisplay.from_estimator(model, fitted.X, errors=True)
