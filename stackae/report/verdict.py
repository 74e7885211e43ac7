"""The codes against PCA's and against the rows themselves, on rows that are held out."""

from __future__ import annotations

from copy import copy
from math import isnan
from typing import Any

import numpy as np

from stackae.evaluation import Comparison, compare_fitted, resplit, summary
from stackae.evaluation.methods import OURS, RAW, RIVAL
from stackae.evaluation.splits import as_rows, taken
from stackae.report.contents import Section, Table
from stackae.report.gathering import Subject

#: Cells that simple models learn from and are asked about, and rows of them at least; and columns up to which
#: they are shown the rows themselves too.
_MOST_CELLS, _LEAST_ROWS, _MOST_RAW = 500_000, 500, 256


def verdict(subject: Subject) -> Section | None:
    """Whether simple models learn more from the codes than from as many principal components."""
    if subject.X is None:
        return None
    if subject.y is None:
        subject.leave_out("The verdict against PCA", "it needs labels, and none were given")
        return None
    found = subject.attempt("The verdict against PCA", lambda: _compared(subject))
    if found is None:
        return None
    comparison, n_train, n_test = found
    first, *others = comparison.verdicts()
    sentences = [
        f"{first[0].upper()}{first[1:]}.",
        f"Simple models learned the labels of {n_train:,} rows, and were asked about {n_test:,} others.",
    ]
    if hasattr(subject.model, "finetune") and hasattr(subject.model, "predict"):
        sentences.append(
            "The model itself was fine-tuned with labels, perhaps of these very rows, which flatters it."
        )
    else:
        sentences.append("The features were learned from all of these rows, without their labels.")
    return Section("verdict", "Against PCA", tuple(sentences), tuple(others), (_table(comparison),))


def _compared(subject: Subject) -> tuple[Comparison, int, int]:
    rows = as_rows(subject.X, subject.model._table)
    width = max(rows.shape[1], subject.model._n_features_out)
    n_judged = min(len(rows), max(_LEAST_ROWS, _MOST_CELLS // width))
    judged = np.unique(np.linspace(0, len(rows) - 1, n_judged).round().astype(np.intp))
    split = resplit(taken(rows, judged), np.asarray(subject.y)[judged])(0)
    model: Any = copy(subject.model)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # from here on the rows are bare arrays
    comparison = compare_fitted(
        model,
        rows,
        split,
        seconds=subject.seconds,
        methods=(OURS, RIVAL, RAW) if rows.shape[1] <= _MOST_RAW else (OURS, RIVAL),
        few_labels=(),
    )
    return comparison, len(split.X), len(split.X_test)


def _table(comparison: Comparison) -> Table:
    lines = []
    for line in summary(comparison):
        cells = []
        for measure in comparison.measures:
            found = line.get(measure.key)
            if found is None or isnan(found.mean):
                cells.append("")
            else:
                cells.append(f"{100 * found.mean:.1f} %" if measure.is_share else f"{found.mean:.3f}")
        seconds = "" if line["seconds"] is None else f"{line['seconds']:.2f}"
        lines.append([line["method"], f"{line['width']:,}", *cells, seconds])
    head = ("features", "width", *(measure.title for measure in comparison.measures), "seconds of fit")
    return Table.of("What simple models make of the features", head, lines)
