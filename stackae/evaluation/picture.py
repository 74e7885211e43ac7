"""A comparison as a picture: accuracy against width, and against the number of labels."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stackae.data.labels import CLASSIFY, REGRESS
from stackae.evaluation.comparison import Comparison
from stackae.evaluation.measures import LINEAR, PROBES
from stackae.evaluation.methods import METHODS, OURS, RAW, RIVAL
from stackae.evaluation.statistics import interval
from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What is 1 on the axis, and the least that is shown: a lower R² is of no use, and would flatten the rest.
_RANGE = {CLASSIFY: (100, 0), REGRESS: (1, -1)}


def draw(comparison: Comparison, path: str | PathLike[str] | None = None, title: str = "") -> Figure:
    """Draw each method's accuracy, or R² of targets: of both probes against the width, and with few labels.

    Parameters
    ----------
    comparison : Comparison
    path : path-like or None, default=None
        Where it is written too, in the format of its ending: ``.png``, ``.svg``, ``.pdf``.
    title : str, default=""

    Raises
    ------
    ParameterError
        matplotlib is not installed, or does not know the ending.

    Returns
    -------
    matplotlib.figure.Figure
        Bars are 95 % intervals over splits, of two splits their range, as far as they are within 0 and 100 %
        (-1 and 1 for R²).
    """
    check_picture(path)
    from matplotlib.figure import Figure

    few = {m.n_labels: m.key for m in comparison.measures if m.n_labels is not None}
    n_panels = len(PROBES) + bool(few)
    figure = Figure(figsize=(4.2 * n_panels, 4.0), layout="constrained")
    axes = figure.subplots(1, n_panels, sharey=True, squeeze=False)[0]
    widths = comparison.widths
    for axis, probe in zip(axes, PROBES, strict=False):
        _lines(
            axis,
            comparison,
            widths,
            lambda method, width, key=probe.key: comparison.values(key, method, width),
        )
        axis.set(xlabel="width of the code", title=probe.title)
    if few:
        width = widths[-1]
        _lines(axes[-1], comparison, list(few), lambda method, n: comparison.values(few[n], method, width))
        axes[-1].set(xlabel="labels", title=f"{LINEAR.title}, few labels, width {width}")
    axes[0].set_ylabel("accuracy on test rows, %" if comparison.task == CLASSIFY else "R² on test rows")
    factor, least = _RANGE[comparison.task]
    low, high = axes[0].get_ylim()  # of all panels
    if high > least:
        axes[0].set_ylim(max(low, least), min(high, 1.01 * factor))
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 6), frameon=False)
    if title:
        figure.suptitle(title)
    if path is not None:
        with atomic_write(path) as file:
            figure.savefig(file, format=_ending(path), dpi=150)
    return figure


def check_picture(path: str | PathLike[str] | None) -> None:
    """Raise ``ParameterError`` where :func:`draw` could not write such a file."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise ParameterError("a picture needs matplotlib; pip install 'stackae[report]'") from None
    known = FigureCanvasBase.get_supported_filetypes()
    if path is not None and _ending(path) not in known:
        raise ParameterError(
            f"{fspath(path)}: unknown ending {_ending(path)!r}; the known ones are {', '.join(sorted(known))}"
        )


def _ending(path: str | PathLike[str]) -> str:
    return Path(path).suffix.lstrip(".").lower()


def _lines(axis: Any, comparison: Comparison, places: Sequence[int], values: Any) -> None:
    """A line a method; what is best is to be seen: the stack and PCA are drawn strong."""
    factor, least = _RANGE[comparison.task]
    for method in comparison.methods:
        points = [(place, interval(found)) for place in places if (found := values(method, place))]
        if not points:
            continue
        means = factor * np.array([found.mean for _, found in points])
        ends = factor * np.array([(found.low, found.high) for _, found in points]).T
        ends = np.clip(ends, np.minimum(least, means), factor)
        strong = method in (OURS, RIVAL)
        axis.errorbar(
            [place for place, _ in points],
            means,
            np.abs(ends - means),
            label=method,
            color="black" if method == RAW else f"C{list(METHODS).index(method)}",
            linewidth=2.2 if strong else 1.0,
            linestyle="--" if method == RAW else "-",
            marker="o",
            markersize=5 if strong else 3,
            capsize=2,
            zorder=3 if strong else 2,
        )
    axis.set_xscale("log", base=2 if max(places) < 100 else 10)
    axis.set_xticks(places, [f"{place:,}" for place in places])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
