"""The labels that finetune learns from, and what its model is worth on rows that are held out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stackae_cli.options import note
from stackae_cli.resume import checkpoints_in
from stackae_cli.run_folder import CHECKPOINTS, HELD_OUT, LABEL_CURVE, held_out_in_words
from stackae_cli.source import Source
from stackae_cli.task import UNLABELLED, settled_task

if TYPE_CHECKING:
    from stackae.data import DataSet
    from stackae.estimators import BaseEncoder


@dataclass(frozen=True)
class Learned:
    """Rows, and what is to be predicted of them.

    Attributes
    ----------
    data : DataSet
        ``y`` is as it was read.
    targets : array of shape (n_samples,)
        Classes, None where a row has none; or numbers, NaN likewise.
    known : array of shape (n_samples,)
        Which rows have one.
    are_classes : bool
    """

    data: DataSet
    targets: np.ndarray
    known: np.ndarray
    are_classes: bool


def read_learned(source: Source, encoder: BaseEncoder, options: Mapping[str, Any]) -> Learned:
    """The rows of DATA in the columns that the encoder knows, and what its labels are taken for.

    Raises
    ------
    ParameterError
        There are no labels, or whole numbers so many that they may be classes or not.
    """
    from stackae.data.labels import CLASSIFY, as_labels
    from stackae.exceptions import ParameterError
    from stackae_cli.options import about

    data = source.read(encoder, labels=True)
    if data.y is None:
        raise ParameterError(no_labels_in(source, data))
    with about(source.data):
        if settled_task(options["task"], source, data.y, options["unlabelled"]) == CLASSIFY:
            labels = as_labels(data.y, UNLABELLED[options["unlabelled"]])
            targets = np.full(len(labels.known), None, dtype=object)
            targets[labels.known] = labels.values
            return Learned(data, targets, labels.known, True)
        numbers = numbers_of(data.y, "say --task classify")
    return Learned(data, numbers, ~np.isnan(numbers), False)


def no_labels_in(source: Source, data: DataSet) -> str:
    """What to say where rows bring no labels."""
    unused = [*source.drop, *data.ignored]
    which = f", perhaps {' or '.join(unused[:3])}, which the model does not use," if unused else ""
    return f"{source.data} brings no labels; give --labels, a column of it{which} or a file"


def numbers_of(y: Any, mend: str) -> np.ndarray:
    """Labels as numbers, NaN where there is none; otherwise a ``DataError`` that ends in what mends it."""
    from stackae.data.labels import as_targets
    from stackae.exceptions import DataError

    targets = as_targets(y)
    try:
        return np.asarray(targets, dtype=np.float64)
    except ValueError:
        row, label = next((k, label) for k, label in enumerate(targets.ravel()) if not _is_number(label))
        raise DataError(
            f"labels must be numbers for a regression, got {label!r} in row {row}; {mend}"
        ) from None


def _is_number(label: Any) -> bool:
    try:
        float(label)
    except (TypeError, ValueError):
        return False
    return True


def judged(
    model: Any, learned: Learned, folder: Path, key: str, options: Mapping[str, Any], every: float
) -> str | None:
    """What a model that has not seen some of the labelled rows makes of them, in a sentence; None: not asked.

    It is kept in the run's folder, so that a run that goes on need not do it again.
    """
    from sklearn.base import clone

    from stackae.data.labels import as_labels
    from stackae.evaluation import beside_baselines, hold_out
    from stackae.evaluation.held_out import LEAST_LABELLED, OURS
    from stackae.evaluation.statistics import of_share
    from stackae.serialization.files import atomic_write_text

    path = folder / HELD_OUT
    if options["held_out"] == 0:
        return None
    if not path.is_file():
        labelled = np.flatnonzero(learned.known)
        y = (
            as_labels(learned.targets[labelled], None).values
            if learned.are_classes
            else learned.targets[labelled]
        )
        halves = hold_out(y, options["held_out"], options["random_state"], classes=learned.are_classes)
        if halves is None:
            few = f"{len(y):,} labels" if len(y) < LEAST_LABELLED else "the labels of all classes but one"
            rest = "" if model.semi is None else ", nor whether --semi helps it"
            note(f"{few} are too few to hold some out: the model is not judged{rest}")
            return None
        note(f"a first fit leaves {len(halves[1]):,} labelled rows out, to be judged on them")
        train, test = (learned.data.take(labelled[half]) for half in halves)
        y_train, y_test = (y[half] for half in halves)
        first = clone(model)
        if "calibration" in first.get_params(deep=False):  # which changes no prediction
            first.set_params(calibration=None)
        keeper = checkpoints_in(folder, f"held out: {key}", every, "held-out")
        rows, own = train, y_train
        if first.semi is not None:  # which learns from rows without a label, too
            others = np.delete(np.arange(len(learned.known)), labelled[halves[1]])
            rows, own = learned.data.take(others), learned.targets[others]
        first.set_callbacks(keeper).fit(rows.named_samples, own)
        scores = beside_baselines(first, train.named_samples, y_train, test.named_samples, y_test)
        found: dict[str, Any] = {
            "measure": "accuracy" if learned.are_classes else "r2",
            "rows": len(y_test),
            "scores": scores,
        }
        if first.semi == "auto":
            found["semi"] = first.semi_
        if learned.are_classes:
            found["interval"] = of_share(scores[OURS], len(y_test))[2:]
        atomic_write_text(path, json.dumps(found, indent=2) + "\n")
        shutil.rmtree(folder / CHECKPOINTS / "held-out", ignore_errors=True)
    return held_out_in_words(folder)


def say_what_semi_meets(semi: Any, learned: Learned) -> None:
    """Say where methods for rows without a label meet none, or fewer rows than they ask for.

    Parameters
    ----------
    semi : list of SemiSupervised, "auto" or None
    learned : Learned
    """
    from stackae.semi import SEMI
    from stackae.semi.base import LabelSpread

    parts = semi if isinstance(semi, list) else []
    if parts and learned.known.all():
        what = ("applies to the labelled rows", "has nothing to spread")
        told = [f"{SEMI.name_of(part)} {what[isinstance(part, LabelSpread)]}" for part in parts]
        note(f"every row has a label: {', '.join(told)}")
        return
    n_others = len(learned.known) - 1
    for asked in (getattr(part, "n_neighbors", 0) for part in parts):
        if asked > n_others:
            note(
                f"propagation to {asked:,} neighbours: each row has only {n_others:,} others, and is joined"
                " to all of them"
            )


def learned_from_in_words(model: Any, learned: Learned) -> str:
    """How many rows a model was fine-tuned on, and what they had."""
    from stackae.semi.base import UnlabelledCost

    n_rows, n_labelled = len(learned.known), int(learned.known.sum())
    n_spread = getattr(model, "n_spread_", 0)
    costs = isinstance(model.semi, list) and any(isinstance(part, UnlabelledCost) for part in model.semi)
    n_without = n_rows - n_labelled - n_spread if costs else 0
    others = [(n_spread, "with spread labels"), (n_without, "without a label")]
    told = [f"{n_labelled:,} labelled rows", *(f"{n:,} {what}" for n, what in others if n)]
    n_used = n_labelled + n_spread + n_without
    if not told[1:]:
        return told[0] + (f" of {n_rows:,}" if n_used < n_rows else "")
    unused = f" ({n_rows - n_used:,} others are not used)" if n_used < n_rows else ""
    return f"{', '.join(told[:-1])} and {told[-1]}{unused}"


def chosen_in_words(model: Any, learned: Learned, folder: Path) -> str:
    """What became of ``--semi auto``, and why; and where the fit that was judged chose otherwise."""
    chosen = _choice_in_words(model, learned)
    path = folder / HELD_OUT
    judged = json.loads(path.read_text(encoding="utf-8")).get("semi") if path.is_file() else None
    if judged is None or bool(judged) == bool(model.semi_):
        return chosen
    other = "spread them" if judged else "did not spread them"
    return f"{chosen}; the fit that was judged on held-out rows {other}"


def _choice_in_words(model: Any, learned: Learned) -> str:
    from stackae.fitting.semi_choice import MOST_ROWS

    if model.semi_:
        spread = f"labels were spread to other rows ({' and '.join(model.semi_)})"
        return f"{spread}, since that predicted held-out labels better"
    if learned.known.all():
        return "every row has a label, there is nothing to spread"
    classes, counts = np.unique(learned.targets[learned.known].astype(str), return_counts=True)
    if counts.min() < 2:
        return f"not tried, class {str(classes[counts.argmin()])!r} has 1 label and 2 are needed"
    if len(learned.known) > MOST_ROWS:
        return f"not tried, there are more than {MOST_ROWS:,} rows"
    return "labels were not spread to other rows, since that predicted held-out labels no better"


def curve_of(model: Any, learned: Learned, folder: Path) -> str:
    """How a model's score rises with the number of labels, as a table; kept likewise."""
    from stackae.evaluation import LabelCurve, label_curve
    from stackae.exceptions import ModelFileError
    from stackae.serialization.files import atomic_write_text

    path = folder / LABEL_CURVE
    if not path.is_file():
        curve = label_curve(
            model,
            learned.data.named_samples,
            learned.targets,
            random_state=model.random_state,
            verbose=model.verbose,
        )
        atomic_write_text(path, json.dumps(curve.to_dict(), indent=2) + "\n")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(LabelCurve(found["measure"], tuple(found["labels"]), np.array(found["scores"])))
    except (ValueError, LookupError, TypeError):
        raise ModelFileError(f"{path}: is damaged; remove it if you trust the run") from None
