"""Training and test rows with their labels, whatever holds them: arrays, or encoded tables, from here on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from stackae.data.labels import CLASSIFY, REGRESS, Labels, Unlabelled, as_cells, as_labels, task_of
from stackae.data.matrix import DenseMatrix, Matrix
from stackae.estimators._validation import check_X
from stackae.estimators.stacked import StackedAutoencoder
from stackae.exceptions import DataError, DataTypeError, ParameterError
from stackae.tables import TableEncoder

Floats = npt.NDArray[np.floating]
#: Numbers, or the encoded columns of a table, with its encoder.
Rows = Floats | Matrix


class Split(NamedTuple):
    """Training and test rows with their labels.

    Parameters
    ----------
    X : array-like, table or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    X_test, y_test
        Likewise. A table with non-numeric columns is encoded as fitted on ``X``.
    task : {"auto", "classify", "regress"}, default="auto"
        Whether labels are classes or numbers to predict. ``"auto"``: inferred from ``y`` (see
        :func:`stackae.data.labels.task_of`), with -1 as in :func:`stackae.data.labels.as_labels`; otherwise
        -1 is a class.
    unlabelled : array-like, table or sparse matrix of shape (n_unlabelled, n_features), default=None
        Training rows without a label, on which features are fitted too.
    """

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    task: str = "auto"
    unlabelled: Any = None

    @property
    def all_training_rows(self) -> Any:
        """The rows on which features are fitted: with labels and without."""
        return self.X if self.unlabelled is None else _stacked([self.X, self.unlabelled])

    @property
    def commonest_class(self) -> float | None:
        """Fraction of test rows in the training rows' most frequent class; None in a regression."""
        if self.task != CLASSIFY:
            return None
        classes, counts = np.unique(self.y, return_counts=True)
        return float(np.mean(np.asarray(self.y_test) == classes[counts.argmax()]))


def resplit(
    X: Any, y: Any, test_share: float = 0.25, *, task: str = "auto", unlabelled: Unlabelled = "auto"
) -> Callable[[int], Split]:
    """Make a function from a seed to a random split, stratified if every class has enough rows.

    Parameters
    ----------
    X : array-like, table or sparse matrix of shape (n_samples, n_features)
        Converted to a dense array without column names. A table with non-numeric columns is encoded, once, by
        a :class:`~stackae.TableEncoder` fitted on all rows, without labels, unless it is encoded already (a
        matrix with a ``table``).
    y : array-like of shape (n_samples,)
        Classes, or numbers to predict. Rows without a label (NaN, None, pd.NA, empty text; -1 as in
        :func:`stackae.data.labels.as_labels`) are training rows in every split, and not used by probes.
    test_share : float, default=0.25
        Fraction of the labelled rows in the test set.
    task : {"auto", "classify", "regress"}, default="auto"
        ``"auto"``: fractional numbers, and many different whole numbers, make a regression; text and few
        different whole numbers make classes.
    unlabelled : {"auto", -1} or None, default="auto"
        What a label of -1 means; see :func:`stackae.data.labels.as_labels`.

    Returns
    -------
    callable
        From a seed to a :class:`Split`, as :func:`compare` takes it.

    Raises
    ------
    DataError
        Rows or labels cannot be used: there is one class only, or (raised by the returned function) among
        the training rows of a split; or nearly every row has its own class.
    ParameterError
        ``task`` is unknown, or ``"auto"`` and labels are texts that nearly all differ.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae.evaluation import resplit
    >>> split = resplit(*load_iris(return_X_y=True))(0)  # of seed 0
    >>> split.X.shape, split.X_test.shape
    ((112, 4), (38, 4))
    """
    rows, task = as_rows(X), settled(task, y)
    labels, known = _known(y, task, unlabelled)
    if len(known) != len(rows):
        raise DataError(f"y must have one label a row, {len(rows)}, got {len(known)}")
    others = None if known.all() else taken(rows, np.flatnonzero(~known))
    rows = taken(rows, np.flatnonzero(known))
    labels = _of_task(labels, task)
    stratify = labels if task == CLASSIFY and _enough_of_each(labels, test_share) else None

    def split(seed: int) -> Split:
        train, test, y_train, y_test = train_test_split(
            np.arange(len(rows)), labels, test_size=test_share, random_state=seed, stratify=stratify
        )
        if task == CLASSIFY and len(np.unique(y_train)) < 2:
            raise DataError(
                f"a split left one class among its {len(train)} training rows; leave out classes of fewer"
                " than two rows"
            )
        return Split(taken(rows, train), y_train, taken(rows, test), y_test, task, others)

    return split


def _enough_of_each(classes: npt.NDArray[Any], test_share: float) -> bool:
    """Whether every class can have its share on both sides of a split."""
    _, counts = np.unique(classes, return_counts=True)
    if len(counts) < 2:
        raise DataError(
            f"y must have at least 2 classes, got 1 class, {classes.tolist()[0]!r}; name another column"
        )
    if len(counts) > len(classes) // 2:
        raise DataError(
            f"the labels must be classes of two rows or more on the average, got {len(counts)} for"
            f" {len(classes)} rows; name another column, or take them as targets (task regress)"
        )
    return bool(counts.min() >= 2 and round(len(classes) * test_share) >= len(counts))


def settled(task: str, y: Any) -> str:
    """The task, what labels look like where it is ``"auto"``.

    Raises
    ------
    ParameterError
        It is another word, or labels are texts that nearly all differ.
    """
    if task in (CLASSIFY, REGRESS):
        return task
    if task != "auto":
        raise ParameterError(f"task must be 'auto', 'classify' or 'regress', got {task!r}")
    found = task_of(as_labels(_column(y), unlabelled=None))
    if found.task is None:
        raise ParameterError(
            f"the labels are {found.labels}, names rather than classes; say task='classify' if they are"
        )
    return found.task


def checked(split: Split, task: str | None = None, encoder: TableEncoder | None = None) -> Split:
    """A split as arrays, its task settled: as it says itself, or else ``task``, or else as labels look.

    Training rows without a label go to those that have none; test rows without one are left out. Tables are
    encoded: by ``encoder``, or by one that is fitted on the training rows.
    """
    X = as_rows(split.X, encoder)
    encoder = encoder_of(X)
    X_test = as_rows(split.X_test, encoder)
    if encoder is None and encoder_of(X_test) is not None:
        raise DataTypeError("test rows are a table of other than numbers, and training rows are not")
    both = np.concatenate([_column(split.y), _column(split.y_test)])
    own = settled(split.task if split.task != "auto" or task is None else task, both)
    # Where the task is said, so is what -1 means: resplit has taken out what is no label.
    labels, known = _known(both, own, "auto" if split.task == "auto" else None)
    labels, n, n_known = _of_task(labels, own), len(X), int(known[: len(X)].sum())
    rest = [] if split.unlabelled is None else [as_rows(split.unlabelled, encoder)]
    rest += [] if n_known == n else [taken(X, np.flatnonzero(~known[:n]))]
    return Split(
        taken(X, np.flatnonzero(known[:n])),
        labels[:n_known],
        taken(X_test, np.flatnonzero(known[n:])),
        labels[n_known:],
        own,
        _stacked(rest) if rest else None,
    )


def _column(y: Any) -> npt.NDArray[Any]:
    """One label a row, as it was given."""
    labels = as_cells(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"y must have one label a row, got an array of shape {labels.shape}")
    return labels


def _known(y: Any, task: str, unlabelled: Unlabelled = "auto") -> Labels:
    """The labels that are there, some at least; a target of -1 is a number."""
    found = as_labels(_column(y), unlabelled if task == CLASSIFY else None)
    if not len(found.values):
        raise DataError(
            f"y must have a label for some row, got none among {len(found.known)} rows; name another column"
        )
    return found


def as_rows(X: Any, encoder: TableEncoder | None = None) -> Rows:
    """Rows of any container as a dense array; cells may be missing (NaN).

    A table of other than numbers is a dense matrix with its encoder: the one that is given, its own where it
    is encoded already, or one that is fitted on it. Where one is given, all rows are tables.
    """
    matrix = check_X(StackedAutoencoder(), X, reset=True, missing_values=np.nan, table=encoder).X
    rows = np.asarray(matrix)
    return rows if matrix.table is None else DenseMatrix(rows).of_table(matrix.table)


def encoder_of(rows: Rows) -> TableEncoder | None:
    """What has encoded rows; None where they are numbers."""
    return rows.table if isinstance(rows, Matrix) else None


def taken(rows: Any, index: npt.NDArray[np.intp]) -> Any:
    """The rows of these numbers."""
    return rows.take(index) if isinstance(rows, Matrix) else rows[index]


def _stacked(pieces: list[Any]) -> Any:
    """The rows of all pieces."""
    whole = np.vstack([np.asarray(piece) for piece in pieces])
    first = pieces[0]
    return DenseMatrix(whole).of_table(first.table) if isinstance(first, Matrix) else whole


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
