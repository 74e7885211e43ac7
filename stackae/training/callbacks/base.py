"""What hears how training goes: progress, history, early stopping, checkpoints, several processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Generator

from stackae.training.phase import EpochRecord, Phase, PhaseRun


class Callback:
    """The calls that training makes; this one does nothing, and a subclass overrides what it wants to hear.

    A phase is a layer's pretraining or fine-tuning: ``phase.name``, ``phase.layer`` (from 1; None in
    fine-tuning), ``phase.max_epochs``. A record is a dict, a row of ``history_``: phase, layer, epoch, loss,
    validation_loss (None where no samples are held out), learning_rate, seconds, samples_per_second. The run
    is where the phase stands (:class:`stackae.training.phase.PhaseRun`); a phase that is not trained step by
    step, since its layer has a closed form or was kept from another fit, has None. Callbacks are told one
    after the other, in their order.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder, Training
    >>> from stackae.training.callbacks import Callback
    >>> class Epochs(Callback):
    ...     def end_epoch(self, record, run):
    ...         print(record["phase"], record["layer"], record["epoch"], record["loss"] > 0)
    >>> model = Autoencoder(2, training=Training(max_epochs=2), random_state=0)
    >>> model = model.set_callbacks(Epochs()).fit(load_iris().data)
    pretrain 1 1 True
    pretrain 1 2 True
    """

    def setup(self, estimator: Any) -> None:
        """``fit`` or ``partial_fit`` of an estimator begins: one fit, or that of an encoder and of a head."""

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        """So many phases follow, which leave weights of so many bytes, and draw from the generator."""

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        """A phase begins. ``run.gradient`` and ``run.watch`` may be wrapped; ``run.stop = True`` skips it."""

    def begin_epoch(self, run: PhaseRun | None) -> None:
        """An epoch begins. Of one that is not trained now nothing is told but its end."""

    def end_batches(self, n_samples: int) -> None:
        """So many more samples of the epoch are done."""

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        """An epoch is done. ``run.stop = True`` ends the phase."""

    def end_phase(self, run: PhaseRun | None) -> None:
        """The phase is done."""

    def break_off(self, error: BaseException) -> None:
        """The phase is broken off, by an error or by a signal."""

    def end_fit(self) -> None:
        """All is done, or broken off."""

    def teardown(self, estimator: Any, error: BaseException | None) -> None:
        """What :meth:`setup` told of is over: the estimator is fitted or, by an error, is not."""


class Callbacks(Callback):
    """Several callbacks as one.

    Parameters
    ----------
    callbacks : iterable of Callback
    """

    def __init__(self, callbacks: Iterable[Callback] = ()) -> None:
        self._callbacks = tuple(callbacks)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self._callbacks)

    def setup(self, estimator: Any) -> None:
        for callback in self:
            callback.setup(estimator)

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        for callback in self:
            callback.begin_fit(n_phases, n_bytes, generator)

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        for callback in self:
            callback.begin_phase(phase, run)

    def begin_epoch(self, run: PhaseRun | None) -> None:
        for callback in self:
            callback.begin_epoch(run)

    def end_batches(self, n_samples: int) -> None:
        for callback in self:
            callback.end_batches(n_samples)

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        for callback in self:
            callback.end_epoch(record, run)

    def end_phase(self, run: PhaseRun | None) -> None:
        for callback in self:
            callback.end_phase(run)

    def break_off(self, error: BaseException) -> None:
        for callback in self:
            callback.break_off(error)

    def end_fit(self) -> None:
        for callback in self:
            callback.end_fit()

    def teardown(self, estimator: Any, error: BaseException | None) -> None:
        for callback in self:
            callback.teardown(estimator, error)
