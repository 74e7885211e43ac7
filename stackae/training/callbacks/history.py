"""What is recorded of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class EpochRecord(TypedDict):
    """One epoch of one phase: a row of ``history_``, which ``pandas.DataFrame`` takes as it is.

    ``layer`` counts from 1 and is None in fine-tuning; ``loss`` is the mean training objective of the epoch
    (corrupted, with penalties), ``validation_loss`` that of the held-out rows (uncorrupted, with penalties),
    None where none are held out; ``seconds`` is the epoch's wall time.
    """

    phase: str
    layer: int | None
    epoch: int
    loss: float
    validation_loss: float | None
    learning_rate: float
    seconds: float
    samples_per_second: float


def as_record(given: Mapping[str, Any]) -> EpochRecord:
    """A record that was read from somewhere, its entries in their order."""
    record: EpochRecord = {name: given[name] for name in EpochRecord.__annotations__}  # type: ignore[assignment]
    return record
