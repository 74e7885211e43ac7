"""How training went: the curves, where each phase ended, and what the losses are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import is_classifier

from stackae.codes.gaussian import GaussianCode
from stackae.losses.cross_entropy import CrossEntropy
from stackae.losses.per_feature import PerFeature
from stackae.modules.layer import Layer
from stackae.plotting import HistoryDisplay
from stackae.report import figures, wording
from stackae.report.contents import Section, Table
from stackae.report.gathering import Subject


def training(subject: Subject) -> Section | None:
    """The curves, where each phase ended, and what is counted there."""
    history, model = subject.model.history_, subject.model
    if not history:
        subject.leave_out("Curves", "nothing was trained here, by epochs")
        return None
    lines: list[list[str]] = []
    by_loss: dict[str, list[str]] = {}
    for title, epochs in HistoryDisplay(history).phases_:
        layer = _judging(model, epochs[-1])
        by_loss.setdefault(_loss(model, layer), []).append(title)
        lines.append([title, *_end(epochs, None if layer is None else wording.n_judged(layer))])
    head = ("phase", "epochs", "loss", "held-out loss", "per column", "seconds")
    told = [f"{_joined(titles)}: {loss}." for loss, titles in by_loss.items()]
    return Section(
        "training",
        "Training",
        (_COUNTED + _added(model), *(f"{sentence[0].upper()}{sentence[1:]}" for sentence in told)),
        tables=(Table.of("Where each phase ended", head, lines),),
        figures=subject.drawn("Curves", lambda: figures.of_history(model)),
    )


_COUNTED = (
    "A loss is summed over the columns of a row and averaged over rows. Per column: divided by their number,"
    " of the rows held out where there are some, else of the training rows."
)


def _added(model: Any) -> str:
    """What is counted beside the loss."""
    added = [str(penalty) for layer in model.module_ for penalty in layer.parts.penalties]
    if any(isinstance(layer.parts.code, GaussianCode) for layer in model.module_):
        added.append("what a variational code costs")
    return f" Penalties are counted in: {', '.join(dict.fromkeys(added))}." if added else ""


def _end(epochs: Sequence[Mapping[str, Any]], n_columns: int | None) -> list[str]:
    """The last epoch of a phase."""
    loss, held_out = epochs[-1]["loss"], epochs[-1]["validation_loss"]
    times = [record["seconds"] for record in epochs if "seconds" in record]
    judged = loss if held_out is None else held_out
    return [
        f"{len(epochs):,}",
        f"{loss:.4g}",
        "" if held_out is None else f"{held_out:.4g}",
        "" if n_columns is None else f"{judged / n_columns:.3g}",
        f"{sum(times):.1f}" if times else "",
    ]


def _judging(model: Any, record: Mapping[str, Any]) -> Layer | None:
    """The layer whose loss a phase has; None where labels are learned."""
    if record["phase"] == "supervised":
        return None
    layer: Layer = model.module_[(record["layer"] or 1) - 1]
    return layer


def _loss(model: Any, layer: Layer | None) -> str:
    """What a phase's loss is, and of what."""
    if layer is None:
        return (
            "cross-entropy of the class, in nats"
            if is_classifier(model)
            else ("squared error of the targets, in their standard deviations")
        )
    is_first = layer is model.module_[0]
    what = "column" if is_first else "code"
    below = "" if is_first else " of the layer below"
    nats = " in nats" if isinstance(layer.loss, CrossEntropy) else ""
    columns = f"{wording.several(layer.n_inputs, what)}{below}, {wording.of_scaling(layer.parts)}"
    if not isinstance(layer.loss, PerFeature):
        return f"{wording.of_loss(layer)}{nats} of {columns}"
    return f"{wording.of_loss(layer)}; numbers {wording.of_scaling(layer.parts)}"


def _joined(titles: Sequence[str]) -> str:
    *others, last = titles
    return f"{', '.join(others)} and {last}" if others else last
