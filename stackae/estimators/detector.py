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

from stackae._utils.constraints import HasMethods, Interval, Real, StrOptions
from stackae._utils.part_table import PartTable
from stackae.estimators._base import COMMON_CONSTRAINTS, TRAININGS, Rows
from stackae.estimators._encoder import OnEncoder
from stackae.estimators._reconstructing import Reconstructing
from stackae.estimators._validation import check_rows
from stackae.estimators._weights import weighed
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.stacked import StackedAutoencoder
from stackae.modules.autoencoder import UnrolledStack
from stackae.modules.layer import ShallowAutoencoder
from stackae.modules.shortcut import Shortcut
from stackae.training.parameters import Training


class StackedAutoencoderDetector(OutlierMixin, OnEncoder, Reconstructing):
    """Finds anomalies: rows whose reconstruction error is large, and the features that make it so.

    A stack is fitted to the rows, as :class:`~stackae.StackedAutoencoder` is; a row is an outlier where its
    error exceeds that of all but a share ``contamination`` of the rows that the detector was fitted to.

    Parameters
    ----------
    layers : sequence of int or Autoencoder, or "auto", default=(256, 64)
        Bottom first, as in :class:`~stackae.StackedAutoencoder`.
    encoder : StackedAutoencoder, Autoencoder or None, default=None
        Fitted: it is used as it is, and ``fit`` only finds the threshold; ``clone`` keeps it. Not fitted: it
        is fitted to the rows first, with this ``random_state`` if it has none. With it, ``layers``,
        ``pretrain``, ``finetune``, ``scale``, ``missing_values``, ``add_indicator`` and ``memory`` are its
        own.
    contamination : float, default=0.1
        Share of the rows given to ``fit`` that are called outliers, in (0, 0.5].
    pretrain : Training or "auto", default="auto"
        For every layer that has no ``training`` of its own.
    finetune : Training, "auto" or None, default="auto"
        End to end, to reconstruct; None: none.
    scale : {"auto", "standard", "minmax"} or None, default="auto"
        ``"auto"``: data already within [0, 1] stay, anything else is standardised column by column.
    missing_values : float or None, default=None
        What stands for a missing cell, as a rule ``np.nan``; it has no error. None: rows with NaN are
        refused.
    add_indicator : bool, default=False
        Whether the first encoder is told which cells are missing.
    memory : str, path-like, joblib.Memory or None, default=None
        Where pretrained layers are kept; see :class:`~stackae.StackedAutoencoder`.
    device : str or torch.device, default="auto"
        ``"auto"``: a GPU where there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the products in training. ``"auto"``: bfloat16 where the hardware has it.
    random_state : int, RandomState or None, default=None
        Seeds every random draw; the global generators are never touched.
    verbose : int, default=0
        1: progress on standard error.
    max_memory : int, str or None, default=None
        What rows and codes may take in memory while fitting; None: half of the machine's memory.
    cache_folder : path-like or None, default=None
        Where codes are kept that take too much memory; None: the system's folder for temporary files.

    Attributes
    ----------
    offset_ : float
        The threshold: ``decision_function`` is ``score_samples`` less the offset.
    module_ : UnrolledStack
        The deep autoencoder, a ``torch.nn.Module``.
    components_ : ndarray of shape (units of the first layer, n_features_in_)
        The first layer's encoder weights.
    history_ : list of dict
        One an epoch of each phase.
    n_iter_ : int
        Epochs run, all phases together.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, only where ``X`` had column names

    Raises
    ------
    InvalidParameterError, ParameterError
        A parameter breaks its rule, or parts cannot combine; nothing was computed.
    DataError
        The rows cannot be used; the message has row and column.
    DivergedError
        The loss left the finite numbers.

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
        "layers": ["array-like", StrOptions({"auto"})],
        "encoder": [StackedAutoencoder, Autoencoder, None],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "pretrain": [Training, StrOptions({"auto"})],
        "finetune": [Training, StrOptions({"auto"}), None],
        "memory": [str, PathLike, HasMethods("cache"), None],
        **COMMON_CONSTRAINTS,
    }
    _named_parts: Mapping[str, PartTable[Any]] = {"pretrain": TRAININGS, "finetune": TRAININGS}
    _of_the_encoder = (
        "layers",
        "pretrain",
        "finetune",
        "scale",
        "missing_values",
        "add_indicator",
        "memory",
    )

    offset_: float

    def __init__(
        self,
        layers: Sequence[int | Autoencoder] | str = (256, 64),
        *,
        encoder: StackedAutoencoder | Autoencoder | None = None,
        contamination: float = 0.1,
        pretrain: str | Training = "auto",
        finetune: str | Training | None = "auto",
        scale: str | None = "auto",
        missing_values: float | None = None,
        add_indicator: bool = False,
        memory: Any = None,
        device: str | torch.device = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        max_memory: int | str | None = None,
        cache_folder: str | PathLike[str] | None = None,
    ) -> None:
        self.layers = layers
        self.encoder = encoder
        self.contamination = contamination
        self.pretrain = pretrain
        self.finetune = finetune
        self.scale = scale
        self.missing_values = missing_values
        self.add_indicator = add_indicator
        self.memory = memory
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.max_memory = max_memory
        self.cache_folder = cache_folder

    # Fitting -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the stack, unless a fitted one was given, and find the threshold.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
        y : ignored
        sample_weight : array-like of shape (n_rows,), default=None
            How often each row counts, in fitting and for the threshold. Whole numbers are counts, other
            weights are relative.

        Returns
        -------
        self
        """
        self.check_parameters()
        rows = check_rows(self, X, reset=True, missing_values=self._missing)
        rows, weights, _ = weighed(rows, sample_weight)
        encoder = self._fitted_encoder(rows, weights)
        parts = encoder._shallow, encoder._shortcut
        layers, shortcut = deepcopy(parts) if encoder is self.encoder else parts
        self._set_fitted(self._join(layers, shortcut), list(encoder.history_), encoder._health)
        scores = self._scores(rows).astype(np.float64)
        # The greatest errors of which a share of the rows is left above.
        self.offset_ = float(
            np.percentile(scores, 100 * self.contamination)
            if weights is None
            else np.percentile(scores, 100 * self.contamination, weights=weights, method="inverted_cdf")
        )
        return self

    def _join(self, layers: Sequence[ShallowAutoencoder], shortcut: Shortcut | None = None) -> UnrolledStack:
        return UnrolledStack(layers, shortcut=shortcut)

    def _fitted(self) -> dict[str, Any]:
        return {"offset_": self.offset_}

    def _take_fitted(self, fitted: Mapping[str, Any]) -> None:
        self.offset_ = float(fitted["offset_"])

    # Applying ----------------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> Rows:
        """How much better each row is reconstructed than the threshold asks; below 0 for outliers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int_]:
        """Which rows are outliers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,)
            -1 for outliers, 1 for the others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X: Any) -> Rows:
        """How much each feature has to do with a row's score: its squared error.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows, n_features)
            In the units in which the model works; where no cell is missing, a row's sum is its negative
            score. NaN where a cell is missing.
        """
        return self._apply(self._rows(X), self._squared_errors, self.n_features_in_)
