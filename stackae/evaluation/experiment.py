"""The experiment: codes, PCA and the other ways to so many features on the same rows, by the same probes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from stackae.estimators.stacked import StackedAutoencoder
from stackae.evaluation.comparison import Comparison, Record
from stackae.evaluation.measures import (
    CLUSTERS,
    FIT,
    LINEAR,
    NEIGHBOURS,
    R2,
    TRANSFORM,
    few_labels_measure,
)
from stackae.evaluation.methods import (
    METHODS,
    OURS,
    RAW,
    RIVAL,
    Features,
    Task,
    fitted,
    with_width,
)
from stackae.evaluation.probes import clustering_accuracy, few_labels_probe, linear_probe, neighbour_probe
from stackae.exceptions import DataError, ParameterError

T = TypeVar("T")
Floats = npt.NDArray[np.floating]

#: Feature widths, numbers of labels, draws of them and splits that are tried where nothing else is said.
WIDTHS, FEW_LABELS, N_DRAWS, N_SPLITS = (2, 8, 32), (10, 100, 1000), 10, 5
#: Those that take no time beside the stack's own training.
QUICK_METHODS = (
    OURS,
    RIVAL,
    "whitened PCA",
    "random projection",
    "random features",
    "untrained stack",
    RAW,
)


class Split(NamedTuple):
    """Training rows and labels, test rows and labels."""

    X: Floats
    y: npt.NDArray[Any]
    X_test: Floats
    y_test: npt.NDArray[Any]


class Trial(NamedTuple):
    """A split and its number; how often and with how many labels the linear probe learns from few; and which
    columns the methods take as they are."""

    split: Split
    number: int
    few_labels: Sequence[int]
    n_draws: int
    kept: npt.NDArray[np.bool_]


def resplit(X: Floats, y: npt.NDArray[Any], test_share: float = 0.25) -> Callable[[int], Split]:
    """Give, for a seed, a random split of the rows, of each class its share where it has two rows or more.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    y : array of shape (n_samples,)
        Classes.
    test_share : float, default=0.25

    Raises
    ------
    DataError
        There is one class only, here or (from the function that is given) among the training rows of a split;
        or nearly every row has its own.
    """
    _, counts = np.unique(y, return_counts=True)
    if len(counts) < 2 or len(counts) > len(X) // 2:
        raise DataError(
            f"the labels must be classes of two rows or more on the average, got {len(counts)} for"
            f" {len(X)} rows; name another column"
        )
    enough = counts.min() >= 2 and round(len(X) * test_share) >= len(counts)

    def split(seed: int) -> Split:
        train, test, y_train, y_test = train_test_split(
            X, y, test_size=test_share, random_state=seed, stratify=y if enough else None
        )
        if len(np.unique(y_train)) < 2:
            raise DataError(
                f"a split left one class among its {len(train)} training rows; leave out classes of fewer"
                " than two rows"
            )
        return Split(train, y_train, test, y_test)

    return split


def compare(
    stack: StackedAutoencoder,
    split: Callable[[int], Split],
    widths: Sequence[int] = WIDTHS,
    *,
    methods: Sequence[str] = QUICK_METHODS,
    n_splits: int = N_SPLITS,
    few_labels: Sequence[int] = FEW_LABELS,
    n_draws: int = N_DRAWS,
    fresh: bool = False,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Comparison:
    """Fit a stack and other methods on several splits, at several widths, and judge their features.

    Parameters
    ----------
    stack : StackedAutoencoder
        Unfitted; its last layer takes the widths, and ``random_state`` the number of the split.
    split : callable
        From a seed to a :class:`Split`; see :func:`resplit`.
    widths : sequence of int, default=(2, 8, 32)
        Features of every method; PCA, ICA and NMF give as many as there are columns where that is fewer.
    methods : sequence of str
        Names in ``METHODS``. Default: those that take no time beside the stack's.
    n_splits : int, default=5
    few_labels : sequence of int, default=(10, 100, 1000)
        Numbers of labels for the linear probe beside all.
    n_draws : int, default=10
        Of so many labels.
    fresh : bool, default=False
        Whether no two splits share rows: the tests then need not allow for shared ones.
    n_jobs : int or None, default=None
        Splits and widths at the same time, as for any ``joblib.Parallel``, whose backend may be a cluster.
    verbose : int, default=0
        1: a line on standard error for each split and width that is done, with the time left.

    Raises
    ------
    ParameterError
        A method that is not known, no width, or ``stack.layers="auto"``.
    """
    _check(stack, widths, methods, n_splits)
    jobs = [
        joblib.delayed(_on_split)(
            split,
            seed,
            with_width(stack, width, seed),
            width,
            [method for method in methods if method != RAW or width == widths[0]],
            few_labels,
            n_draws,
        )
        for seed in range(n_splits)
        for width in widths
    ]
    done = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    found = list(_telling(done, len(jobs)) if verbose else done)
    records = [record for of_split, _ in found for record in of_split]
    return Comparison(records, 0.0 if fresh else found[0][1], tuple(few_labels))


def _check(stack: StackedAutoencoder, widths: Sequence[int], methods: Sequence[str], n_splits: int) -> None:
    """Refuse before anything is fitted."""
    if unknown := [name for name in methods if name not in METHODS]:
        raise ParameterError(f"unknown method {unknown[0]!r}; known are {', '.join(METHODS)}")
    if not widths or min(widths) < 1 or n_splits < 1:
        raise ParameterError(
            f"widths must hold numbers of at least 1, and n_splits be one, got {widths!r} and {n_splits!r}"
        )
    for width in widths:
        with_width(stack, width, 0).check_parameters()


def _telling(done: Iterable[T], n_jobs: int) -> Iterator[T]:
    """Say on standard error how far it is, and how long it will take."""
    start = perf_counter()
    for n_done, result in enumerate(done, 1):
        seconds = perf_counter() - start
        left = seconds / n_done * (n_jobs - n_done)
        said = f"{n_done} of {n_jobs} splits and widths, {seconds:.0f} s, about {left:.0f} s left"
        print(said, file=sys.stderr, flush=True)
        yield result


def compare_fitted(
    model: Any,
    X: Floats,
    split: Split,
    *,
    seconds: float | None = None,
    methods: Sequence[str] = QUICK_METHODS,
    few_labels: Sequence[int] = FEW_LABELS,
    n_draws: int = N_DRAWS,
) -> Comparison:
    """Judge a fitted model's codes, and those of other methods of the same width.

    Parameters
    ----------
    model : fitted Autoencoder, StackedAutoencoder or StackedAutoencoderDetector
    X : array of shape (n_samples, n_features)
        The rows that it was fitted on; the others are fitted on the same.
    split : Split
        The probes learn from its training rows and are asked about its test rows.
    seconds : float or None, default=None
        What fitting it took.
    methods, few_labels, n_draws
        As for :func:`compare`; stacks other than ``model`` are fitted where it is a StackedAutoencoder.

    Returns
    -------
    Comparison
        Its tests are over the test rows of the one split.
    """
    width = model.transform(split.X_test[:1]).shape[1]
    stack = model if isinstance(model, StackedAutoencoder) else None
    task = Task(X, width, model, 0)
    trial = Trial(split, 0, few_labels, n_draws, task.kept)
    records = [_judge(OURS, model, seconds, width, trial)]
    for method in methods:
        if method == OURS or (stack is None and method in _OF_A_STACK):
            continue
        record = _fit_and_judge(method, task, trial)
        records += [] if record is None else [record]
    return Comparison(records, len(split.X_test) / len(split.X), tuple(few_labels))


#: Methods that train a stack of their own.
_OF_A_STACK = ("untrained stack", "end to end")


def _on_split(
    split: Callable[[int], Split],
    seed: int,
    stack: StackedAutoencoder,
    width: int,
    methods: Sequence[str],
    few_labels: Sequence[int],
    n_draws: int,
) -> tuple[list[Record], float]:
    """Methods at one width on one split; and its test rows by its training rows."""
    drawn = split(seed)
    task = Task(drawn.X, width, stack, seed)
    trial = Trial(drawn, seed, few_labels, n_draws, task.kept)
    records = [_fit_and_judge(method, task, trial) for method in methods]
    found = [record for record in records if record is not None]
    return found, len(drawn.X_test) / len(drawn.X)


def _fit_and_judge(method: str, task: Task, trial: Trial) -> Record | None:
    start = perf_counter()
    with _settled_or_not():
        features = fitted(method, task)
    seconds = perf_counter() - start
    width = None if method == RAW else task.width
    if features is None:
        return None
    return _judge(method, features, seconds, width, trial)


@contextmanager
def _settled_or_not() -> Iterator[None]:
    """What has not converged in scikit-learn's number of iterations is judged as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@_settled_or_not()
def _judge(method: str, features: Features, seconds: float | None, width: int | None, trial: Trial) -> Record:
    """What the probes say of fitted features."""
    split, seed, few_labels, n_draws, kept = trial
    train = features.transform(split.X)
    start = perf_counter()
    test = features.transform(split.X_test)
    transform_seconds = perf_counter() - start
    correct = {
        LINEAR.key: linear_probe(train, split.y, test, split.y_test),
        NEIGHBOURS.key: neighbour_probe(train, split.y, test, split.y_test),
    }
    measures = {key: float(of_samples.mean()) for key, of_samples in correct.items()}
    back = getattr(features, "inverse_transform", None)
    if back is not None:
        measures[R2.key] = _r2(split, back(test), kept)
    n_classes = len(np.unique(split.y))
    measures[CLUSTERS.key] = clustering_accuracy(train, test, split.y_test, n_classes, seed)
    for n_labels in few_labels:
        accuracy = few_labels_probe(train, split.y, test, split.y_test, n_labels, n_draws, seed)
        if accuracy is not None:
            measures[few_labels_measure(n_labels).key] = accuracy
    if seconds is not None:
        measures[FIT.key] = seconds
    measures[TRANSFORM.key] = transform_seconds
    return Record(seed, method, width, train.shape[1], measures, correct)


def _r2(split: Split, reconstruction: Floats, kept: npt.NDArray[np.bool_]) -> float:
    """1 - Σ(x - x̂)² / Σ(x - mean)² of the test rows, in the units in which the methods work."""
    spread = np.where(kept, 1.0, split.X.std(0, dtype=np.float64))
    varies = spread > 0
    X, reconstruction = (values[:, varies] / spread[varies] for values in (split.X_test, reconstruction))
    total = float(np.square(X - X.mean(0)).sum())
    return 1 - float(np.square(X - reconstruction).sum()) / total if total > 0 else 1.0
