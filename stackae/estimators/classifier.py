"""Few labels: a classifier pretrained on all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from stackae._utils.constraints import Interval, Real, StrOptions
from stackae.estimators._base import Rows
from stackae.estimators._supervised import BaseSupervised
from stackae.estimators._weights import Floats
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.stacked import StackedAutoencoder
from stackae.exceptions import DataError, ModelFileError
from stackae.modules.heads import ClassPredictor, Predictor
from stackae.modules.layer import ShallowAutoencoder
from stackae.modules.shortcut import Shortcut
from stackae.training.batches import Rows as TrainingRows
from stackae.training.batches import RowsInMemory
from stackae.training.parameters import Training


class StackedAutoencoderClassifier(ClassifierMixin, BaseSupervised):
    """A classifier for few labels and many rows: pretrained on all, fine-tuned on those with a label.

    The layers are pretrained greedily on every row, labelled or not, and fine-tuned to reconstruct, as
    :class:`~stackae.StackedAutoencoder` does. Then a linear head is put on the last code, which starts as a
    logistic regression on the codes, and encoders and head are trained end to end on the labelled rows, to
    minimise the cross-entropy. Where labels are many, ``encoder=StackedAutoencoder(..., finetune=None)``
    saves the time of learning to reconstruct.

    Parameters
    ----------
    layers : sequence of int or Autoencoder, or "auto", default=(256, 64)
        Bottom first, as in :class:`~stackae.StackedAutoencoder`.
    encoder : StackedAutoencoder, Autoencoder or None, default=None
        Fitted: it is used as it is, instead of pretraining, and not changed, so that one pretraining serves
        many fine-tunings; ``clone`` keeps it. Not fitted: it is fitted on all rows first, its own fine-tuning
        included, and with this ``random_state`` if it has none. With it, ``layers``, ``pretrain``, ``scale``,
        ``missing_values``, ``add_indicator`` and ``memory`` are its own.
    pretrain : Training or "auto", default="auto"
        For every layer that has no ``training`` of its own.
    finetune : Training or "auto", default="auto"
        Of encoders and head, on the labelled rows. Its ``corruption`` is what the first encoder sees and,
        with ``Dropout``, what becomes of the codes; its ``layerwise_rate`` lets lower layers learn slower.
        ``"auto"``: a fifth of the inputs hidden, a tenth of each code dropped.
    adversarial : float, default=0.0
        In fine-tuning, how far each row is moved, before it is learned from, in the direction in which its
        cost grows fastest: a Euclidean length in the units in which the model works, at least 0 (Miyato et
        al. 2017). About a tenth of a row's length does well where labels are many; it costs two thirds more
        time. 0: not at all.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes, in [0, 1).
    class_weight : dict, "balanced" or None, default=None
        How often fine-tuning visits rows of each class, relative to each other: class to weight, 1 for those
        that are left out. ``"balanced"``: all classes as often.
    scale : {"auto", "standard", "minmax"} or None, default="auto"
        ``"auto"``: data already within [0, 1] stay, anything else is standardised column by column.
    missing_values : float or None, default=None
        What stands for a missing cell, as a rule ``np.nan``; None: rows with NaN are refused.
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
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted, without -1; where there are no others than -1 and 1, both are classes.
    module_ : ClassPredictor
        Encoders and head, a ``torch.nn.Module``.
    components_ : ndarray of shape (units of the first layer, n_features_in_)
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
        Rows, labels or weights cannot be used: one class only, no label at all, NaN among the labels.
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
    >>> few = np.where(np.arange(len(y)) % 10 == 0, y, -1)  # nine in ten have no label
    >>> model = StackedAutoencoderClassifier((128, 32), random_state=0).fit(X / 16, few)
    >>> bool(model.score(X / 16, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        **BaseSupervised._parameter_constraints,
    }

    classes_: npt.NDArray[Any]

    def __init__(
        self,
        layers: Sequence[int | Autoencoder] | str = (256, 64),
        *,
        encoder: StackedAutoencoder | Autoencoder | None = None,
        pretrain: str | Training = "auto",
        finetune: str | Training = "auto",
        adversarial: float = 0.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, float] | str | None = None,
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
        self.pretrain = pretrain
        self.finetune = finetune
        self.adversarial = adversarial
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
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

    def _targets(self, y: Any, weights: Floats) -> Floats:
        n_rows = len(weights)
        if y is None:
            raise DataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; to learn without"
                " labels use StackedAutoencoder"
            )
        labels = column_or_1d(y, warn=True)
        if len(labels) != n_rows:
            raise DataError(f"y must have one label a row, {n_rows}, got {len(labels)}")
        _refuse_missing_labels(labels)
        has_label = labels != ("-1" if labels.dtype.kind in "US" else -1)
        if not has_label.all() and set(np.unique(labels[has_label]).tolist()) == {1}:
            has_label[:] = True  # -1 and 1, the two classes of many binary problems
        check_classification_targets(labels[has_label])
        targets = np.full((n_rows, 1), np.nan)
        counted = has_label & (weights > 0)
        if has_label.any():
            self.classes_ = np.unique(labels[counted])
            if len(self.classes_) < 2:
                only = f", {self.classes_.tolist()[0]!r}" if len(self.classes_) else ""
                raise DataError(f"y must have at least 2 classes, got {len(self.classes_)} class{only}")
            targets[counted, 0] = np.searchsorted(self.classes_, labels[counted])
        return targets

    def _linear_model(self, n_units: int) -> LogisticRegression:
        # The more units, the less each may weigh: about the same for codes of any width.
        return LogisticRegression(C=10 / n_units)

    def _take_start(self, module: Predictor, coef: Floats, intercept: Floats, model: Any) -> None:
        if len(coef) == 1:  # of two classes: the second's logit less the first's
            coef, intercept = np.vstack([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
        # A class may have no row among those that the model was fitted to.
        seen = torch.from_numpy(model.classes_.astype(np.int64))
        module.head.weight[seen] = torch.from_numpy(coef).to(module.head.weight)
        module.head.bias[seen] = torch.from_numpy(intercept).to(module.head.bias)

    def _join(self, layers: Sequence[ShallowAutoencoder], shortcut: Shortcut | None = None) -> ClassPredictor:
        return ClassPredictor(
            layers,
            len(self.classes_),
            float(self.adversarial),
            float(self.label_smoothing),
            shortcut=shortcut,
        )

    def _target_weights(self, targets: Floats, weights: Floats | None) -> Floats | None:
        if self.class_weight is None:
            return weights
        own = np.ones(len(targets)) if weights is None else weights
        places = targets[:, 0].astype(np.intp)
        if isinstance(self.class_weight, dict):
            unknown = [label for label in self.class_weight if label not in self.classes_.tolist()]
            if unknown:
                raise DataError(
                    f"class_weight must name classes of y, {self.classes_.tolist()}, got {unknown[0]!r}"
                )
            of_class = np.array([float(self.class_weight.get(c, 1.0)) for c in self.classes_.tolist()])
        else:
            of_class = 1 / np.maximum(np.bincount(places, own, len(self.classes_)), np.finfo(float).tiny)
        if not (np.isfinite(of_class).all() and (of_class > 0).all()):
            raise DataError(f"class_weight must be finite and above 0, got {self.class_weight!r}")
        own = own * of_class[places]
        relative: Floats = own / own.mean()
        return relative

    def _arrange(self, rows: TrainingRows, targets: Floats) -> None:
        if isinstance(rows, RowsInMemory):
            rows.order = _stratified(rows.order, torch.from_numpy(targets[:, 0]).to(rows.device))

    def _fitted(self) -> dict[str, Any]:
        classes = [label.item() if hasattr(label, "item") else label for label in self.classes_.tolist()]
        return {"classes_": classes, "kind_of_classes": self.classes_.dtype.str}

    def _take_fitted(self, fitted: Mapping[str, Any]) -> None:
        kind = np.dtype(fitted["kind_of_classes"])
        if kind.kind not in "biufUO":
            raise ModelFileError(f"classes must be numbers or text, got the type {kind}")
        # Of text the width is that of the labels: a file's claim could take any amount of memory.
        self.classes_ = np.asarray(fitted["classes_"], dtype=str if kind.kind == "U" else kind)

    # Applying ----------------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> Rows:
        """The logits: how much each class is favoured.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows, n_classes), or (n_rows,) for two classes
            For two classes: the second's logit less the first's.
        """
        logits = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable class of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        places = self._outputs(X).argmax(1)
        labels: npt.NDArray[Any] = self.classes_[places]
        return labels

    def predict_proba(self, X: Any) -> Rows:
        """The probability of each class, in the order of ``classes_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows, n_classes)
        """
        probabilities: Rows = softmax(self._outputs(X), axis=1)
        return probabilities

    def predict_log_proba(self, X: Any) -> Rows:
        """The logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows, n_classes)
        """
        logarithms: Rows = log_softmax(self._outputs(X), axis=1)
        return logarithms


def _refuse_missing_labels(labels: npt.NDArray[Any]) -> None:
    if labels.dtype.kind == "f":
        missing = ~np.isfinite(labels)
    elif labels.dtype.kind == "O":
        missing = np.array([label is None or label != label for label in labels], dtype=bool)
    else:
        return
    if missing.any():
        row = int(np.argmax(missing))
        what = "infinity" if labels.dtype.kind == "f" and np.isinf(labels[row]) else "NaN"
        raise DataError(f"Input y contains {what} in row {row}; mark rows without a label with -1")


def _stratified(order: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The order, changed so that its first rows have a share of every class, and never all of one."""
    own = classes[order]
    keys = torch.empty(len(order), dtype=torch.float64, device=order.device)
    for label in torch.unique(own):
        places = torch.nonzero(own == label)[:, 0]
        keys[places] = (torch.arange(len(places), device=order.device).double() + 0.5) / len(places)
        keys[places[-1]] = 1.0
    return order[torch.argsort(keys, stable=True)]
