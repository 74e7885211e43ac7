"""Early stopping: remember the best weights, and say when nothing is gained any more."""

from __future__ import annotations

import torch
from torch import Tensor

from stackae.exceptions import DivergedError
from stackae.training.callbacks.base import Callback
from stackae.training.phase import EpochRecord, PhaseRun, Trainable


class EarlyStopping(Callback):
    """Stop a phase when the held-out loss no longer improves; every phase has one (see ``patience``).

    Parameters
    ----------
    module : Trainable
        At the end of the phase, if samples are held out, it gets back the weights of the best epoch. So it
        does if the loss diverges, then perhaps those of the start.
    patience : int or None
        Epochs without improvement to wait; None: no limit.
    tol : float
        Smallest improvement that counts, as a fraction of the absolute best loss.
    """

    def __init__(self, module: Trainable, patience: int | None, tol: float) -> None:
        self.patience = patience
        self.tol = tol
        self.best_loss = float("inf")
        self.epochs_without_gain = 0
        self._reference = float("inf")
        self._parameters: list[Tensor] = [p for p in module.parameters() if p.requires_grad]
        for part in module.modules():  # what goes with the weights
            self._parameters += getattr(part, "statistics", ())
        self.best: list[Tensor] = [p.detach().clone() for p in self._parameters]

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        watched = record["validation_loss"]
        if run is not None and watched is not None and self.update(watched):
            run.stop = True

    def end_phase(self, run: PhaseRun | None) -> None:
        if run is not None and run.held_out is not None and not run.was_done:
            self.restore()

    def break_off(self, error: BaseException) -> None:
        if isinstance(error, DivergedError):
            self.restore()

    @torch.no_grad()
    def update(self, loss: float) -> bool:
        """Record an epoch's held-out loss; return whether to stop."""
        if loss < self.best_loss:
            self.best_loss = loss
            torch._foreach_copy_(self.best, self._parameters)
        if self._reference == float("inf") or loss < self._reference - self.tol * abs(self._reference):
            self._reference = loss
            self.epochs_without_gain = 0
        else:
            self.epochs_without_gain += 1
        return self.patience is not None and self.epochs_without_gain >= self.patience

    @torch.no_grad()
    def restore(self) -> None:
        """Restore the best weights: those of the start, if no epoch was recorded."""
        torch._foreach_copy_(self._parameters, self.best)

    def counters(self) -> list[float | None]:
        """The state beside the best weights, with None for infinity."""
        numbers = (self.best_loss, self._reference, self.epochs_without_gain)
        return [None if number == float("inf") else number for number in numbers]

    def set_counters(self, counters: list[float | None]) -> None:
        """Set the state from :meth:`counters`."""
        best, reference, without = counters
        self.best_loss = float("inf") if best is None else best
        self._reference = float("inf") if reference is None else reference
        self.epochs_without_gain = int(without or 0)
