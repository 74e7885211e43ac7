"""Progress of long work: bars on a terminal, one bar in a notebook, some twenty lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import timedelta
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from torch import Generator

from stackae.training.callbacks.base import Callback
from stackae.training.phase import EpochRecord, Phase, PhaseRun

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

#: Lines that a log gets of a fit, and of one of its phases, at most.
N_LINES, _LINES_A_PHASE = 20, 8
#: Seconds between two states of a bar in a notebook, and its width.
_REFRESH, _WIDTH = 0.25, 30


class Standing(Callback):
    """Keeps where a fit stands: what share of it is done, since when, and how long its phase may yet take."""

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        self._n_phases, self._n_done, self._start = max(1, n_phases), 0, perf_counter()
        self.fraction = 0.0

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self.phase, self._is_trained = phase, run is not None
        self._n_samples = max(1, phase.max_epochs * phase.n_samples)  # none, of a layer kept untrained
        self._set_samples_done(0)
        self._measured_from = 0.0, perf_counter()

    def end_batches(self, n_samples: int) -> None:
        self._set_samples_done(self._n_samples_done + n_samples)

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        self._set_samples_done(record["epoch"] * self.phase.n_samples)
        if run is None:  # what was not trained now says nothing of how long it takes
            self._measured_from = self._of_phase, perf_counter()

    def end_phase(self, run: PhaseRun | None) -> None:
        self._n_done += 1
        self._set_samples_done(0)

    def _set_samples_done(self, n_samples: int) -> None:
        self._n_samples_done, self._of_phase = n_samples, n_samples / self._n_samples
        self.fraction = min(1.0, (self._n_done + self._of_phase) / self._n_phases)

    @property
    def times(self) -> str:
        """What has passed since the fit began, and what is left of the phase as far as can be known."""
        (before, since), now, left = self._measured_from, perf_counter(), 1 - self._of_phase
        seconds = (now - since) / (self._of_phase - before) * left if before < self._of_phase < 1 else 0.0
        about = f", about {duration(seconds)} left of this phase" if seconds >= 0.5 else ""
        return f"{duration(now - self._start)}{about}"


class LineProgress(Standing):
    """A log: of each phase its begin, its last epoch and some between; where there are many phases, fewer.

    Parameters
    ----------
    stream : text file
    n_lines : int, default=20
        That a fit has at most, or about.
    """

    def __init__(self, stream: TextIO, n_lines: int = N_LINES) -> None:
        self._stream, self._n_lines = stream, n_lines

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        super().begin_fit(n_phases, n_bytes, generator)
        self._lines_a_phase = min(max(self._n_lines // self._n_phases, 1), _LINES_A_PHASE)

    def prepare_phase(self, work: str) -> None:
        if self._lines_a_phase > 1:
            self._say(work)

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        super().begin_phase(phase, run)
        self._unsaid, last, n_parts = "", phase.max_epochs, self._lines_a_phase - 2
        # The first epoch, and the last of equal parts; the last of all is said when the phase ends.
        self._said = {max(1, ceil(k * last / n_parts)) for k in range(n_parts)} if n_parts > 0 else set()
        if self._lines_a_phase > 1 and run is not None and not run.was_done:
            past = f", {len(run.history):,} of them done" if run.history else ""
            self._say(f"{phase.title}  up to {last:,} epochs of {phase.n_samples:,} rows{past}")

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        super().end_epoch(record, run)
        if self._is_trained and run is None:  # before this fit, which goes on with the phase
            return
        epoch = f"epoch {record['epoch']}/{self.phase.max_epochs}"
        self._unsaid = f"{self.phase.title}  {epoch}  {describe(record)}  {self.times}"
        if record["epoch"] in self._said:
            self._say_rest()

    def end_phase(self, run: PhaseRun | None) -> None:
        super().end_phase(run)
        if run is not None and self._unsaid and len(run.history) < self.phase.max_epochs:
            self._unsaid += ", no better for long: stopped"
        if self._n_done % ceil(self._n_phases / self._n_lines) == 0 or self._n_done == self._n_phases:
            self._say_rest()

    def break_off(self, error: BaseException) -> None:
        self._say_rest()

    def _say_rest(self) -> None:
        if self._unsaid:
            self._say(self._unsaid)
        self._unsaid = ""

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class BarProgress(Standing):
    """Nested bars: the phases (with what is left of them) over the epochs of the present one."""

    def __init__(self) -> None:
        self._bars = _rich_bars()

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        super().begin_fit(n_phases, n_bytes, generator)
        self._bars.start()
        self._whole = self._bars.add_task(f"{'phases':<9}", total=1.0, note="")

    def prepare_phase(self, work: str) -> None:
        self._bars.update(self._whole, note=work)

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        super().begin_phase(phase, run)
        self._bars.update(self._whole, note="")
        self._whole_phase = self._bars.add_task(f"{phase.title:<9}", total=self._n_samples, note="")
        self._epoch = self._bars.add_task(f"{'epoch 1':<9}", total=phase.n_samples, note="")

    def end_batches(self, n_samples: int) -> None:
        super().end_batches(n_samples)
        self._bars.advance(self._epoch, n_samples)
        self._show()

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        super().end_epoch(record, run)
        self._bars.update(self._whole_phase, note=describe(record))
        self._bars.reset(self._epoch, description=f"{'epoch ' + str(record['epoch'] + 1):<9}")
        self._show()

    def end_phase(self, run: PhaseRun | None) -> None:
        super().end_phase(run)
        self._bars.remove_task(self._epoch)
        self._bars.stop_task(self._whole_phase)
        self._bars.update(self._whole, completed=self.fraction)

    def end_fit(self) -> None:
        self._bars.stop()

    def _show(self) -> None:
        self._bars.update(self._whole_phase, completed=self._n_samples_done)
        self._bars.update(self._whole, completed=self.fraction)


class NotebookProgress(Standing):
    """One bar, which changes where it stands."""

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        super().begin_fit(n_phases, n_bytes, generator)
        self._bar, self._last = NotebookBar(), ""

    def prepare_phase(self, work: str) -> None:
        self._bar.show(self.fraction, work)

    def end_batches(self, n_samples: int) -> None:
        super().end_batches(n_samples)
        self._show()

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        super().end_epoch(record, run)
        epoch = f"epoch {record['epoch']}/{self.phase.max_epochs}"
        self._last = f"{self.phase.title}  {epoch}  {describe(record)}"
        self._show()

    def end_phase(self, run: PhaseRun | None) -> None:
        super().end_phase(run)
        self._show()

    def end_fit(self) -> None:
        self._bar.close()

    def _show(self) -> None:
        self._bar.show(self.fraction, f"{self._last}  {self.times}")


class Bar(Protocol):
    """One bar, wherever it is shown."""

    def show(self, fraction: float, text: str) -> None:
        """Fill it as far as a fraction, with a text beside it."""

    def close(self) -> None:
        """Leave it as it is."""


class TerminalBar:
    """One bar on a terminal, with the time that is left."""

    def __init__(self) -> None:
        self._bars = _rich_bars()
        self._bars.start()
        self._task = self._bars.add_task("", total=1.0, note="")

    def show(self, fraction: float, text: str) -> None:
        self._bars.update(self._task, completed=fraction, note=text)

    def close(self) -> None:
        self._bars.stop()


class NotebookBar:
    """One bar in a notebook: a display that is updated, which needs no widgets, as rich's bars do."""

    def __init__(self) -> None:
        from IPython.display import display

        self._handle = display({"text/plain": ""}, raw=True, display_id=True)
        self._shown, self._state = 0.0, ""

    def show(self, fraction: float, text: str) -> None:
        n_full = int(fraction * _WIDTH)
        self._state = f"{'█' * n_full}{'░' * (_WIDTH - n_full)} {text}"
        if perf_counter() - self._shown >= _REFRESH:
            self._update()

    def close(self) -> None:
        self._update()

    def _update(self) -> None:
        self._shown = perf_counter()
        self._handle.update({"text/plain": self._state}, raw=True)


class Unfailing:
    """A stream that loses what cannot be written any more: no work is lost because nobody reads of it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def describe(record: EpochRecord) -> str:
    """An epoch in a few words: training loss, validation loss, rows a second."""
    held_out = record["validation_loss"]
    validation = "" if held_out is None else f"  val {held_out:.4g}"
    rate = record.get("samples_per_second")
    return f"loss {record['loss']:.4g}{validation}{f'  {rate:,.0f}/s' if rate else ''}"


def progress_bars(verbose: int) -> Callback | None:
    """The callback that shows progress: bars on a terminal, one in a notebook, lines elsewhere.

    Estimators add it themselves, for their ``verbose``.

    Parameters
    ----------
    verbose : int
        0: no progress.

    Returns
    -------
    Callback or None
        None for 0, or without standard error.
    """
    log = standard_error()
    if not verbose or log is None:
        return None
    if is_terminal():
        return BarProgress()
    return NotebookProgress() if is_notebook() else LineProgress(log)


def one_bar() -> Bar | None:
    """A bar on a terminal or in a notebook; None elsewhere, where lines are due."""
    if is_terminal():
        return TerminalBar()
    return NotebookBar() if is_notebook() else None


def say_between(text: str, verbose: int) -> None:
    """Write a line between the progress of several fits, where that is shown."""
    log = standard_error()
    if verbose and log is not None:
        print(text, file=log, flush=True)


def standard_error() -> TextIO | None:
    """What progress is written to; None where there is no console."""
    return None if sys.stderr is None else cast(TextIO, Unfailing(sys.stderr))


def is_terminal() -> bool:
    """Whether standard error is one; it may be unable to say."""
    return bool(getattr(sys.stderr, "isatty", bool)())


def is_notebook() -> bool:
    """Whether this runs in Jupyter, or one of its kind."""
    from rich.console import Console

    return Console().is_jupyter


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def _rich_bars() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),  # all of it fits a terminal of 80 columns
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True)),
        console=Console(file=standard_error()),
        refresh_per_second=4,
    )
