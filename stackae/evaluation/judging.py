"""A method's features, judged on one split: by the probes, by what they go back to, by the clock."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning, DataDimensionalityWarning

from stackae.data.labels import CLASSIFY, as_labels
from stackae.evaluation.comparison import Record
from stackae.evaluation.measures import (
    CLUSTERS,
    FIT,
    HEAD,
    LINEAR,
    NEIGHBOURS,
    R2,
    TRANSFORM,
    few_labels_measure,
)
from stackae.evaluation.methods import PREDICTOR, Features, back_from, given_to
from stackae.evaluation.probes import (
    clustering_accuracy,
    few_labels_probe,
    linear_probe,
    neighbour_probe,
    outcomes,
    score,
)
from stackae.evaluation.splits import Split

Floats = npt.NDArray[np.floating]


class Trial(NamedTuple):
    """A split and its number; which columns the methods take as they are; how often and with how many labels
    the linear probe learns from few; and whether k-means is asked too."""

    split: Split
    number: int
    kept: npt.NDArray[np.bool_]
    few_labels: Sequence[int]
    n_draws: int
    clusters: bool


@contextmanager
def quiet() -> Iterator[None]:
    """What has not converged in scikit-learn's number of iterations is judged as it is; names stay out."""
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, DataDimensionalityWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        yield


@quiet()
def judge(method: str, features: Features, seconds: float | None, width: int | None, trial: Trial) -> Record:
    """What the probes say of fitted features."""
    split, seed, kept, few_labels, n_draws, clusters = trial
    train = np.asarray(features.transform(given_to(features, split.X)))
    start = perf_counter()
    test = np.asarray(features.transform(given_to(features, split.X_test)))
    transform_seconds = perf_counter() - start
    labelled = (train, split.y, test, split.y_test)
    of_probes = {
        LINEAR.key: linear_probe(*labelled, split.task),
        NEIGHBOURS.key: neighbour_probe(*labelled, split.task),
    }
    measures = {key: score(of_samples) for key, of_samples in of_probes.items()}
    back = back_from(features, test, split.X_test)
    if back is not None:
        measures[R2.key] = _r2(split, back, kept)
    if clusters and split.task == CLASSIFY:
        n_classes = len(np.unique(split.y))
        measures[CLUSTERS.key] = clustering_accuracy(train, test, split.y_test, n_classes, seed)
    for n_labels in few_labels:
        of_few = few_labels_probe(*labelled, n_labels, n_draws, seed, split.task)
        if of_few is not None:
            measures[few_labels_measure(n_labels).key] = of_few
    if seconds is not None:
        measures[FIT.key] = seconds
    measures[TRANSFORM.key] = transform_seconds
    return Record(seed, method, width, train.shape[1], measures, of_probes)


def judge_predictions(model: Any, width: int, split: Split) -> list[Record]:
    """What a predictor's own predictions are worth, if it predicts what the labels are."""
    if not hasattr(model, "predict"):
        return []
    if split.task == CLASSIFY:
        classes = as_labels(model.classes_, None).values if is_classifier(model) else split.y[:0]
        of_one_kind = (classes.dtype.kind in "US") == (split.y.dtype.kind in "US")
        fits = of_one_kind and bool(np.isin(split.y_test, classes).any())
    else:
        fits = is_regressor(model)
    predictions = np.asarray(model.predict(split.X_test)) if fits else np.empty((0, 0))
    if predictions.ndim != 1:  # none, or of several outputs
        return []
    of_samples = outcomes(predictions, split.y_test, split.task)
    return [Record(0, PREDICTOR, width, width, {HEAD.key: score(of_samples)}, {HEAD.key: of_samples})]


def has_gaps(split: Split) -> bool:
    """Whether cells are missing in rows that features are asked for."""
    return any(bool(np.isnan(np.asarray(rows)).any()) for rows in (split.X, split.X_test))


def _r2(split: Split, reconstruction: Floats, kept: npt.NDArray[np.bool_]) -> float:
    """1 - Σ(x - x̂)² / Σ(x - mean)² of the test rows, in the units in which the methods work.

    Missing cells are left out.
    """
    train, test = np.asarray(split.X), np.asarray(split.X_test)
    spread = np.where(kept, 1.0, np.nanstd(train, 0, dtype=np.float64))
    varies = (spread > 0) & ~np.isnan(test).all(0)
    X, reconstruction = (values[:, varies] / spread[varies] for values in (test, reconstruction))
    total = float(np.nansum(np.square(X - np.nanmean(X, 0))))
    return 1 - float(np.nansum(np.square(X - reconstruction))) / total if total > 0 else 1.0
