"""What a report tells of model and training: data, layers, curves, health, pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from stackae.data.labels import CLASSIFY, as_labels, task_of
from stackae.exceptions import ParameterError
from stackae.fitting.plan import n_frozen
from stackae.plotting._samples import directed_names, encoded_names
from stackae.plotting.loadings import MOST_CODES, strongest_codes
from stackae.report import figures, findings, wording
from stackae.report.contents import Figure, Section, Table
from stackae.report.gathering import Subject

#: Columns of the data, and classes, that are told of.
_MOST_COLUMNS, _MOST_CLASSES = 30, 10
#: The strongest columns of a code.
_STRONGEST = 3
#: Codes whose loadings are found one by one.
_MOST_GRADIENTS = 128
#: What kinds of columns are called.
_KINDS = {
    "number": "of numbers",
    "binary": "of two values",
    "category": "of categories",
    "date": "of dates",
    "text": "of text",
    "drop": "left out",
}


def data(subject: Subject) -> Section:
    """Rows, columns, kinds, gaps, labels."""
    sentences, tables = [], []
    table = subject.model._table
    if table is not None:
        told = table.table_
        kinds = Counter(column.kind for column in told)
        named = ", ".join(f"{n:,} {_KINDS[kind]}" for kind, n in kinds.most_common())
        missing = sum(column.n_missing for column in told)
        sentences.append(
            f"The table had {len(told):,} columns: {named}. They were encoded as {len(table.column_of_):,}"
            f" numbers a row. {_missing(missing)} in training."
        )
        tables.append(_table_of(told, directed_names(subject.model, [column.name for column in told])))
    if subject.X is not None:
        if table is None:
            sentences.append(_numbers(subject))
            if subject.layout is None:
                tables.append(_ranges(subject))
        if len(subject.numbers) < subject.n_rows:
            sentences.append(
                f"Of the {subject.n_rows:,} rows, {len(subject.numbers):,} were looked at for this report,"
                " evenly spaced."
            )
        sentences += [] if subject.y is None else [_labels(subject)]
    return Section("data", "The data", tuple(sentences), tables=tuple(tables))


def layers(subject: Subject) -> Section:
    """What each layer consists of."""
    module = subject.model.module_
    head = ["layer", "inputs", "units", "network", "activation", "weights tied", "corruption", "code"]
    head += ["penalty", "loss", "inputs are taken"]
    lines, in_python = [], []
    for number, layer in enumerate(module, 1):
        parts = layer.parts
        activation = "none: linear" if parts.activation == "identity" else parts.activation
        cells = [wording.of_part(parts.network), activation, "yes" if parts.tied_weights else ""]
        cells += [wording.of_part(parts.corruption), wording.of_part(parts.code)]
        cells += [", ".join(map(wording.of_part, parts.penalties)), wording.of_loss(layer)]
        cells += [wording.of_scaling(parts)]
        lines.append([str(number), f"{layer.n_inputs:,}", f"{layer.n_units:,}", *cells])
        named = [parts.network, parts.corruption, parts.code, *parts.penalties, parts.loss]
        in_python.append(f"{number}: {', '.join(str(part) for part in named if part is not None)}")
    n_weights = sum(parameter.numel() for parameter in module.parameters())
    sentences = [f"{n_weights:,} weights in all."]
    if n := n_frozen(layer.parts for layer in module):
        which = "Layer 1 is" if n == 1 else f"Layers 1 to {n} are"
        sentences.append(f"{which} frozen: left out of fine-tuning.")
    if getattr(module, "shortcut", None) is not None:
        sentences.append("A linear way past the layers, which starts as PCA, is part of the code.")
    return Section(
        "layers",
        "The layers",
        tuple(sentences),
        tables=(Table.of("What each consists of", head, lines),),
        folded=(("As they are called in Python", "\n".join(in_python)),),
    )


def health(subject: Subject) -> Section:
    """What is wrong, in a sentence each; or that nothing is."""
    model = subject.model
    found = findings.of_health(model._health, model.module_.widths)
    top = model.module_[-1].parts
    is_sparse = top.code is not None or bool(top.penalties)
    found += findings.of_widths(model.module_.n_inputs, top.n_units, is_sparse=is_sparse)
    found += findings.of_reconstruction(
        subject.r2,
        subject.pca_r2,
        model.module_.widths[-1],
        may_have_shortcut=_left_out_the_shortcut(model),
        penalties=[str(penalty) for layer in model.module_ for penalty in layer.parts.penalties],
    )
    found += findings.of_training(model.history_)
    looked_at = "units, directions and losses" if subject.r2 is None else "units, directions, losses and R²"
    sentences = [] if found else [f"All is well: {looked_at} show nothing unusual."]
    if hasattr(model, "predict") and hasattr(model, "finetune"):
        sentences.append("The health is that of before the labels were learned.")
    drawn = subject.drawn("The picture of the health", lambda: figures.of_health(model))
    return Section("health", "Health", tuple(sentences), tuple(found), figures=drawn)


def weights(subject: Subject) -> Section | None:
    """What units of the first layer look for, where rows are images or series."""
    if subject.layout is None:
        return None
    shape = dict(subject.shape)
    if subject.model.components_.shape[1] < subject.layout.n_features:  # filters have a shape of their own
        if len(subject.layout.space) == 1:
            return None
        shape = {}
    drawn = subject.drawn("Weights", lambda: figures.of_weights(subject.model, shape))
    return Section("weights", "What the first layer looks for", figures=drawn) if drawn else None


def reconstructions(subject: Subject) -> Section | None:
    """The rows that are reconstructed best and worst."""
    if subject.r2 is None:
        return None
    shape = dict(subject.shape)

    def draw(which: str) -> Figure:
        return figures.of_reconstructions(subject.model, subject.X, which, shape, subject.numbers)

    drawn: list[Figure] = []
    of_cells = subject.layout is None  # in one figure, so that errors have one scale
    for which in ("both",) if of_cells else ("best", "worst"):
        drawn += subject.drawn(f"The rows that are reconstructed {which}", partial(draw, which))
    mean = ", the mean over the columns" if subject.model._table is not None else ""
    sentence = f"R² of the reconstruction is {subject.r2:.3f}{mean}, of the rows that were looked at."
    if of_cells:
        sentence += " The longest bar is the largest error of a cell in these rows."
    return Section("reconstructions", "Best and worst reconstructions", (sentence,), figures=tuple(drawn))


def codes(subject: Subject) -> Section | None:
    """The map of the codes."""
    drawn = subject.drawn(
        "The map of the codes",
        lambda: figures.of_codes(subject.model, subject.X, subject.y, subject.labels_name),
    )
    return Section("codes", "Map of the codes", figures=drawn) if drawn else None


def loadings(subject: Subject) -> Section | None:
    """The columns that make each code."""
    if subject.model._differentiates_codes and subject.model._n_features_out > _MOST_GRADIENTS:
        subject.leave_out(
            "Loadings",
            f"those of {subject.model._n_features_out:,} codes of such layers take long; loadings(X) gives"
            " them",
        )
        return None
    found = subject.attempt("Loadings", lambda: subject.model.loadings(subject.X))
    if found is None:
        return None
    names = dict(zip(found.column_names, directed_names(subject.model, found.column_names), strict=True))
    lines = []
    for code in strongest_codes(found.values, MOST_CODES):
        strongest = [
            f"{names[column]} ({'±' if column in found.undirected else ''}{value:.3g})"
            for column, value in found.strongest(int(code), _STRONGEST)
        ]
        lines.append([str(code), *strongest, *[""] * (_STRONGEST - len(strongest))])
    head = ("code", "strongest column", "second", "third")
    n_codes = len(found.code_names)
    shown = f"the {MOST_CODES} strongest of {n_codes:,} codes" if n_codes > MOST_CODES else "each code"
    table = Table.of(f"The columns that move {shown} most", head, lines)
    drawn = subject.drawn(
        "The picture of the loadings",
        lambda: figures.of_loadings(found.values, list(map(str, range(n_codes))), list(names.values())),
    )
    are_numbered = not hasattr(subject.model, "feature_names_in_") and subject.model._table is None
    sentences: tuple[str, ...] = ("x0, x1 and so on are the columns in their order.",) if are_numbered else ()
    if n_codes > MOST_CODES:
        sentences += (
            "The strongest codes are those with the largest sum of squared loadings, the strongest first.",
        )
    if two_valued := next((name for own, name in names.items() if name != own), None):
        sentences += (
            f"{two_valued}: a column of two values stands with the one that counts as 1; where a loading is"
            " positive, this value raises the code.",
        )
    if found.undirected:
        sentences += ("±: categories and dates, which have no direction, only a strength.",)
    return Section("loadings", "Which columns make which code", sentences, (), (table,), drawn)


def scree(subject: Subject) -> Section | None:
    """R² against the number of codes, beside PCA's."""
    display = subject.scree
    if display is None:
        return None
    drawn = subject.drawn("R² against the number of codes", lambda: figures.of_scree(display))
    return Section("scree", "How many codes it takes", figures=drawn) if drawn else None


def samples(subject: Subject) -> Section | None:
    """New samples, of generative models."""
    try:
        subject.model.sample(1, 0)
    except (AttributeError, ParameterError):  # it has none, or no prior to draw from
        return None
    drawn = subject.drawn("New samples", lambda: figures.of_samples(subject.model, dict(subject.shape)))
    return Section("samples", "New samples", figures=drawn) if drawn else None


def _left_out_the_shortcut(model: Any) -> bool:
    """Whether a stack that could have a shortcut was told to have none."""
    layers = getattr(model, "layers", None)
    are_bare = isinstance(layers, Sequence) and all(isinstance(layer, int) for layer in layers)
    return are_bare and model.shortcut is None and model._table is None


def _table_of(told: Sequence[Any], directed: Sequence[str]) -> Table:
    """What each column of the user's table became."""
    lines = []
    for (name, dtype, kind, n_encoded, n_missing, note), counts_as_1 in zip(told, directed, strict=True):
        note = note or ("" if counts_as_1 == str(name) else f"{counts_as_1} is 1")
        lines.append([str(name), dtype, kind, str(n_encoded or "–"), str(n_missing or "–"), note])
    lines = lines[:_MOST_COLUMNS]
    head = ("column", "type", "taken as", "encoded", "missing", "note")
    return Table.of(_first(len(told), "What each column became"), head, lines)


def _numbers(subject: Subject) -> str:
    """What an array holds."""
    values = subject.matrix[:]
    n_missing = int(np.isnan(values).sum())
    known = f"from {np.nanmin(values):.4g} to {np.nanmax(values):.4g}, mean {np.nanmean(values):.4g}"
    rows = f"{subject.n_rows:,} rows of {values.shape[1]:,} numbers"
    return f"{rows}, {known}. {_missing(n_missing)}."


def _ranges(subject: Subject) -> Table:
    """Least, mean and greatest value of each column."""
    values = subject.matrix[:]
    names = encoded_names(subject.model)
    lines = []
    for name, column in list(zip(names, values.T, strict=True))[:_MOST_COLUMNS]:
        known = column[~np.isnan(column)]
        told = (
            [f"{value:.4g}" for value in (known.min(), known.mean(), known.max())] if len(known) else [""] * 3
        )
        n_missing = len(column) - len(known)
        lines.append([name, *told, f"{n_missing:,}" if n_missing else ""])
    head = ("column", "least", "mean", "greatest", "missing")
    return Table.of(_first(len(names), "The columns"), head, lines)


def _first(n: int, what: str) -> str:
    return f"{what}: the first {_MOST_COLUMNS} of {n:,}" if n > _MOST_COLUMNS else what


def _missing(n: int) -> str:
    return f"{n:,} cell{' was' if n == 1 else 's were'} missing" if n else "No cell was missing"


def _labels(subject: Subject) -> str:
    """What the labels are."""
    labels = as_labels(subject.y, unlabelled=None)
    named = f"Labels ({subject.labels_name})" if subject.labels_name else "Labels"
    if not len(labels.values):
        return f"{named}: no row has one."
    n_unknown = int((~labels.known).sum())
    without = f"; {n_unknown:,} rows have none" if n_unknown else ""
    if task_of(labels).task != CLASSIFY:
        return f"{named}: numbers to predict{without}."
    counts = Counter(map(str, labels.values.tolist())).most_common()
    shown = ", ".join(f"{name}\N{NO-BREAK SPACE}({n:,})" for name, n in counts[:_MOST_CLASSES])
    more = f" and {len(counts) - _MOST_CLASSES:,} more" if len(counts) > _MOST_CLASSES else ""
    return f"{named}: {len(counts)} classes, {shown}{more}{without}."
