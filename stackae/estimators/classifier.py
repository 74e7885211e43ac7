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
    """A classifier for few labels and many rows: pretrained on all, fine-tuned on those with a label.

    The layers are pretrained greedily on every row, labelled or not, and fine-tuned to reconstruct, as
    :class:`~stackae.StackedAutoencoder` does. Then a linear head is put on the last code, which starts as a
    logistic regression on the codes, and encoders and head are trained end to end on the labelled rows, to
    minimise the cross-entropy. Where labels are many, ``encoder=StackedAutoencoder(..., finetune=None)``
    saves the time of learning to reconstruct.

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
        Of encoders and head, on the labelled rows. Its ``corruption`` is what the first encoder sees and,
        with ``Dropout``, what becomes of the codes; its ``layerwise_rate`` lets lower layers learn slower.
        ``"auto"``: a tenth of each code dropped.
    adversarial : float, default=0.0
        In fine-tuning, how far each row is moved, before it is learned from, in the direction in which its
        cost grows fastest: a Euclidean length in the units in which the model works, at least 0 (Miyato et
        al. 2017). About a tenth of a row's length does well where labels are many; it costs two thirds more
        time. 0: not at all.
    semi : {"auto", "propagation", "vat", "consistency", "ladder"}, SemiSupervised, list of these, or None, \
            default=None
        What rows without a label do in fine-tuning, beside the pretraining that they always take part in:
        ``"propagation"``, labels spread over the codes' neighbours (:class:`~stackae.Propagation`);
        ``"vat"``, predictions stay where a row moves a little (:class:`~stackae.VirtualAdversarial`);
        ``"consistency"``, they stay under another corruption (:class:`~stackae.Consistency`); ``"ladder"``,
        every layer goes on denoising (:class:`~stackae.Ladder`). Several go together. No row is held out
        then. ``"auto"``: ``"propagation"``, if labels that are held out are predicted better by it than by a
        linear model of the codes, by more than a standard error (``semi_``). None: nothing.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes, in [0, 1).
    unlabelled : {"auto", -1} or None, default="auto"
        What a label of -1 (or of the text "-1") means; NaN, None, pd.NA and empty text always mean that there
        is none. -1: no label, too. None: a class. ``"auto"``: no label beside two or more other classes, none
        of them a negative number or a fraction, and a class beside a single one; either is warned of.
    class_weight : dict, "balanced" or None, default=None
        How often fine-tuning visits rows of each class, relative to each other: class to weight, 1 for those
        that are left out. ``"balanced"``: all classes as often.
    calibration : int or None, default=None
        Folds of the labelled rows, at least 2: each is predicted by a fit to the other labels, and all logits
        are divided by the temperature that makes the labels likeliest (Guo et al. 2017), so that
        probabilities are true: of rows given 80 %, 80 % are right. It takes as many more fine-tunings; the
        class that is predicted stays. None: probabilities are as fine-tuning leaves them, as a rule too sure.
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
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted, without what means that there is none.
    semi_ : list of str, only with ``semi="auto"``
        What was chosen; empty: nothing.
    temperature_ : float, only with ``calibration``
        By which the logits were divided.
    module_ : ClassPredictor
        Encoders and head, a ``torch.nn.Module``.
    components_ : ndarray of shape (units of the first layer, n_features)
        The first layer's encoder weights.
    history_ : list of dict
        One an epoch of each phase; ``loss`` of phase ``"supervised"`` is the cross-entropy in nats.
    n_iter_ : int
        Epochs run, all phases together.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, only where ``X`` had column names

    Raises
    ------
    InvalidParameterError, ParameterError
        A parameter breaks its rule, or parts cannot combine; nothing was computed.
    DataError
        Rows, labels or weights cannot be used: one class only, no label at all.
    DivergedError
        The loss left the finite numbers.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11;
    Erhan et al. (2010), Why does unsupervised pre-training help deep learning?, JMLR 11;
    Kumar et al. (2022), Fine-tuning can distort pretrained features, ICLR;
    Miyato, Dai & Goodfellow (2017), Adversarial training methods for semi-supervised text
    classification, ICLR.

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
        """The logits: how much each class is favoured.

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
        """The accuracy on the rows that have a label; the others are left out.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            As in :meth:`fit`. Here -1 is a label where it is one of ``classes_``, or with
            ``unlabelled=None``.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            In [0, 1].

        Notes
        -----
        Searches and cross-validation judge by it where they are given no ``scoring``, which would count
        unlabelled rows as errors. Their splitters stratify by ``y`` and refuse NaN: mark rows by -1, or give
        one that does not stratify, such as ``KFold(5, shuffle=True)``.

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
