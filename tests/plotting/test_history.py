"""The curves are the history's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import BRIEF, small_autoencoder, small_stack

from stackae import StackedAutoencoderClassifier
from stackae.exceptions import ParameterError
from stackae.plotting import HistoryDisplay


def test_a_panel_a_phase_with_the_losses_of_its_epochs(fitted):
    display = HistoryDisplay.from_estimator(fitted.stack)
    panels = {axes.get_title(loc="left"): axes for axes in display.axes_}
    assert list(panels) == ["layer 1", "layer 2", "fine-tuning"]
    for title, layer in (("layer 1", 1), ("layer 2", 2), ("fine-tuning", None)):
        own = [record for record in fitted.stack.history_ if record["layer"] == layer]
        training, held_out = panels[title].lines
        assert training.get_ydata().tolist() == [record["loss"] for record in own]
        assert held_out.get_ydata().tolist() == [record["validation_loss"] for record in own]
        assert training.get_xdata().tolist() == list(range(1, len(own) + 1))
    (legend,) = [axes.get_legend() for axes in display.axes_ if axes.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == ["training", "held out"]


def test_labels_are_a_phase_of_their_own(fitted):
    model = StackedAutoencoderClassifier((4,), finetune=BRIEF, random_state=0).fit(fitted.X, fitted.y)
    titles = [axes.get_title(loc="left") for axes in HistoryDisplay.from_estimator(model).axes_]
    assert titles == ["layer 1", "learning the labels"]


def epochs(*losses, held_out=None):
    return [
        {"phase": "pretrain", "layer": 1, "epoch": k + 1, "loss": loss, "validation_loss": held_out}
        for k, loss in enumerate(losses)
    ]


@pytest.mark.parametrize(
    ("losses", "scale"), [((100, 5), "log"), ((9, 1), "linear"), ((100, -1), "linear"), ((0, 0), "linear")]
)
def test_the_axis_is_logarithmic_where_the_loss_falls_by_a_factor_of_ten(losses, scale):
    (axes,) = HistoryDisplay(epochs(*losses)).plot().axes_
    assert axes.get_yscale() == scale


def test_where_nothing_is_held_out_there_is_one_curve():
    (axes,) = HistoryDisplay(epochs(3, 2, 1)).plot().axes_
    assert [line.get_label() for line in axes.lines] == ["training"]


def test_a_single_epoch_is_seen():
    (axes,) = HistoryDisplay(epochs(3, held_out=2)).plot().axes_
    assert {line.get_marker() for line in axes.lines} == {"."}


def test_a_stack_that_was_not_trained_has_no_history(fitted):
    with pytest.raises(ParameterError, match="no epoch is in the history"):
        HistoryDisplay.from_estimator(small_stack((4, 2), pretrain=None, finetune=None).fit(fitted.X))


def test_epochs_of_partial_fit_are_counted_on(fitted):
    model = small_autoencoder(3)
    for _ in range(3):
        model.partial_fit(fitted.X)
    (axes,) = HistoryDisplay.from_estimator(model).axes_
    assert np.array_equal(axes.lines[0].get_xdata(), np.arange(1, len(model.history_) + 1))
