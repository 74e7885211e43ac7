"""What ``stackae score`` says of a classifier or regressor: its predictions beside the labels of rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from stackae_cli.applying import Application, Judgement
from stackae_cli.options import note
from stackae_cli.source import config_of

if TYPE_CHECKING:
    from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor

#: So many classes are told of at most, those that are found least.
_MOST_CLASSES = 20
#: So many confusions are told of at most.
_MOST_CONFUSIONS = 5


def judge(application: Application, run: str) -> Judgement:
    """Predict the rows, and compare with their labels.

    Raises
    ------
    DataError
        No row has a label, or no label is a class that the model knows.
    ParameterError
        There are no labels.
    """
    from stackae import StackedAutoencoderClassifier
    from stackae.data import fingerprint
    from stackae.exceptions import ParameterError
    from stackae_cli.learning import no_labels_in

    data, source = application.data, application.source
    if data.y is None:
        raise ParameterError(no_labels_in(source, data))
    if dict(config_of(run).get("ran", {})).get("fingerprint") == fingerprint(data.X):
        note(f"{source.data}: the model learned from these rows, so its score on them flatters it")
    with application.about_data():
        of_kind = _classes if isinstance(application.model, StackedAutoencoderClassifier) else _numbers
        return of_kind(application.model, application.samples, data.y)


def _classes(model: StackedAutoencoderClassifier, X: Any, y: Any) -> Judgement:
    """Accuracy, and which classes are found."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    from stackae.data.labels import as_labels
    from stackae.evaluation.statistics import of_share

    values, known = as_labels(y, None if {-1, "-1"} & set(model.classes_.tolist()) else -1)
    names = _with_others(model.classes_.tolist(), values)
    places = {label: k for k, label in enumerate(names)}
    own = np.array([places[label] for label in values.tolist()], dtype=np.intp)
    proba = model.predict_proba(X)
    predicted, is_class = proba.argmax(axis=1), own < proba.shape[1]
    rows, found = np.flatnonzero(known), predicted[known]
    right = own == found
    probability = np.full(len(known), np.nan)
    probability[rows] = np.where(is_class, proba[rows, np.where(is_class, own, 0)], 0.0)

    every = np.arange(len(names))
    precision, recall, _, support = precision_recall_fscore_support(
        own, found, labels=every, zero_division=np.nan
    )
    share, _, low, high = of_share(float(right.mean()), len(right))
    most_frequent = max(Counter(values.tolist()).values()) / len(own)
    loss = -np.log(np.maximum(probability[rows[is_class]], np.finfo(np.float32).tiny)).mean()
    lines = [
        _rows(known),
        f"accuracy            {_percent(share)} (95 % interval {100 * low:.1f} to {_percent(high)}); the most"
        f" frequent class is {_percent(most_frequent)} of the rows",
        f"balanced accuracy   {_percent(recall[support > 0].mean())}, the mean recall of the labels' classes",
        f"certainty           {_percent(proba[rows, found].mean())}, the mean probability of the predicted"
        " classes",
        f"log loss            {loss:.4g}" + ("" if is_class.all() else " of the labels that the model knows"),
        *_confusions(confusion_matrix(own, found, labels=every), names),
        "",
        f"{'class':<20}{'rows':>8}{'recall':>10}{'precision':>12}",
    ]
    worst_first = np.argsort(np.where(support > 0, recall, np.inf), kind="stable")
    shown = every if len(every) <= _MOST_CLASSES else worst_first[:_MOST_CLASSES]
    lines += [
        f"{_short(names[k]):<20}{support[k]:>8,}{_percent(recall[k]):>10}{_percent(precision[k]):>12}"
        for k in shown
    ]
    if len(every) > len(shown):
        lines.append(f"and {len(every) - len(shown):,} more classes, which are found as often or more often")
    is_right = np.full(len(known), np.nan)
    is_right[known] = right
    given = dict(zip(rows.tolist(), values.tolist(), strict=True))

    def tell(row: int) -> str:
        return f"{_short(given[row]):<20}{_short(names[predicted[row]]):<20}{_percent(probability[row])}"

    heading = f"{'label':<20}{'predicted':<20}probability of the label"
    return Judgement(
        lines, {"right": is_right, "label_probability": probability}, 1 - probability, heading, tell
    )


def _numbers(model: StackedAutoencoderRegressor, X: Any, y: Any) -> Judgement:
    """R², and errors in the numbers' own units."""
    from sklearn.metrics import r2_score

    from stackae.exceptions import ParameterError
    from stackae_cli.learning import numbers_of

    predicted = model.predict(X)
    if predicted.ndim > 1:
        raise ParameterError(
            f"the model predicts {predicted.shape[1]} numbers for each row; judge it in Python, by its score"
        )
    targets = numbers_of(y, "correct it, or say by --na that it is no label")
    known = ~np.isnan(targets)
    _check_any(int(known.sum()))
    errors = predicted - targets
    size = np.abs(errors[known])
    lines = [
        _rows(known),
        f"R²                  {r2_score(targets[known], predicted[known]):.5f}"
        " (1: exact; 0: no better than the mean)",
        f"absolute error      {size.mean():.5g} on the average; median {np.median(size):.5g},"
        f" greatest {size.max():.5g}",
        f"root mean square    {np.sqrt((size**2).mean()):.5g}",
    ]

    def tell(row: int) -> str:
        return f"{targets[row]:<20.6g}{predicted[row]:<20.6g}{errors[row]:.6g}"

    return Judgement(
        lines, {"error": errors}, np.abs(errors), f"{'label':<20}{'predicted':<20}predicted - label", tell
    )


def _with_others(classes: list[Any], values: np.ndarray) -> list[Any]:
    """The model's classes, then labels that are none, which are said and count as wrong.

    Raises
    ------
    DataError
        No label is a class.
    """
    from stackae.exceptions import DataError

    _check_any(len(values))
    known = set(classes)
    others = Counter(label for label in values.tolist() if label not in known)
    if not others:
        return classes
    shown, spelt = _some([*dict(others.most_common())]), {str(label).strip().casefold() for label in classes}
    same = any(str(label).strip().casefold() in spelt for label in others)
    alike = "; they differ in their spelling or type alone" if same else ""
    if others.total() == len(values):
        raise DataError(
            f"no label is a class of the model: they are {shown}, where it knows"
            f" {_some(classes)}{alike}; give another --labels COLUMN or FILE"
        )
    note(
        f"{others.total():,} rows have labels that the model does not know ({shown}): counted as"
        f" wrong{alike.replace('they', 'some')}"
    )
    return [*classes, *dict(others.most_common())]


def _some(labels: list[Any]) -> str:
    return ", ".join(map(repr, labels[:3])) + (", ..." if len(labels) > 3 else "")


def _check_any(n_labelled: int) -> None:
    from stackae.exceptions import DataError

    if not n_labelled:
        raise DataError("no row has a label; give another --labels COLUMN or FILE")


def _confusions(matrix: np.ndarray, names: list[Any]) -> list[str]:
    """Which class is taken for which, most often first."""
    wrong = matrix - np.diag(np.diag(matrix))
    mistakes = sorted(zip(*wrong.nonzero(), strict=True), key=lambda pair: -wrong[pair])
    told = [
        f"{_short(names[a])} taken for {_short(names[b])} ({wrong[a, b]:,})"
        for a, b in mistakes[:_MOST_CONFUSIONS]
    ]
    if rest := sum(wrong[pair] for pair in mistakes[_MOST_CONFUSIONS:]):
        told.append(f"others ({rest:,})")
    return [f"mistakes            {', '.join(told)}"] if told else []


def _rows(known: np.ndarray) -> str:
    labelled = "all with a label" if known.all() else f"{known.sum():,} of them with a label"
    return f"rows                {len(known):,}, {labelled}"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f} %"


def _short(label: Any) -> str:
    text = str(label)
    return text if len(text) < 20 else f"{text[:16]}..."
