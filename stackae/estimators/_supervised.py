"""Pretraining without labels, then fine-tuning with them: what classifier and regressor share."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from stackae._utils.constraints import Interval, InvalidParameterError, NamedIn, Real
from stackae._utils.part_table import PartTable
from stackae.data.labels import as_cells
from stackae.estimators._callbacks import telling
from stackae.estimators._encoder import EncoderEstimator
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._parameters import TRAININGS
from stackae.estimators._validation import Floats, Names, apply_sample_weight, check_weights
from stackae.exceptions import DataError, ParameterError
from stackae.fitting.plan import Plan
from stackae.fitting.planner import A_SWITCH, supervised_plan
from stackae.fitting.semi_choice import chosen_by_evidence
from stackae.fitting.summary import counted
from stackae.fitting.supervised import Task, fit_predictor
from stackae.fitting.unlabelled import Labelled, costs_of, learned_from
from stackae.modules.heads import Predictor
from stackae.modules.layer import Layer
from stackae.modules.shortcut import Shortcut
from stackae.semi import SEMI
from stackae.semi.base import LabelSpread, SemiSupervised, UnlabelledCost
from stackae.training.parameters import Training
from stackae.training.phase import EpochRecord


class BaseSupervised(EncoderEstimator):
    """Pretraining on all samples, fine-tuning of the encoders with a head on those that have a target."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "finetune": [Training, NamedIn(TRAININGS)],
        "adversarial": [Interval(Real, 0, None, closed="left")],
        "semi": [SemiSupervised, NamedIn(SEMI), list, tuple, None],
        **EncoderEstimator._parameter_constraints,
    }

    _named_parts: Mapping[str, PartTable[Any]] = {**EncoderEstimator._named_parts, "semi": SEMI}
    _sequences = ("semi",)

    finetune: str | Training
    adversarial: float
    semi: str | SemiSupervised | Sequence[str | SemiSupervised] | None
    semi_: list[str]
    n_spread_: int
    module_: Predictor
    _n_more_phases = 1

    @abstractmethod
    def _read_targets(self, y: Any, sample_weight: Floats) -> tuple[Floats, dict[str, Any]]:
        """Targets as numbers (samples × targets), NaN where there is none; and what they are to be called."""

    @abstractmethod
    def _task(self, named: Mapping[str, Any]) -> Task:
        """What is to be predicted."""

    @telling
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Pretrain on all samples, then fine-tune on those with a target.

        Parameters
        ----------
        X : array-like, table or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), or (n_samples, n_outputs) for a regressor
            NaN, None, pd.NA or empty text for samples without a target; for a classifier also -1, see
            ``unlabelled``.
        sample_weight : array-like of shape (n_samples,), default=None
            How often an epoch visits each sample, in pretraining and fine-tuning. Whole numbers are counts,
            other weights are relative.

        Returns
        -------
        self
        """
        names, data, named = self._read(X, y, sample_weight)
        data.only_labelled()  # or refused, before the encoder is fitted
        encoder = self._fitted_encoder(names, *data, classes=is_classifier(self))
        task = self._task(named)
        codes = cache(lambda: encoder._codes_of(data.X))
        parts, chosen = self._semi_parts(), None
        if self.semi == "auto":
            assert task.n_labels is not None
            chosen = chosen_by_evidence(data, codes, task.n_labels)
            parts = [SEMI[name]() for name in chosen]
        labelled = learned_from(data, parts, codes, task.n_labels)
        rng = check_random_state(self.random_state)
        rng.randint(2**31 - 1)  # is the encoder's

        def set_fitted(own: Self, module: Any, history: list[EpochRecord]) -> None:
            for name, value in named.items():
                setattr(own, name, value)
            own._set_fitted(module, history, encoder._health)
            own._set_table(data.X.table, encoder._variances, encoder._means)
            own._set_names(names)

        self._can_show(set_fitted)
        module, history = fit_predictor(
            task,
            encoder.module_,
            *labelled,
            self._training_on(labelled, data, parts),
            self._context(rng),
            adversarial=float(self.adversarial),
            costs=costs_of(parts),
            past=[] if encoder is self._given else encoder.history_,
            why_autograd=self._why_autograd(parts),
        )
        self._calibrate(module, encoder, data, named)
        set_fitted(self, module, history)
        for name in ("semi_", "n_spread_"):
            self.__dict__.pop(name, None)
        if chosen is not None:
            self.semi_ = chosen
        if any(isinstance(part, LabelSpread) for part in parts):
            self.n_spread_ = int(labelled.known.sum() - data.known.sum())
        return self

    def _calibrate(
        self, module: Predictor, encoder: BaseAutoencoder, data: Labelled, named: dict[str, Any]
    ) -> None:
        """Correct how certain a fitted predictor is, where that is asked for."""

    def plan(self, X: Any, y: Any, sample_weight: Any = None) -> Plan:
        """Plan what :meth:`fit` would do, without fitting; see :meth:`stackae.StackedAutoencoder.plan`."""
        _, data, named = self._read(X, y, sample_weight)
        labelled, context, parts = data.only_labelled(), self._context(0, alone=True), self._semi_parts()
        if parts or self.semi == "auto":  # as many, if each has a label in the end
            labelled = data
        visits = self._task(named).weights(labelled.targets, labelled.weights)
        encoder = self._encoder_plan(data.X, data.weights, context)
        head = supervised_plan(
            self._training_on(labelled, data, parts),
            counted(labelled.X, visits),
            labelled.targets.shape[1],
            context,
            [Layer.without_memory(layer.parts, layer.n_inputs) for layer in encoder.layers],
            self._why_autograd(parts),
        )
        return replace(encoder, supervised=head)

    def check_parameters(self) -> None:
        """Raise for the first invalid parameter."""
        super().check_parameters()
        for k, part in enumerate(self.semi if isinstance(self.semi, (list, tuple)) else ()):
            if not (isinstance(part, SemiSupervised) or (isinstance(part, str) and part in SEMI)):
                raise InvalidParameterError(
                    f"The 'semi' parameter of {type(self).__name__} must hold instances of SemiSupervised or"
                    f" names among {', '.join(SEMI)}. Got {part!r} in place {k} instead."
                )
        parts = self._semi_parts()
        for name, n in Counter(map(SEMI.name_of, parts)).items():
            if n > 1:
                raise ParameterError(f"semi names {name!r} more than once; leave all but one out")
        spreading = [part for part in parts if isinstance(part, LabelSpread)]
        if spreading and not is_classifier(self):
            others = [name for name, kind in SEMI.items() if not issubclass(kind, LabelSpread)]
            raise ParameterError(
                f"{type(spreading[0]).__name__} spreads classes, and numbers are to be learned; choose among"
                f" {', '.join(others)}"
            )

    def _training_on(self, labelled: Labelled, data: Labelled, parts: Sequence[SemiSupervised]) -> Training:
        """How it is fine-tuned: none is held out where samples without a target are learned from, and the
        input is corrupted where a part needs that."""
        training: Training = self._part("finetune")
        own: dict[str, Any] = {}
        if len(labelled.X) > int(data.known.sum()):
            own["validation_fraction"] = 0.0
        asked = [part.corruption for part in parts if part.corruption]
        if asked and training.corruption == "auto":
            own["corruption"] = asked[0]
        return clone(training).set_params(**own) if own else training

    def _why_autograd(self, parts: Sequence[SemiSupervised]) -> str | None:
        """What fine-tuning needs autograd for, whatever the layers are."""
        if not self._analytic:
            return A_SWITCH
        if self.adversarial:
            return "adversarial steps"
        return next((type(part).__name__ for part in parts if isinstance(part, UnlabelledCost)), None)

    def _semi_parts(self) -> list[SemiSupervised]:
        """What samples without a target do, as far as it was said."""
        given: Any = [] if self.semi is None or self.semi == "auto" else self.semi
        listed = given if isinstance(given, (list, tuple)) else [given]
        parts = [SEMI[part]() if isinstance(part, str) else part for part in listed]
        return [part for part in parts if not part.is_idle]

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[Names | None, Labelled, dict[str, Any]]:
        """The columns' names, the samples that count, and what their targets are to be called."""
        self.check_parameters()
        matrix, names = self._checked_for_fit(X)
        weights = np.ones(len(matrix)) if sample_weight is None else check_weights(sample_weight, len(matrix))
        targets, named = self._read_targets(y, weights)
        given = None if sample_weight is None else weights
        return names, Labelled(*apply_sample_weight(matrix, given, targets)), named  # type: ignore[arg-type]

    def _join(self, layers: list[Layer], shortcut: Shortcut | None) -> Predictor:
        return self._task(vars(self)).predictor(layers, float(self.adversarial), shortcut)

    def _outputs(self, X: Any) -> Any:
        """What the head gives (samples × outputs)."""
        check_is_fitted(self)
        return self._apply(self._checked(X), lambda module, x: module(x), self.module_.n_outputs)


def of_known(known: npt.NDArray[np.bool_], predictions: npt.NDArray[Any], sample_weight: Any) -> Any:
    """The weights of the samples that have a target, by which predictions are judged.

    Raises
    ------
    DataError
        There are none, or another number of samples.
    """
    if len(known) != len(predictions):
        raise DataError(f"y must have one target a row, {len(predictions)}, got {len(known)}")
    if not known.any():
        raise DataError(f"y must have a target for some row to judge by, got none among {len(known)} rows")
    return None if sample_weight is None else np.asarray(sample_weight)[known]


def label_column(y: Any) -> npt.NDArray[Any]:
    """One label a sample, as it was given; classes that are spread over columns are refused."""
    labels = as_cells(y)
    if labels.ndim != 2 or labels.shape[1] == 1:
        column: npt.NDArray[Any] = column_or_1d(labels, warn=True)
        return column
    what, mend = "an array", "a classifier predicts one output"
    if labels.dtype.kind in "biufO" and np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all():
        what, mend = "one-hot labels", "give np.argmax(y, axis=1)"
    raise DataError(f"y must have one label a row, got {what} of shape {labels.shape}; {mend}")


def class_weights_of(given: Mapping[Any, float], classes: list[Any]) -> npt.NDArray[np.float64]:
    """The weight of each class, 1 for those that are left out; a fold may lack a class that is named."""
    if given and not any(label in given for label in classes):
        raise DataError(f"class_weight must name classes of y, {classes}, got {list(given)}")
    weights = np.array([float(given.get(label, 1.0)) for label in classes])
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise DataError(f"class_weight must be finite and above 0, got {given!r}")
    return weights
