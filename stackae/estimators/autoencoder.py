"""One shallow autoencoder as a transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar

import torch
from sklearn.base import clone

from stackae._utils.constraints import Integral, Interval, InvalidParameterError, NamedIn
from stackae._utils.part_table import PartTable
from stackae.codes import CODES
from stackae.codes.base import Code
from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import Corruption
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._parameters import COMMON_CONSTRAINTS, DATA_CONSTRAINTS, TRAININGS
from stackae.exceptions import ParameterError
from stackae.fitting.parameters import LayerParameters, StackParameters
from stackae.losses import LOSSES
from stackae.losses.base import Loss
from stackae.modules.health import Health
from stackae.modules.layer import Composition, Layer
from stackae.networks import ACTIVATIONS, NETWORKS
from stackae.networks.base import Network
from stackae.penalties import PENALTIES
from stackae.penalties.base import Penalty
from stackae.tables import TableEncoder
from stackae.training.parameters import Training

#: More units than a layer can have in any memory.
MOST_UNITS = 2**40


class Autoencoder(BaseAutoencoder):
    """A shallow autoencoder: it learns a code of the samples from which they can be reconstructed.

    The encoder computes h = a(W·s(x) + b), where s is the scaling; the decoder computes x̂ from h. Training
    minimises the loss of x̂ against x, plus the penalty; the encoder is given a corrupted x. An epoch over n
    samples of d features costs about 12·n·d·n_components floating-point operations.

    Parameters
    ----------
    n_components : int, default=64
        Units of the code. Of a convolutional network: filters, each with one unit per pooled cell.
    network : str or Network, default="dense"
        How code and reconstruction are computed: ``"dense"``, ``"batch_normalised"``, ``"convolutional"``,
        ``"kmeans_filters"``, ``"recurrent"``, ``"pca"`` or ``"marginalised"``.
    activation : {"auto", "identity", "sigmoid", "tanh", "relu", "gelu", "silu", "softplus"}, default="auto"
        Of the code. ``"auto"``: one that the network, code and penalty allow; else the identity for the last
        layer of a deeper stack, relu otherwise.
    tied_weights : bool, default=False
        Whether the decoder's weights are the encoder's, transposed.
    corruption : {"masking", "gaussian", "salt-and-pepper", "swap", "dropout"}, Corruption or None
        Noise on the input (denoising autoencoder) or on the code, in training only. Default: None.
    code : {"topk", "variational", "nested"}, Code or None, default=None
        What turns the encoder's output into the code. None: nothing.
    penalty : {"l1", "l2", "kl", "contractive", "adversarial"}, Penalty, list of these, or None, default=None
        What is added to the loss.
    loss : {"auto", "squared_error", "cross_entropy", "huber", "per_feature"} or Loss, default="auto"
        ``"auto"``: cross-entropy for data in [0, 1], otherwise squared error.
    scale : {"auto", "standard", "pareto", "minmax"} or None, default="auto"
        How columns are scaled. ``"auto"``: not at all if all data lie in [0, 1]; otherwise columns of zeros
        and ones stay as they are and the others are standardised, unless they look scaled already: columns of
        zeros and ones beside others with standard deviations from 0.02 to 2. ``"standard"`` or ``"minmax"``:
        every column. ``"pareto"``: every column is centred and divided by the square root of its
        standard deviation, and all by one number, so that their mean variance is 1. Columns with a large
        spread count more than others, but less than without scaling: for columns of one unit, as
        of spectra, and for principal components. None: no scaling. In a stack: how the codes of the layer
        below are scaled; the first layer takes it from the stack.
    frozen : bool, default=False
        Only in a stack: whether fine-tuning leaves the layer as pretraining made it. All layers below it must
        be frozen, too, and not the last one, unless nothing is fine-tuned. Fine-tuning is then of the layers
        above, on codes that are computed once, and reconstructs these codes.
    training : Training or "auto", default="auto"
        Budget, optimizer and so on. ``"auto"``: ``Training()``.
    missing_values : float or None, default=None
        The value of missing cells, usually ``np.nan``. They are left out of the loss, and the encoder gets
        the column's mean instead. To fill gaps well (see :meth:`impute`), hide cells in training too:
        ``corruption="masking"``. None: rows with NaN are refused, except in tables with non-numeric columns,
        where gaps are always allowed.
    add_indicator : bool, default=False
        Whether the encoder gets an indicator of missing cells, as extra columns. For dense networks.
    columns : dict, TableEncoder or None, default=None
        How to encode the columns of a table: a dict from names to kinds, such as
        ``{"zip": "category", "when": "drop"}``, or a :class:`~stackae.TableEncoder`, which is cloned. ``X``
        must then be a table, and is encoded even if all columns are numeric. None: kinds are inferred, and an
        all-numeric table is treated as an array.
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
    module_ : DeepAutoencoder
        The fitted ``torch.nn.Module``, of one layer.
    components_ : ndarray of shape (n_components, n_features)
        The encoder's weights.
    prefix_r2_ : ndarray of shape (n_components,), only with ``code="nested"`` and a dense network
        R² of the reconstruction from the first 1, 2, ... numbers of the code, as ``score`` of
        :meth:`truncated` gives it: on held-out rows or, if there are none, on at most 2,000 rows of the fit.
    history_ : list of dict
        One record per epoch: loss, validation loss, learning rate, seconds, samples per second.
    n_iter_ : int
        Epochs run.
    health_ : dict
        Fractions of dead and saturated units, mean activity, effective rank of the codes, fraction of the
        variance reconstructed, on 2,000 to 10,000 of the rows: see :class:`stackae.modules.health.Health`.
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
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder, Masking
    >>> X = load_iris().data
    >>> codes = Autoencoder(8, corruption=Masking(0.1), random_state=0).fit_transform(X)
    >>> codes.shape
    (150, 8)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [Interval(Integral, 1, MOST_UNITS, closed="both")],
        "network": [Network, NamedIn(NETWORKS)],
        "activation": [NamedIn(ACTIVATIONS, "auto")],
        "tied_weights": ["boolean"],
        "corruption": [Corruption, NamedIn(CORRUPTIONS), None],
        "code": [Code, NamedIn(CODES), None],
        "penalty": [Penalty, NamedIn(PENALTIES), list, tuple, None],
        "loss": [Loss, NamedIn(LOSSES, "auto")],
        "frozen": ["boolean"],
        "training": [Training, NamedIn(TRAININGS)],
        **DATA_CONSTRAINTS,
        **COMMON_CONSTRAINTS,
    }
    _named_parts: Mapping[str, PartTable[Any]] = {
        "network": NETWORKS,
        "corruption": CORRUPTIONS,
        "code": CODES,
        "penalty": PENALTIES,
        "loss": LOSSES,
        "training": TRAININGS,
    }
    _sequences = ("penalty",)

    def __init__(
        self,
        n_components: int = 64,
        *,
        network: str | Network = "dense",
        activation: str = "auto",
        tied_weights: bool = False,
        corruption: str | Corruption | None = None,
        code: str | Code | None = None,
        penalty: str | Penalty | Sequence[str | Penalty] | None = None,
        loss: str | Loss = "auto",
        scale: str | None = "auto",
        frozen: bool = False,
        training: str | Training = "auto",
        missing_values: float | None = None,
        add_indicator: bool = False,
        columns: dict[Any, str] | TableEncoder | None = None,
        device: str | torch.device = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        max_memory: int | str | None = None,
        cache_folder: str | PathLike[str] | None = None,
    ) -> None:
        self.n_components = n_components
        self.network = network
        self.activation = activation
        self.tied_weights = tied_weights
        self.corruption = corruption
        self.code = code
        self.penalty = penalty
        self.loss = loss
        self.scale = scale
        self.frozen = frozen
        self.training = training
        self.missing_values = missing_values
        self.add_indicator = add_indicator
        self.columns = columns
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.max_memory = max_memory
        self.cache_folder = cache_folder

    def check_parameters(self) -> None:
        """Raise for the first invalid parameter, of the layer or of a part."""
        super().check_parameters()
        self._refuse_indicator_alone()
        for k, penalty in enumerate(self.penalty if isinstance(self.penalty, (list, tuple)) else ()):
            if not (isinstance(penalty, Penalty) or (isinstance(penalty, str) and penalty in PENALTIES)):
                raise InvalidParameterError(
                    "The 'penalty' parameter of Autoencoder must hold instances of Penalty or names among"
                    f" {', '.join(PENALTIES)}. Got {penalty!r} in place {k} instead."
                )

    @property
    def health_(self) -> Health:
        """The health report; see :class:`stackae.modules.health.Health`."""
        report: Health = super().health_[0]
        return report

    def _penalties(self) -> tuple[Penalty, ...]:
        if self.penalty is None:
            return ()
        given = self.penalty if isinstance(self.penalty, (list, tuple)) else [self.penalty]
        return tuple(self._element("penalty", penalty) for penalty in given)

    def _stack_parameters(self) -> StackParameters:
        if self.frozen:
            raise ParameterError(
                "frozen=True is for a layer in a stack, below others; leave it out, or give the layer to"
                " StackedAutoencoder"
            )
        parts = self._composition(self.scale, self.missing_values is not None, bool(self.add_indicator))
        return StackParameters((LayerParameters(parts, self._part("training")),), analytic=self._analytic)

    def _asked_widths(self) -> list[int]:
        return [int(self.n_components)]

    def _params_of_width(self, n_components: int) -> dict[str, Any]:
        return {"n_components": n_components}

    def _composition(self, scale: str | None, missing: bool = False, indicator: bool = False) -> Composition:
        """The five parts, names replaced by what they stand for."""
        return Composition(
            n_components=int(self.n_components),
            network=self._part("network"),
            activation=self.activation,
            tied_weights=bool(self.tied_weights),
            corruption=self._part("corruption"),
            code=self._part("code"),
            penalties=self._penalties(),
            loss=self._part("loss"),
            scale=scale,
            missing=missing,
            indicator=indicator,
            frozen=bool(self.frozen),
        )


def estimator_of(layer: Layer) -> Autoencoder:
    """A layer as an estimator of its own."""
    parts = layer.parts
    asked = Autoencoder(
        parts.n_components,
        network=parts.network,
        activation=parts.activation,
        tied_weights=parts.tied_weights,
        corruption=parts.corruption,
        code=parts.code,
        penalty=list(parts.penalties) or None,
        loss=parts.loss or "auto",
    )
    return clone(asked)  # type: ignore[no-any-return]
