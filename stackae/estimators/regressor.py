"""Few targets: a regressor pretrained on all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import RegressorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, column_or_1d
from torch import Tensor

from stackae.data.labels import as_targets
from stackae.estimators._base import Floats
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._supervised import BaseSupervised, of_known
from stackae.estimators.autoencoder import Autoencoder
from stackae.exceptions import DataError
from stackae.fitting.supervised import Regression
from stackae.semi.base import SemiSupervised
from stackae.serialization.onnx import write_onnx
from stackae.training.parameters import Training


class StackedAutoencoderRegressor(RegressorMixin, BaseSupervised):
    """A regressor for few targets and many rows: pretrained on all, fine-tuned on those with a target.

    The layers are pretrained greedily on every row and fine-tuned to reconstruct, as
    :class:`~stackae.StackedAutoencoder` does. Then a linear head is put on the last code, which starts as a
    ridge regression on the codes, and encoders and head are trained end to end on the rows with a target, to
    minimise the squared error of the standardised targets. Of several outputs some may be missing in a row:
    the others are learned from.

    Parameters
    ----------
    encoder : sequence of int or Autoencoder, StackedAutoencoder, Autoencoder, FrozenEstimator or None, \
            default=None
        None: ``StackedAutoencoder()``, whose widths follow from the columns. Widths (or layers), bottom
        first, stand for ``StackedAutoencoder(widths, shortcut=None)``. An unfitted
        autoencoder is cloned and fitted on all rows, its own fine-tuning included, with this
        ``random_state`` if it has none. ``FrozenEstimator(fitted)``, from ``sklearn.frozen``, is used as it
        is and not changed, so that one pretraining serves many fine-tunings, in searches too.
    finetune : Training or "auto", default="auto"
        Of encoders and head, on the rows with a target. Its ``corruption`` is what the first encoder sees
        and, with ``Dropout``, what becomes of the codes; its ``layerwise_rate`` lets lower layers learn
        slower. ``"auto"``: a tenth of each code dropped.
    adversarial : float, default=0.0
        In fine-tuning, how far each row is moved, before it is learned from, in the direction in which its
        cost grows fastest: a Euclidean length in the units in which the model works, at least 0 (Miyato et
        al. 2017). About a tenth of a row's length does well where labels are many; it costs two thirds more
        time. 0: not at all.
    semi : {"propagation", "vat", "consistency", "ladder"}, SemiSupervised, list of these, or None, \
            default=None
        What rows without a target do in fine-tuning, beside the pretraining that they always take part in:
        ``"propagation"`` is for classes only, and refused;
        ``"vat"``, predictions stay where a row moves a little (:class:`~stackae.VirtualAdversarial`);
        ``"consistency"``, they stay under another corruption (:class:`~stackae.Consistency`); ``"ladder"``,
        every layer goes on denoising (:class:`~stackae.Ladder`). Several go together. No row is held out
        then. None: nothing.
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
    module_ : ValuePredictor
        Encoders and head, a ``torch.nn.Module``.
    components_ : ndarray of shape (units of the first layer, n_features)
        The first layer's encoder weights.
    history_ : list of dict
        One an epoch of each phase; ``loss`` of phase ``"supervised"`` is the squared error of the
        standardised targets, summed over outputs.
    n_iter_ : int
        Epochs run, all phases together.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, only where ``X`` had column names

    Raises
    ------
    InvalidParameterError, ParameterError
        A parameter breaks its rule, or parts cannot combine; nothing was computed.
    DataError
        Rows, targets or weights cannot be used: no target at all, infinity among them.
    DivergedError
        The loss left the finite numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from stackae import StackedAutoencoderRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) % 2 == 0, y, np.nan)  # every other row has no target
    >>> model = StackedAutoencoderRegressor((32, 8), random_state=0).fit(X, few)
    >>> bool(model.score(X, y) > 0.3)
    True
    """

    #: Columns of y; None where it was one-dimensional.
    _n_outputs: int | None

    def __init__(
        self,
        encoder: Sequence[int | Autoencoder] | BaseAutoencoder | FrozenEstimator | None = None,
        *,
        finetune: str | Training = "auto",
        adversarial: float = 0.0,
        semi: str | SemiSupervised | Sequence[str | SemiSupervised] | None = None,
        device: str | torch.device = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        max_memory: int | str | None = None,
        cache_folder: str | PathLike[str] | None = None,
    ) -> None:
        self.encoder = encoder
        self.finetune = finetune
        self.adversarial = adversarial
        self.semi = semi
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.max_memory = max_memory
        self.cache_folder = cache_folder

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # Fitting -----------------------------------------------------------------------------------------

    def _read_targets(
        self, y: Any, sample_weight: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
        n_samples = len(sample_weight)
        if y is None:
            raise DataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; to learn without"
                " targets use StackedAutoencoder"
            )
        try:
            targets = check_array(
                as_targets(y),
                ensure_2d=False,
                dtype=np.float64,
                ensure_all_finite="allow-nan",
                input_name="y",
            )
        except ValueError as error:
            raise DataError(str(error)) from None
        if (large := np.abs(targets) > np.finfo(np.float32).max).any():
            row = int(np.argwhere(large)[0][0])
            raise DataError(f"y is over float32's range in row {row}; rescale the targets")
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        n_outputs = None if targets.ndim == 1 else targets.shape[1]
        if len(targets) != n_samples:
            raise DataError(f"y must have one target a row, {n_samples}, got {len(targets)}")
        columns: npt.NDArray[np.float64] = targets.reshape(n_samples, -1)
        if (empty := np.isnan(columns).all(0)).any() and not empty.all():
            raise DataError(
                f"y must have a target in every output, got none in output {int(np.argmax(empty))}"
            )
        return columns, {"_n_outputs": n_outputs}

    def _task(self, named: Mapping[str, Any]) -> Regression:
        return Regression(named["_n_outputs"] or 1)

    def _kept(self) -> dict[str, Any]:
        return {"n_outputs": self._n_outputs}

    def _take_kept(self, kept: Mapping[str, Any]) -> None:
        self._n_outputs = None if kept["n_outputs"] is None else int(kept["n_outputs"])

    # Applying ----------------------------------------------------------------------------------------

    def predict(self, X: Any) -> Floats:
        """The targets of rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_outputs) where ``y`` had several columns
            In the units of ``y``.
        """
        outputs: Floats = self._outputs(X)
        return outputs[:, 0] if self._n_outputs is None else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R² on the rows that have a target; the others are left out.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            NaN, None or pd.NA where there is none.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            At most 1; of several outputs the mean, each over the rows that have it.
        """
        predictions = self.predict(X)
        predictions = predictions.reshape(len(predictions), -1)
        targets = np.asarray(as_targets(y), dtype=np.float64).reshape(len(predictions), -1)
        scores = []
        for target, predicted in zip(targets.T, predictions.T, strict=True):
            known = ~np.isnan(target)
            weights = of_known(known, predicted, sample_weight)
            scores.append(r2_score(target[known], predicted[known], sample_weight=weights))
        return float(np.mean(scores))

    def _export_predictions(self, path: str | PathLike[str]) -> None:
        def predicted(module: Any, x: Tensor) -> Tensor:
            outputs: Tensor = module(x)
            return outputs[:, 0] if self._n_outputs is None else outputs

        write_onnx(self, path, predicted, ["predictions"], {}, missing_values=self._missing)
