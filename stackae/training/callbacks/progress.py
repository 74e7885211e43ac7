"""Progress of long work: nested bars on a terminal, one line an epoch elsewhere, nothing unless asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from stackae.training.callbacks.history import EpochRecord


class Progress:
    """The silent progress, and the calls that the others answer."""

    def start_fit(self, n_phases: int) -> None:
        """So many phases will follow."""

    def start_phase(self, phase: str, layer: int | None, n_epochs: int, n_rows: int) -> None:
        """A phase begins: at most so many epochs of so many rows."""

    def advance(self, n_rows: int) -> None:
        """So many more rows of the epoch are done."""

    def end_epoch(self, record: EpochRecord) -> None:
        """An epoch is done."""

    def end_phase(self) -> None:
        """A phase is done, or broken off."""

    def end_fit(self) -> None:
        """All is done, or broken off."""


class LineProgress(Progress):
    """One line an epoch, for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._n_epochs = 0

    def start_phase(self, phase: str, layer: int | None, n_epochs: int, n_rows: int) -> None:
        self._n_epochs = n_epochs

    def end_epoch(self, record: EpochRecord) -> None:
        print(
            f"{phase_title(record['phase'], record['layer'])}"
            f"  epoch {record['epoch']}/{self._n_epochs}  {describe(record)}",
            file=self._stream,
            flush=True,
        )


class BarProgress(Progress):
    """Nested bars: the phases (with what is left of them) over the epochs of the present one."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),  # all of it fits a terminal of 80 columns
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        self._n_phases = 0
        self._done = 0
        self._n_rows = 0
        self._rows_done = 0
        self._n_epochs = 0

    def start_fit(self, n_phases: int) -> None:
        self._n_phases = n_phases
        self._bars.start()
        self._whole = self._bars.add_task(f"{'phases':<9}", total=n_phases, note="")

    def start_phase(self, phase: str, layer: int | None, n_epochs: int, n_rows: int) -> None:
        self._n_epochs, self._n_rows, self._rows_done = n_epochs, n_rows, 0
        title = f"{phase_title(phase, layer):<9}"
        self._phase = self._bars.add_task(title, total=n_epochs * n_rows, note="")
        self._epoch = self._bars.add_task(f"{'epoch 1':<9}", total=n_rows, note="")

    def advance(self, n_rows: int) -> None:
        self._rows_done += n_rows
        self._bars.advance(self._phase, n_rows)
        self._bars.advance(self._epoch, n_rows)
        share = self._rows_done / (self._n_epochs * self._n_rows)
        self._bars.update(self._whole, completed=self._done + share)

    def end_epoch(self, record: EpochRecord) -> None:
        self._bars.update(self._phase, note=describe(record))
        self._bars.reset(self._epoch, description=f"{'epoch ' + str(record['epoch'] + 1):<9}")

    def end_phase(self) -> None:
        self._done += 1
        self._bars.remove_task(self._epoch)
        self._bars.stop_task(self._phase)
        self._bars.update(self._whole, completed=self._done)

    def end_fit(self) -> None:
        self._bars.stop()


def phase_title(phase: str, layer: int | None) -> str:
    """``layer 2``, or the phase where it concerns no single layer."""
    return phase if layer is None else f"layer {layer}"


def describe(record: EpochRecord) -> str:
    """An epoch in a few words: training loss, validation loss, samples a second."""
    held_out = record["validation_loss"]
    validation = "" if held_out is None else f"  val {held_out:.4g}"
    return f"loss {record['loss']:.4g}{validation}  {record['samples_per_second']:,.0f}/s"


def make_progress(verbose: int) -> Progress:
    """Silent for 0; else bars where standard error is a terminal, and lines where it is not."""
    if not verbose:
        return Progress()
    return BarProgress() if sys.stderr.isatty() else LineProgress(sys.stderr)
