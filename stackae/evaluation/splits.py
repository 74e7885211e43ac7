"""Training and test rows with their labels, whatever holds them: arrays from here on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from stackae.estimators._validation import check_X
from stackae.estimators.stacked import StackedAutoencoder
from stackae.evaluation.task import CLASSIFY, settled
from stackae.exceptions import DataError

Floats = npt.NDArray[np.floating]


class Split(NamedTuple):
    """Training rows and labels, test rows and labels; and whether these are classes or targets.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    X_test, y_test
        Likewise.
    task : {"auto", "classify", "regress"}, default="auto"
        ``"auto"``: as :func:`stackae.evaluation.task.task_of` takes ``y``.
    """

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    task: str = "auto"


def resplit(X: Any, y: Any, test_share: float = 0.25, *, task: str = "auto") -> Callable[[int], Split]:
    """Give, for a seed, a random split of the rows, of each class its share where it has two rows or more.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
        It is made a dense array; column names stay out.
    y : array-like of shape (n_samples,)
        Classes, or numbers to predict; none may be missing.
    test_share : float, default=0.25
    task : {"auto", "classify", "regress"}, default="auto"
        ``"auto"``: numbers with a fraction, and whole ones of very many values, are targets of a regression;
        everything else is a class.

    Raises
    ------
    DataError
        Rows or labels cannot be used: there is one class only, here or (from the function that is given)
        among the training rows of a split; nearly every row has its own; a label is missing.
    ParameterError
        ``task`` is another word.
    """
    rows, labels = as_rows(X), as_labels(y)
    if len(labels) != len(rows):
        raise DataError(f"y must have one label a row, {len(rows)}, got {len(labels)}")
    task = settled(task, labels)
    labels = _of_task(labels, task)
    stratify = labels if task == CLASSIFY and _enough_of_each(labels, test_share) else None

    def split(seed: int) -> Split:
        train, test, y_train, y_test = train_test_split(
            rows, labels, test_size=test_share, random_state=seed, stratify=stratify
        )
        if task == CLASSIFY and len(np.unique(y_train)) < 2:
            raise DataError(
                f"a split left one class among its {len(train)} training rows; leave out classes of fewer"
                " than two rows"
            )
        return Split(train, y_train, test, y_test, task)

    return split


def _enough_of_each(classes: npt.NDArray[Any], test_share: float) -> bool:
    """Whether every class can have its share on both sides of a split."""
    _, counts = np.unique(classes, return_counts=True)
    if len(counts) < 2 or len(counts) > len(classes) // 2:
        raise DataError(
            f"the labels must be classes of two rows or more on the average, got {len(counts)} for"
            f" {len(classes)} rows; name another column, or take them as targets (task regress)"
        )
    return bool(counts.min() >= 2 and round(len(classes) * test_share) >= len(counts))


def checked(split: Split, task: str | None = None) -> Split:
    """A split as arrays, its task settled: as it says itself, or else ``task``, or else as labels look."""
    y = as_labels(split.y)
    both = np.concatenate([y, as_labels(split.y_test)])
    own = settled(split.task if split.task != "auto" or task is None else task, both)
    both = _of_task(both, own)
    return Split(as_rows(split.X), both[: len(y)], as_rows(split.X_test), both[len(y) :], own)


def as_rows(X: Any) -> Floats:
    """Rows of any container as a dense array; cells may be missing (NaN)."""
    return np.asarray(check_X(StackedAutoencoder(), X, reset=True, missing_values=np.nan).X)


def as_labels(y: Any) -> npt.NDArray[Any]:
    """Labels of any container as an array of text, booleans, numbers or dates, none of which is missing."""
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"y must have one label a row, got an array of shape {labels.shape}")
    missing = _missing(labels)
    if missing.any():
        raise DataError(
            f"y must have a label for every row, got none in row {int(missing.argmax())}"
            f" ({int(missing.sum()):,} in all); leave such rows out"
        )
    return np.array(labels.tolist()) if labels.dtype.kind == "O" else labels


def _missing(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which labels are none: None, NaN, NA, NaT."""
    if labels.dtype.kind != "O":
        missing: npt.NDArray[np.bool_] = np.isnat(labels) if labels.dtype.kind == "M" else labels != labels
        return missing
    of_each = (label is None or type(label).__name__ == "NAType" or label != label for label in labels)
    return np.fromiter(of_each, bool, len(labels))


def _of_task(labels: npt.NDArray[Any], task: str) -> npt.NDArray[Any]:
    """Labels in the form in which the models of a task take them: classes as they are, targets as floats."""
    is_number = labels.dtype.kind in "iuf"
    if task == CLASSIFY:  # to scikit-learn numbers with a fraction are no classes
        return labels.astype(str) if is_number and (labels != np.round(labels)).any() else labels
    if not is_number:
        raise DataError(
            f"targets must be numbers, got {labels.tolist()[0]!r} in row 0; take them as classes (task"
            " classify)"
        )
    if not (finite := np.isfinite(labels)).all():
        row = int(np.argmin(finite))
        raise DataError(f"targets must be finite, got {labels[row]:g} in row {row}; leave such rows out")
    if len(labels) < 2 or (labels == labels[0]).all():
        raise DataError(f"targets must differ, got one value for {len(labels)} rows; name another column")
    return labels.astype(np.float64)
