"""Estimators that stand on an encoder: one that they fit, or one that was fitted and is frozen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from stackae._utils.constraints import InvalidParameterError
from stackae._utils.part_table import PartTable
from stackae.data.matrix import Matrix
from stackae.estimators._base import BaseEncoder
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._parameters import COMMON_CONSTRAINTS, TRAININGS
from stackae.estimators._validation import Checked, Floats, Names, check_X, refuse_other_names
from stackae.estimators.stacked import StackedAutoencoder
from stackae.exceptions import DataError, DataTypeError, ParameterError
from stackae.fitting.context import FitContext
from stackae.fitting.plan import Plan
from stackae.fitting.planner import frozen_plan
from stackae.fitting.summary import summarise

#: Parameters of version 0.1.0, which are the encoder's now.
_MOVED = ("layers", "pretrain", "scale", "missing_values", "add_indicator", "memory")


class EncoderEstimator(BaseEncoder):
    """An estimator on an autoencoder.

    ``encoder`` is a sequence of widths (or of :class:`~stackae.Autoencoder`), which stands for
    ``StackedAutoencoder(widths, shortcut=None)``; or None, for ``StackedAutoencoder()``; or an unfitted
    :class:`~stackae.StackedAutoencoder`; or ``FrozenEstimator(fitted)``, which is used as it is.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "encoder": ["array-like", BaseAutoencoder, FrozenEstimator, None],
        **COMMON_CONSTRAINTS,
    }
    _named_parts: Mapping[str, PartTable[Any]] = {"finetune": TRAININGS}
    _moved: ClassVar[tuple[str, ...]] = _MOVED

    encoder: Any

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """Refuse the parameters that it had in version 0.1.0, with what to write now."""
        cls._refuse_moved(parameters)
        estimator: Self = super().__new__(cls)
        return estimator

    def set_params(self, **parameters: Any) -> Self:
        self._refuse_moved({name.partition("__")[0]: value for name, value in parameters.items()})
        inner = [name for name in parameters if name.startswith("encoder__")]
        if inner and not isinstance(parameters.get("encoder", self.encoder), BaseEstimator):
            raise ParameterError(
                f"{inner[0]!r} reaches into an encoder that is not an estimator; set encoder= whole, or give"
                " StackedAutoencoder(...)"
            )
        return super().set_params(**parameters)

    @classmethod
    def _refuse_moved(cls, parameters: Mapping[str, Any]) -> None:
        moved = [name for name in cls._moved if name in parameters]
        others = "".join(f"{name}=..., " for name in moved if name != "layers")
        if moved:
            given = parameters.get("layers", parameters.get("encoder"))
            widths = repr(given) if isinstance(given, tuple) and len(repr(given)) < 40 else "widths"
            new = f"StackedAutoencoder({widths}, {others}shortcut=None)" if others else widths
            raise ParameterError(
                f"{cls.__name__} has no parameter {moved[0]!r}, its encoder has: write encoder={new}"
            )

    def check_parameters(self) -> None:
        """Raise for the first invalid parameter, of the estimator or of its encoder."""
        kinds = (BaseAutoencoder, FrozenEstimator)
        if not (self.encoder is None or isinstance(self.encoder, kinds)) and (
            isinstance(self.encoder, (str, BaseEstimator)) or not hasattr(self.encoder, "__len__")
        ):
            raise InvalidParameterError(
                f"The 'encoder' parameter of {type(self).__name__} must be a sequence of widths, an unfitted"
                f" StackedAutoencoder, FrozenEstimator(fitted), or None. Got {self.encoder!r} instead."
            )
        super().check_parameters()
        if isinstance(self.encoder, FrozenEstimator):
            given = type(self._given).__name__
            if not isinstance(self._given, BaseAutoencoder):
                raise ParameterError(
                    "encoder=FrozenEstimator(...) must hold a fitted StackedAutoencoder or Autoencoder, got"
                    f" {given}"
                )
            if not hasattr(self._given, "module_"):
                raise ParameterError(
                    f"encoder=FrozenEstimator(...) must hold a fitted {given}, got one that is not; fit it"
                )
            self._given._refuse_changed()
        elif hasattr(self.encoder, "module_"):
            raise ParameterError(
                "encoder= is fitted already: give FrozenEstimator(encoder) (from sklearn.frozen) to use it as"
                " it is, or clone(encoder) to fit it anew"
            )
        elif hasattr(self.encoder, "_skl_callbacks"):
            raise ParameterError(
                f"encoder= has callbacks of scikit-learn's; set them on the {type(self).__name__}, of whose"
                " fit the encoder's phases are tasks"
            )
        else:
            self._new_encoder().check_parameters()

    @property
    def _given(self) -> Any:
        """The encoder that was given, out of the ice."""
        return self.encoder.estimator if isinstance(self.encoder, FrozenEstimator) else self.encoder

    def _new_encoder(self) -> BaseAutoencoder:
        """The encoder that is to be fitted."""
        if isinstance(self.encoder, BaseEstimator):
            encoder: BaseAutoencoder = clone(self._given)
        else:
            machine = ("device", "precision", "verbose", "max_memory", "cache_folder")
            own = {name: getattr(self, name) for name in machine}
            shortcut = "auto" if self.encoder is None else None
            encoder = StackedAutoencoder(self.encoder, shortcut=shortcut, **own)
        if encoder.random_state is None:  # one seed decides everything
            encoder.random_state = self.random_state
        encoder._analytic = self._analytic
        encoder._callbacks = self._told
        return encoder

    def _checked_for_fit(self, X: Any) -> Checked:
        """Samples for a new fit; a frozen encoder knows what the columns of a table are."""
        frozen = self._given if isinstance(self.encoder, FrozenEstimator) else None
        table, missing = getattr(frozen, "_table", None), self._missing
        if frozen is not None and missing is None and frozen.module_[0].parts.missing:
            missing = np.nan
        columns = getattr(self._given, "columns", None) if frozen is None else None
        checked = check_X(self, X, reset=True, missing_values=missing, table=table, columns=columns)
        if frozen is not None and table is None and checked.X.table is not None:
            raise DataTypeError("encoder= was fitted on numbers, and X is a table of more; give such numbers")
        return checked

    def _fitted_encoder(
        self,
        names: Names | None,
        X: Matrix,
        weights: Floats | None,
        targets: Floats | None = None,
        *,
        classes: bool = False,
    ) -> BaseAutoencoder:
        """The frozen encoder, or one that is fitted now."""
        if not isinstance(self.encoder, FrozenEstimator):
            encoder = self._new_encoder()
            encoder._fit_matrix(X, weights, targets, classes=classes)
            return encoder
        frozen: BaseAutoencoder = self._given
        if frozen.module_.n_inputs != X.shape[1]:
            raise DataError(
                f"encoder= was fitted on {frozen.n_features_in_} features, got X with {X.shape[1]}; give"
                " rows of the same columns"
            )
        if names is not None and hasattr(frozen, "feature_names_in_"):
            refuse_other_names(names, frozen.feature_names_in_)
        return frozen

    def _encoder_plan(self, X: Matrix, weights: Floats | None, context: FitContext) -> Plan:
        """How the encoder will be fitted; of a frozen one no phase is left."""
        if not isinstance(self.encoder, FrozenEstimator):
            encoder = self._new_encoder()
            return encoder._make_plan(X, weights, encoder._context(0, alone=True))
        module = self._given.module_
        return frozen_plan(module, summarise(X, weights), context)

    def _asked_widths(self) -> list[int] | None:
        given = self._given if isinstance(self._given, BaseAutoencoder) else StackedAutoencoder(self.encoder)
        return None if getattr(given, "_chooses", False) else given._asked_widths()

    def export_onnx(self, path: str | PathLike[str], *, codes: bool = False) -> None:
        """Write the estimator's predictions as an ONNX file, for programs without stackae and torch.

        The model's input ``X`` (samples × features, float32, any number of rows) is in the units of the data
        given to ``fit``: scaling and ``missing_values`` are in the file. Rows are not checked for non-finite
        values. The outputs are what the estimator gives for float32 rows, up to rounding (1e-5):

        - classifier: ``label`` (samples,), the class, int64 for whole numbers and booleans, otherwise text,
          also for dates; and ``probabilities`` (samples × classes), as ``predict_proba`` gives them;
        - regressor: ``predictions`` (samples,) or (samples × outputs), in the units of ``y``;
        - detector: ``label`` (samples,), int64, -1 for outliers, 1 for the others; and ``scores`` (samples,),
          as ``decision_function`` gives them: below 0 for outliers;
        - with ``codes=True``: ``codes`` (samples × components) alone, as ``transform`` gives them.

        The model's metadata holds ``estimator``, ``n_features``, ``feature_names`` (if ``X`` had column
        names) and ``versions``; of a classifier ``classes``, in the order of ``probabilities``; of a detector
        ``offset``, which is ``score_samples`` minus ``scores``; of codes ``code_names``. All but the first
        are JSON. The file is written atomically.

        Parameters
        ----------
        path : path-like
        codes : bool, default=False
            Write :meth:`transform` instead of the predictions.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ParameterError
            The package onnx is not installed (``pip install 'stackae[onnx]'``), or the model is over ONNX's
            limit of 2 GiB.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from onnxruntime import InferenceSession
        >>> from sklearn.datasets import load_iris
        >>> from stackae import StackedAutoencoderClassifier
        >>> iris = load_iris()
        >>> X, y = iris.data.astype(np.float32), iris.target_names[iris.target]
        >>> model = StackedAutoencoderClassifier((8, 2), random_state=0).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_onnx(os.path.join(folder, "classifier.onnx"))
        ...     session = InferenceSession(os.path.join(folder, "classifier.onnx"))
        >>> label, probabilities = session.run(["label", "probabilities"], {"X": X})
        >>> bool((label == model.predict(X)).all()), probabilities.shape
        (True, (150, 3))
        """
        check_is_fitted(self)
        if codes:
            super().export_onnx(path)
        else:
            self._export_predictions(path)

    @abstractmethod
    def _export_predictions(self, path: str | PathLike[str]) -> None:
        """Write what is predicted as an ONNX file."""

    def _kept_params(self) -> dict[str, Any]:
        params = super()._kept_params()
        if isinstance(self.encoder, BaseEstimator):
            params["encoder"] = clone(self._given)
            if self._asked_widths() is None:
                params["encoder"].layers = tuple(layer.parts.n_components for layer in self.module_)
        return params
