"""What labels are for: classes to tell apart, or targets to predict."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackae.exceptions import ParameterError

CLASSIFY, REGRESS = "classify", "regress"
#: Whole numbers are no classes where they have more different values, and fewer samples of each, than this.
_MOST_CLASSES, _LEAST_OF_EACH = 50, 20


def task_of(y: Any) -> str:
    """Whether labels are classes, ``"classify"``, or targets, ``"regress"``, by what they look like.

    Text and booleans are classes, and numbers with a fraction are targets. Whole numbers are targets where
    they have more than 50 different values, and fewer than 20 samples of each on the average.

    Parameters
    ----------
    y : array-like of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> from stackae.evaluation.task import task_of
    >>> task_of(["rose", "lily"]), task_of([0, 1, 2]), task_of([0.5, 1.0]), task_of(np.arange(100))
    ('classify', 'classify', 'regress', 'regress')
    """
    labels = np.asarray(y)
    if labels.dtype.kind not in "iuf":
        return CLASSIFY
    if _has_fractions(labels):
        return REGRESS
    n_values = len(np.unique(labels))
    return REGRESS if n_values > max(_MOST_CLASSES, len(labels) / _LEAST_OF_EACH) else CLASSIFY


def settled(task: str, y: Any) -> str:
    """The task, what labels look like where it is ``"auto"``.

    Raises
    ------
    ParameterError
        It is another word.
    """
    if task not in ("auto", CLASSIFY, REGRESS):
        raise ParameterError(f"task must be 'auto', 'classify' or 'regress', got {task!r}")
    return task_of(y) if task == "auto" else task


def in_words(y: Any) -> str:
    """What labels look like, as :func:`task_of` sees it: ``"214 different whole numbers"``."""
    labels = np.asarray(y)
    if labels.dtype.kind in "iuf" and _has_fractions(labels):
        return "numbers with a fraction"
    kind = "whole numbers" if labels.dtype.kind in "iuf" else "names"
    return f"{len(np.unique(labels)):,} different {kind}"


def _has_fractions(labels: np.ndarray) -> bool:
    return bool((labels != np.round(labels)).any())
