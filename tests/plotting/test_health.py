"""The bars are the health reports' numbers."""

from __future__ import annotations

import pytest
from helpers import BRIEF, small_stack
from pictures import faults, tick_labels
from sklearn.frozen import FrozenEstimator

from stackae import StackedAutoencoderClassifier
from stackae.exceptions import ParameterError
from stackae.plotting import HealthDisplay

NAMES = ["dead units", "saturated units", "active cells", "effective rank"]


def report(**own):
    given = {"dead_units": 0.25, "saturated_units": 0.5, "active_cells": 0.75, "effective_rank": 3.0}
    return {**given, "mean_activity": 0.2, "variance_reconstructed": 0.9, **own}


def test_a_fine_tuned_stack_has_bars_for_each_layer_but_no_r2_of_its_layers(fitted):
    display = HealthDisplay.from_estimator(fitted.stack)
    assert tick_labels(display.ax_.yaxis) == NAMES
    first, second = fitted.stack.health_
    for bars, own, units in zip(display.ax_.containers, (first, second), (12, 3), strict=True):
        expected = [
            own["dead_units"],
            own["saturated_units"],
            own["active_cells"],
            own["effective_rank"] / units,
        ]
        assert [bar.get_width() for bar in bars] == pytest.approx(expected)


def test_a_stack_that_is_not_fine_tuned_tells_how_well_each_layer_reconstructs(fitted):
    stack = small_stack((6, 3), finetune=None).fit(fitted.X)
    display = HealthDisplay.from_estimator(stack)
    assert tick_labels(display.ax_.yaxis) == [*NAMES, "R² of its inputs"]
    drawn = [bars[4].get_width() for bars in display.ax_.containers]
    assert drawn == pytest.approx([max(own["variance_reconstructed"], 0) for own in stack.health_])


def test_of_a_frozen_stack_that_was_trained_elsewhere_nothing_is_said_of_single_layers(fitted):
    model = StackedAutoencoderClassifier(FrozenEstimator(fitted.stack), finetune=BRIEF)
    display = HealthDisplay.from_estimator(model.fit(fitted.X, fitted.y))
    assert tick_labels(display.ax_.yaxis) == NAMES


def test_beside_the_bars_stands_what_they_are_shares_of(fitted):
    display = HealthDisplay([report()], [4]).plot()
    said = [text.get_text() for text in display.ax_.texts]
    assert said == ["1 of 4", "2 of 4", "75 %", "3.0 of 4", "0.90"]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["layer 1, mean activity 0.2"]


def test_shares_end_at_100_percent_and_what_they_are_of_stands_behind_in_line():
    display = HealthDisplay([report(active_cells=1.0)], [4]).plot()
    assert display.ax_.get_xlim() == (0, 1)
    assert tick_labels(display.ax_.xaxis)[-1] == "100 %"
    assert {text.xy[0] for text in display.ax_.texts} == {1}
    assert faults(display.figure_) == []


def test_a_negative_r2_is_told_and_has_no_bar():
    display = HealthDisplay([report(variance_reconstructed=-0.3)], [4]).plot()
    assert display.ax_.texts[-1].get_text() == "-0.30"
    assert display.ax_.patches[-1].get_width() == 0


def test_reports_and_units_are_of_one_number():
    with pytest.raises(ParameterError, match="a report and a number of units a layer, got 1 and 2"):
        HealthDisplay([report()], [4, 2])
