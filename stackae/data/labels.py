"""Labels and targets: which samples have none, by one rule for every container, and what the others are.

NaN, None, pd.NA, NaT and empty text always mean that a sample has no label. So do the texts by which files
say that ("NA", "nan", ...), with a warning, since one of them may have been meant as a class. What -1 means
depends on its company: see :func:`as_labels`.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from stackae.exceptions import DataError, StackaeWarning

#: Texts that stand for a missing value in files, beside the empty one.
MISSING = frozenset({"NA", "N/A", "n/a", "<NA>", "nan", "NaN", "NAN", "None", "null", "NULL", "NaT"})
CLASSIFY, REGRESS = "classify", "regress"
_NOUNS = {"U": "texts", "b": "truth values", "M": "dates", "i": "whole numbers", "u": "whole numbers"}
_NOUNS["f"] = "whole numbers"  # those with a fraction are told apart before
#: Whole numbers of so many values at most are classes; of more than the second, numbers to be predicted.
_FEW_CLASSES, _MANY_CLASSES = 20, 100
#: Between the two they are classes where each has so many samples on the average.
_SAMPLES_OF_A_CLASS = 10

Unlabelled = Literal["auto"] | int | None


class Labels(NamedTuple):
    """The labels of those samples that have one."""

    #: (n_labelled,)
    values: npt.NDArray[Any]
    #: Which samples they are of (n_samples,).
    known: npt.NDArray[np.bool_]


class LabelTask(NamedTuple):
    """What labels are for: ``"classify"`` or ``"regress"``, None where it must be said; and what they are."""

    task: str | None
    labels: str

    @property
    def are_numbers(self) -> bool:
        """Whether they may be predicted as numbers, too."""
        return "number" in self.labels


def as_labels(y: Any, unlabelled: Unlabelled = "auto") -> Labels:
    """Read labels from any container, and tell which samples have one.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Array, list, series of pandas, polars or pyarrow; numbers, text, booleans, dates.
    unlabelled : {"auto", -1} or None, default="auto"
        What -1, also as text, means. -1: no label. None: a class. ``"auto"``: no label if there are two or
        more other classes, none of them negative or fractional, and a class if there is only one other, both
        with a warning; otherwise a class.

    Returns
    -------
    Labels
        In their type without the missing ones: whole numbers that are floats only because of NaN become
        integers.

    Raises
    ------
    DataError
        Labels of several types, such as numbers and text.

    Warns
    -----
    StackaeWarning
        What -1 was taken for, with counts; or a text such as "NA" that was taken for no label.

    Examples
    --------
    >>> from stackae.data.labels import as_labels
    >>> as_labels(["rose", None, "lily", ""])
    Labels(values=array(['rose', 'lily'], dtype='<U4'), known=array([ True, False,  True, False]))
    """
    array = as_cells(y)
    known = ~_missing(array)
    values, some_missing = array[known], not known.all()
    marked = _marked(values)
    if marked.any() and _means_no_label(values, marked, unlabelled):
        known[known] = ~marked
        values = values[~marked]
    return Labels(_of_one_type(values, some_missing=some_missing), known)


def as_targets(y: Any) -> npt.NDArray[Any]:
    """Numbers to be predicted, of the shape that they came in: NaN wherever a cell is missing.

    What is no number is left as it is, for scikit-learn to refuse.
    """
    array = as_cells(y)
    if array.dtype.kind not in "OU":
        return array
    targets = array.astype(object)
    targets[_missing(array)] = np.nan
    return targets


def task_of(labels: Labels) -> LabelTask:
    """Infer whether labels are classes or numbers to predict.

    Text, booleans and dates are classes, unless there are more than 20 different values and more than half as
    many as labels: then the task must be given. Fractional numbers are to be predicted. Whole numbers are
    classes if they have at most 20 different values, or at most 100 with 10 samples each on average;
    otherwise they are to be predicted.

    Examples
    --------
    >>> from stackae.data.labels import as_labels, task_of
    >>> task_of(as_labels([0.5, 1.0, None]))
    LabelTask(task='regress', labels='numbers with a fraction')
    """
    values = labels.values
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        return LabelTask(REGRESS, "numbers with a fraction")
    n_classes = len(np.unique(values)) if values.dtype.kind != "O" else len(set(values.tolist()))
    n, noun = len(values), _NOUNS.get(values.dtype.kind, "values")
    told = f"{n_classes:,} different {noun} in {n:,} rows"
    if values.dtype.kind not in "iuf":
        are_names = n_classes > max(_FEW_CLASSES, n // 2)
        return LabelTask(None if are_names else CLASSIFY, told)
    are_few = n_classes <= _FEW_CLASSES or (
        n_classes <= _MANY_CLASSES and n >= _SAMPLES_OF_A_CLASS * n_classes
    )
    return LabelTask(CLASSIFY if are_few else REGRESS, told)


def as_cells(y: Any) -> npt.NDArray[Any]:
    """A container as an array, in which nothing has become text that was none."""
    if isinstance(y, (list, tuple)) and not any(
        hasattr(label, "__len__") and not isinstance(label, str) for label in y
    ):
        array = np.empty(len(y), object)
        array[:] = y
        return array
    array = np.asarray(y)
    return array.astype(str) if array.dtype.kind == "S" else array


def _marked(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which labels are -1, or say so as text."""
    if values.dtype.kind in "OU":
        return np.array([v.strip() == "-1" if isinstance(v, str) else v == -1 for v in values.tolist()], bool)
    if values.dtype.kind not in "if":
        return np.zeros(len(values), bool)
    found: npt.NDArray[np.bool_] = values == -1
    return found


def says_nothing(text: str) -> bool:
    """Whether a text is empty, or one by which files say that a value is missing."""
    return not text.strip() or text.strip() in MISSING


def holds_marker(values: npt.NDArray[Any]) -> bool:
    """Whether one of the classes is -1, or says so as text."""
    return bool(_marked(values).any())


def _missing(array: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which cells say that there is nothing; a warning where a text says it that may be a class."""
    missing: npt.NDArray[np.bool_]
    if array.dtype.kind not in "OU":
        missing = array != array
        return missing
    cells = array.ravel().tolist()
    texts = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
    if named := sorted({text for text in texts if text in MISSING}):
        n, names = sum(text in MISSING for text in texts), ", ".join(map(repr, named))
        warnings.warn(
            f"y: {names}, in {n:,} of {len(cells):,} rows, is taken as no label; leave the cell empty where"
            " it is none, and write it in another way where it is a class",
            StackaeWarning,
            stacklevel=3,
        )
    missing = np.array(
        [
            (not text or text in MISSING) if isinstance(cell, str) else _is_nothing(cell)
            for cell, text in zip(cells, texts, strict=True)
        ],
        dtype=bool,
    )
    return missing.reshape(array.shape)


def _is_nothing(cell: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pd.NA: none of them equals itself."""
    try:
        return cell is None or bool(cell != cell)
    except (TypeError, ValueError):  # pd.NA does not say; an array says too much
        return not hasattr(cell, "shape")


def _of_one_type(values: npt.NDArray[Any], *, some_missing: bool) -> npt.NDArray[Any]:
    """Labels in the type that they have without the missing ones."""
    if values.dtype.kind == "O" and len(values):
        types = {type(value) for value in values.tolist()}
        n_texts = sum(issubclass(kind, str) for kind in types)
        if 0 < n_texts < len(types):
            names = ", ".join(sorted(kind.__name__ for kind in types))
            raise DataError(
                f"y must hold labels of one type, got {names}; write all of them as text, or none"
            )
        made = values.astype(str) if n_texts else np.array(values.tolist())
        values = made if made.dtype.kind in "biufMU" else values
    if values.dtype.kind == "f" and some_missing and (np.abs(values) < 2**53).all():
        whole = values.astype(np.int64)
        return whole if (whole == values).all() else values
    return values


def _means_no_label(values: npt.NDArray[Any], marked: npt.NDArray[np.bool_], unlabelled: Unlabelled) -> bool:
    """Whether -1 is no label, in this company."""
    if unlabelled is None or isinstance(unlabelled, int):
        return unlabelled is not None
    others = sorted(set(values[~marked].tolist()), key=str)
    if not others:
        return True
    if any(_is_below_zero_or_broken(label) for label in others):
        return False
    enough = len(others) > 1
    taken, said, value, otherwise = (
        (f"no label beside {len(others):,} classes", "-1", "None", "makes it a class")
        if enough
        else (f"a class beside {others[0]!r}", "None", "-1", "makes it no label")
    )
    warnings.warn(
        f"y: -1, in {int(marked.sum()):,} of {len(values):,} rows, is taken as {taken};"
        f" unlabelled={said} (--unlabelled {said.lower()}) says so without this warning,"
        f" unlabelled={value} (--unlabelled {value.lower()}) {otherwise}",
        StackaeWarning,
        stacklevel=3,
    )
    return enough


def _is_below_zero_or_broken(label: Any) -> bool:
    """Whether a label is a number, perhaps as text, that no list of classes from 0 on holds."""
    try:
        return float(label) < 0 or float(label) != round(float(label))
    except (TypeError, ValueError, OverflowError):
        return False
