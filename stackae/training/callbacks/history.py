"""All that was recorded of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stackae.training.callbacks.base import Callback
from stackae.training.phase import EpochRecord, PhaseRun


def as_record(given: Mapping[str, Any]) -> EpochRecord:
    """A record that was read from somewhere, its entries in their order."""
    record: EpochRecord = {name: given[name] for name in EpochRecord.__annotations__}  # type: ignore[assignment]
    return record


class History(Callback):
    """Collect the records of a fit, which become ``history_``.

    Parameters
    ----------
    past : sequence of EpochRecord, default=()
        Records of earlier fits, whose epoch numbers are continued.
    """

    def __init__(self, past: Sequence[EpochRecord] = ()) -> None:
        self.records: list[EpochRecord] = list(past)
        self._before = {}
        for record in past:
            self._before[record["phase"], record["layer"]] = record["epoch"]

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        before = self._before.get((record["phase"], record["layer"]), 0)
        own: EpochRecord = {**record, "epoch": record["epoch"] + before}
        self.records.append(own)
