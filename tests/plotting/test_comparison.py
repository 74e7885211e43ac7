"""A comparison's picture has a line a method in each panel, within what figures can be."""

from __future__ import annotations

import numpy as np
import pytest

from stackae.evaluation import METHODS, Comparison, Record
from stackae.exceptions import ParameterError
from stackae.plotting import ComparisonDisplay


def values(method, *accuracies, width=2, **more):
    return [
        Record(k, method, width, width, {"linear_probe": a, "knn_probe": 0.5, **more})
        for k, a in enumerate(accuracies)
    ]


def test_the_picture_has_a_line_a_method_in_each_panel(tmp_path):
    records = [
        record
        for k, name in enumerate(METHODS)
        for width in (2, 4)
        for record in values(name, 0.9 - k / 20, 0.8 - k / 20, 0.7, width=width, few_labels_9=0.5)
    ]
    display = ComparisonDisplay(Comparison(records, 0.3, few_labels=(9,)), title="wine").plot()
    assert len(display.axes_) == 3
    for axis in display.axes_:
        assert len(axis.containers) == len(METHODS)
        assert len({(c[0].get_color(), c[0].get_marker()) for c in axis.containers}) == len(METHODS)
        assert axis.get_ylabel() == "accuracy on\ntest rows, %"
    line = display.axes_[0].containers[0][0]
    assert line.get_xdata() == pytest.approx([2, 4], rel=0.2)
    assert line.get_ydata() == pytest.approx([80, 80])
    display.save(tmp_path / "table.svg")
    assert (tmp_path / "table.svg").read_text().startswith("<?xml")
    with pytest.raises(ParameterError, match=r"table\.docx.*'docx'"):
        display.save(tmp_path / "table.docx")


@pytest.mark.parametrize("widths", [(8,), (2, 4, 8), (10, 10_000)])
def test_methods_stand_beside_each_other_and_nearer_to_their_width_than_to_the_next(widths):
    records = [r for name in METHODS for w in widths for r in values(name, 0.9, 0.8, 0.7, width=w)]
    axis = ComparisonDisplay(Comparison(records, 0.3)).plot().ax_
    of_methods = np.array([container[0].get_xdata() for container in axis.containers], float)
    low, high = axis.get_xlim()
    for k, width in enumerate(widths):
        own = of_methods[:, k]
        assert (np.diff(own) > 0).all()
        assert np.log(own).mean() == pytest.approx(np.log(width))
        assert width / 1.5 < own.min() < own.max() < 1.5 * width
        assert low < own.min() < own.max() < high
        if len(widths) == 3:
            assert own.max() < width * 2**0.5


@pytest.mark.parametrize(
    "splits", [(0.3, 0.9, 1.0), (0.05, 0.9), (0.98, 0.99, 1.0), (0.0, 0.02, 0.3), (0.5,)]
)
def test_the_picture_draws_nothing_outside_0_and_100_percent(splits):
    comparison = Comparison([*values("stackae", *splits), *values("PCA", *splits)], 0.0)
    axes = ComparisonDisplay(comparison).plot().axes_
    for axis in axes:
        low, high = axis.get_ylim()
        assert 0 <= low < high <= 101
        for container in axis.containers:
            (bars,) = container.lines[2]
            ends = np.array(bars.get_segments())[:, :, 1]
            assert ends.min() >= 0
            assert ends.max() <= 100
    (bars,) = axes[0].containers[0].lines[2]
    if len(splits) == 2:  # their range
        assert bars.get_segments()[0][:, 1] == pytest.approx([100 * min(splits), 100 * max(splits)])


def test_the_picture_is_of_r2():
    low = [
        Record(k, method, 2, 2, {"linear_probe": r2, "knn_probe": r2})
        for method in ("stackae", "PCA")
        for k, r2 in enumerate((-9.0, 0.99, 1.0))
    ]
    axis = ComparisonDisplay(Comparison(low, 0.0, task="regress")).plot().ax_
    assert axis.get_ylabel() == "R² on test rows"
    assert axis.get_ylim() == (-1, 1.01)
    (bars,) = axis.containers[0].lines[2]
    assert bars.get_segments()[0][:, 1].max() <= 1


def test_a_predictors_own_head_is_no_line():
    records = [
        *values("stackae", 0.9, 0.8),
        *values("PCA", 0.8, 0.7),
        Record(0, "stackae head", 2, 2, {"head": 0.9}),
    ]
    axes = ComparisonDisplay(Comparison(records, 0.0)).plot().axes_
    assert [container.get_label() for container in axes[0].containers] == ["stackae", "PCA"]
