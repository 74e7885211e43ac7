"""All sections of a report, below its headline."""

from __future__ import annotations

from collections.abc import Sequence

from stackae.report import sections
from stackae.report.contents import Contents, Section
from stackae.report.gathering import Subject
from stackae.report.training import training
from stackae.report.verdict import verdict
from stackae.report.wording import several

#: Those that need rows, in their order.
_OF_ROWS = (
    sections.reconstructions,
    sections.codes,
    sections.loadings,
    sections.scree,
)


def contents_of(
    subject: Subject,
    title: str | None,
    made_from: str | None,
    notes: Sequence[str],
    replay: Sequence[tuple[str, str]],
) -> Contents:
    """What is told of a model and rows, in the order in which it is read.

    Raises
    ------
    ParameterError, DataError, ValueError
        The rows, or their shape, are refused by the model.
    """
    if subject.X is not None:
        _ = subject.matrix  # refused now, not section by section
    _ = subject.layout
    found = [
        sections.data(subject),
        sections.layers(subject),
        training(subject),
        sections.health(subject),
        sections.weights(subject),
    ]
    if subject.X is None:
        subject.leave_out(
            "Reconstructions, the map of the codes, loadings and the verdict against PCA",
            "they need rows, and none were given",
        )
    else:
        found += [section(subject) for section in _OF_ROWS]
    found += [sections.samples(subject), verdict(subject)]
    found.append(Section("replay", "How to make it again", code=tuple(replay)))
    kind = type(subject.model).__name__
    return Contents(
        title or (f"{kind} on {made_from}" if made_from else kind),
        " ".join([_headline(subject, made_from), *notes]),
        _facts(subject),
        tuple(section for section in found if section is not None and not _is_empty(section)),
        tuple(dict.fromkeys(subject.left_out)),
        kind,
    )


def _headline(subject: Subject, made_from: str | None) -> str:
    """What was fitted, on what, how long it took, and how good it is."""
    model, n_codes = subject.model, subject.model._n_features_out
    what = "layer" if len(model.module_) == 1 else f"stack of {len(model.module_)} layers"
    n_columns = model.n_features_in_
    columns = f"the {n_columns:,} columns" if n_columns > 1 else "the one column"
    sentence = f"A {what} that turns {columns} of a row into {several(n_codes, 'code')}"
    if subject.r2 is None:
        return f"{sentence}."
    pca = subject.pca_r2
    beside = "" if pca is None else f"; PCA of as many components, fitted to these rows, {100 * pca:.1f} %"
    n_looked_at = len(subject.numbers)
    some = f"{n_looked_at:,} of " if n_looked_at < subject.n_rows else ""
    of = f" of {some}{subject.n_rows:,} rows{f' of {made_from}' if made_from else ''}"
    more, n_inputs = "", model.module_.n_inputs
    if n_codes >= n_inputs:
        more = (
            f" {n_codes:,} codes for {n_inputs:,} numbers a row compress nothing: PCA would keep all of it."
        )
    return f"{sentence}. It reconstructs {100 * subject.r2:.1f} % of the variance{of}{beside}.{more}"


def _facts(subject: Subject) -> tuple[tuple[str, str], ...]:
    """The figures of the headline."""
    model = subject.model
    facts = [("rows", f"{subject.n_rows:,}")] if subject.n_rows else []
    facts += [
        ("columns", f"{model.n_features_in_:,}"),
        ("widths", " → ".join(map(str, [model.module_.n_inputs, *model.module_.widths]))),
    ]
    facts += [("epochs", f"{model.n_iter_:,}")] if model.n_iter_ else []
    facts += [] if subject.seconds is None else [("training", f"{subject.seconds:.1f} s")]
    if hasattr(model, "temperature_"):
        facts.append(("temperature of the probabilities", f"{model.temperature_:.2f}"))
    facts += [] if subject.r2 is None else [("R² of these rows", f"{subject.r2:.3f}")]
    return tuple(facts)


def _is_empty(section: Section) -> bool:
    told = (section.sentences, section.findings, section.tables, section.figures, section.code)
    return not any(told)
