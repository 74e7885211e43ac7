"""What every estimator shares: parameters, rows in, the fitted encoder applied to them, arrays out."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from os import PathLike
from types import NoneType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from joblib import Memory
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from stackae._utils.constraints import Constrained, Integral, Interval, Real, StrOptions
from stackae._utils.memory import parse_memory
from stackae._utils.part_table import PartTable
from stackae.estimators._saving import save
from stackae.estimators._validation import check_rows
from stackae.exceptions import ParameterError
from stackae.fitting.greedy import Input, Machine
from stackae.modules.health import Health
from stackae.modules.layer import Composition, ShallowAutoencoder
from stackae.modules.scaling import blocks
from stackae.modules.shortcut import Shortcut
from stackae.serialization.onnx import write_onnx
from stackae.training.callbacks.history import EpochRecord
from stackae.training.callbacks.progress import make_progress
from stackae.training.distributed import agreed
from stackae.training.precision import computing, resolve_device, uses_bfloat16
from stackae.training.streaming import Room

Rows = npt.NDArray[np.floating]

#: ``"auto"`` among training parameters, by its other spelling: ``training__max_epochs`` can be set on it.
TRAININGS: PartTable[Any] = PartTable("training", "stackae.training", {"auto": "parameters:Training"})

#: Constraints of the parameters that every estimator has.
COMMON_CONSTRAINTS: dict[str, Any] = {
    "scale": [StrOptions({"auto", "standard", "minmax"}), None],
    "missing_values": [Real, None],
    "add_indicator": ["boolean"],
    "device": [str, torch.device],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "max_memory": [Interval(Integral, 1, None, closed="left"), str, None],
    "cache_folder": [str, PathLike, None],
}


class BaseEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Constrained):
    """A fitted encoder as a transformer: what is common to all estimators."""

    #: Parameters whose value may be a name, and the table of what the names mean.
    _named_parts: Mapping[str, PartTable[Any]] = {}
    #: Parameters whose value may be a sequence, into which ``name__0__...`` reaches.
    _sequences: Sequence[str] = ()

    scale: str | None
    missing_values: float | None
    add_indicator: bool
    device: str | torch.device
    precision: str
    random_state: Any
    verbose: int
    max_memory: int | str | None
    cache_folder: str | PathLike[str] | None
    memory: Any = None
    module_: nn.Module
    history_: list[EpochRecord]
    n_iter_: int
    n_features_in_: int
    _health: list[Health]
    feature_names_in_: npt.NDArray[np.object_]

    # Parameters --------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters; with ``deep``, those of parts and layers too: ``corruption__level``,
        ``layers__0__corruption__level``, ``penalty__1__weight``.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        for name in self._sequences if deep else ():
            elements = getattr(self, name)
            for k, element in enumerate(elements if isinstance(elements, (list, tuple)) else ()):
                params[f"{name}__{k}"] = element
                if hasattr(element, "get_params") and not isinstance(element, type):
                    params.update({f"{name}__{k}__{inner}": v for inner, v in element.get_params().items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``corruption__level`` reaches into a part, also where the part is given by name,
        ``layers__0__n_components`` into a sequence.

        Parameters
        ----------
        **params
            Names and values, as :meth:`get_params` lists them.

        Returns
        -------
        self
        """
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        # Whole parts first, then what is inside them.
        nested = [(name, value) for name, value in params.items() if "__" in name]
        for name, value in sorted(nested, key=lambda item: item[0].count("__")):
            parameter, _, inner = name.partition("__")
            holder = getattr(self, parameter, None)
            if parameter in self._sequences and not isinstance(holder, (str, Constrained, NoneType)):
                self._set_element(parameter, holder, inner, value)
                continue
            if isinstance(holder, str) and (part := self._part_named(parameter, holder)) is not None:
                setattr(self, parameter, part)
            super().set_params(**{name: value})
        return self

    def _set_element(self, parameter: str, holder: Any, name: str, value: Any) -> None:
        """Set an element of a sequence, or a parameter of one; the sequence itself is not written."""
        position, _, inner = name.partition("__")
        elements = list(holder)
        if not position.isdigit() or int(position) >= len(elements):
            raise ParameterError(
                f"'{parameter}__{name}' names no element; {parameter}__K or {parameter}__K__NAME, K from 0 to"
                f" {len(elements) - 1}"
            )
        k = int(position)
        elements[k] = self._element(parameter, elements[k]).set_params(**{inner: value}) if inner else value
        setattr(self, parameter, type(holder)(elements) if isinstance(holder, (list, tuple)) else elements)

    def _element(self, parameter: str, element: Any) -> Any:
        """What an element of a sequence stands for."""
        return self._part_named(parameter, element) if isinstance(element, str) else element

    def _part_named(self, parameter: str, name: str) -> Any:
        """What a parameter given by name stands for, or None where names mean nothing to it."""
        table = self._named_parts.get(parameter)
        return table[name]() if table is not None and name in table else None

    def _part(self, parameter: str) -> Any:
        value = getattr(self, parameter)
        return self._part_named(parameter, value) if isinstance(value, str) else value

    def _machine(self, random_state: Any = None) -> Machine:
        """Device, number format and the one source of random draws: the estimator's, or another."""
        if self.cache_folder is not None and not os.path.isdir(self.cache_folder):
            raise ParameterError(f"cache_folder must be a folder that exists, got {self.cache_folder!r}")
        device = resolve_device(self.device)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        seed = int(agreed(rng.randint(2**31 - 1), device))
        return Machine(
            device,
            uses_bfloat16(self.precision, device),
            torch.Generator(device).manual_seed(seed),
            make_progress(int(self.verbose)),
            Room(parse_memory(self.max_memory), self.cache_folder),
            memory=self._memory(),
        )

    def _memory(self) -> Memory | None:
        """The cache of fitted layers."""
        memory = self.memory
        if memory is not None and not hasattr(memory, "cache"):
            memory = Memory(memory, verbose=0)
        # One without a place keeps nothing.
        return None if memory is None or memory.store_backend is None else memory

    @abstractmethod
    def _compositions(self) -> list[Composition]:
        """The layers to be fitted, bottom first."""

    @abstractmethod
    def _join(self, layers: Sequence[ShallowAutoencoder], shortcut: Shortcut | None = None) -> Any:
        """The module of which fitted layers, and what stands beside them, are part."""

    def _kept_params(self) -> dict[str, Any]:
        """The parameters of which the model file says what the estimator was made of."""
        params: dict[str, Any] = self.get_params(deep=False)
        return params

    def _refuse_changed(self) -> None:
        """Refuse parameters that describe another model than the fitted one."""
        asked = [composition.n_components for composition in self._compositions()]
        fitted = [layer.parts.n_components for layer in self._shallow]
        if asked != fitted:
            raise ParameterError(
                f"the layers were changed after fit, from widths {fitted} to {asked};"
                " set them back, or fit again"
            )

    def _fitted(self) -> dict[str, Any]:
        """What was fitted beside tensors, history and names, as JSON, for the model file."""
        return {}

    def _take_fitted(self, fitted: Mapping[str, Any]) -> None:
        """Set what :meth:`_fitted` said."""

    def _set_fitted(self, module: nn.Module, history: list[EpochRecord], health: list[Health]) -> None:
        """Set the fitted attributes, from ``fit`` or from a file."""
        self.module_ = module.requires_grad_(False).eval()
        self._health = health
        self.history_ = history
        self.n_iter_ = len(history)
        self.n_features_in_ = self._shallow[0].n_inputs

    # Applying ----------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Rows:
        """Encode rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            In the units of the data given to ``fit``.

        Returns
        -------
        array of shape (n_rows, n_components)
            Of the input's precision: float64 input is computed in float64 (on a processor, and unless
            ``precision`` says otherwise), anything narrower in float32.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError, ValueError
            Rows of another width, other column names, or values that are not finite.
        """
        return self._apply(self._rows(X), self._features, self._n_features_out)

    @property
    def components_(self) -> Rows:
        """The first layer's encoder weights, (units × features)."""
        check_is_fitted(self)
        weights: Rows = self._first_layer.network.filters.detach().cpu().numpy()
        return weights

    @property
    def _n_features_out(self) -> int:
        return self._layer_widths[-1]

    @property
    def _shallow(self) -> list[ShallowAutoencoder]:
        """The fitted layers, bottom first."""
        module = self.module_
        return [module] if isinstance(module, ShallowAutoencoder) else list(module.layers)  # type: ignore[arg-type]

    @property
    def _shortcut(self) -> Shortcut | None:
        """What stands beside the fitted layers."""
        shortcut: Shortcut | None = getattr(self.module_, "shortcut", None)
        return shortcut

    @property
    def _first_layer(self) -> ShallowAutoencoder:
        return self._shallow[0]

    @property
    def _layer_widths(self) -> list[int]:
        return [layer.n_units for layer in self._shallow]

    def _features(self, module: Any, x: Tensor) -> Tensor:
        """What ``transform`` answers for a block of rows."""
        result: Tensor = module.encode(x)
        return result

    def _rows(self, X: Any) -> Input:
        check_is_fitted(self)
        return check_rows(self, X, reset=False, missing_values=self._missing)

    @property
    def _missing(self) -> float | None:
        """What stands for a missing cell."""
        return self.missing_values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._missing is not None
        return tags

    @torch.no_grad()
    def _apply(self, rows: Input, function: Callable[[Any, Tensor], Tensor], width: int) -> Rows:
        """A function of the module and a block of rows, over all blocks, in the rows' precision."""
        device = next(self.module_.parameters()).device
        double = rows.dtype == np.float64 and device.type == "cpu" and self.precision == "auto"
        module: Any = deepcopy(self.module_).double() if double else self.module_
        answer = np.empty((len(rows), width), rows.dtype)
        n_weights = sum(p.numel() for p in module.parameters())
        with computing(device, work=n_weights * min(len(rows), 1024)):
            start = 0
            for block in blocks(rows, np.float64 if double else np.float32):
                answer[start : start + len(block)] = (
                    function(module, torch.from_numpy(block).to(device)).cpu().numpy()
                )
                start += len(block)
        return answer

    # Keeping -----------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to one ``.safetensors`` file, which :func:`stackae.load` reads.

        The file holds tensors and JSON, no code. It is written atomically: a file that stood there is
        replaced whole or not at all. A ``random_state`` that is a generator object is saved as None.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        NotFittedError
            Before ``fit``.
        OSError
            The file cannot be written.
        """
        check_is_fitted(self)
        save(self, path)

    def export_onnx(self, path: str | PathLike[str]) -> None:
        """Write :meth:`transform` as an ONNX file, for programs that have neither stackae nor torch.

        The model's input ``rows`` (rows × features, float32, any number of rows) is in the units of the data
        given to ``fit``: the scaling is in the file. Its output ``codes`` is what ``transform`` answers for
        float32 rows, to rounding (1e-5). Only where two units of a :class:`~stackae.TopK` code are equal to
        rounding may another one be kept. Rows are not checked for values that are not finite.

        The model's metadata holds ``estimator``, ``n_features``, ``feature_names`` (where ``X`` had column
        names), ``code_names`` and ``versions``; all but the first are JSON. The file is written atomically.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ParameterError
            The package onnx is not installed (``pip install 'stackae[onnx]'``), or the model is over ONNX's
            limit of 2 GiB.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from onnxruntime import InferenceSession
        >>> from sklearn.datasets import load_iris
        >>> from stackae import Autoencoder
        >>> X = load_iris().data.astype(np.float32)
        >>> model = Autoencoder(2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export_onnx(os.path.join(folder, "encoder.onnx"))
        ...     session = InferenceSession(os.path.join(folder, "encoder.onnx"))
        >>> codes, = session.run(["codes"], {"rows": X})
        >>> bool(np.allclose(codes, model.transform(X), atol=1e-5))
        True
        """
        check_is_fitted(self)
        names = [str(name) for name in self.get_feature_names_out()]
        write_onnx(self, path, self._features, ["codes"], {"code_names": names})

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "module_" in state and next(self.module_.parameters()).device.type != "cpu":
            # The optimizers of partial_fit stay behind: they belong to the weights on the device.
            state = {**state, "module_": deepcopy(self.module_).cpu(), "_stream": None}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "module_" in state:
            self._place(self.device)

    def _place(self, device: str | torch.device) -> None:
        """Put the module on a device, or on the processor where that device is not there."""
        try:
            self.module_.to(resolve_device(device))
        except ValueError:
            self.module_.cpu()
