"""Fitting without labels: validate, plan, fit, set."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, Self

from stackae.data.matrix import Matrix
from stackae.estimators._callbacks import telling
from stackae.estimators._ordering import Ordering
from stackae.estimators._validation import Checked, Floats, apply_sample_weight, check_X
from stackae.exceptions import ParameterError
from stackae.fitting.context import FitContext
from stackae.fitting.fit import FittedStack, fit_stack
from stackae.fitting.parameters import StackParameters
from stackae.fitting.plan import Plan
from stackae.fitting.planner import make_plan
from stackae.fitting.summary import summarise
from stackae.tables import TableEncoder
from stackae.training.phase import EpochRecord


class BaseAutoencoder(Ordering):
    """An autoencoder of one layer or more."""

    missing_values: float | None
    add_indicator: bool
    columns: dict[Any, str] | TableEncoder | None
    scale: str | None
    #: What ``partial_fit`` goes on with: the state of the random draws, and the optimizers.
    _stream: dict[str, Any] | None = None
    #: How the fitted stack was trained, where it is one of bare widths.
    _recipe: str | None = None

    @telling
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the model from scratch.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
            A memory map, as ``np.load(path, mmap_mode="r")`` gives it, is not loaded if it takes more than
            ``max_memory``; nor are rows of :func:`stackae.data.load_data`. A sparse matrix is made dense one
            batch at a time. Encoded rows from :func:`stackae.tables.encode_stream` are treated as the table
            that they came from.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            With ``layers="auto"``: labels or numbers for comparing depths, -1 or NaN for samples without one.
            Otherwise ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            How often an epoch visits each sample. Whole numbers are counts: 2 is the same as the sample
            twice, 0 the same as leaving it out. Other weights are relative, and divided by their mean.

        Returns
        -------
        self
        """
        self.check_parameters()
        matrix, names = self._checked_for_fit(X)
        targets, classes = self._numbers(y, len(matrix))
        matrix, weights, targets = apply_sample_weight(matrix, sample_weight, targets)

        def set_fitted(own: Self, module: Any, history: list[EpochRecord]) -> None:
            own._set_stack(FittedStack(module, history, []), matrix, weights)._set_names(names)

        self._can_show(set_fitted)
        self._fit_matrix(matrix, weights, targets, classes=classes)
        return self._set_names(names)

    def _fit_matrix(
        self, X: Matrix, weights: Floats | None, targets: Floats | None = None, *, classes: bool = False
    ) -> None:
        """Learn from samples that were checked; where targets may help a choice, there they are."""
        settled, found = self._settle(X, targets, weights, classes=classes)
        context = self._context()
        plan = settled._make_plan(X, weights, context)
        fitted = fit_stack(plan, X, context, weights=weights)
        self.__dict__.update(found, _recipe=plan.recipe, _stream=None)
        self._set_stack(fitted, X, weights)

    def _set_stack(self, fitted: FittedStack, X: Matrix, weights: Floats | None) -> Self:
        """Set what was fitted to samples."""
        self._set_fitted(fitted.module, fitted.history, fitted.health)
        self._set_table(X.table, *self._moments_of(X, weights))
        self._judge_prefixes(fitted.judges)
        return self

    def _checked_for_fit(self, X: Any) -> Checked:
        """Samples for a new fit."""
        return check_X(self, X, reset=True, missing_values=self.missing_values, columns=self.columns)

    def _numbers(self, y: Any, n_samples: int) -> tuple[Floats | None, bool]:
        """What helps a choice (samples × targets), NaN where there is none, and whether it is classes."""
        return None, False

    def _settle(
        self, X: Matrix, y: Floats | None, weights: Floats | None, *, classes: bool
    ) -> tuple[Self, dict[str, Any]]:
        """An estimator that leaves nothing to be tried, and what was found in trying."""
        return self, {}

    def plan(self, X: Any, y: Any = None, sample_weight: Any = None) -> Plan:
        """Plan what :meth:`fit` would do, without fitting.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        Plan
            With every ``"auto"`` resolved. Printed, it is a short table: layers, phases with the maximum of
            epochs and updates, peak learning rate, held-out rows, memory. ``gradient`` is analytic if every
            part has its derivative by hand, otherwise autograd. The scale ``spread`` divides all codes by
            their common standard deviation.

        Raises
        ------
        ParameterError
            Parts cannot be combined, or ``layers="auto"``, which only ``fit`` can resolve.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from stackae import Autoencoder
        >>> Autoencoder(2, device="cpu", max_memory="1GB").plan(load_iris().data)
        150 rows × 4 columns; cpu; at most 2,000 updates
        layer  units  network  activation  loss            scale
        1      2      Dense()  relu        SquaredError()  standard
        phase    epochs  updates  batch  peak rate  schedule   optimizer  rows held out  precision  gradient
        layer 1  400     2,000    32     0.002      one-cycle  adam       0              float32    analytic
        rows and codes 3.6 kB, in memory (limit 1.0 GB); weights 0.1 kB
        """
        self.check_parameters()
        matrix, _ = self._checked_for_fit(X)
        matrix, weights, _ = apply_sample_weight(matrix, sample_weight)
        return self._make_plan(matrix, weights, self._context(0, alone=True))

    def _make_plan(self, X: Matrix, weights: Floats | None, context: FitContext, **going_on: Any) -> Plan:
        parameters = self._stack_parameters()
        asking = None if going_on.get("started") is not None else parameters  # all is settled then
        return make_plan(parameters, summarise(X, weights, asking), context, **going_on)

    @telling
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit incrementally on a batch of rows: one pass for each layer, then one for the whole stack.

        The first batch decides scaling and initial weights, unless ``fit`` did; later ones continue with the
        same layers, optimizers and random draws, at a constant learning rate. No rows are held out. A stack
        with a shortcut from :meth:`fit` is trained only as a whole. ``max_epochs``, ``updates``,
        ``schedule``, ``validation_fraction``, ``patience`` and ``tol`` of :class:`~stackae.Training` are
        ignored.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`; relative weights are relative within the batch.

        Returns
        -------
        self
        """
        self.check_parameters()
        started = getattr(self, "module_", None)
        if started is not None:
            self._refuse_changed()
        matrix, names = self._piece(X, is_first=started is None)
        matrix, weights, _ = apply_sample_weight(matrix, sample_weight)
        context = replace(self._context(), anneals=started is None)
        if started is not None and self._stream is not None:
            context.generator.set_state(self._stream["generator"])
            context.optimizers.update(self._stream["optimizers"])
        recipe, past = (None, []) if started is None else (self._recipe, self.history_)
        plan = self._make_plan(matrix, weights, context, one_pass=True, started=started, recipe=recipe)
        fitted = fit_stack(plan, matrix, context, weights=weights, started=started, past=past)
        self._recipe = recipe
        self._set_fitted(fitted.module, fitted.history, fitted.health)
        moments = self._moments_of(matrix, weights) if started is None else (self._variances, self._means)
        self._set_table(matrix.table, *moments)
        self._judge_prefixes(fitted.judges)
        self._stream = {"generator": context.generator.get_state(), "optimizers": context.optimizers}
        return self if started is not None else self._set_names(names)

    def _piece(self, X: Any, *, is_first: bool) -> Checked:
        """A piece of the samples, of which the first decides what the columns of a table are."""
        if is_first:
            return self._checked_for_fit(X)
        names = getattr(self, "feature_names_in_", None)
        return Checked(self._checked(X), names)

    @property
    def _given(self) -> Self:
        return self

    @abstractmethod
    def _stack_parameters(self) -> StackParameters:
        """The parameters as the planner takes them."""

    def _refuse_indicator_alone(self) -> None:
        if self.add_indicator and self.missing_values is None:
            raise ParameterError("add_indicator=True needs missing_values, got missing_values=None")
