"""How much more labels would help: the score of a predictor by the number of labels that it learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import check_random_state

from stackae.data.labels import as_labels, as_targets
from stackae.evaluation.progress import ComparisonProgress
from stackae.exceptions import DataError, ParameterError

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

#: A gain counts from so many standard errors on.
_SURE = 2.0


@dataclass(frozen=True)
class LabelCurve:
    """The result of :func:`label_curve`; printed, a table and a verdict.

    Parameters
    ----------
    measure : {"accuracy", "r2"}
    n_labels : tuple of int
        Numbers of training labels, averaged over folds, in increasing order.
    scores : array of shape (n_sizes, n_folds)
        On the held-out rows.
    """

    measure: str
    n_labels: tuple[int, ...]
    scores: Floats

    @property
    def means(self) -> Floats:
        """The mean score over folds, for each number of labels."""
        return np.asarray(self.scores.mean(1))

    @property
    def errors(self) -> Floats:
        """Standard errors of the means."""
        return np.asarray(self.scores.std(1, ddof=1) / np.sqrt(self.scores.shape[1]))

    @property
    def gain(self) -> tuple[float, float]:
        """The gain of the last step, to all labels, and its standard error."""
        gains = self.scores[-1] - self.scores[-2]
        return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))

    @property
    def verdict(self) -> str:
        """What the last step brought, and whether that is sure, in a sentence."""
        factor, digits, points = (100, 1, " points") if self.measure == "accuracy" else (1, 3, "")
        gain, error = self.gain
        fewer, all_of_them = self.n_labels[-2:]
        found = "more labels are likely to help" if gain > _SURE * error else "no clear gain"
        return (
            f"from {fewer:,} to {all_of_them:,} labels: {factor * gain:+.{digits}f} ±"
            f" {factor * error:.{digits}f}{points} (standard error): {found}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The curve as plain values for JSON, and the verdict."""
        return {
            "measure": self.measure,
            "labels": list(self.n_labels),
            "scores": self.scores.tolist(),
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        is_share = self.measure == "accuracy"
        name, factor, digits = ("accuracy in %", 100, 1) if is_share else ("R²", 1, 3)
        lines = [f"{'labels':>9}   {name}"]
        for n, mean, error in zip(self.n_labels, self.means, self.errors, strict=True):
            lines.append(f"{n:>9,}   {factor * mean:.{digits}f} ± {factor * error:.{digits}f}")
        return "\n".join([*lines, self.verdict])


def label_curve(
    model: Any,
    X: Any,
    y: Any,
    *,
    shares: Sequence[float] = (0.125, 0.25, 0.5, 1.0),
    n_folds: int = 5,
    random_state: Any = 0,
    verbose: int = 0,
) -> LabelCurve:
    """Learning curve over labels: the score of a classifier or regressor by the number of training labels.

    Use it to see whether more labels would help. In each fold some labelled rows are held out; of the other
    labels a fraction is kept (stratified, smaller ones nested in larger ones), and rows whose label is hidden
    stay as unlabelled rows. The encoder, which needs no labels, is fitted once. The cost is fractions × folds
    fine-tunings.

    Parameters
    ----------
    model : StackedAutoencoderClassifier or StackedAutoencoderRegressor
        It is cloned. A ``FrozenEstimator`` as its ``encoder`` saves the pretraining.
    X : array-like, table or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        As in ``fit``.
    shares : sequence of float, default=(0.125, 0.25, 0.5, 1.0)
        Fractions of the labels, in (0, 1], increasing, at least two.
    n_folds : int, default=5
        Number of folds; fewer, if a class has fewer labels.
    random_state : int, RandomState or None, default=0
        Seeds the folds and the choice of labels.
    verbose : int, default=0
        1: progress on standard error.

    Returns
    -------
    LabelCurve

    Raises
    ------
    ParameterError
        ``shares`` do not increase within (0, 1].
    DataError
        There are too few labels: at least 2 per class, or 2 numbers; or so few that none can be hidden.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import StackedAutoencoderClassifier
    >>> from stackae.evaluation import label_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> curve = label_curve(StackedAutoencoderClassifier((16, 4), random_state=0), X, y, shares=(0.1, 1.0))
    >>> curve.n_labels, bool(curve.means[-1] > curve.means[0])
    ((12, 120), True)
    """
    rising = list(shares)
    if len(rising) < 2 or not all(low < high <= 1 for low, high in pairwise([0, *rising])):
        raise ParameterError(f"shares must rise within (0, 1], at least two, got {rising}")
    model.check_parameters()
    labels = _Labels.read(model, y)
    rng = check_random_state(random_state)
    folds = labels.folds(n_folds, rng.randint(2**31 - 1))
    model = clone(model).set_params(verbose=0)
    if not isinstance(model.encoder, FrozenEstimator):
        model.encoder = FrozenEstimator(model._new_encoder().fit(X))
    if labels.are_classes:
        model.unlabelled = None  # what has no label is None by now
        model.calibration = None  # which changes no prediction

    def judged() -> Iterator[tuple[int, float]]:
        for kept, held_out in folds:
            order = rng.permutation(kept)
            for share in rising:
                learned = labels.share(order, share)
                fitted = clone(model).fit(X, labels.of(learned))
                yield len(learned), fitted.score(X, labels.of(held_out))

    n_fits = len(folds) * len(rising)
    done = ComparisonProgress(n_fits, "fits").over(judged()) if verbose else judged()
    counts, scores = np.array(list(done)).T.reshape(2, len(folds), len(rising))
    n_labels = tuple(int(n) for n in counts.mean(0).round())
    return LabelCurve("accuracy" if labels.are_classes else "r2", n_labels, scores.T)


@dataclass(frozen=True)
class _Labels:
    """The labels that there are, and the rows that have them."""

    values: npt.NDArray[Any]
    rows: Places
    n_rows: int
    are_classes: bool

    @classmethod
    def read(cls, model: Any, y: Any) -> _Labels:
        if is_classifier(model):
            found = as_labels(y, model.unlabelled)
            return cls(found.values, np.flatnonzero(found.known), len(found.known), True)
        numbers = np.asarray(as_targets(y), dtype=np.float64)
        if numbers.ndim != 1:
            raise DataError(f"y must be one number a row for a curve, got the shape {numbers.shape}")
        rows = np.flatnonzero(~np.isnan(numbers))
        return cls(numbers[rows], rows, len(numbers), False)

    def folds(self, n_folds: int, seed: int) -> list[tuple[Places, Places]]:
        """Places among the labels to learn from, and to be judged by."""
        counts = np.unique(self.values, return_counts=True)[1] if self.are_classes else [len(self.values)]
        fewest = min(n_folds, int(min(counts, default=0)))
        if fewest < 2 or (self.are_classes and len(counts) < 2):
            what = "labels of each of two classes or more" if self.are_classes else "numbers"
            rarest = f"{min(counts, default=0)} of one class" if len(counts) > 1 else len(self.values)
            raise DataError(f"a curve needs at least 2 {what}, got {rarest}; give more")
        kind = StratifiedKFold if self.are_classes else KFold
        return list(kind(fewest, shuffle=True, random_state=seed).split(self.values, self.values))

    def share(self, order: Places, share: float) -> Places:
        """The first places in an order, of each class its share, rounded up."""
        groups = np.unique(self.values[order], return_inverse=True)[1] if self.are_classes else 0 * order
        parts = [order[groups == group] for group in np.unique(groups)]
        return np.concatenate([part[: ceil(share * len(part))] for part in parts])

    def of(self, places: Places) -> npt.NDArray[Any]:
        """A target for each row, missing but in some places."""
        missing: Any = None if self.are_classes else np.nan
        targets = np.full(self.n_rows, missing, dtype=object if self.are_classes else np.float64)
        targets[self.rows[places]] = self.values[places]
        return targets
