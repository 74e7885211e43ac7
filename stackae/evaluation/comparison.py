"""What a comparison of features found, and what can be said of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from typing import Any

import numpy as np

from stackae.data.labels import CLASSIFY
from stackae.evaluation.measures import FIT, HEAD, PROBES, R2, Measure, measures_of
from stackae.evaluation.methods import METHODS, OURS, PREDICTOR, RAW, RIVAL
from stackae.evaluation.probes import Outcomes
from stackae.evaluation.statistics import (
    Difference,
    interval,
    over_samples,
    over_splits,
    over_squared_errors,
)

#: What the table calls it when every test row is given the training rows' commonest class.
COMMONEST = "commonest class"


@dataclass(frozen=True)
class Record:
    """The results of one method at one width, on one split.

    ``measures`` holds, by key, the probes' accuracies in [0, 1] (R² for a regression), R² of the test rows'
    reconstruction if the method has an inverse, and seconds. ``width`` is the number of features asked for,
    None for the rows themselves, and ``n_features`` the number obtained. ``outcomes`` holds each probe's
    result on each test row: right or wrong, or the squared error divided by the targets' variance.
    """

    split: int
    method: str
    width: int | None
    n_features: int
    measures: dict[str, float]
    outcomes: dict[str, Outcomes] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Comparison:
    """The results of :func:`compare` or :func:`compare_fitted`: every record, and what follows from them.

    Parameters
    ----------
    records : list of Record
    test_share : float
        Number of test rows divided by that of training rows.
    few_labels : tuple of int, default=()
        Numbers of labels that the linear probe was fitted to, besides all.
    task : {"classify", "regress"}, default="classify"
        Whether the probes classify (accuracy) or predict numbers (R²).
    commonest_class : tuple of float, default=()
        Per split, the accuracy of always predicting the training rows' most frequent class, which useful
        features must beat. Empty if unknown, or for a regression, where predicting the mean has an R² of 0.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import StackedAutoencoder, Training
    >>> from stackae.evaluation import compare, resplit
    >>> X, y = load_digits(return_X_y=True)
    >>> stack = StackedAutoencoder((64, 8), finetune=Training(max_epochs=5))
    >>> methods = ("stackae", "PCA")
    >>> comparison = compare(stack, resplit(X / 16, y), (4,), methods=methods, n_splits=2, few_labels=(100,))
    >>> len(comparison.values("linear_probe", "PCA", 4))
    2
    >>> [measure.key for measure in comparison.measures]
    ['linear_probe', 'knn_probe', 'few_labels_100', 'clusters', 'r2']
    """

    records: list[Record]
    test_share: float
    few_labels: tuple[int, ...] = ()
    task: str = CLASSIFY
    commonest_class: tuple[float, ...] = ()

    @cached_property
    def widths(self) -> list[int]:
        """The widths compared, in order."""
        return sorted({record.width for record in self.records if record.width is not None})

    @cached_property
    def methods(self) -> list[str]:
        """The methods compared, in the order of the table."""
        found = {record.method for record in self.records}
        return [name for name in dict.fromkeys((OURS, PREDICTOR, *METHODS)) if name in found]

    @cached_property
    def measures(self) -> list[Measure]:
        """The measures, in the order of the table."""
        known = measures_of(self.task, self.few_labels)
        return [m for m in known if any(m.key in record.measures for record in self.records)]

    @property
    def probes(self) -> list[Measure]:
        """The measures with results per row, on which the verdict rests."""
        keys = [probe.key for probe in PROBES]
        return [measure for measure in self.measures if measure.key in keys]

    def of(self, method: str, width: int | None) -> list[Record]:
        """A method's records at a width, one per split."""
        return [r for r in self.records if r.method == method and r.width in (width, None)]

    def values(self, measure: str, method: str, width: int | None) -> list[float]:
        """A method's values of a measure (its key) at a width, one per split; empty if it has none."""
        return [r.measures[measure] for r in self.of(method, width) if measure in r.measures]

    def difference(self, measure: str, width: int, ours: str = OURS, theirs: str = RIVAL) -> Difference:
        """Ours minus theirs at a width, with a paired test over splits or, of a single split, over its
        rows."""
        own, other = self.of(ours, width), self.of(theirs, width)
        if len(own) == 1 and measure in own[0].outcomes:
            test: Any = over_samples if self.task == CLASSIFY else over_squared_errors
            found: Difference = test(own[0].outcomes[measure], other[0].outcomes[measure])
            return found
        return over_splits(
            self.values(measure, ours, width), self.values(measure, theirs, width), self.test_share
        )

    def verdicts(self) -> list[str]:
        """A verdict, then one sentence per width: gains over PCA, and their cost in seconds."""
        return [self._worth_it(), *(self._at(width) for width in self.widths)] if self._both else []

    def as_dict(self) -> dict[str, Any]:
        """All records and the verdicts, as plain values for JSON."""
        records = [
            {
                "split": r.split,
                "method": r.method,
                "width": r.width,
                "features": r.n_features,
                **r.measures,
            }
            for r in self.records
        ]
        tests = [
            {"width": width, "measure": probe.key, **vars(self.difference(probe.key, width))}
            for width in (self.widths if self._both else ())
            for probe in self.probes
        ]
        for test in tests:  # JSON has no NaN
            test["half_width"] = None if isnan(test["half_width"]) else test["half_width"]
        return {
            "task": self.task,
            "records": records,
            "commonest_class": list(self.commonest_class),
            "against_pca": tests,
            "verdicts": self.verdicts(),
        }

    @property
    def _both(self) -> bool:
        return {OURS, RIVAL} <= set(self.methods)

    def _worth_it(self) -> str:
        """A width is worth it where a probe is better than on PCA, and none is worse."""
        worth: list[int] = []
        rest: list[int] = []
        by_probes: dict[str, list[int]] = {}
        for width in self.widths:
            signs = {probe.title: self.difference(probe.key, width).sign for probe in self.probes}
            better, worse = ([t for t, sign in signs.items() if sign == wanted] for wanted in (1, -1))
            (worth if better and not worse else rest).append(width)
            if better and worse:
                told = f"better by the {_joined(better)}, worse by the {_joined(worse)}"
                by_probes.setdefault(told, []).append(width)
            elif better and len(better) < len(signs):
                by_probes.setdefault(f"by the {_joined(better)} alone", []).append(width)
        split = [width for widths in by_probes.values() for width in widths]
        if not worth:
            differs = any(self.difference(probe.key, w).sign for probe in self.probes for w in rest)
            why = "PCA serves as well or better" if differs else "no gain beyond chance"
            why = "the probes disagree" if split == rest else why
            sentence = f"not worth it at {_joined(rest)} dimensions: {why}"
        else:
            sentence = f"worth it at {_joined(worth)} dimensions{f', not at {_joined(rest)}' if rest else ''}"
        for told, widths in by_probes.items():
            sentence += f"; {told}" + ("" if widths == self.widths else f" at {_joined(widths)}")
        return sentence

    def _at(self, width: int) -> str:
        """What is gained over PCA at a width, and the seconds of both fits."""
        gains = [_gain(self.difference(probe.key, width), probe) for probe in self.probes]
        own, other = (self.values(R2.key, method, width) for method in (OURS, RIVAL))
        if own and other:
            title = next(measure.title for measure in self.measures if measure.key == R2.key)
            gains.append(f"{title} {_signed(float(np.mean(own) - np.mean(other)), 3)}")
        own, other = (self.values(FIT.key, method, width) for method in (OURS, RIVAL))
        cost = f"; fitted in {_seconds(own)}, PCA in {_seconds(other)}" if own and other else ""
        narrower = {r.n_features for r in self.of(RIVAL, width)} - {width}
        of_so_many = f" of {max(narrower)}" if narrower else ""  # as many as there are columns or rows
        return f"at {width} dimensions, against PCA{of_so_many}: {', '.join(gains)}{cost}"


def _joined(several: Iterable[object]) -> str:
    *others, last = map(str, several)
    return f"{', '.join(others)} and {last}" if others else last


def _gain(difference: Difference, probe: Measure) -> str:
    """What a probe gains, half of its interval where there is one, and whether that is more than chance."""
    factor, digits, unit = (100, 1, " points") if probe.is_share else (1, 3, " of R²")
    mean, half = factor * difference.mean, factor * difference.half_width
    within = "" if isnan(half) else f" ± {half:.{digits}f}"
    chance = "" if difference.sign else " (within chance)"
    return f"{probe.title} {_signed(mean, digits)}{within}{unit}{chance}"


def _signed(figure: float, digits: int) -> str:
    """With its sign, of which a zero has one only."""
    return f"{round(figure, digits) + 0.0:+.{digits}f}"


def _seconds(several: Iterable[float]) -> str:
    """The median of seconds."""
    seconds = float(np.median(list(several)))
    if seconds < 0.01:
        return "under 0.01 s"
    return f"{seconds:,.{0 if seconds >= 100 else 1 if seconds >= 1 else 2}f} s"


def summary(comparison: Comparison) -> list[dict[str, Any]]:
    """The table of a comparison, as values: for each width and method, the mean of each measure.

    Measures are by key, each an :class:`stackae.evaluation.statistics.Interval` with its 95 % interval. The
    last line, of width 0, is the accuracy of always predicting the most frequent class, if known.

    Parameters
    ----------
    comparison : Comparison
    """
    lines: list[dict[str, Any]] = []
    for width in comparison.widths:
        for method in comparison.methods:
            records = comparison.of(method, width)
            if not records or (method == RAW and width != comparison.widths[-1]):
                continue
            figures = {
                measure.key: interval(values)
                for measure in comparison.measures
                if (values := comparison.values(measure.key, method, width))
            }
            seconds = comparison.values(FIT.key, method, width)
            lines.append(
                {
                    "method": method,
                    "width": records[0].n_features,
                    "seconds": float(np.median(seconds)) if seconds else None,
                    **figures,
                }
            )
    if comparison.commonest_class:
        known = interval(comparison.commonest_class)
        asked = [m.key for m in comparison.measures if m in (*PROBES, HEAD)]
        line = {"method": COMMONEST, "width": 0, "seconds": None}
        lines.append({**line, **dict.fromkeys(asked, known)})
    return lines
