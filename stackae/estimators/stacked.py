"""The stack: pretrained greedily, unrolled, fine-tuned, handed out as one transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from os import PathLike
from typing import Any, ClassVar

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from stackae._utils.constraints import (
    HasMethods,
    Integral,
    Interval,
    InvalidParameterError,
    NamedIn,
    Real,
    StrOptions,
)
from stackae._utils.part_table import PartTable
from stackae.estimators._choosing import AUTO_WIDTH, ChoosingWidths
from stackae.estimators._parameters import COMMON_CONSTRAINTS, DATA_CONSTRAINTS, TRAININGS
from stackae.estimators.autoencoder import MOST_UNITS, Autoencoder, estimator_of
from stackae.exceptions import ParameterError
from stackae.fitting.parameters import LayerParameters, StackParameters
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.tables import TableEncoder
from stackae.training.parameters import Training

#: What a layer takes from its stack, and may therefore not set itself.
_OF_THE_STACK = (
    *("device", "precision", "scale", "missing_values", "add_indicator", "columns", "verbose"),
    *("max_memory", "cache_folder"),
)


class StackedAutoencoder(ChoosingWidths):
    """Shallow autoencoders pretrained greedily, stacked, fine-tuned end to end.

    Each layer is fitted on the clean codes of the one below, computed once. The layers are then unrolled to
    encoders 1 to n and decoders n to 1, and fine-tuned to reconstruct the input from a slightly noisy copy
    of it (see ``corruption`` of :class:`~stackae.Training`). Where layers are given by their widths, a linear
    shortcut that starts as PCA stands beside them in fine-tuning, so that the stack learns what PCA leaves
    over (see ``shortcut``).

    Parameters
    ----------
    layers : int, sequence of int, Autoencoder or "auto", "auto" or None, default=None
        An int is how many numbers the code has, as for PCA; the layer below it has four units a column, but
        at least 32 and at most 256. None: half as many numbers as columns, at most 64.
        A sequence gives all layers, bottom first. An int in it is a denoising layer of so many units, its
        weights tied where no shortcut stands beside it:
        ``Autoencoder(n, corruption="gaussian", tied_weights=True)``. Layers take device, precision, scale and
        seed from the stack.
        ``"auto"``: a code of 64 units on as many layers of 256 as are worth having, up to 4: another one is
        added while that lowers the error on a tenth of the rows, held out, by ``tol`` or, where ``fit`` is
        given ``y``, raises the accuracy (R² for numbers) of a linear probe of the codes by ``tol``. Every
        depth tried is trained, and the chosen one again on all rows: about 2 to 5 times the time.
        The last one may be ``"auto"``, as in ``(256, "auto")``: an ordered code of at most 32 numbers, fewer
        than columns and rows, is fitted, and cut to the fewest whose ``prefix_r2_`` is within 0.01 of that of
        all of them.
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
    shortcut : {"auto", "pca"} or None, default="auto"
        ``"pca"``: a linear autoencoder joins the layers from the input to the code, and from the code to the
        reconstruction. It starts as PCA, and half of the code stays so; the layers start with a tenth of
        their pretrained share. The loss is the squared error, and the first decoder is solved by ridge
        regression in the end, where rows are held out. It needs two layers or more, given by their widths and
        fine-tuned, which narrow the rows to fewer numbers than they have columns (and than there are rows),
        and no missing values. ``"auto"``: ``"pca"`` where that is so, and the data are not within [0, 1] and
        nearly two-valued, which the layers alone reconstruct by cross-entropy. ``partial_fit`` starts none,
        and goes on with the one that ``fit`` left. None: the layers alone; fine-tuning starts from exactly
        what they computed.
    ordered : bool, default=False
        Whether the code is ordered: fine-tuning drops its last numbers at random (see
        :class:`~stackae.Nested`), so that the first k are a code of k numbers, for every k. The width can be
        chosen after the fit, by ``prefix_r2_``, and :meth:`truncated` gives the narrower model. The last
        layer is dense, and has no other code. Beside a shortcut all of the code is trained, and decoders are
        solved for prefixes of 1, 2, 4, 8, ... numbers too, each as large as the first one.
    tol : float, default=0.01
        With ``layers="auto"``: the gain for which another layer is added, as a share of the error, or in
        accuracy (R²).
    scale : {"auto", "standard", "minmax"} or None, default="auto"
        ``"auto"``: data already within [0, 1] stay. Of any others, columns of nothing but 0 and 1 stay, which
        standard deviations would blow up where one of the two is rare, and the rest is standardised, unless
        it has been scaled before: all standard deviations from 0.02 to 2 beside columns of 0 and 1.
        ``"standard"`` and ``"minmax"``: every column; None: none.
    missing_values : float or None, default=None
        What stands for a missing cell, as a rule ``np.nan``. The loss is taken over the other cells; the
        encoder sees the column's mean instead, and in training some values are hidden from it, so that it
        learns to fill gaps (see :meth:`impute`): where the first layer is an int, and in fine-tuning with
        ``corruption="auto"``, half of them, ``Masking(0.5)``. None: rows with NaN are refused, but for
        tables of other than numbers, whose gaps are always taken.
    add_indicator : bool, default=False
        Whether the first encoder is given, in columns behind the features, which cells are missing.
    columns : dict, TableEncoder or None, default=None
        What columns of a table are: kinds by their names, such as ``{"zip": "category", "when": "drop"}``, or
        a :class:`~stackae.TableEncoder`, of which a clone is fitted; ``X`` must then be a table, and is
        encoded even where all of it is numbers. None: as they look; a table of numbers is taken as an array.
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
    health_ : list of dict
        The layers' health reports, bottom first: see :class:`stackae.modules.health.Health`.
    module_ : DeepAutoencoder
        The deep autoencoder, a ``torch.nn.Module``.
    components_ : ndarray of shape (units of the first layer, n_features)
        The first layer's encoder weights.
    n_components_ : int
        Numbers in the code.
    prefix_r2_ : ndarray of shape (n_components,), only where the code is ordered
        R² of the reconstruction from the first 1, 2, ... numbers, as ``score`` of :meth:`truncated` gives it:
        on rows held out in the last phase, or where none were on rows of the fit, at most 2,000. With a last
        width of ``"auto"`` it goes on to the widest code tried.
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
        "layers": [
            "array-like",
            Interval(Integral, 1, MOST_UNITS, closed="both"),
            StrOptions({"auto"}),
            None,
        ],
        "tol": [Interval(Real, 0, None, closed="left")],
        "pretrain": [Training, NamedIn(TRAININGS), None],
        "finetune": [Training, NamedIn(TRAININGS), None],
        "output": [StrOptions({"code", "all"})],
        "shortcut": [StrOptions({"auto", "pca"}), None],
        "ordered": ["boolean"],
        "memory": [str, PathLike, HasMethods("cache"), None],
        **DATA_CONSTRAINTS,
        **COMMON_CONSTRAINTS,
    }
    _named_parts: Mapping[str, PartTable[Any]] = {"pretrain": TRAININGS, "finetune": TRAININGS}
    _sequences = ("layers",)

    def __init__(
        self,
        layers: int | Sequence[int | str | Autoencoder] | str | None = None,
        *,
        pretrain: str | Training | None = "auto",
        finetune: str | Training | None = "auto",
        output: str = "code",
        shortcut: str | None = "auto",
        ordered: bool = False,
        tol: float = 0.01,
        scale: str | None = "auto",
        missing_values: float | None = None,
        add_indicator: bool = False,
        columns: dict[Any, str] | TableEncoder | None = None,
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
        self.ordered = ordered
        self.tol = tol
        self.scale = scale
        self.missing_values = missing_values
        self.add_indicator = add_indicator
        self.columns = columns
        self.memory = memory
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.max_memory = max_memory
        self.cache_folder = cache_folder

    # Parameters --------------------------------------------------------------------------------------

    def _element(self, parameter: str, element: Any) -> Any:
        if isinstance(element, Autoencoder):
            return element
        return Autoencoder(element, corruption="gaussian", tied_weights=True)

    def check_parameters(self) -> None:
        """Raise for the first parameter, of the stack or of a layer, that breaks its rule."""
        super().check_parameters()
        self._refuse_indicator_alone()
        if self._follows_columns or isinstance(self.layers, str):
            return
        rule = (
            "The 'layers' parameter of StackedAutoencoder must be a non-empty sequence of Autoencoder or int"
        )
        if len(self._listed) == 0:
            raise InvalidParameterError(f"{rule}. Got {self.layers!r} instead.")
        for k, layer in enumerate(self._listed):
            if k == len(self._listed) - 1 and isinstance(layer, str) and layer == AUTO_WIDTH:
                continue
            if isinstance(layer, Autoencoder):
                layer.check_parameters()
                for name in _OF_THE_STACK:
                    if getattr(layer, name) != signature(Autoencoder).parameters[name].default:
                        raise ParameterError(
                            f"a layer takes {name} from its stack, got {name}={getattr(layer, name)!r}"
                            f" in layers[{k}]; give it to StackedAutoencoder"
                        )
            elif isinstance(layer, bool) or not isinstance(layer, Integral) or not 1 <= layer <= MOST_UNITS:
                raise InvalidParameterError(
                    f"{rule} of 1 to 2**40, the last of them perhaps 'auto'. Got {layer!r} in layers[{k}]"
                    " instead."
                )

    # Fitting -----------------------------------------------------------------------------------------

    def _stack_parameters(self) -> StackParameters:
        missing, indicator = self.missing_values is not None, bool(self.add_indicator)
        pretrain, own = self._part("pretrain"), (self.scale, missing, indicator)
        layers: list[int | LayerParameters] = []
        for k, layer in enumerate(self._listed):
            if isinstance(layer, Autoencoder):
                parts = layer._composition("auto") if k else layer._composition(*own)
                training = layer.training if isinstance(layer.training, Training) else pretrain
                layers.append(LayerParameters(parts, training))
            else:
                layers.append(int(layer))
        return StackParameters(
            tuple(layers), pretrain, self.finetune, self.shortcut, bool(self.ordered), *own, self._analytic
        )

    @property
    def layers_(self) -> list[Autoencoder]:
        """The fitted layers, their parts settled; they share the weights of ``module_``."""
        check_is_fitted(self)
        layers = [estimator_of(layer) for layer in self.module_]
        layers[0].set_params(**self._was_reading)
        for k, estimator in enumerate(layers):
            own = [record for record in self.history_ if record["layer"] == k + 1]
            estimator._set_fitted(DeepAutoencoder([self.module_[k]]), own, self._health[k : k + 1])
        layers[0]._set_names(getattr(self, "feature_names_in_", None))
        layers[0]._set_table(self._table, self._variances, self._means)
        return layers

    # Applying ----------------------------------------------------------------------------------------

    @property
    def _n_features_out(self) -> int:
        widths = self.module_.widths
        return sum(widths) if self.output == "all" else widths[-1]

    def _features(self, module: DeepAutoencoder, x: Tensor) -> Tensor:
        return torch.cat(module.codes(x), 1) if self.output == "all" else module.encode(x)

    def _decode_features(self, module: DeepAutoencoder, features: Tensor) -> Tensor:
        # The last layer's code alone decides the reconstruction, wherever it stands.
        return module.decode(features[:, -self.module_.widths[-1] :])
