"""Progress of long work: nested bars on a terminal, one line an epoch elsewhere, nothing unless asked."""

from __future__ import annotations

import sys
from typing import TextIO

from torch import Generator

from stackae.training.callbacks.base import Callback
from stackae.training.phase import EpochRecord, Phase, PhaseRun


class LineProgress(Callback):
    """One line an epoch, for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self._phase = phase

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        print(
            f"{self._phase.title}  epoch {record['epoch']}/{self._phase.max_epochs}  {describe(record)}",
            file=self._stream,
            flush=True,
        )


class BarProgress(Callback):
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
        self._done = 0

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        self._bars.start()
        self._whole = self._bars.add_task(f"{'phases':<9}", total=n_phases, note="")

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self._n_samples, self._n_samples_done = phase.max_epochs * phase.n_samples, 0
        self._phase = self._bars.add_task(f"{phase.title:<9}", total=self._n_samples, note="")
        self._epoch = self._bars.add_task(f"{'epoch 1':<9}", total=phase.n_samples, note="")

    def end_batches(self, n_samples: int) -> None:
        self._n_samples_done += n_samples
        self._bars.advance(self._phase, n_samples)
        self._bars.advance(self._epoch, n_samples)
        fraction = self._n_samples_done / self._n_samples
        self._bars.update(self._whole, completed=self._done + fraction)

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        self._bars.update(self._phase, note=describe(record))
        self._bars.reset(self._epoch, description=f"{'epoch ' + str(record['epoch'] + 1):<9}")

    def end_phase(self, run: PhaseRun | None) -> None:
        self._done += 1
        self._bars.remove_task(self._epoch)
        self._bars.stop_task(self._phase)
        self._bars.update(self._whole, completed=self._done)

    def end_fit(self) -> None:
        self._bars.stop()


def describe(record: EpochRecord) -> str:
    """An epoch in a few words: training loss, validation loss, samples a second."""
    held_out = record["validation_loss"]
    validation = "" if held_out is None else f"  val {held_out:.4g}"
    return f"loss {record['loss']:.4g}{validation}  {record['samples_per_second']:,.0f}/s"


def progress_bars(verbose: int) -> Callback | None:
    """None for 0; else bars where standard error is a terminal, lines where not; None where there is none."""
    if not verbose or sys.stderr is None:  # as where there is no console
        return None
    is_terminal = getattr(sys.stderr, "isatty", bool)()
    return BarProgress() if is_terminal else LineProgress(sys.stderr)
