"""Every display: readable, itself without matplotlib's global state, drawn again, saved."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from pictures import DISPLAYS, faults, pixels, tick_labels

import stackae.plotting
from stackae.exceptions import ParameterError
from stackae.plotting import HealthDisplay, HistoryDisplay, LoadingsDisplay
from stackae.plotting.display import shortened

KINDS = stackae.plotting.__all__


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_picture_of_300_pixels_is_readable(name, fitted):
    display = DISPLAYS[name](fitted, None)
    assert faults(display.figure_) == []
    image = pixels(display)
    assert image.shape[1] == 300
    ink = (image[..., :3] < 0.9).any(-1)
    assert ink.mean() > 0.01
    # It fills the figure: no half of it is empty.
    height, width = ink.shape
    for half in (ink[: height // 2], ink[height // 2 :], ink[:, : width // 2], ink[:, width // 2 :]):
        assert half.any()
    assert all(text.get_fontsize() >= 8 for text in display.figure_.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("name", DISPLAYS)
def test_every_axis_says_what_it_shows(name, fitted):
    display = DISPLAYS[name](fitted, None)
    for axes in display.axes_:
        ticks = tick_labels(axes.yaxis)
        names = [label for label in ticks if any(letter.isalpha() for letter in label)]
        assert axes.get_ylabel() or len(names) == len(ticks), ticks  # nothing, or words
    last = display.axes_[-1]
    assert last.get_xlabel() or last.get_xticks().size == 0


@pytest.mark.parametrize("name", DISPLAYS)
def test_nothing_global_is_changed(name, fitted):
    before, figures = dict(matplotlib.rcParams), plt.get_fignums()
    with matplotlib.rc_context():
        display = DISPLAYS[name](fitted, None)
        pixels(display)
        assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == figures


@pytest.mark.parametrize("name", DISPLAYS)
def test_it_is_drawn_into_an_axes_that_is_given(name, fitted):
    figure = Figure(figsize=(9, 12), layout="constrained")
    left, right = figure.subplots(1, 2)
    display = DISPLAYS[name](fitted, left)
    assert display.figure_ is figure
    assert right.has_data() is False
    assert display.ax_ is display.axes_[0]
    if len(display.axes_) == 1:
        assert display.ax_ is left
    else:
        assert left.axison is False
        own = left.get_subplotspec().get_position(figure)
        figure.set_layout_engine("none")
        for axes in display.axes_:
            assert axes.get_subplotspec().get_position(figure).x1 <= own.x1 + 1e-9
    assert display._repr_png_() is None  # a notebook shows the figure already


@pytest.mark.parametrize("name", DISPLAYS)
def test_it_is_drawn_again_without_the_model(name, fitted):
    display = DISPLAYS[name](fitted, None)
    first = pixels(display)
    assert display.plot() is display
    assert np.array_equal(pixels(display), first)


def test_several_axes_are_taken_one_for_each(fitted):
    figure = Figure()
    axes = figure.subplots(3, 1)
    display = HistoryDisplay.from_estimator(fitted.stack, ax=axes)
    assert list(display.axes_) == list(axes)
    with pytest.raises(ParameterError, match="HistoryDisplay has 3 axes to draw, got 2 in ax"):
        HistoryDisplay.from_estimator(fitted.stack, ax=axes[:2])
    loose = figure.add_axes((0, 0, 1, 1))
    with pytest.raises(ParameterError, match=r"cannot be divided; give one of figure\.subplots"):
        HistoryDisplay.from_estimator(fitted.stack, ax=loose)


def test_a_subfigure_is_saved_with_its_figure(fitted):
    figure = Figure(figsize=(4, 3))
    part, _ = figure.subfigures(1, 2)
    display = HealthDisplay.from_estimator(fitted.stack, ax=part.subplots())
    assert display.figure_ is part
    assert pixels(display).shape[:2] == (225, 300)


def test_it_is_saved_by_its_ending_and_whole_or_not_at_all(fitted, tmp_path):
    display = HealthDisplay.from_estimator(fitted.stack)
    display.save(tmp_path / "health.svg")
    assert (tmp_path / "health.svg").read_text().startswith("<?xml")
    with pytest.raises(ParameterError, match=r"health\.docx: unknown ending 'docx'"):
        display.save(tmp_path / "health.docx")
    assert [path.name for path in tmp_path.iterdir()] == ["health.svg"]
    file = BytesIO()
    display.save(file)
    assert file.getvalue().startswith(b"\x89PNG")
    assert display._repr_png_().startswith(b"\x89PNG")


def test_what_was_never_drawn_is_drawn_to_be_saved():
    display = LoadingsDisplay([[1.0, 2.0]], ["code"], ["a", "b"])
    assert display._repr_png_() is None
    assert pixels(display).shape[1] == 300


def test_a_transparent_picture_has_nothing_behind_it(fitted):
    display = HealthDisplay.from_estimator(fitted.stack)
    assert pixels(display)[0, 0].tolist() == [1, 1, 1, 1]
    assert pixels(display, transparent=True)[0, 0, 3] == 0


def test_the_names_are_those_of_the_displays():
    assert sorted(stackae.plotting.__all__) == sorted(
        f"{kind}Display"
        for kind in (
            *("Codes", "Comparison", "Health", "History", "Loadings", "Reconstruction", "Samples", "Scree"),
            "Weights",
        )
    )
    for name in KINDS:
        kind = getattr(stackae.plotting, name)
        assert kind.__name__ == name
        assert ">>>" in kind.__doc__


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_matplotlib_is_imported_when_something_is_drawn():
    code = (
        "import sys, stackae.plotting as p\n"
        "light = [m for m in ('matplotlib', 'torch', 'sklearn', 'numpy') if m in sys.modules]\n"
        "kinds = [getattr(p, name) for name in p.__all__]\n"
        "display = p.LoadingsDisplay([[1.0, 2.0]], ['code'], ['a', 'b'])\n"
        "print(*light, 'matplotlib' in sys.modules)\n"
        "display.plot()\n"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    assert python(code) == ["False", "True", "False"]


def test_without_matplotlib_one_line_says_how_to_get_it(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    with pytest.raises(ParameterError) as raised:
        HistoryDisplay.from_estimator(fitted.stack)
    assert str(raised.value) == "HistoryDisplay needs matplotlib; pip install 'stackae[plot]'"


def test_a_long_name_keeps_beginning_and_end():
    assert shortened("short", 8) == "short"
    assert shortened("stackedautoencoder12", 12) == "stacked…er12"
    assert len(shortened("x" * 50, 20)) == 20
    assert shortened("in $", 20) == r"in \$"
