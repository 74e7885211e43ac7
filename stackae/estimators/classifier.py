"""Few labels: a classifier pretrained on all rows."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, ClassVar

import numpy.typing as npt
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from torch import Tensor

from stackae._utils.constraints import Integral, Interval, NamedIn, Options, Real, StrOptions
from stackae.data.labels import Unlabelled, as_labels, holds_marker
from stackae.estimators._base import Floats
from stackae.estimators._classes import LearningClasses
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._supervised import label_column, of_known
from stackae.estimators.autoencoder import Autoencoder
from stackae.semi import SEMI
from stackae.semi.base import SemiSupervised
from stackae.serialization.onnx import as_onnx_labels, write_onnx
from stackae.training.parameters import Training


class StackedAutoencoderClassifier(ClassifierMixin, LearningClasses):
    """A classifier for many rows with few labels: pretrained on all rows, fine-tuned on the labelled ones.

    The layers are pretrained greedily on every row, labelled or not, and fine-tuned to reconstruct, as in
    :class:`~stackae.StackedAutoencoder`. A linear head, which starts as a logistic regression on the codes,
    is then put on the last code, and encoders and head are trained end to end on the labelled rows to
    minimise the cross-entropy. With many labels, ``encoder=StackedAutoencoder(..., finetune=None)`` skips
    fine-tuning to reconstruct and saves time.

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
        Training of encoders and head, on the labelled rows. Its ``corruption`` acts on the input or, as
        ``Dropout``, on the codes; its ``layerwise_rate`` lets lower layers learn more slowly. ``"auto"``:
        ``Training()``, which here drops a tenth of each code.
    adversarial : float, default=0.0
        Adversarial training (Miyato et al. 2017): in fine-tuning each row is moved by this Euclidean length,
        in scaled units, in the direction that increases its loss fastest. A tenth of a row's length works
        well with many labels; it takes about two thirds more time. 0: none.
    semi : {"auto", "propagation", "vat", "consistency", "ladder"}, SemiSupervised, list of these, or None, \
            default=None
        How fine-tuning uses rows without a label, which pretraining always uses:

        - ``"propagation"``: labels spread to neighbours in code space (:class:`~stackae.Propagation`);
        - ``"vat"``: predictions must not change when a row moves a little
          (:class:`~stackae.VirtualAdversarial`);
        - ``"consistency"``: nor under another corruption (:class:`~stackae.Consistency`);
        - ``"ladder"``: every layer keeps denoising (:class:`~stackae.Ladder`);
        - ``"auto"``: ``"propagation"`` if it predicts held-out labels better than a linear model of the codes
          does, by more than a standard error (see ``semi_``); with over 100,000 rows, none.

        Several can be combined. No rows are held out then. None: they are not used.
    label_smoothing : float, default=0.0
        Fraction of the target that is spread evenly over all classes, in [0, 1).
    unlabelled : {"auto", -1} or None, default="auto"
        What a label of -1 (or the text "-1") means; NaN, None, pd.NA and empty text always mean no label.
        -1: no label. None: a class. ``"auto"``, with a warning: no label if there are two or more other
        classes, none of them negative or fractional; a class if there is only one other.
    class_weight : dict, "balanced" or None, default=None
        How often fine-tuning visits the rows of each class: a dict from class to weight, 1 for classes left
        out. ``"balanced"``: every class equally often.
    calibration : int or None, default=None
        Number of folds, at least 2, for temperature scaling (Guo et al. 2017): each fold of the labelled rows
        is predicted by a model fitted to the others, and all logits are divided by the temperature that
        maximises the likelihood of the labels, so that of rows predicted with 80 %, about 80 % are right. It
        takes one more fine-tuning per fold; predicted classes do not change. None: probabilities stay as
        fine-tuning leaves them, usually overconfident.
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
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    semi_ : list of str, only with ``semi="auto"``
        The methods chosen; empty if none.
    n_spread_ : int, only if labels were spread
        Number of rows without a label that were trained with one that had been spread to them.
    temperature_ : float, only with ``calibration``
        What the logits were divided by.
    module_ : ClassPredictor
        Encoders and head, a ``torch.nn.Module``.
    components_ : ndarray of shape (n_units of the first layer, n_features)
        The first layer's encoder weights.
    history_ : list of dict
        One record per epoch; ``loss`` of phase ``"supervised"`` is the cross-entropy in nats.
    n_iter_ : int
        Epochs run, over all phases.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, only if ``X`` has column names

    Raises
    ------
    InvalidParameterError, ParameterError
        A parameter is invalid, or parts cannot be combined; nothing was computed.
    DataError
        Rows, labels or weights cannot be used: one class only, no label at all.
    DivergedError
        The loss became infinite or NaN.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11;
    Erhan et al. (2010), Why does unsupervised pre-training help deep learning?, JMLR 11;
    Kumar et al. (2022), Fine-tuning can distort pretrained features, ICLR;
    Miyato, Dai & Goodfellow (2017), Adversarial training methods for semi-supervised text
    classification, ICLR; Guo et al. (2017), On calibration of modern neural networks, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from stackae import StackedAutoencoderClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) % 10 == 0, y, np.nan)  # nine in ten have no label
    >>> model = StackedAutoencoderClassifier((128, 32), random_state=0).fit(X / 16, few)
    >>> bool(model.score(X / 16, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "unlabelled": [StrOptions({"auto"}), Options(Integral, {-1}), None],
        "calibration": [Interval(Integral, 2, None, closed="left"), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        **LearningClasses._parameter_constraints,
        "semi": [SemiSupervised, NamedIn(SEMI, "auto"), list, tuple, None],
    }

    def __init__(
        self,
        encoder: Sequence[int | Autoencoder] | BaseAutoencoder | FrozenEstimator | None = None,
        *,
        finetune: str | Training = "auto",
        adversarial: float = 0.0,
        semi: str | SemiSupervised | Sequence[str | SemiSupervised] | None = None,
        label_smoothing: float = 0.0,
        unlabelled: Unlabelled = "auto",
        class_weight: dict[Any, float] | str | None = None,
        calibration: int | None = None,
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
        self.label_smoothing = label_smoothing
        self.unlabelled = unlabelled
        self.class_weight = class_weight
        self.calibration = calibration
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.max_memory = max_memory
        self.cache_folder = cache_folder

    # Applying ----------------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> Floats:
        """The logits of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes), or (n_samples,) for two classes
            For two classes: the second's logit less the first's.
        """
        logits: Floats = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable class of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        places = self._outputs(X).argmax(1)
        labels: npt.NDArray[Any] = self.classes_[places]
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on the labelled rows; the others are left out.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            As in :meth:`fit`. Here -1 is a label if it is one of ``classes_``, or with
            ``unlabelled=None``.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            In [0, 1].

        Notes
        -----
        Searches and cross-validation use this score unless ``scoring`` is given; scikit-learn's scorers would
        count unlabelled rows as errors. Their default splitters stratify by ``y`` and refuse NaN: mark
        unlabelled rows by -1, or pass a splitter that does not stratify, such as ``KFold(5, shuffle=True)``.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import KFold, cross_val_score
        >>> from stackae import StackedAutoencoderClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> few = np.where(np.arange(150) % 3 == 0, y, np.nan)  # two in three have no label
        >>> folds = KFold(3, shuffle=True, random_state=0)
        >>> model = StackedAutoencoderClassifier((16, 4), random_state=0)
        >>> bool(cross_val_score(model, X, few, cv=folds).mean() > 0.8)
        True
        """
        predictions = self.predict(X)
        is_class = self.unlabelled is None or holds_marker(self.classes_)
        labels, known = as_labels(label_column(y), None if is_class else -1)
        weights = of_known(known, predictions, sample_weight)
        return float(accuracy_score(labels, predictions[known], sample_weight=weights))

    def predict_proba(self, X: Any) -> Floats:
        """The probability of each class, in the order of ``classes_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        probabilities: Floats = softmax(self._outputs(X), axis=1)
        return probabilities

    def predict_log_proba(self, X: Any) -> Floats:
        """The logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        logarithms: Floats = log_softmax(self._outputs(X), axis=1)
        return logarithms

    def _export_predictions(self, path: str | PathLike[str]) -> None:
        def predicted(module: Any, x: Tensor) -> tuple[Tensor, Tensor]:
            logits = module(x)
            return logits.argmax(1), logits.softmax(1)

        write_onnx(
            self,
            path,
            predicted,
            ["label", "probabilities"],
            {"classes": self._kept()["classes_"]},
            missing_values=self._missing,
            values={"label": as_onnx_labels(self.classes_)},
        )
