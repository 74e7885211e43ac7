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
    *("device", "precision", "missing_values", "add_indicator", "columns", "verbose"),
    *("max_memory", "cache_folder"),
)


class StackedAutoencoder(ChoosingWidths):
    """A stacked autoencoder: shallow autoencoders pretrained greedily, then fine-tuned end to end.

    Use it where you would use PCA, and a linear map may not be enough. Each layer is fitted on the clean
    codes of the one below. The layers are then unrolled into one network (encoders 1 to n, decoders n to 1),
    which is fine-tuned to reconstruct the input from a corrupted copy (see ``corruption`` of
    :class:`~stackae.Training`). If all layers are given by their widths, a linear shortcut that starts as PCA
    is fine-tuned with them, so that the layers only have to learn what PCA misses (see ``shortcut``).

    Parameters
    ----------
    layers : int, sequence of int, Autoencoder or "auto", "auto" or None, default=None
        - An int: the width of the code, as in PCA. Below it is one layer of four units per column, at least
          32 and at most 256.
        - None: the same, with a code half as wide as the data, at most 64.
        - A sequence: all layers, bottom first. An int in it is a denoising layer of that width,
          ``Autoencoder(n, corruption="gaussian", tied_weights=True)``; with a shortcut, weights are not tied.
          Layers take device, precision, scale and seed from the stack.
        - ``"auto"``: a code of 64 units on up to 4 layers of 256. A layer is added as long as it improves,
          by ``tol``, the reconstruction error of a held-out tenth of the rows or, if ``fit`` is given ``y``,
          the accuracy (R² for numbers) of a linear probe of the codes. Every depth tried is trained, and the
          chosen one again on all rows: about 2 to 5 times the time.
        - A sequence that ends in ``"auto"``, as ``(256, "auto")``: an ordered code of up to 32 numbers (fewer
          than columns and rows) is fitted, and cut to the smallest width whose ``prefix_r2_`` is within 0.01
          of the full width's.
    pretrain : Training, "auto" or None, default="auto"
        How each layer without a ``training`` of its own is pretrained. ``"auto"``: ``Training()``. None: such
        layers keep their initial weights, as a baseline to compare pretraining with. Where fine-tuning has a
        recipe (see ``finetune``), ``updates`` is 500 by default.
    finetune : Training, "auto" or None, default="auto"
        How the whole stack is trained. ``"auto"``: ``Training()`` for two layers or more; none for one, which
        pretraining has trained already. None: no fine-tuning. If all layers are widths, there are recipes
        for stacks with a shortcut, nearly two-valued data and tables of mixed columns: other defaults for
        corruption, learning rate, patience and ``updates`` and, with ``"auto"``, for optimizer and weight
        decay (see docs/defaults.md).
    output : {"code", "all"}, default="code"
        What ``transform`` returns: the last layer's code, or the codes of all layers, concatenated.
    shortcut : {"auto", "pca"} or None, default="auto"
        ``"pca"``: a linear autoencoder runs beside the layers, from the input to the code and from the code
        to the reconstruction. It starts as PCA, and half of the code stays the principal components; the
        layers start at a tenth of their pretrained contribution. The loss is the squared error. After
        training, if rows are held out, the first layer's decoder is solved by ridge regression. It needs two
        layers or more, all of them widths, fine-tuning, a code narrower than columns and rows, and no missing
        values or mixed columns. ``"auto"``: ``"pca"`` if these hold, unless 200 rows or more in [0, 1] are
        nearly two-valued (close to 0 or 1): then the layers alone, with cross-entropy. None: the layers
        alone; fine-tuning starts from exactly what they computed. ``partial_fit`` keeps the shortcut that
        ``fit`` made, and makes none itself.
    ordered : bool, default=False
        Whether to learn an ordered code: the first k numbers are a good code of width k, for every k. In
        fine-tuning the last numbers are dropped at random (see :class:`~stackae.Nested`). Choose the width
        after the fit, by ``prefix_r2_``, and cut the model with :meth:`truncated`. The last layer must be
        dense, without another code. With a shortcut no part of the code stays principal components, and
        decoders are also solved for prefixes of 1, 2, 4, 8, ... numbers, each as large as the first one.
    tol : float, default=0.01
        With ``layers="auto"``: by how much a further layer must reduce the error (a fraction of it) or raise
        the accuracy (or R²).
    scale : {"auto", "standard", "pareto", "minmax"} or None, default="auto"
        How columns are scaled. ``"auto"``: not at all if all data lie in [0, 1]; otherwise columns of zeros
        and ones stay as they are and the others are standardised, unless they look scaled already: columns of
        zeros and ones beside others with standard deviations from 0.02 to 2. ``"standard"`` or ``"minmax"``:
        every column. ``"pareto"``: every column is centred and divided by the square root of its
        standard deviation, and all by one number, so that their mean variance is 1. Columns with a large
        spread count more than others, but less than without scaling: for columns of one unit, as
        of spectra, and for principal components. None: no scaling.
    missing_values : float or None, default=None
        The value of missing cells, usually ``np.nan``. They are left out of the loss, and the encoder gets
        the column's mean instead. So that the model learns to fill gaps (see :meth:`impute`), training hides
        half of the other cells, ``Masking(0.5)``: in a first layer given as a width, and in fine-tuning with
        ``corruption="auto"``. None: rows with NaN are refused, except in tables with non-numeric columns,
        where gaps are always allowed.
    add_indicator : bool, default=False
        Whether the first encoder gets an indicator of missing cells, as extra columns.
    columns : dict, TableEncoder or None, default=None
        How to encode the columns of a table: a dict from names to kinds, such as
        ``{"zip": "category", "when": "drop"}``, or a :class:`~stackae.TableEncoder`, which is cloned. ``X``
        must then be a table, and is encoded even if all columns are numeric. None: kinds are inferred, and an
        all-numeric table is treated as an array.
    memory : str, path-like, joblib.Memory or None, default=None
        Folder that caches pretrained layers by rows, parameters (of the layer and those below) and seed: a
        grid search over layer 3 fits layers 1 and 2 once. Its files are pickles, so nobody else must be able
        to write there. None: no cache.
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
        Memory for rows and codes while fitting: bytes, or text like ``"1GB"``. If they need more, rows are
        read from disk in blocks (see ``X`` of :meth:`fit`) and codes are stored there. None: half of the
        machine's memory.
    cache_folder : path-like or None, default=None
        Where codes that exceed ``max_memory`` are stored, in unnamed files that vanish with the fit. None:
        the system's folder for temporary files.

    Attributes
    ----------
    layers_ : list of Autoencoder
        The fitted layers. They share the weights of ``module_``, so they are fine-tuned too.
    health_ : list of dict
        The layers' health reports, bottom first: see :class:`stackae.modules.health.Health`.
    module_ : DeepAutoencoder
        The deep autoencoder, a ``torch.nn.Module``.
    components_ : ndarray of shape (n_units of the first layer, n_features)
        The first layer's encoder weights.
    n_components_ : int
        Width of the code.
    prefix_r2_ : ndarray of shape (n_components,), only if the code is ordered
        R² of the reconstruction from the first 1, 2, ... numbers of the code, as ``score`` of
        :meth:`truncated` gives it: on the rows held out in the last phase or, if there are none, on at most
        2,000 rows of the fit. If the last width is ``"auto"``, up to the widest code tried.
    depth_scores_ : list of float, only with ``layers="auto"``
        R² of the reconstruction, or the probe's score, at each depth tried, from 1.
    history_ : list of dict
        One record per epoch: phase, layer (from 1; None in fine-tuning), loss, validation loss, learning
        rate, seconds, samples per second.
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
        """Raise for the first invalid parameter, of the stack or of a layer."""
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
                for name in _OF_THE_STACK if k else (*_OF_THE_STACK, "scale"):
                    if getattr(layer, name) != signature(Autoencoder).parameters[name].default:
                        raise ParameterError(
                            f"a layer takes {name} from its stack, got {name}={getattr(layer, name)!r}"
                            f" in layers[{k}]; give it to StackedAutoencoder"
                        )
                self._refuse_frozen(k)
            elif isinstance(layer, bool) or not isinstance(layer, Integral) or not 1 <= layer <= MOST_UNITS:
                raise InvalidParameterError(
                    f"{rule} of 1 to 2**40, the last of them perhaps 'auto'. Got {layer!r} in layers[{k}]"
                    " instead."
                )

    def _refuse_frozen(self, k: int) -> None:
        """Refuse a frozen layer that fine-tuning would not begin above."""
        if not getattr(self._listed[k], "frozen", False):
            return
        if k == len(self._listed) - 1 and self.finetune is not None:
            raise ParameterError(
                f"layers[{k}] is frozen, and is the last: nothing is left to fine-tune; leave frozen out, or"
                " set finetune=None"
            )
        if k and not getattr(self._listed[k - 1], "frozen", False):
            raise ParameterError(
                f"layers[{k}] is frozen, and layers[{k - 1}] below it is not; freeze that, too"
            )

    # Fitting -----------------------------------------------------------------------------------------

    def _stack_parameters(self) -> StackParameters:
        missing, indicator = self.missing_values is not None, bool(self.add_indicator)
        pretrain, own = self._part("pretrain"), (self.scale, missing, indicator)
        layers: list[int | LayerParameters] = []
        for k, layer in enumerate(self._listed):
            if isinstance(layer, Autoencoder):
                parts = layer._composition(layer.scale) if k else layer._composition(*own)
                training = layer.training if isinstance(layer.training, Training) else pretrain
                layers.append(LayerParameters(parts, training))
            else:
                layers.append(int(layer))
        return StackParameters(
            tuple(layers), pretrain, self.finetune, self.shortcut, bool(self.ordered), *own, self._analytic
        )

    @property
    def layers_(self) -> list[Autoencoder]:
        """The fitted layers, with every ``"auto"`` resolved; they share the weights of ``module_``."""
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
