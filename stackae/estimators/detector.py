"""Anomalies: rows that a stack fitted to the others does not reconstruct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import OutlierMixin
from sklearn.frozen import FrozenEstimator
from torch import Tensor

from stackae._utils.constraints import Interval, Real
from stackae.data.matrix import Matrix
from stackae.estimators._base import Floats
from stackae.estimators._callbacks import telling
from stackae.estimators._encoder import EncoderEstimator
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._reconstructing import Reconstructing
from stackae.estimators._validation import Checked, apply_sample_weight
from stackae.estimators.autoencoder import Autoencoder
from stackae.fitting.plan import Plan
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.serialization.onnx import write_onnx
from stackae.training.phase import EpochRecord


class StackedAutoencoderDetector(OutlierMixin, EncoderEstimator, Reconstructing):
    """An anomaly detector: it finds rows whose reconstruction error is large, and the features that cause it.

    A stack is fitted to the rows, as :class:`~stackae.StackedAutoencoder` is. A row is an outlier if its
    error exceeds that of all but a fraction ``contamination`` of the rows given to ``fit``. See ``explain``
    for the features.

    Parameters
    ----------
    encoder : sequence of int or Autoencoder, StackedAutoencoder, Autoencoder, FrozenEstimator or None, \
            default=(256, 64)
        A sequence of widths (or layers), bottom first: ``StackedAutoencoder(widths, shortcut=None)``. None:
        ``StackedAutoencoder()``, whose widths follow from the columns. An unfitted autoencoder is cloned and
        fitted on all rows, with its own fine-tuning and, if it has no ``random_state``, with this one.
        ``FrozenEstimator(fitted)``, from ``sklearn.frozen``, is used as it is: ``fit`` then only finds the
        threshold.
    contamination : float, default=0.1
        Fraction of the rows given to ``fit`` that are called outliers, in (0, 0.5].
    device : str or torch.device, default="auto"
        ``"auto"``: a GPU if there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of matrix products in training. ``"auto"``: bfloat16 if the hardware supports it and the products are
        large enough to gain by it; ``plan`` shows which.
    random_state : int, RandomState or None, default=None
        Seeds every random draw; global generators are never touched.
    verbose : int, default=0
        1: progress on standard error.
    max_memory : int, str or None, default=None
        Memory for rows and codes while fitting: bytes, or text like ``"1GB"``. None: half of the machine's.
    cache_folder : path-like or None, default=None
        Where codes that exceed ``max_memory`` are stored. None: the system's folder for temporary files.

    Attributes
    ----------
    offset_ : float
        The threshold: ``decision_function`` is ``score_samples`` minus the offset.
    module_ : DeepAutoencoder
        The deep autoencoder, a ``torch.nn.Module``.
    components_ : ndarray of shape (n_units of the first layer, n_features)
        The first layer's encoder weights.
    history_ : list of dict
        One record per epoch.
    n_iter_ : int
        Epochs run, over all phases.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, only if ``X`` has column names

    Raises
    ------
    InvalidParameterError, ParameterError
        A parameter is invalid, or parts cannot be combined; nothing was computed.
    DataError
        The rows cannot be used; the message names row and column.
    DivergedError
        The loss became infinite or NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from stackae import StackedAutoencoderDetector
    >>> X = load_iris().data
    >>> odd = X[:1].copy()
    >>> odd[0, 2] += 4  # a petal of 5.4 cm on a flower of a small kind
    >>> model = StackedAutoencoderDetector((16, 2), contamination=0.05, random_state=0).fit(X)
    >>> model.predict(odd), model.explain(odd).argmax(1)
    (array([-1]), array([2]))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        **EncoderEstimator._parameter_constraints,
    }
    _moved = (*EncoderEstimator._moved, "finetune")

    module_: DeepAutoencoder
    offset_: float

    def __init__(
        self,
        encoder: Sequence[int | Autoencoder] | BaseAutoencoder | FrozenEstimator | None = (256, 64),
        *,
        contamination: float = 0.1,
        device: str | torch.device = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        max_memory: int | str | None = None,
        cache_folder: str | PathLike[str] | None = None,
    ) -> None:
        self.encoder = encoder
        self.contamination = contamination
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.max_memory = max_memory
        self.cache_folder = cache_folder

    # Fitting -----------------------------------------------------------------------------------------

    @telling
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the stack, unless ``encoder`` is frozen, and find the threshold.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts, in fitting and for the threshold. Whole numbers are counts, other
            weights are relative.

        Returns
        -------
        self
        """
        self.check_parameters()
        checked = self._checked_for_fit(X)
        matrix, weights, _ = apply_sample_weight(checked.X, sample_weight)

        def set_fitted(own: Self, module: Any, history: list[EpochRecord]) -> None:
            own._set_fitted(module, history, [])
            own._set_detector(checked, matrix, weights, *own._moments_of(matrix, weights))

        self._can_show(set_fitted)
        encoder = self._fitted_encoder(checked.names, matrix, weights)
        module = deepcopy(encoder.module_) if encoder is self._given else encoder.module_
        self._set_fitted(module, list(encoder.history_), encoder._health)
        self._set_detector(checked, matrix, weights, encoder._variances, encoder._means)
        return self

    def _set_detector(self, checked: Checked, X: Matrix, weights: Floats | None, *moments: Any) -> None:
        """Set what is known of the columns, and find the threshold."""
        self._set_table(checked.X.table, *moments)
        self._set_names(checked.names)
        scores = self._scores(X).astype(np.float64)
        # The greatest errors of which a share of the rows is left above.
        self.offset_ = float(
            np.percentile(scores, 100 * self.contamination)
            if weights is None
            else np.percentile(scores, 100 * self.contamination, weights=weights, method="inverted_cdf")
        )

    def plan(self, X: Any, y: Any = None, sample_weight: Any = None) -> Plan:
        """Plan what :meth:`fit` would do, without fitting; see :meth:`stackae.StackedAutoencoder.plan`."""
        self.check_parameters()
        checked = self._checked_for_fit(X)
        matrix, weights, _ = apply_sample_weight(checked.X, sample_weight)
        return self._encoder_plan(matrix, weights, self._context(0, alone=True))

    def _kept(self) -> dict[str, Any]:
        return {"offset_": self.offset_}

    def _take_kept(self, kept: Mapping[str, Any]) -> None:
        self.offset_ = float(kept["offset_"])

    # Applying ----------------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> Floats:
        """``score_samples`` minus the threshold: negative for outliers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int_]:
        """Which rows are outliers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            -1 for outliers, 1 for the others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _export_predictions(self, path: str | PathLike[str]) -> None:
        def judged(module: Any, x: Tensor) -> tuple[Tensor, Tensor]:
            scores = self._negative_error(module, x)[:, 0] - self.offset_
            return torch.where(scores < 0, -1, 1), scores

        metadata = {"offset": self.offset_}
        write_onnx(self, path, judged, ["label", "scores"], metadata, missing_values=self._missing)
