"""The codes against PCA's and against the rows themselves, on rows that are held out."""

from __future__ import annotations

from copy import copy
from math import isnan
from typing import Any

import numpy as np

from stackae.data.labels import CLASSIFY, REGRESS
from stackae.evaluation import Comparison, Measure, Record, compare_fitted, resplit, summary
from stackae.evaluation.measures import LINEAR, NEIGHBOURS, PROBES
from stackae.evaluation.methods import OURS, RAW, RIVAL
from stackae.evaluation.splits import as_rows, taken
from stackae.report.contents import Section, Table
from stackae.report.gathering import Subject
from stackae.report.wording import several

#: Cells that simple models learn from and are asked about, and rows of them at least; and columns up to which
#: they are shown the rows themselves too.
_MOST_CELLS, _LEAST_ROWS, _MOST_RAW = 500_000, 500, 256
_GAINS = "A gain over PCA is told with half of its 95 % interval (±)."
_CHANCE = "By this model, codes and components differ by no more than chance"
_RECONSTRUCTED = (
    " of the reconstruction of these {0:,} rows, all columns together, in the units in which the model works."
)
#: What the columns of the table are.
_PROBES = {
    CLASSIFY: (
        "Linear probe: a logistic regression on the standardised features. k-NN probe: the commonest class of"
        " the five nearest training rows. Clusters: k-means finds as many as there are classes, without their"
        " labels; each stands for one class, as it suits best. All three are told as the share that is"
        " right. R²: that" + _RECONSTRUCTED
    ),
    REGRESS: (
        "Linear probe: a ridge regression on the standardised features. k-NN probe: the mean of the five"
        " nearest training rows. Both are told as R² of the rows asked about: 0 is the mean, 1 is perfect."
        " Reconstruction: R²" + _RECONSTRUCTED
    ),
}


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
    others = [told[0].upper() + told[1:] for _, _, told in (sentence.partition(": ") for sentence in others)]
    learned = (
        "Simple models learned the labels of {:,} rows from the features, and were asked about {:,} others."
    )
    sentences = [f"{first[0].upper()}{first[1:]}.", learned.format(n_train, n_test)]
    result = _result(comparison, n_test)
    if hasattr(subject.model, "finetune") and hasattr(subject.model, "predict"):
        flattered = (
            "The model itself was fine-tuned with labels, perhaps of these very rows, which flatters it."
        )
        sentences.append(flattered)
        result += f" {flattered}"
    else:
        sentences.append(
            "PCA was fitted to all of these rows, without labels, as was the model if it learned from them."
        )
    sentences.append(f"{_PROBES[comparison.task].format(n_test)} {_GAINS}")
    return Section(
        "verdict",
        "Against PCA",
        tuple(sentences),
        tuple(others),
        (_table(comparison),),
        result=result,
    )


def _result(comparison: Comparison, n_test: int) -> str:
    """What a linear model makes of codes and principal components, in a sentence; and what neighbours say."""
    (width,) = comparison.widths
    is_share = comparison.task == CLASSIFY
    ours, theirs = (comparison.of(method, width)[0] for method in (OURS, RIVAL))

    def of(record: Record, probe: Measure) -> str:
        return _in_words(record.measures[probe.key], is_share=is_share)

    codes, components = several(ours.n_features, "code"), several(theirs.n_features, "principal component")
    own, other = of(ours, LINEAR), of(theirs, LINEAR)
    rows = f"{n_test:,} labelled rows held out from it"
    if is_share:
        (commonest,) = comparison.commonest_class
        told = (
            f"A logistic regression on the {codes} is right on {own} of {rows};"
            f" on {components}, on {other}; always answering the commonest class, on"
            f" {_in_words(commonest, is_share=True)}."
        )
    else:
        told = (
            f"A ridge regression on the {codes} has an R² of {own} on {rows};"
            f" on {components}, of {other}; always answering the mean, of about 0."
        )
    linear, neighbours = (comparison.difference(probe.key, width).sign for probe in PROBES)
    if linear == 0:
        told += f" {_CHANCE}."
    if neighbours != linear:
        apart = ", no more than chance apart" if neighbours == 0 else ""
        own, other = of(ours, NEIGHBOURS), of(theirs, NEIGHBOURS)
        told += f" Nearest neighbours come to {own} on the codes and {other} on the components{apart}."
    return told


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


def _in_words(figure: float, *, is_share: bool) -> str:
    return f"{100 * figure:.1f} %" if is_share else f"{figure:.3f}"


def _table(comparison: Comparison) -> Table:
    lines = []
    for line in summary(comparison):
        cells = []
        for measure in comparison.measures:
            found = line.get(measure.key)
            if found is None or isnan(found.mean):
                cells.append("")
            else:
                cells.append(_in_words(found.mean, is_share=measure.is_share))
        seconds = "" if line["seconds"] is None else f"{line['seconds']:.2f}"
        width = f"{line['width']:,}" if line["width"] else ""
        lines.append([line["method"], width, *cells, seconds])
    head = ("features", "width", *(measure.title for measure in comparison.measures), "seconds of fit")
    return Table.of("What simple models make of the features", head, lines)
