"""How far a comparison is: a bar on a terminal or in a notebook, some twenty lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import TypeVar

from stackae.training.callbacks import Callback
from stackae.training.callbacks.progress import N_LINES, LineProgress, duration, one_bar, standard_error
from stackae.training.phase import EpochRecord, Phase, PhaseRun

T = TypeVar("T")


class ComparisonProgress(Callback):
    """Tells on standard error how many pieces of the work are done and, as a callback, how a stack trains.

    Parameters
    ----------
    n_pieces : int
    what : str
        What a piece is, in the plural.
    names : sequence of str, default=()
        What each piece is called: the one that is being worked at is told.
    """

    def __init__(self, n_pieces: int, what: str, names: Sequence[str] = ()) -> None:
        self._n_pieces, self._what, self._names = n_pieces, what, names
        self._n_done, self._start = 0, perf_counter()
        self._log = standard_error()
        self._bar = None if self._log is None else one_bar()

    @property
    def of_training(self) -> Callback:
        """What a stack that trains in this process is given."""
        n_lines = N_LINES // self._n_pieces - 1
        if self._bar is not None:
            return self
        return Callback() if self._log is None or n_lines < 2 else LineProgress(self._log, n_lines)

    def over(self, done: Iterable[T]) -> Iterator[T]:
        """The same pieces, of which each is told when it comes."""
        try:
            self._tell(0)
            for n_done, piece in enumerate(done, 1):
                self._tell(n_done)
                yield piece
        finally:
            if self._bar is not None:
                self._bar.close()

    def prepare_phase(self, work: str) -> None:
        self._show(f", {work}")

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self._phase = phase

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        self._show(f", {self._phase.title}, epoch {record['epoch']}/{self._phase.max_epochs}")

    def end_fit(self) -> None:
        self._show(", judged")

    def at(self, name: str) -> None:
        """Tell what is being worked at within a piece."""
        self._show(f"; now {name}")

    def _tell(self, n_done: int) -> None:
        before, self._n_done = self._n_done, n_done
        now = f"; now {self._names[n_done]}" if n_done < len(self._names) else ""
        self._show(now)
        passed = before * N_LINES // self._n_pieces < n_done * N_LINES // self._n_pieces
        if self._bar is None and self._log is not None and (passed or n_done == 0):
            seconds = perf_counter() - self._start
            left = seconds / n_done * (self._n_pieces - n_done) if n_done else 0.0
            about = f", about {duration(left)} left" if left >= 0.5 else ""
            print(f"{self._standing}, {duration(seconds)}{about}{now}", file=self._log, flush=True)

    def _show(self, more: str = "") -> None:
        if self._bar is not None:
            self._bar.show(self._n_done / self._n_pieces, f"{self._standing}{more}")

    @property
    def _standing(self) -> str:
        return f"{self._n_done} of {self._n_pieces} {self._what}"
