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
    """A regressor for many rows with few targets: pretrained on all rows, fine-tuned on those with a target.

    The layers are pretrained greedily on every row and fine-tuned to reconstruct, as in
    :class:`~stackae.StackedAutoencoder`. A linear head, which starts as a ridge regression on the codes, is
    then put on the last code, and encoders and head are trained end to end on the rows with a target to
    minimise the squared error of the standardised targets. With several outputs, a row may lack some of them
    and is used for the others.

    Parameters
    ----------
    encoder : sequence of int or Autoencoder, StackedAutoencoder, Autoencoder, FrozenEstimator or None, \
            default=None
        None: ``StackedAutoencoder()``, whose widths follow from the columns. A sequence of widths (or
        layers), bottom first: ``StackedAutoencoder(widths, shortcut=None)``. An unfitted autoencoder is
        cloned and fitted on all rows, with its own fine-tuning and, if it has no ``random_state``, with this
        one. ``FrozenEstimator(fitted)``, from ``sklearn.frozen``, is used as it is, so that searches can
        share one pretraining.
    finetune : Training or "auto", default="auto"
        Training of encoders and head, on the rows with a target. Its ``corruption`` acts on the input or, as
        ``Dropout``, on the codes; its ``layerwise_rate`` lets lower layers learn more slowly. ``"auto"``:
        ``Training()``, which here drops a tenth of each code.
    adversarial : float, default=0.0
        Adversarial training (Miyato et al. 2017): in fine-tuning each row is moved by this Euclidean length,
        in scaled units, in the direction that increases its loss fastest. A tenth of a row's length works
        well with many targets; it takes about two thirds more time. 0: none.
    semi : {"vat", "consistency", "ladder"}, SemiSupervised, list of these, or None, default=None
        How fine-tuning uses rows without a target, which pretraining always uses:

        - ``"vat"``: predictions must not change when a row moves a little
          (:class:`~stackae.VirtualAdversarial`);
        - ``"consistency"``: nor under another corruption (:class:`~stackae.Consistency`);
        - ``"ladder"``: every layer keeps denoising (:class:`~stackae.Ladder`).

        Several can be combined. No rows are held out then. None: they are not used. ``"propagation"`` is for
        classes only, and refused.
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
    module_ : ValuePredictor
        Encoders and head, a ``torch.nn.Module``.
    components_ : ndarray of shape (n_units of the first layer, n_features)
        The first layer's encoder weights.
    history_ : list of dict
        One record per epoch; ``loss`` of phase ``"supervised"`` is the squared error of the standardised
        targets, summed over outputs.
    n_iter_ : int
        Epochs run, over all phases.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, only if ``X`` has column names

    Raises
    ------
    InvalidParameterError, ParameterError
        A parameter is invalid, or parts cannot be combined; nothing was computed.
    DataError
        Rows, targets or weights cannot be used: no target at all, infinity among them.
    DivergedError
        The loss became infinite or NaN.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11;
    Miyato, Dai & Goodfellow (2017), Adversarial training methods for semi-supervised text
    classification, ICLR.

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
        """The predicted target of each row.

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
        """R² on the rows with a target; the others are left out.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            NaN, None or pd.NA for no target.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            At most 1; with several outputs their mean, each over the rows that have it.
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
