"""The stack: pretrained greedily, unrolled, fine-tuned, handed out as one transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar

import torch
from sklearn.base import clone
from torch import Tensor

from stackae.constraints import Integral, InvalidParameterError, StrOptions
from stackae.estimators._base import COMMON_CONSTRAINTS, TRAININGS, BaseAutoencoder
from stackae.estimators.autoencoder import Autoencoder
from stackae.exceptions import ParameterError
from stackae.health import Health
from stackae.parts import PartTable
from stackae.shallow import Composition, ShallowAutoencoder
from stackae.stack import UnrolledStack
from stackae.training.history import EpochRecord
from stackae.training.parameters import Training

#: What a layer takes from its stack, and may therefore not set itself.
_TAKEN_FROM_STACK = {
    "device": "auto",
    "precision": "auto",
    "scale": "auto",
    "verbose": 0,
    "max_memory": None,
    "cache_folder": None,
}


def default_layer(n_components: int) -> Autoencoder:
    """The layer that a bare int in ``layers`` stands for.

    Cross-validated on digits, tied weights gave better linear probes than untied ones, and gaussian noise
    gave better probes and reconstructions than masking, whose share of zeros the clean codes of the next
    layer lack.
    """
    return Autoencoder(n_components, corruption="gaussian", tied_weights=True)


class StackedAutoencoder(BaseAutoencoder):
    """Shallow autoencoders pretrained greedily, stacked, fine-tuned end to end.

    Each layer is fitted on the clean codes of the one below, computed once. The layers are then unrolled to
    encoders 1 to n and decoders n to 1, and fine-tuned to reconstruct the input from a slightly noisy copy
    of it (see ``corruption`` of :class:`~stackae.Training`).

    Parameters
    ----------
    layers : sequence of int or Autoencoder, default=(256, 64)
        Bottom first. An int is a denoising layer of so many units with tied weights:
        ``Autoencoder(n, corruption="gaussian", tied_weights=True)``.
        Layers take device, precision, scale and seed from the stack.
    pretrain : Training or "auto", default="auto"
        For every layer that has no ``training`` of its own.
    finetune : Training, "auto" or None, default="auto"
        None: no fine-tuning. ``"auto"``: ``Training()`` for two layers or more, none for one, which
        pretraining has trained end to end already.
    output : {"code", "all"}, default="code"
        What ``transform`` gives: the last layer's code, or the codes of all layers, concatenated.
    scale : {"auto", "standard", "minmax"} or None, default="auto"
        ``"auto"``: data already within [0, 1] stay, anything else is standardised column by column.
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
    components_ : ndarray of shape (units of the first layer, n_features_in_)
        The first layer's encoder weights.
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
        "layers": ["array-like"],
        "pretrain": [Training, StrOptions({"auto"})],
        "finetune": [Training, StrOptions({"auto"}), None],
        "output": [StrOptions({"code", "all"})],
        **COMMON_CONSTRAINTS,
    }
    _named_parts: Mapping[str, PartTable[Any]] = {"pretrain": TRAININGS, "finetune": TRAININGS}
    _sequences = ("layers",)

    layers_: list[Autoencoder]

    def __init__(
        self,
        layers: Sequence[int | Autoencoder] = (256, 64),
        *,
        pretrain: str | Training = "auto",
        finetune: str | Training | None = "auto",
        output: str = "code",
        scale: str | None = "auto",
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
        self.scale = scale
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
        rule = (
            "The 'layers' parameter of StackedAutoencoder must be a non-empty sequence of Autoencoder or int"
        )
        if len(self.layers) == 0:
            raise InvalidParameterError(f"{rule}. Got {self.layers!r} instead.")
        for k, layer in enumerate(self.layers):
            if isinstance(layer, Autoencoder):
                layer.check_parameters()
                for name, default in _TAKEN_FROM_STACK.items():
                    if getattr(layer, name) != default:
                        raise ParameterError(
                            f"a layer takes {name} from its stack, got {name}={getattr(layer, name)!r}"
                            f" in layers[{k}]; give it to StackedAutoencoder"
                        )
            elif isinstance(layer, bool) or not isinstance(layer, Integral) or layer < 1:
                raise InvalidParameterError(f"{rule} of at least 1. Got {layer!r} in place {k} instead.")

    # Fitting -----------------------------------------------------------------------------------------

    def _new_layers(self) -> list[Autoencoder]:
        """The layers as unfitted estimators of their own."""
        return [
            clone(layer) if isinstance(layer, Autoencoder) else default_layer(int(layer))
            for layer in self.layers
        ]

    def _compositions(self) -> list[Composition]:
        return [layer._composition("auto" if k else self.scale) for k, layer in enumerate(self._new_layers())]

    def _trainings(self) -> tuple[list[Training], Training | None]:
        own = [layer.training for layer in self._new_layers()]
        pretraining = [t if isinstance(t, Training) else self._part("pretrain") for t in own]
        tuning = None if self.finetune == "auto" and len(own) == 1 else self._part("finetune")
        return pretraining, tuning

    def _set_fitted(
        self, layers: list[ShallowAutoencoder], history: list[EpochRecord], health: list[Health]
    ) -> None:
        super()._set_fitted(layers, history, health)
        self.module_ = UnrolledStack(layers).requires_grad_(False).eval()
        self.layers_ = self._new_layers()
        for k, (estimator, layer) in enumerate(zip(self.layers_, layers, strict=True), 1):
            own = [record for record in history if record["layer"] == k]
            estimator._set_fitted([layer], own, [health[k - 1]])
        if hasattr(self, "feature_names_in_"):
            self.layers_[0].feature_names_in_ = self.feature_names_in_

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            for layer, module in zip(self.layers_, self._shallow, strict=True):
                layer.module_ = module

    # Applying ----------------------------------------------------------------------------------------

    @property
    def _n_features_out(self) -> int:
        return sum(self._layer_widths) if self.output == "all" else self._layer_widths[-1]

    def _features(self, module: UnrolledStack, x: Tensor) -> Tensor:
        return torch.cat(module.codes(x), 1) if self.output == "all" else module.encode(x)

    def _decode_features(self, module: UnrolledStack, features: Tensor) -> Tensor:
        # The last layer's code alone decides the reconstruction, wherever it stands.
        return module.decode(features[:, -self._layer_widths[-1] :])
