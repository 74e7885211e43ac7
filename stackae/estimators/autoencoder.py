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
    """A shallow autoencoder: a code is learned from which the samples can be reconstructed.

    The encoder computes h = a(W·s(x) + b), with s the scaling; the decoder computes x̂ from h; what is
    minimised is the loss of x̂ against x, plus the penalty, with the encoder shown a corrupted x. An epoch
    over n samples of d features costs about 12·n·d·n_components floating-point operations.

    Parameters
    ----------
    n_components : int, default=64
        Units of the code.
        Of a convolutional network: its filters, each of which has a unit for every pooled cell.
    network : {"dense", "convolutional", "recurrent", "pca", "marginalised"} or Network, default="dense"
        How code and reconstruction are computed.
    activation : {"auto", "identity", "sigmoid", "tanh", "relu", "gelu", "silu", "softplus"}, default="auto"
        Of the code. ``"auto"``: what the other parts are defined for; else the identity for the last layer of
        a deeper stack, and relu everywhere else.
    tied_weights : bool, default=False
        Whether the decoder's weights are the encoder's, transposed.
    corruption : {"masking", "gaussian", "salt-and-pepper", "swap", "dropout"}, Corruption or None
        What the encoder sees instead of x in training (denoising), or the decoder instead of the code.
        Default: None.
    code : {"topk", "variational", "nested"}, Code or None, default=None
        What happens to the encoder's output; None: nothing.
    penalty : {"l1", "l2", "kl", "contractive", "adversarial"}, Penalty, list of these, or None, default=None
        What else is minimised.
    loss : {"auto", "squared_error", "cross_entropy", "huber", "per_feature"} or Loss, default="auto"
        ``"auto"``: cross-entropy for data within [0, 1], else squared error.
    scale : {"auto", "standard", "minmax"} or None, default="auto"
        ``"auto"``: data already within [0, 1] stay. Of any others, columns of nothing but 0 and 1 stay, which
        standard deviations would blow up where one of the two is rare, and the rest is standardised, unless
        it has been scaled before: all standard deviations from 0.02 to 2 beside columns of 0 and 1.
        ``"standard"`` and ``"minmax"``: every column; None: none.
    training : Training or "auto", default="auto"
    missing_values : float or None, default=None
        What stands for a missing cell, as a rule ``np.nan``. The loss is taken over the other cells; the
        encoder sees the column's mean instead. Which values are missing is learned best where training hides
        values too: ``corruption="masking"``. None: rows with NaN are refused, but for tables of other than
        numbers, whose gaps are always taken.
    add_indicator : bool, default=False
        Whether the encoder is given, in columns behind the features, which cells are missing. For dense
        networks.
    columns : dict, TableEncoder or None, default=None
        What columns of a table are: kinds by their names, such as ``{"zip": "category", "when": "drop"}``, or
        a :class:`~stackae.TableEncoder`, of which a clone is fitted; ``X`` must then be a table, and is
        encoded even where all of it is numbers. None: as they look; a table of numbers is taken as an array.
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
    module_ : DeepAutoencoder
        The fitted ``torch.nn.Module``, of one layer.
    components_ : ndarray of shape (n_components, n_features)
        The encoder's weights.
    prefix_r2_ : ndarray of shape (n_components,), only with ``code="nested"`` and a dense network
        R² of the reconstruction from the first 1, 2, ... numbers of the code, as ``score`` of
        :meth:`truncated` gives it: on rows held out, or where none were on rows of the fit, at most 2,000.
    history_ : list of dict
        One an epoch: loss, validation loss, learning rate, seconds, samples per second.
    n_iter_ : int
        Epochs run.
    health_ : dict
        Shares of dead and saturated units, mean activity, effective rank of the codes, share of the variance
        reconstructed, on 2,000 to 10,000 of the rows: see :class:`stackae.modules.health.Health`.
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
        """Raise for the first parameter, of the layer or of a part, that breaks its rule."""
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
