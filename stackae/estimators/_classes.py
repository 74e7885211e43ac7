"""What a classifier learns: classes, and how certain it is of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from stackae.data.labels import Unlabelled, as_labels
from stackae.estimators._calibration import cross_fitted, soften
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._supervised import BaseSupervised, class_weights_of, label_column
from stackae.exceptions import DataError, ModelFileError, StackaeWarning
from stackae.fitting.supervised import Classification
from stackae.fitting.unlabelled import Labelled
from stackae.modules.heads import Predictor


class LearningClasses(BaseSupervised):
    """The part of a classifier that reads labels, and calibrates what is predicted of them."""

    label_smoothing: float
    unlabelled: Unlabelled
    class_weight: dict[Any, float] | str | None
    calibration: int | None
    classes_: npt.NDArray[Any]
    temperature_: float

    def _read_targets(
        self, y: Any, sample_weight: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
        n_samples = len(sample_weight)
        if y is None:
            raise DataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; to learn without"
                " labels use StackedAutoencoder"
            )
        labels, known = as_labels(label_column(y), self.unlabelled)
        if len(known) != n_samples:
            raise DataError(f"y must have one label a row, {n_samples}, got {len(known)}")
        if labels.dtype.kind == "f" and (infinite := np.isinf(labels)).any():
            row = int(np.flatnonzero(known)[infinite][0])
            raise DataError(f"Input y contains infinity in row {row}; leave the label out, or mend it")
        if len(labels):
            check_classification_targets(labels)
        targets = np.full((n_samples, 1), np.nan)
        counted = sample_weight[known] > 0
        classes, n_of_class = np.unique(labels[counted], return_counts=True)
        if len(labels):
            if len(classes) < 2:
                only = f", {classes.tolist()[0]!r}" if len(classes) else ""
                raise DataError(f"y must have at least 2 classes, got {len(classes)} class{only}")
            if self.calibration is not None:
                self._check_folds(
                    self.calibration, classes.tolist()[int(n_of_class.argmin())], int(n_of_class.min())
                )
            targets[np.flatnonzero(known)[counted], 0] = np.searchsorted(classes, labels[counted])
        return targets, {"classes_": classes}

    @staticmethod
    def _check_folds(n_folds: int, rarest: Any, n_labels: int) -> None:
        """Refuse a class with a single label, and say where there are fewer folds than are asked for."""
        if n_labels < 2:
            raise DataError(
                f"calibration needs at least 2 labels of each class, got 1 of {rarest!r}; leave calibration"
                " out, or that class"
            )
        if n_labels < n_folds:
            warnings.warn(
                f"calibration={n_folds} takes {n_labels} folds: class {rarest!r} has {n_labels}"
                " labels, and each fold needs one of every class",
                StackaeWarning,
                stacklevel=2,
            )

    def _task(self, named: Mapping[str, Any]) -> Classification:
        classes = named["classes_"]
        given = self.class_weight
        weights = class_weights_of(given, classes.tolist()) if isinstance(given, dict) else given
        return Classification(len(classes), float(self.label_smoothing), weights)

    def _calibrate(
        self, module: Predictor, encoder: BaseAutoencoder, data: Labelled, named: dict[str, Any]
    ) -> None:
        self.__dict__.pop("temperature_", None)
        if self.calibration is None:
            return
        own = self._task(named).class_weights
        weights = own if own is None or isinstance(own, str) else dict(enumerate(own.tolist()))
        model = clone(self).set_params(class_weight=weights, calibration=None, unlabelled=None)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self.temperature_ = cross_fitted(model, encoder, data, self.calibration, seed)
        soften(module.head, self.temperature_)

    def _kept(self) -> dict[str, Any]:
        labels = self.classes_.astype(str) if self.classes_.dtype.kind == "M" else self.classes_
        classes = [label.item() if hasattr(label, "item") else label for label in labels.tolist()]
        kept = {"classes_": classes, "kind_of_classes": self.classes_.dtype.str}
        found = ("semi_", "n_spread_", "temperature_")
        return kept | {name: getattr(self, name) for name in found if hasattr(self, name)}

    def _take_kept(self, kept: Mapping[str, Any]) -> None:
        kind = np.dtype(kept["kind_of_classes"])
        if kind.kind not in "biufUOM":
            raise ModelFileError(f"classes must be numbers, text or dates, got the type {kind}")
        if "semi_" in kept:
            self.semi_ = list(map(str, kept["semi_"]))
        if "n_spread_" in kept:
            self.n_spread_ = int(kept["n_spread_"])
        if "temperature_" in kept:
            self.temperature_ = float(kept["temperature_"])
        # Of text the width is that of the labels: a file's claim could take any amount of memory.
        self.classes_ = np.asarray(kept["classes_"], dtype=str if kind.kind == "U" else kind)
