"""The stack: pretrained greedily, unrolled, fine-tuned, handed out as one transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from stackae._utils.constraints import HasMethods, Integral, Interval, InvalidParameterError, Real, StrOptions
from stackae._utils.part_table import PartTable
from stackae.corruption.masking import Masking
from stackae.estimators._base import COMMON_CONSTRAINTS, TRAININGS
from stackae.estimators._depth import choose_layers
from stackae.estimators._reconstructing import BaseAutoencoder
from stackae.estimators._validation import check_rows
from stackae.estimators._weights import Floats, taken, weighed
from stackae.estimators.autoencoder import MOST_UNITS, Autoencoder
from stackae.exceptions import DataError, ParameterError
from stackae.fitting.finetune import BRIEF, HIDDEN_SHARE, RECIPES, completed
from stackae.fitting.greedy import Input, Machine
from stackae.fitting.shortcut import finetune_from_pca, is_below_pca, is_pca, new_shortcut
from stackae.modules.autoencoder import UnrolledStack
from stackae.modules.health import Health
from stackae.modules.layer import Composition, ShallowAutoencoder
from stackae.modules.scaling import two_valuedness
from stackae.modules.shortcut import Shortcut
from stackae.training.batches import Rows as TrainingRows
from stackae.training.callbacks.history import EpochRecord
from stackae.training.parameters import Training

#: What a layer takes from its stack, and may therefore not set itself.
TAKEN_FROM_STACK = {
    "device": "auto",
    "precision": "auto",
    "scale": "auto",
    "missing_values": None,
    "add_indicator": False,
    "verbose": 0,
    "max_memory": None,
    "cache_folder": None,
}


#: Data in [0, 1] are reconstructed by cross-entropy where they are so near to having two values only: see
#: docs/defaults.md.
_TWO_VALUED = 0.6
#: Rows of so many values, at most, say how near they are.
_VALUES_LOOKED_AT = 2**23


def default_layer(n_components: int, *, shortcut: bool = False) -> Autoencoder:
    """The layer that a bare int in ``layers`` stands for, with a shortcut beside the stack or without.

    Cross-validated on digits, tied weights gave better linear probes than untied ones, and gaussian noise
    gave better probes and reconstructions than masking, whose share of zeros the clean codes of the next
    layer lack. Beside a shortcut encoder and decoder start small on one side only, so they are not tied.
    """
    return Autoencoder(n_components, corruption="gaussian", tied_weights=not shortcut)


class StackedAutoencoder(BaseAutoencoder):
    """Shallow autoencoders pretrained greedily, stacked, fine-tuned end to end.

    Each layer is fitted on the clean codes of the one below, computed once. The layers are then unrolled to
    encoders 1 to n and decoders n to 1, and fine-tuned to reconstruct the input from a slightly noisy copy
    of it (see ``corruption`` of :class:`~stackae.Training`). Where layers are given by their widths, a linear
    shortcut that starts as PCA stands beside them in fine-tuning, so that the stack learns what PCA leaves
    over, and does not reconstruct worse (see ``shortcut``).

    Parameters
    ----------
    layers : sequence of int or Autoencoder, or "auto", default=(256, 64)
        Bottom first. An int is a denoising layer of so many units, its weights tied where no shortcut stands
        beside it: ``Autoencoder(n, corruption="gaussian", tied_weights=True)``.
        Layers take device, precision, scale and seed from the stack.
        ``"auto"``: a code of 64 units on as many layers of 256 as are worth having, up to 4: another one is
        added while that lowers the error on a tenth of the rows, held out, by ``tol`` or, where ``fit`` is
        given ``y``, raises the accuracy (R² for numbers) of a linear probe of the codes by ``tol``. Every
        depth tried is trained, and the chosen one again on all rows: about 2 to 5 times the time.
    pretrain : Training, "auto" or None, default="auto"
        For every layer that has no ``training`` of its own. None: such layers keep their starting weights, so
        that the stack is trained end to end only or, with ``finetune=None``, not at all: what one compares
        pretraining with. ``"auto"``: ``Training()``. In stacks of bare widths, which are fine-tuned for
        longer, ``updates`` is 500 by default (see docs/defaults.md).
    finetune : Training, "auto" or None, default="auto"
        None: no fine-tuning. ``"auto"``: ``Training()`` for two layers or more, none for one, which
        pretraining has trained end to end already. In stacks of bare widths corruption, rate, patience and
        ``updates`` have other defaults, and with ``"auto"`` optimizer and weight decay too.
    output : {"code", "all"}, default="code"
        What ``transform`` gives: the last layer's code, or the codes of all layers, concatenated.
    shortcut : {"auto"} or None, default="auto"
        ``"auto"``: where two layers or more are given by their widths, are fine-tuned, narrow the rows to
        fewer numbers than they have columns (and than there are rows), and no values may be missing, a linear
        autoencoder joins them from the input to the code, and from the code to the reconstruction. It starts
        as PCA, and half of the code stays so; the layers start with a tenth of their pretrained share. The
        loss is the squared error, and the first decoder is solved by ridge regression in the end. Where the
        rows held out (of ``finetune``) show that PCA reconstructs better, by 0.004 of R², or where they would
        be too few to tell, which is below 200 rows, or where the components that the layers would replace
        are independent, code and reconstruction are PCA's. Data in [0, 1] that
        are nearly two-valued get a shortcut only if the layers alone, reconstructing by cross-entropy, fall
        so far behind PCA. ``partial_fit`` starts none, and goes on with the one that ``fit`` left.
        None: the layers alone; fine-tuning starts from exactly what they computed.
    tol : float, default=0.01
        With ``layers="auto"``: the gain for which another layer is added, as a share of the error, or in
        accuracy (R²).
    scale : {"auto", "standard", "minmax"} or None, default="auto"
        ``"auto"``: data already within [0, 1] stay, anything else is standardised column by column.
    missing_values : float or None, default=None
        What stands for a missing cell, as a rule ``np.nan``. The loss is taken over the other cells; the
        encoder sees the column's mean instead, and in training some values are hidden from it, so that it
        learns to fill gaps (see :meth:`impute`): where the first layer is an int, and in fine-tuning with
        ``corruption="auto"``, half of them, ``Masking(0.5)``. None: rows with NaN are refused.
    add_indicator : bool, default=False
        Whether the first encoder is given, in columns behind the features, which cells are missing.
    memory : str, path-like, joblib.Memory or None, default=None
        A folder where pretrained layers are kept, so that a layer is fitted once for the same rows,
        parameters (its own and those of the layers below) and seed: a grid search over layer 3 fits layers 1
        and 2 once. Its files are pickles: it must be a folder that nobody else writes. None: nothing is kept.
    device : str or torch.device, default="auto"
        ``"auto"``: a GPU where there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the products in training. ``"auto"``: bfloat16 where the hardware has it.
    random_state : int, RandomState or None, default=None
        Seeds every random draw; the global generators are never touched.
    verbose : int, default=0
        1: progress on standard error.
    max_memory : int, str or None, default=None
        What rows and codes may take in memory while fitting: bytes, or a text like ``"1GB"``. Where they
        would take more, rows are read from the disk in blocks (see ``X`` of :meth:`fit`) and codes are kept
        there. None: half of the machine's memory.
    cache_folder : path-like or None, default=None
        Where codes are kept that take too much memory, in files without a name that vanish with the fit.
        None: the system's folder for temporary files.

    Attributes
    ----------
    layers_ : list of Autoencoder
        The fitted layers; they share the weights of ``module_``, so fine-tuning has moved them too. Each has
        its health report, ``layers_[k].health_``.
    module_ : UnrolledStack
        The deep autoencoder, a ``torch.nn.Module``.
    is_pca_ : bool
        Whether code and reconstruction are PCA's, since that was better on the rows held out, or since there
        were too few rows to tell, or nothing else to find (see ``shortcut``).
    components_ : ndarray of shape (units of the first layer, n_features_in_)
        The first layer's encoder weights.
    depth_scores_ : list of float, only with ``layers="auto"``
        Of depths 1, 2, ... as far as they were tried: R² of the reconstruction or the probe's score.
    history_ : list of dict
        One an epoch of each phase: phase, layer (from 1; None in fine-tuning), loss, validation loss,
        learning rate, seconds, samples per second.
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

    References
    ----------
    Hinton & Salakhutdinov (2006), Reducing the dimensionality of data with neural networks, Science 313;
    Bengio et al. (2007), Greedy layer-wise training of deep networks, NIPS 19;
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from stackae import StackedAutoencoder
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StackedAutoencoder((16, 4), random_state=0), LogisticRegression())
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "layers": ["array-like", StrOptions({"auto"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "pretrain": [Training, StrOptions({"auto"}), None],
        "finetune": [Training, StrOptions({"auto"}), None],
        "output": [StrOptions({"code", "all"})],
        "shortcut": [StrOptions({"auto"}), None],
        "memory": [str, PathLike, HasMethods("cache"), None],
        **COMMON_CONSTRAINTS,
    }
    _named_parts: Mapping[str, PartTable[Any]] = {"pretrain": TRAININGS, "finetune": TRAININGS}
    _sequences = ("layers",)

    layers_: list[Autoencoder]
    depth_scores_: list[float]
    _auto_layers: tuple[int, ...]
    #: How a stack of bare widths is fine-tuned: a name in ``RECIPES``; None: as any other.
    _recipe: str | None = None
    _below_pca = False

    def __init__(
        self,
        layers: Sequence[int | Autoencoder] | str = (256, 64),
        *,
        pretrain: str | Training | None = "auto",
        finetune: str | Training | None = "auto",
        output: str = "code",
        shortcut: str | None = "auto",
        tol: float = 0.01,
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
        self.pretrain = pretrain
        self.finetune = finetune
        self.output = output
        self.shortcut = shortcut
        self.tol = tol
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

    # Parameters --------------------------------------------------------------------------------------

    def _element(self, parameter: str, element: Any) -> Any:
        return element if isinstance(element, Autoencoder) else default_layer(element)

    def check_parameters(self) -> None:
        """Raise for the first parameter, of the stack or of a layer, that breaks its rule."""
        super().check_parameters()
        if self.add_indicator and self.missing_values is None:
            raise ParameterError("add_indicator=True needs missing_values, got missing_values=None")
        if isinstance(self.layers, str):
            return
        rule = (
            "The 'layers' parameter of StackedAutoencoder must be a non-empty sequence of Autoencoder or int"
        )
        if len(self.layers) == 0:
            raise InvalidParameterError(f"{rule}. Got {self.layers!r} instead.")
        for k, layer in enumerate(self.layers):
            if isinstance(layer, Autoencoder):
                layer.check_parameters()
                for name, default in TAKEN_FROM_STACK.items():
                    if getattr(layer, name) != default:
                        raise ParameterError(
                            f"a layer takes {name} from its stack, got {name}={getattr(layer, name)!r}"
                            f" in layers[{k}]; give it to StackedAutoencoder"
                        )
            elif isinstance(layer, bool) or not isinstance(layer, Integral) or not 1 <= layer <= MOST_UNITS:
                raise InvalidParameterError(f"{rule} of 1 to 2**40. Got {layer!r} in place {k} instead.")

    # Fitting -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows, from a new start.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            A memory map, as ``np.load(path, mmap_mode="r")`` gives it, is not loaded where it takes more than
            ``max_memory``, nor are the rows of :func:`stackae.data.load_data`. A sparse matrix is made dense
            a batch at a time.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            With ``layers="auto"``: labels or numbers by which depths are compared, -1 or NaN for rows without
            one. Otherwise ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            How often an epoch visits each row. Whole numbers are counts, so that 2 is the same as the row
            twice and 0 as without it; other weights are relative, and divided by their mean.

        Returns
        -------
        self
        """
        self.check_parameters()
        rows = check_rows(self, X, reset=True, missing_values=self.missing_values)
        targets, classes = (None, False) if self.layers != "auto" or y is None else _numbered(y, len(rows))
        rows, weights, targets = weighed(rows, sample_weight, targets)
        self._fit_rows(rows, weights, targets, classes=classes)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        if self.layers == "auto":
            raise ParameterError("partial_fit cannot compare depths on a piece of the rows; give the layers")
        return super().partial_fit(X, y, sample_weight)

    def _fit_rows(
        self, rows: Input, weights: Floats | None, targets: Floats | None = None, *, classes: bool = False
    ) -> None:
        if self.layers == "auto":
            self._auto_layers, self.depth_scores_ = choose_layers(
                self, rows, weights, targets, classes=classes
            )
        self._recipe, self._below_pca = self._recipe_for(rows), False
        super()._fit_rows(rows, weights)
        if self._below_pca:
            self._recipe = "shortcut"
            super()._fit_rows(rows, weights)

    def _recipe_for(self, rows: Input) -> str | None:
        """How the stack is fine-tuned to these rows."""
        layers = self._auto_layers if isinstance(self.layers, str) else self.layers
        if (
            self.finetune is None
            or self.missing_values is not None
            or len(layers) < 2
            or not all(isinstance(layer, Integral) for layer in layers)
            or layers[-1] >= min(rows.shape)
        ):
            return None
        shortcut = None if self.shortcut is None else "shortcut"
        tuning = self._part("finetune")
        if shortcut and tuning.validation_fraction > 0 and not tuning.n_held_out(len(rows)):
            return shortcut  # as PCA
        n_rows = min(len(rows), max(1, _VALUES_LOOKED_AT // rows.shape[1]))
        some = taken(rows, np.linspace(0, len(rows) - 1, n_rows).astype(np.intp))
        z = np.asarray(some[:], np.float64)
        if self.scale == "minmax":
            z = (z - z.min(0)) / np.where(np.ptp(z, 0) > 0, np.ptp(z, 0), 1)
        in_unit = self.scale != "standard" and z.min() >= 0 and z.max() <= 1
        return "two-valued" if in_unit and two_valuedness(z) >= _TWO_VALUED else shortcut

    def _new_layers(self) -> list[Autoencoder]:
        """The layers as unfitted estimators of their own."""
        given = self._auto_layers if isinstance(self.layers, str) else self.layers
        layers = [
            clone(layer)
            if isinstance(layer, Autoencoder)
            else default_layer(int(layer), shortcut=self._recipe == "shortcut")
            for layer in given
        ]
        if self._recipe == "shortcut":
            layers[0].loss = "squared_error"
        if self.missing_values is not None and not isinstance(given[0], Autoencoder):
            layers[0].corruption = Masking(HIDDEN_SHARE)
        return layers

    def _compositions(self) -> list[Composition]:
        missing, indicator = self.missing_values is not None, bool(self.add_indicator)
        first, *others = self._new_layers()
        return [first._composition(self.scale, missing, indicator), *(o._composition("auto") for o in others)]

    def _trainings(self) -> tuple[list[Training | None], Training | None]:
        own = [layer.training for layer in self._new_layers()]
        pretraining = [t if isinstance(t, Training) else self._part("pretrain") for t in own]
        if self._recipe is not None:
            pretraining = [None if t is None else completed(t, BRIEF) for t in pretraining]
        trained_already = self.finetune == "auto" and len(own) == 1 and pretraining[0] is not None
        tuning = None if trained_already else self._part("finetune")
        return pretraining, tuning

    def _join(self, layers: Sequence[ShallowAutoencoder], shortcut: Shortcut | None = None) -> UnrolledStack:
        return UnrolledStack(layers, shortcut=shortcut)

    def _fine_tuned(
        self, stack: UnrolledStack, rows: TrainingRows, tuning: Training, machine: Machine, *, started: bool
    ) -> tuple[UnrolledStack, list[EpochRecord]]:
        if self._recipe is not None:
            whole = self.finetune == "auto" and not started
            tuning = RECIPES[self._recipe] if whole else completed(tuning, RECIPES[self._recipe])
        if self._recipe == "shortcut" and not started:
            stack = self._join(stack.shallow, new_shortcut(stack.shallow))
            return stack, finetune_from_pca(stack, rows, tuning, machine)
        fine_tuned = super()._fine_tuned(stack, rows, tuning, machine, started=started)
        if self._recipe is not None and self.shortcut is not None and not started:
            self._below_pca = is_below_pca(stack, rows, tuning, machine)
        return fine_tuned

    def _fitted(self) -> dict[str, Any]:
        depths = (
            {}
            if self.layers != "auto"
            else {"layers": list(self._auto_layers), "depth_scores_": self.depth_scores_}
        )
        return {"recipe": self._recipe, **depths}

    def _take_fitted(self, fitted: Mapping[str, Any]) -> None:
        recipe = fitted.get("recipe")
        self._recipe = recipe if recipe in RECIPES else None
        if self.layers == "auto":
            self._auto_layers = tuple(int(width) for width in fitted["layers"])
            self.depth_scores_ = [float(score) for score in fitted["depth_scores_"]]

    def _set_fitted(self, module: nn.Module, history: list[EpochRecord], health: list[Health]) -> None:
        super()._set_fitted(module, history, health)
        self.layers_ = self._new_layers()
        for k, (estimator, layer) in enumerate(zip(self.layers_, self._shallow, strict=True), 1):
            own = [record for record in history if record["layer"] == k]
            estimator._set_fitted(layer, own, [health[k - 1]])
        first = self.layers_[0]
        first.missing_values, first.add_indicator = self.missing_values, self.add_indicator
        if hasattr(self, "feature_names_in_"):
            self.layers_[0].feature_names_in_ = self.feature_names_in_

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            for layer, module in zip(self.layers_, self._shallow, strict=True):
                layer.module_ = module

    # Applying ----------------------------------------------------------------------------------------

    @property
    def is_pca_(self) -> bool:
        """Whether code and reconstruction are PCA's (see ``shortcut``)."""
        check_is_fitted(self)
        return isinstance(self.module_, UnrolledStack) and is_pca(self.module_)

    @property
    def _n_features_out(self) -> int:
        return sum(self._layer_widths) if self.output == "all" else self._layer_widths[-1]

    def _features(self, module: UnrolledStack, x: Tensor) -> Tensor:
        return torch.cat(module.codes(x), 1) if self.output == "all" else module.encode(x)

    def _decode_features(self, module: UnrolledStack, features: Tensor) -> Tensor:
        # The last layer's code alone decides the reconstruction, wherever it stands.
        return module.decode(features[:, -self._layer_widths[-1] :])


def _numbered(y: Any, n_rows: int) -> tuple[Floats, bool]:
    """Labels or targets as numbers (rows × targets), NaN where there is none; and whether they are labels."""
    targets = np.asarray(y)
    if len(targets) != n_rows:
        raise DataError(f"y must have one target a row, {n_rows}, got {len(targets)}")
    if targets.dtype.kind == "f" and (np.isnan(targets).any() or (targets != np.round(targets)).any()):
        return targets.reshape(n_rows, -1).astype(np.float64), False
    if targets.ndim == 2 and targets.shape[1] > 1:
        return targets.astype(np.float64), False
    places = np.unique(targets.ravel(), return_inverse=True)[1].astype(np.float64)
    places[np.equal(targets.ravel(), "-1" if targets.dtype.kind in "US" else -1)] = np.nan
    return places[:, None], True
