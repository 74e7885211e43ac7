"""What is wrong with a model, in a sentence each: what, how much of it, and what to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stackae.plotting import HistoryDisplay
from stackae.report.wording import several

#: Shares of units from which on they are worth a sentence.
_MANY_SATURATED, _FEW_DIRECTIONS = 0.05, 0.25
#: A rank is told of layers of more units.
_NARROW = 4
#: The least R² that passes without a word, and by how much PCA's may be better.
_LOW_R2, _BEHIND_PCA = 0.5, 0.01
#: By which share a loss still falls at the end, and by which factor rows held out may lose more.
_FALLING, _OVERFITTED = 0.1, 1.5
#: Epochs over which it is judged whether a loss still falls, as a share of all.
_END = 0.1


def of_health(reports: Sequence[Mapping[str, Any]], n_units: Sequence[int]) -> list[str]:
    """What the health reports of layers say, bottom first.

    Parameters
    ----------
    reports : sequence of :class:`stackae.modules.health.Health`
    n_units : sequence of int
        Of each layer.

    Examples
    --------
    >>> from stackae.report.findings import of_health
    >>> good = {"dead_units": 0.0, "saturated_units": 0.0, "effective_rank": 200.0}
    >>> of_health([{**good, "dead_units": 23 / 256}], [256])
    ['23 of 256 units of layer 1 never fire: try a smaller learning rate or fewer units.']
    >>> of_health([good], [256])
    []
    """
    found = []
    for layer, (report, units) in enumerate(zip(reports, n_units, strict=True), 1):
        dead, saturated = (round(report[name] * units) for name in ("dead_units", "saturated_units"))
        if dead:
            found.append(
                f"{_of(dead, units)} of layer {layer} never {_verb('fire', dead)}: try a smaller learning"
                " rate or fewer units."
            )
        if saturated and saturated >= _MANY_SATURATED * units:
            found.append(
                f"{_of(saturated, units)} of layer {layer} {'is' if saturated == 1 else 'are'} at a bound for"
                " nearly all rows: try a smaller learning rate or activation='relu'."
            )
        rank = report["effective_rank"]
        if units > _NARROW and rank < _FEW_DIRECTIONS * (units - dead):
            found.append(
                f"The codes of layer {layer} use {rank:.1f} of {units:,} directions: try fewer units, which"
                " would hold as much, or train longer."
            )
    return found


def of_widths(n_inputs: int, n_codes: int, *, is_sparse: bool) -> list[str]:
    """Whether codes are no fewer than the numbers that they are made of; sparse ones may be."""
    if is_sparse or n_codes < n_inputs:
        return []
    return [
        f"{several(n_codes, 'code')} for {several(n_inputs, 'number')} a row: nothing is compressed, and"
        " PCA would keep all; try fewer codes."
    ]


def of_reconstruction(
    r2: float | None,
    pca_r2: float | None,
    n_codes: int,
    *,
    may_have_shortcut: bool = False,
    penalties: Sequence[str] = (),
) -> list[str]:
    """Whether too little is reconstructed, of the whole or beside PCA of as many components.

    ``None``: it is not known.
    """
    found = []
    # What is asked of a code besides costs reconstruction, which is then no fault of its layers.
    mends = [f"a smaller weight of {', '.join(penalties)}"] if penalties else []
    mends += ["longer training", "wider layers"]
    if r2 is not None and r2 < _LOW_R2:
        found.append(
            f"R² of the reconstruction is {r2:.2f}, less than half of the variance: try {_either(mends)}."
        )
    if r2 is not None and pca_r2 is not None and r2 < pca_r2 - _BEHIND_PCA:
        more = ["shortcut='pca'"] if may_have_shortcut else []
        found.append(
            f"PCA of {several(n_codes, 'component')} reconstructs more, R² {pca_r2:.3f} against {r2:.3f}:"
            f" try {_either([*mends, *more])}."
        )
    return found


def of_training(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether a phase ended too early, or learned its rows by heart."""
    found = []
    for title, epochs in HistoryDisplay(history).phases_ if history else ():
        loss, held_out = epochs[-1]["loss"], _held_out(epochs)
        losses = held_out or [record["loss"] for record in epochs]
        fall = _fall_at_the_end(losses)
        if fall > _FALLING:
            found.append(
                f"The loss of {title} still fell by {100 * fall:.0f} % at the end: try more epochs"
                " (max_epochs)."
            )
        if held_out and loss > 0 and held_out[-1] > _OVERFITTED * loss:
            found.append(
                f"Rows held out lose {held_out[-1] / loss:.1f} times as much as training rows in {title}: try"
                " corruption='masking', fewer units, or more rows."
            )
    return found


def _held_out(epochs: Sequence[Mapping[str, Any]]) -> list[float]:
    """The held-out loss of each epoch; none where it is not known of all."""
    losses = [record["validation_loss"] for record in epochs]
    return [] if any(loss is None for loss in losses) else losses


def _fall_at_the_end(losses: Sequence[float]) -> float:
    """By which share the mean of the last epochs is below that of as many before them; 0 of two epochs."""
    n = max(1, int(len(losses) * _END))
    if len(losses) < 3:
        return 0.0
    last, before = sum(losses[-n:]), sum(losses[-2 * n : -n])
    return 1 - last / before if before > 0 else 0.0


def _either(mends: Sequence[str]) -> str:
    *others, last = mends
    return f"{', '.join(others)} or {last}"


def _of(n: int, units: int) -> str:
    return f"{n:,} of {several(units, 'unit')}"


def _verb(verb: str, n: int) -> str:
    return f"{verb}s" if n == 1 else verb
