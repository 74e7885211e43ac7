"""Who hears of a fit: callbacks of stackae's own, and scikit-learn's (1.9), to whom it is a tree of tasks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from copy import copy, deepcopy
from functools import wraps
from inspect import signature
from typing import Any, Self, TypeVar, cast

from sklearn import __version__ as sklearn_version
from sklearn.frozen import FrozenEstimator
from torch import Generator

from stackae.exceptions import ParameterError
from stackae.modules.autoencoder import DeepAutoencoder, DeepEncoder, GreedyAutoencoder
from stackae.modules.layer import Layer
from stackae.modules.span import widened
from stackae.training.callbacks import Callback
from stackae.training.phase import EpochRecord, Phase, PhaseRun

F = TypeVar("F", bound=Callable[..., Any])
#: Makes a copy of an estimator what it would be with this module, after these epochs.
SetFitted = Callable[[Any, DeepEncoder, list[EpochRecord]], None]

#: What scikit-learn asks of a callback.
_HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")


class Told:
    """An estimator whose fits callbacks hear of."""

    _callbacks: tuple[Callback, ...] = ()
    #: During a fit: what tells scikit-learn's callbacks.
    _tasks: FitTasks | None = None
    #: Phases that follow those of the encoder.
    _n_more_phases = 0

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set the callbacks of the next fits. They are not parameters.

        Parameters
        ----------
        *callbacks : Callback, or a callback of scikit-learn
            Such as :class:`stackae.training.callbacks.Checkpoints`, or ``sklearn.callback.ProgressBar()``.
            They replace those set before; without any, there are none.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            One of them is neither.
        ParameterError
            One of them is scikit-learn's, and scikit-learn is older than 1.9.

        Notes
        -----
        For scikit-learn's callbacks ``fit`` is a task, its phases (``layer 1``, ..., ``finetune``,
        ``supervised``) are subtasks, and theirs are the epochs. A callback that returns True after an epoch
        ends the phase; after a phase, it skips the remaining ones. ``fitted_estimator`` is the estimator with
        the current weights: in pretraining the layers so far; of a classifier or regressor, only from the
        supervised phase on. ``ScoringMonitor`` only scores if ``fit`` is given ``y``: to monitor the
        reconstruction, pass ``scoring={"r2": lambda model, X, y: model.score(X)}`` and fit to ``(X, X)``.
        They are not called by ``partial_fit``.

        ``clone`` and pickle keep scikit-learn's callbacks, as everywhere, and drop the others.
        """
        others = [callback for callback in callbacks if not isinstance(callback, Callback)]
        for callback in others:
            _refuse_no_callback(callback)
        if not hasattr(self, "_parent_callback_ctx"):  # else a meta-estimator lends and takes back its own
            self._callbacks = tuple(callback for callback in callbacks if isinstance(callback, Callback))
        if others:
            self._skl_callbacks = others  # the name that scikit-learn reads in clone and meta-estimators
        else:
            vars(self).pop("_skl_callbacks", None)
        return self

    @property
    def _told(self) -> tuple[Callback, ...]:
        """All who hear of the phases of a fit."""
        return self._callbacks if self._tasks is None else (*self._callbacks, self._tasks)

    def _can_show(self, set_fitted: SetFitted) -> None:
        """From now on callbacks may have copies of the estimator as it stands."""
        if self._tasks is not None:
            self._tasks.set_fitted = set_fitted


def telling(fit: F) -> F:
    """Let callbacks hear that a fit begins and that it is over, whatever became of it."""

    @wraps(fit)
    def told(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as stack:
            for callback in estimator._callbacks:
                stack.push(_teardown(callback, estimator))
                callback.setup(estimator)
            if fit.__name__ == "fit" and "_skl_callbacks" in vars(estimator):
                return _fit_as_tasks(fit, estimator, *args, **kwargs)
            return fit(estimator, *args, **kwargs)

    return cast(F, told)


def _fit_as_tasks(fit: Callable[..., Any], estimator: Any, *args: Any, **kwargs: Any) -> Any:
    """Fit an estimator that has callbacks of scikit-learn's."""
    from sklearn.callback import with_callbacks

    given = signature(fit).bind(estimator, *args, **kwargs).arguments

    def fit_in_tasks(estimator: Any) -> Any:
        tasks = FitTasks(estimator, given["X"], given.get("y"), given.get("sample_weight"))
        estimator._tasks = tasks
        try:
            tasks.open_if_known()
            fitted = fit(estimator, *args, **kwargs)
            tasks.close()
            return fitted
        finally:
            del estimator._tasks

    return with_callbacks(fit_in_tasks)(estimator)


class FitTasks(Callback):
    """Tells scikit-learn's callbacks of one fit, as nested tasks: fit, phase, epoch.

    Parameters
    ----------
    estimator : Told
        Whose callbacks they are.
    X, y, sample_weight
        As ``fit`` was given them.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        weighs = sample_weight is not None and "sample_weight" in signature(estimator.score).parameters
        metadata = {"sample_weight": sample_weight} if weighs else {}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._estimator = estimator
        self._root: Any = None
        self._phase: Any = None
        self._epoch: Any = None
        self._left_out = False
        self._layers: dict[int, Layer] = {}
        self._records: list[EpochRecord] = []
        self.set_fitted: SetFitted | None = None

    def open_if_known(self) -> None:
        """Begin at once where there is no encoder to fit; else its plan says how many phases there are."""
        if isinstance(getattr(self._estimator, "encoder", None), FrozenEstimator):
            self._open(self._estimator._n_more_phases)

    def close(self) -> None:
        """The estimator is fitted."""
        self._root.call_on_fit_task_end(**self._given, reconstruction_attributes={})

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        self._layers.clear()
        if self._root is None:
            tries = isinstance(getattr(self._estimator._given, "layers", None), str)
            self._open(None if tries else n_phases + self._estimator._n_more_phases)

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self._phase = None
        if self._left_out:
            if run is not None:
                run.stop = True
            return
        if run is not None and isinstance(run.module, GreedyAutoencoder) and phase.layer is not None:
            self._layers[phase.layer] = run.module[0]
        self._phase = self._root.subcontext(phase.title, max_subtasks=phase.max_epochs)
        self._phase.call_on_fit_task_begin(**self._given)

    def begin_epoch(self, run: PhaseRun | None) -> None:
        if self._phase is not None:
            self._epoch = self._phase.subcontext("epoch").call_on_fit_task_begin(**self._given)

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        self._records.append(record)
        if self._phase is None:
            return
        if run is None:  # it was trained before, or solved
            self.begin_epoch(run)
        if self._ends(self._epoch, run) and run is not None:
            run.stop = True

    def end_phase(self, run: PhaseRun | None) -> None:
        if self._phase is not None:
            self._left_out = self._ends(self._phase, run)

    def _open(self, n_phases: int | None) -> None:
        from sklearn.callback import CallbackSupportMixin

        self._root = CallbackSupportMixin._init_callback_context(self._estimator, max_subtasks=n_phases)
        self._root.call_on_fit_task_begin(**self._given)

    def _ends(self, task: Any, run: PhaseRun | None) -> bool:
        """Tell that a task is over; return whether those beside it are to be left out."""
        attributes = None if run is None else lambda: self._attributes(run)
        return bool(task.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes))

    def _attributes(self, run: PhaseRun) -> dict[str, Any] | None:
        """What a copy of the estimator is to be given, so that it stands where the phase stands."""
        module: Any = run.module
        if isinstance(module, GreedyAutoencoder):
            layer = run.phase.layer or 1
            if self._layers.keys() != set(range(1, layer + 1)):  # one below was not trained here
                return None
            module = DeepAutoencoder([self._layers[k] for k in range(1, layer + 1)])
        if self.set_fitted is None:
            return None
        own, module = copy(self._estimator), widened(deepcopy(module.whole()))
        module.corruptions = ()
        attributes: dict[str, Any] = dict.fromkeys(
            vars(own)
        )  # None: what an earlier fit had, and this one has not
        self.set_fitted(own, module, list(self._records))
        return {**attributes, **vars(own)}


def _teardown(callback: Callback, estimator: Told) -> Callable[..., None]:
    """What tells a callback, when all is over, what broke the fit off."""

    def exit_(kind: object, error: BaseException | None, traceback: object) -> None:
        callback.teardown(estimator, error)

    return exit_


def _refuse_no_callback(callback: Any) -> None:
    """Refuse what is no callback of scikit-learn's, or of one that this scikit-learn does not know."""
    if isinstance(callback, type) or not all(hasattr(callback, hook) for hook in _HOOKS):
        raise TypeError(
            "callbacks must be instances following the FitCallback protocol of scikit-learn, or of"
            f" stackae.training.callbacks.Callback, given one by one; got {callback!r}"
        )
    try:
        import sklearn.callback  # noqa: F401
    except ImportError:
        raise ParameterError(
            f"set_callbacks takes {type(callback).__name__}, a callback of scikit-learn's, with scikit-learn"
            f" 1.9 or later, this is {sklearn_version}; pip install 'scikit-learn>=1.9'"
        ) from None
