"""Whether labels are classes or numbers to be predicted: the option --task, and what auto takes them for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stackae_cli.options import Choice, about, note
from stackae_cli.source import Source

if TYPE_CHECKING:
    from stackae.data.labels import Labels

#: What ``--unlabelled`` means.
UNLABELLED: dict[str, Any] = {"auto": "auto", "-1": -1, "none": None}

F = TypeVar("F", bound=Callable[..., Any])


def task_option(function: F) -> F:
    """``--task``."""
    return click.option(
        "--task",
        type=Choice(["auto", "classify", "regress"]),
        default="auto",
        show_default=True,
        help="Whether labels are classes or numbers to predict. auto: classes if they are text, booleans or"
        " few distinct whole numbers, otherwise numbers.",
    )(function)


def unlabelled_option(function: F) -> F:
    """``--unlabelled``."""
    return click.option(
        "--unlabelled",
        type=Choice(list(UNLABELLED)),
        default="auto",
        show_default=True,
        help="What a label of -1 means. -1: no label; none: a class; auto: no label if there are two or more"
        " other classes, with a warning.",
    )(function)


def settled_task(task: str, source: Source, y: Any, unlabelled: str) -> str:
    """The task; where it is left to the labels of a file, standard error is told what they were taken for.

    Raises
    ------
    DataError
        No row has a label, or all labels are the same.
    ParameterError
        They are texts that nearly all differ.
    """
    from stackae.data.labels import CLASSIFY, REGRESS, as_labels, task_of
    from stackae.exceptions import ParameterError

    with warnings.catch_warnings(), about(source.data):
        warnings.simplefilter("ignore")  # whoever takes them warns
        found = task_of(as_labels(y, unlabelled=None))
        are_numbers = (found.task if task == "auto" else task) == REGRESS
        _check_differ(as_labels(y, None if are_numbers else UNLABELLED[unlabelled]), source.labels)
    if task != "auto":
        return task
    if found.task is None:
        raise ParameterError(
            f"{source.data}: the labels are {found.labels}, names rather than classes; say --task classify if"
            " they are"
        )
    if source.data_set is None:
        taken, other = ("classes", REGRESS) if found.task == CLASSIFY else ("numbers to predict", CLASSIFY)
        overrules = f"; --task {other} overrules" if found.are_numbers else ""
        note(f"{source.data}: the labels are {found.labels}: taken as {taken}{overrules}")
    return found.task


def _check_differ(labels: Labels, column: str | None) -> None:
    """Refuse labels that nothing can be learned from."""
    from stackae.exceptions import DataError

    n, where = len(labels.known), "" if column is None else f" in {column!r}"
    mend = "give another --labels COLUMN or FILE"
    if not len(labels.values):
        raise DataError(f"no row of {n:,} has a label{where}; {mend}")
    if (labels.values == labels.values[0]).all():
        raise DataError(
            f"all labels{where} are {labels.values.tolist()[0]!r}, where two that differ are needed; {mend}"
        )
