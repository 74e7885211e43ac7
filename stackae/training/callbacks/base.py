"""What hears how training goes: progress, history, early stopping, checkpoints, several processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Generator

from stackae.training.phase import EpochRecord, Phase, PhaseRun


class Callback:
    """The base of all callbacks: its methods do nothing, and a subclass overrides those that it needs.

    A phase is the pretraining of a layer, or fine-tuning: ``phase.name``, ``phase.layer`` (from 1; None in
    fine-tuning), ``phase.max_epochs``. A record is a dict, a row of ``history_``: phase, layer, epoch, loss,
    validation_loss (None if no samples are held out), learning_rate, seconds, samples_per_second. The run is
    the state of the phase (:class:`stackae.training.phase.PhaseRun`), or None if the phase is not trained
    step by step: its layer has a closed form, or comes from the cache. Several callbacks are called in order.

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
        """``fit`` or ``partial_fit`` of an estimator begins; a predictor fits its encoder, then its head."""

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        """A fit begins, of ``n_phases`` phases and ``n_bytes`` of weights, that draws from ``generator``."""

    def prepare_phase(self, work: str) -> None:
        """Before a phase begins, ``work`` is done that may take long, such as "finding neighbours"."""

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        """A phase begins. ``run.gradient`` and ``run.watch`` may be wrapped; ``run.stop = True`` skips it."""

    def begin_epoch(self, run: PhaseRun | None) -> None:
        """An epoch begins; not called for epochs that are not trained now."""

    def end_batches(self, n_samples: int) -> None:
        """A batch or more is done, of ``n_samples`` samples in all."""

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        """An epoch ends. ``run.stop = True`` ends the phase."""

    def end_phase(self, run: PhaseRun | None) -> None:
        """The phase ends."""

    def break_off(self, error: BaseException) -> None:
        """The phase is interrupted, by an error or a signal."""

    def end_fit(self) -> None:
        """The fit ends, or is interrupted."""

    def teardown(self, estimator: Any, error: BaseException | None) -> None:
        """The fit that :meth:`setup` announced is over: the estimator is fitted, or ``error`` prevented
        it."""


class Callbacks(Callback):
    """Several callbacks as one, called in order.

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

    def prepare_phase(self, work: str) -> None:
        for callback in self:
            callback.prepare_phase(work)

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
