"""A comparison of features: accuracy against width, and against the number of labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stackae.data.labels import CLASSIFY, REGRESS
from stackae.evaluation.comparison import Comparison
from stackae.evaluation.measures import LINEAR, PROBES
from stackae.evaluation.methods import OURS, RAW, RIVAL
from stackae.evaluation.statistics import interval
from stackae.plotting.display import COLOURS, GREY, Display, shortened

#: What is 1 on the axis, and the least that is shown: a lower R² is of no use, and would flatten the rest.
_RANGE = {CLASSIFY: (100, 0), REGRESS: (1, -1)}
_MARKERS = ("o", "s", "^")
#: How far apart methods stand beside each other: all together, as a share of the way to the next place; which
#: is not taken to be farther than this, as a factor.
_ASIDE, _FARTHEST = 0.4, 4.0


class ComparisonDisplay(Display):
    """Each method's accuracy (R² in a regression) by width, for both probes, and with few labels.

    At each width methods are side by side, in the order of the legend. Bars are 95 % intervals over splits
    (the range of two splits), clipped to 0 to 100 % (-1 to 1 for R²).

    Parameters
    ----------
    comparison : Comparison
        From :func:`stackae.evaluation.compare` or ``compare_fitted``. There is no ``from_estimator``: call
        ``plot``.
    title : str, default=""

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import StackedAutoencoder, Training
    >>> from stackae.evaluation import compare, resplit
    >>> from stackae.plotting import ComparisonDisplay
    >>> stack = StackedAutoencoder((8, 2), finetune=Training(max_epochs=5))
    >>> split = resplit(*load_iris(return_X_y=True))
    >>> comparison = compare(stack, split, (2,), methods=("stackae", "PCA"), n_splits=2, few_labels=())
    >>> [axes.get_title() for axes in ComparisonDisplay(comparison).plot().axes_]
    ['linear probe', 'k-NN probe']
    """

    def __init__(self, comparison: Comparison, title: str = "") -> None:
        self.comparison, self.title = comparison, title

    def plot(self, ax: Any = None) -> Self:
        comparison = self.comparison
        few = {m.n_labels: m.key for m in comparison.measures if m.n_labels is not None}
        n_panels = len(PROBES) + bool(few)
        axes = self._take_axes(ax, n_panels, height=0.9 + 2.1 * n_panels)
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
            _lines(
                axes[-1], comparison, list(few), lambda method, n: comparison.values(few[n], method, width)
            )
            axes[-1].set(xlabel="labels", title=f"{LINEAR.title}, few labels, width {width}")
        self._set_range(axes)
        handles, names = axes[0].get_legend_handles_labels()
        names = [shortened(name, 20) for name in names]
        axes[-1].legend(
            handles,
            names,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.35),
            ncols=2,
            frameon=False,
            fontsize="small",
        )
        if self.title and self._owns_figure:
            self.figure_.suptitle(shortened(self.title, 44), fontsize="large")
        return self

    def _set_range(self, axes: Sequence[Any]) -> None:
        """The same range in all panels, within what is of use."""
        factor, least = _RANGE[self.comparison.task]
        limits = [axis.get_ylim() for axis in axes]
        low, high = min(low for low, _ in limits), max(high for _, high in limits)
        for axis in axes:
            axis.set_ylabel(
                "accuracy on\ntest rows, %" if self.comparison.task == CLASSIFY else "R² on test rows"
            )
            if high > least:
                axis.set_ylim(max(low, least), min(high, 1.01 * factor))


def _lines(axis: Any, comparison: Comparison, places: Sequence[int], values: Any) -> None:
    """A line a method; what is best is to be seen: the stack and PCA are drawn strong."""
    factor, least = _RANGE[comparison.task]
    coloured = [method for method in comparison.methods if method != RAW]
    aside = _aside(places, len(comparison.methods))
    for method, factor_aside in zip(comparison.methods, aside, strict=True):
        points = [(place, interval(found)) for place in places if (found := values(method, place))]
        if not points:
            continue
        means = factor * np.array([found.mean for _, found in points])
        ends = factor * np.array([(found.low, found.high) for _, found in points]).T
        ends = np.clip(ends, np.minimum(least, means), factor)
        strong = method in (OURS, RIVAL)
        shape, colour = divmod(coloured.index(method), len(COLOURS) - 1) if method != RAW else (0, -1)
        axis.errorbar(
            [place * factor_aside for place, _ in points],
            means,
            np.abs(ends - means),
            label=method,
            color=GREY if method == RAW else COLOURS[colour],
            linewidth=2.2 if strong else 1.0,
            linestyle="--" if method == RAW else "-",
            marker=_MARKERS[shape],
            markersize=5 if strong else 3,
            capsize=2,
            zorder=3 if strong else 2,
        )
    axis.set_xlim(min(places) / 2, 2 * max(places))
    axis.set_xscale("log", base=2 if max(places) < 100 else 10)
    axis.set_xticks(places, [f"{place:,}" for place in places])
    axis.minorticks_off()
    axis.grid(alpha=0.3)


def _aside(places: Sequence[int], n: int) -> npt.NDArray[np.float64]:
    """By what places are multiplied, for each of so many methods, so that none stands upon another."""
    nearest = min((_FARTHEST, *(b / a for a, b in pairwise(sorted(places)))))
    shares: npt.NDArray[np.float64] = nearest ** (_ASIDE * (np.arange(n) - (n - 1) / 2) / n)
    return shares
