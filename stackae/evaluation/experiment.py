"""The experiment: codes, PCA and the other ways to so many features on the same rows, by the same probes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import joblib
import numpy as np

from stackae.estimators.stacked import StackedAutoencoder
from stackae.evaluation.comparison import Comparison, Record
from stackae.evaluation.judging import Trial, has_gaps, judge, judge_predictions, quiet
from stackae.evaluation.methods import OURS, RAW, RIVAL, Task, fitted, refusal, with_width
from stackae.evaluation.progress import ComparisonProgress
from stackae.evaluation.splits import Split, as_rows, checked, encoder_of, taken
from stackae.exceptions import DataTypeError, ParameterError

#: Feature widths, numbers of labels, draws of them and splits that are tried where nothing else is said.
WIDTHS, FEW_LABELS, N_DRAWS, N_SPLITS = (2, 8, 32), (10, 100, 1000), 10, 5
#: Those that take no time beside the stack's own training.
QUICK_METHODS = (
    OURS,
    RIVAL,
    "whitened PCA",
    "kernel PCA",
    "random projection",
    "random features",
    "untrained stack",
    RAW,
)
#: And what is asked where time is short.
FAST_METHODS, FAST_DRAWS = (OURS, RIVAL, RAW), 3


def compare(
    stack: StackedAutoencoder,
    split: Callable[[int], Split],
    widths: Sequence[int] = WIDTHS,
    *,
    methods: Sequence[str] = QUICK_METHODS,
    n_splits: int = N_SPLITS,
    few_labels: Sequence[int] = FEW_LABELS,
    n_draws: int = N_DRAWS,
    clusters: bool = True,
    fresh: bool = False,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Comparison:
    """Compare the features of a stack with those of PCA and other methods, on several splits and widths.

    Every method is fitted on the training rows. Its features of the test rows are judged by simple models
    (linear and nearest-neighbour probes) and by the reconstruction. Of a table with non-numeric columns all
    methods get the same encoded columns; the stack is told their kinds, for the others gaps are filled with
    the column's mean. R² of the reconstruction is then that of the encoded columns: numbers in standard
    deviations, columns of 0 and 1 as they are.

    Parameters
    ----------
    stack : StackedAutoencoder
        Unfitted. Its last layer is given each width, and its ``random_state`` is the split's number.
        With ``ordered=True`` the widest is fitted, once a split, and cut to the others.
    split : callable
        From a seed to a :class:`Split`; see :func:`resplit`. If its labels are numbers to predict, probes are
        regressions, judged by R². The task of all splits is that of seed 0, unless they name one.
    widths : sequence of int, default=(2, 8, 32)
        Numbers of features; PCA, ICA and NMF give at most as many as there are columns.
    methods : sequence of str
        Names in ``METHODS``. Default: those that take little time compared with the stack.
    n_splits : int, default=5
    few_labels : sequence of int, default=(10, 100, 1000)
        Numbers of labels to which the linear probe is fitted, besides all.
    n_draws : int, default=10
        Random draws of each such number of labels.
    clusters : bool, default=True
        Whether to measure how well k-means finds the classes.
    fresh : bool, default=False
        Whether no two splits share rows, so that the tests need no correction for shared ones.
    n_jobs : int or None, default=None
        Number of splits and widths at the same time, as in ``joblib.Parallel``, whose backend may be a
        cluster.
    verbose : int, default=0
        1: progress on standard error.

    Returns
    -------
    Comparison

    Raises
    ------
    ParameterError
        An unknown method or one whose package is not installed, no width, or ``stack.layers="auto"``.
    DataError
        Rows or labels cannot be used.
    """
    _check(stack, widths, methods, n_splits)
    task = checked(split(0)).task
    groups = [tuple(widths)] if stack.ordered else [(width,) for width in widths]
    what = "splits" if stack.ordered else "splits and widths"
    progress = ComparisonProgress(n_splits * len(groups), what) if verbose else None
    is_heard = progress is not None and joblib.effective_n_jobs(n_jobs) == 1
    told = [progress.of_training] if progress is not None and is_heard else []
    at = progress.at if progress is not None and is_heard else None
    judged_by = partial(Trial, few_labels=few_labels, n_draws=n_draws, clusters=clusters)
    jobs = [
        joblib.delayed(_on_split)(
            split,
            task,
            seed,
            {width: with_width(stack, width, seed).set_callbacks(*told) for width in together},
            [method for method in methods if method != RAW or together[0] == widths[0]],
            judged_by,
            at,
        )
        for seed in range(n_splits)
        for together in groups
    ]
    done = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    found = list(done if progress is None else progress.over(done))
    records = [record for of_split, *_ in found for record in of_split]
    commonest = tuple(share for *_, share in found[:: len(groups)] if share is not None)
    return Comparison(records, 0.0 if fresh else found[0][1], tuple(few_labels), task, commonest)


def _check(stack: StackedAutoencoder, widths: Sequence[int], methods: Sequence[str], n_splits: int) -> None:
    """Refuse before anything is fitted."""
    _refuse(methods)
    if not widths or min(widths) < 1 or n_splits < 1:
        raise ParameterError(
            f"widths must hold numbers of at least 1, and n_splits be one, got {widths!r} and {n_splits!r}"
        )
    for width in widths:
        with_width(stack, width, 0).check_parameters()


def _refuse(methods: Sequence[str]) -> None:
    if refusals := list(filter(None, map(refusal, methods))):
        raise ParameterError(refusals[0])


def compare_fitted(
    model: Any,
    X: Any,
    split: Split,
    *,
    seconds: float | None = None,
    methods: Sequence[str] = QUICK_METHODS,
    few_labels: Sequence[int] = FEW_LABELS,
    n_draws: int = N_DRAWS,
    clusters: bool = True,
    verbose: int = 0,
) -> Comparison:
    """Compare the codes of a fitted model with the features of other methods of the same width.

    Of a table with non-numeric columns all methods get the columns encoded by the model, as in
    :func:`compare`, and R² of the reconstruction is that of the encoded columns.

    Parameters
    ----------
    model : fitted estimator of stackae, or any fitted transformer
        The own predictions of a classifier or regressor are judged too, if it predicts the labels of the
        split. Mind that it was fitted with labels, and the other methods are not.
    X : array-like, table or sparse matrix of shape (n_samples, n_features)
        The rows it was fitted on, to which the other methods are fitted.
    split : Split
        Probes are fitted to its training rows and judged on its test rows. Tables are given as they are, or
        encoded as in the fit of the model (:func:`resplit` does so with the table of the fit).
    seconds : float or None, default=None
        Time that fitting the model took, for the table.
    methods, few_labels, n_draws, clusters
        As for :func:`compare`. Other stacks among ``methods`` are fitted if ``model`` is a
        StackedAutoencoder.
    verbose : int, default=0
        1: progress on standard error.

    Returns
    -------
    Comparison
        Its tests are over the test rows of the one split.

    Raises
    ------
    ParameterError
        An unknown method, or one whose package is not installed.
    DataTypeError
        Rows are a table with non-numeric columns, and the model was not fitted on one by stackae.
    DataError
        Rows or labels cannot be used.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder
    >>> from stackae.evaluation import compare_fitted, resplit
    >>> split = resplit(*load_iris(return_X_y=True))(0)
    >>> model = Autoencoder(2, random_state=0).fit(split.X)
    >>> comparison = compare_fitted(model, split.X, split, methods=("PCA",), few_labels=())
    >>> comparison.methods
    ['stackae', 'PCA']
    """
    _refuse(methods)
    encoder = getattr(model, "_table", None)
    rows, split = as_rows(X, encoder), checked(split, encoder=encoder)
    if encoder is None and (encoder_of(rows) is not None or encoder_of(split.X) is not None):
        raise DataTypeError(f"this {type(model).__name__} was fitted on numbers, got a table of more")
    stack = model if isinstance(model, StackedAutoencoder) else None
    others = [m for m in methods if m != OURS and (stack is not None or m not in _OF_A_STACK)]
    with quiet():
        width = np.asarray(model.transform(taken(split.X_test, np.arange(1)))).shape[1]
        task = Task(rows, width, model, 0, has_gaps(split))
    trial = Trial(split, 0, task.kept, few_labels, n_draws, clusters)

    def judged() -> Iterator[list[Record]]:
        with quiet():
            own = [judge(OURS, model, seconds, width, trial), *judge_predictions(model, width, split)]
        yield own
        for method in others:
            features, seconds_of_fit = _timed(method, task)
            asked = None if method == RAW else width
            yield [] if features is None else [judge(method, features, seconds_of_fit, asked, trial)]

    progress = ComparisonProgress(1 + len(others), "methods", [OURS, *others]) if verbose else None
    found = judged() if progress is None else progress.over(judged())
    records = [record for of_method in found for record in of_method]
    commonest = () if split.commonest_class is None else (split.commonest_class,)
    return Comparison(records, len(split.X_test) / len(split.X), tuple(few_labels), split.task, commonest)


#: Methods that train a stack of their own.
_OF_A_STACK = ("untrained stack", "end to end")


def _on_split(
    split: Callable[[int], Split],
    task: str,
    seed: int,
    stacks: dict[int, StackedAutoencoder],
    methods: Sequence[str],
    judged_by: Callable[..., Trial],
    at: Callable[[str], None] | None,
) -> tuple[list[Record], float, float | None]:
    """Methods on one split, with a stack a width; its test rows by its training rows; ``commonest_class``.

    Of several stacks, whose codes are ordered, the widest alone is fitted.
    """
    drawn = checked(split(seed), task)
    gaps = has_gaps(drawn)
    if encoder_of(drawn.X) is not None and gaps:  # perhaps in the test rows alone
        for stack in stacks.values():
            stack.set_params(missing_values=np.nan)
    tasks = [Task(drawn.all_training_rows, width, stack, seed, gaps) for width, stack in stacks.items()]
    widest = max(tasks, key=lambda wanted: wanted.width)
    whole: tuple[Any, float] | None = None
    found: list[Record] = []
    for wanted in tasks:
        trial = judged_by(drawn, seed, wanted.kept)
        for method in methods:
            if method == RAW and wanted is not tasks[0]:
                continue
            if at is not None:
                at(method)
            if method == OURS and len(tasks) > 1:
                whole = _timed(method, widest) if whole is None else whole
                features, seconds = whole[0].truncated(wanted.width), whole[1]
            else:
                features, seconds = _timed(method, wanted)
            if features is not None:
                found.append(judge(method, features, seconds, None if method == RAW else wanted.width, trial))
    return found, len(drawn.X_test) / len(drawn.X), drawn.commonest_class


def _timed(method: str, task: Task) -> tuple[Any, float]:
    """A method's fitted transformer, None where rows do not suit it, and the seconds of its fit."""
    start = perf_counter()
    with quiet():
        features = fitted(method, task)
    return features, perf_counter() - start
