"""What every estimator shares: rows in, the fitted module applied to them, arrays out."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from os import PathLike
from types import NoneType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from stackae.constraints import Constrained, Integral, Interval, StrOptions
from stackae.data.mapped import MappedRows
from stackae.estimators._rows import check_rows
from stackae.estimators._saving import save
from stackae.exceptions import ParameterError
from stackae.finetune import finetune
from stackae.greedy import Machine, pretrain
from stackae.health import Health, health_of, rows_to_look_at
from stackae.memory import parse_memory
from stackae.parts import PartTable
from stackae.scaling import blocks
from stackae.shallow import Composition, ShallowAutoencoder
from stackae.stack import UnrolledStack
from stackae.training.distributed import agreed
from stackae.training.history import EpochRecord
from stackae.training.parameters import Training
from stackae.training.precision import computing, resolve_device, uses_bfloat16
from stackae.training.progress import make_progress
from stackae.training.rows import Rows as TrainingRows
from stackae.training.streaming import Room

Rows = npt.NDArray[np.floating]
Input = Rows | MappedRows

#: ``"auto"`` among training parameters, by its other spelling: ``training__max_epochs`` can be set on it.
TRAININGS: PartTable[Any] = PartTable("training", "stackae.training", {"auto": "parameters:Training"})

#: Constraints of the parameters that every estimator has.
COMMON_CONSTRAINTS: dict[str, Any] = {
    "scale": [StrOptions({"auto", "standard", "minmax"}), None],
    "device": [str, torch.device],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "max_memory": [Interval(Integral, 1, None, closed="left"), str, None],
    "cache_folder": [str, PathLike, None],
}


class BaseAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Constrained):
    """Everything after ``fit``: the fitted module turned into scikit-learn's methods."""

    #: Parameters whose value may be a name, and the table of what the names mean.
    _named_parts: Mapping[str, PartTable[Any]] = {}
    #: Parameters whose value may be a sequence, into which ``name__0__...`` reaches.
    _sequences: Sequence[str] = ()

    scale: str | None
    device: str | torch.device
    precision: str
    random_state: Any
    verbose: int
    max_memory: int | str | None
    cache_folder: str | PathLike[str] | None
    module_: ShallowAutoencoder | UnrolledStack
    history_: list[EpochRecord]
    n_iter_: int
    n_features_in_: int
    _stream: dict[str, Any] | None = None
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

    # Fitting -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows, from a new start.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            A memory map, as ``np.load(path, mmap_mode="r")`` gives it, is not loaded where it takes more than
            ``max_memory``, nor are the rows of :func:`stackae.data.load_data`.
        y : ignored

        Returns
        -------
        self
        """
        self.check_parameters()
        rows = check_rows(self, X, reset=True)
        self._learn(rows, self._machine(), *self._trainings())
        self._stream = None
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from a piece of the rows: one pass over it for each layer, then one for the stack.

        The first piece decides the scaling and starts the layers, unless ``fit`` has; later pieces go on with
        them, with their optimizers and with the random draws, at a constant learning rate. No rows are held
        out. ``max_epochs``, ``schedule``, ``validation_fraction``, ``patience`` and ``tol`` of the training
        parameters do not apply.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : ignored

        Returns
        -------
        self
        """
        self.check_parameters()
        started = self._shallow if hasattr(self, "module_") else []
        if started:
            self._refuse_changed_layers()
        rows = check_rows(self, X, reset=not started)
        machine = self._machine()
        if started and self._stream is not None:
            machine.generator.set_state(self._stream["generator"])
            machine.optimizers.update(self._stream["optimizers"])
        machine = replace(machine, anneals=not started)
        pretraining, tuning = self._trainings()
        once = {"max_epochs": 1, "schedule": "constant", "validation_fraction": 0.0}
        self._learn(
            rows,
            machine,
            [clone(training).set_params(**once) for training in pretraining],
            None if tuning is None else clone(tuning).set_params(**once),
            started=started,
        )
        self._stream = {"generator": machine.generator.get_state(), "optimizers": machine.optimizers}
        return self

    def _refuse_changed_layers(self) -> None:
        """Refuse a model whose parameters describe other layers than those that were fitted."""
        asked = [composition.n_components for composition in self._compositions()]
        fitted = [layer.parts.n_components for layer in self._shallow]
        if asked != fitted:
            raise ParameterError(
                f"the layers were changed after fit, from widths {fitted} to {asked};"
                " set them back, or fit again"
            )

    @abstractmethod
    def _compositions(self) -> list[Composition]:
        """The layers to be fitted, bottom first."""

    @abstractmethod
    def _trainings(self) -> tuple[list[Training], Training | None]:
        """How each layer is trained, and how the stack is fine-tuned, if it is."""

    def _learn(
        self,
        rows: Input,
        machine: Machine,
        pretraining: list[Training],
        tuning: Training | None,
        *,
        started: Sequence[ShallowAutoencoder] = (),
    ) -> None:
        """Pretrain, fine-tune, and set what was fitted."""
        for layer in started:
            layer.requires_grad_(True)
        machine.progress.start_fit(len(pretraining) + (tuning is not None))
        try:
            fitted = pretrain(self._compositions(), pretraining, rows, machine, started=started)
            history = [record for records in fitted.histories for record in records]
            if tuning is not None:
                history += finetune(UnrolledStack(fitted.layers), fitted.rows, tuning, machine)
            health = _health(fitted.layers, fitted.rows, len(history))
        finally:
            machine.progress.end_fit()
        past = self.history_ if started else []
        for record in history:
            same = (
                p["epoch"] for p in past if (p["phase"], p["layer"]) == (record["phase"], record["layer"])
            )
            record["epoch"] += max(same, default=0)
        self._set_fitted(fitted.layers, [*past, *history], health)

    def _machine(self) -> Machine:
        """Device, number format and the one source of random draws."""
        if self.cache_folder is not None and not os.path.isdir(self.cache_folder):
            raise ParameterError(f"cache_folder must be a folder that exists, got {self.cache_folder!r}")
        device = resolve_device(self.device)
        seed = int(agreed(check_random_state(self.random_state).randint(2**31 - 1), device))
        return Machine(
            device,
            uses_bfloat16(self.precision, device),
            torch.Generator(device).manual_seed(seed),
            make_progress(int(self.verbose)),
            Room(parse_memory(self.max_memory), self.cache_folder),
        )

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

    def inverse_transform(self, X: Any) -> Rows:
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_components)
            Codes, as :meth:`transform` gives them.

        Returns
        -------
        array of shape (n_rows, n_features)
            In the units of the data given to ``fit``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        DataError, ValueError
            Codes of another width, or values that are not finite.
        """
        check_is_fitted(self)
        codes = check_rows(_Width(self._n_features_out), X, reset=False)
        return self._apply(codes, self._decode_features, self.n_features_in_)

    def reconstruct(self, X: Any) -> Rows:
        """Encode and decode rows: what the model makes of them, in their own units.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows, n_features)
        """
        return self._apply(self._rows(X), lambda module, x: module(x), self.n_features_in_)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Rows:
        """Draw new rows: codes from the prior of the last layer's code or penalty, decoded.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            Seeds the draws; None: the ``random_state`` of the estimator, as scikit-learn does.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            In the units of the data given to ``fit``: the decoder's answers, without noise of their own.

        Raises
        ------
        ParameterError
            The last layer has no prior: it needs ``code="variational"`` or ``penalty="adversarial"``.
        NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
            raise ParameterError(f"n_samples must be an integer of at least 1, got {n_samples!r}")
        device = next(self.module_.parameters()).device
        rng = check_random_state(self.random_state if random_state is None else random_state)
        generator = torch.Generator(device).manual_seed(int(rng.randint(2**31 - 1)))
        codes = self._shallow[-1].sample_codes(int(n_samples), generator).cpu().numpy().astype(np.float32)
        return self._apply(codes, lambda module, code: module.decode(code), self.n_features_in_)

    def score_samples(self, X: Any) -> Rows:
        """The negative squared reconstruction error of each row: higher is more like the training data.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows,)
            Minus the sum over features of the squared error, in the units in which the model works: data
            within [0, 1] as they are, columns in standard deviations otherwise (see ``scale``).
        """

        def negative_error(module: Any, x: Tensor) -> Tensor:
            scaling = (module if isinstance(module, ShallowAutoencoder) else module.layers[0]).scaling
            error: Tensor = scaling(module(x)) - scaling(x)
            return error.square().sum(1, keepdim=True).neg()

        return self._apply(self._rows(X), negative_error, 1)[:, 0]

    def score(self, X: Any, y: Any = None) -> float:
        """R² of the reconstruction, as one compares with PCA: 1 - Σ(x - x̂)² / Σ(x - mean)².

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : ignored

        Returns
        -------
        float
            At most 1; not a number for a single row.
        """
        rows = self._rows(X)
        return float(r2_score(np.asarray(rows), self.reconstruct(X), multioutput="variance_weighted"))

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
        module = self.module_
        return [module] if isinstance(module, ShallowAutoencoder) else list(module.layers)  # type: ignore[arg-type]

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

    def _decode_features(self, module: Any, features: Tensor) -> Tensor:
        """What ``inverse_transform`` answers for a block of codes."""
        result: Tensor = module.decode(features)
        return result

    def _rows(self, X: Any) -> Input:
        check_is_fitted(self)
        return check_rows(self, X, reset=False)

    @torch.no_grad()
    def _apply(self, rows: Input, function: Callable[[Any, Tensor], Tensor], width: int) -> Rows:
        """A function of the module and a block of rows, over all blocks, in the rows' precision."""
        device = next(self.module_.parameters()).device
        double = rows.dtype == np.float64 and device.type == "cpu" and self.precision == "auto"
        module = deepcopy(self.module_).double() if double else self.module_
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

    def _set_fitted(
        self, layers: list[ShallowAutoencoder], history: list[EpochRecord], health: list[Health]
    ) -> None:
        """Set the fitted attributes, from ``fit`` or from a file."""
        self.module_ = layers[0].requires_grad_(False).eval()
        self._health = health
        self.history_ = history
        self.n_iter_ = len(history)
        self.n_features_in_ = layers[0].scaling.shift.shape[0]


@torch.no_grad()
def _health(layers: Sequence[ShallowAutoencoder], rows: TrainingRows, n_epochs: int) -> list[Health]:
    """The health report of each layer, on rows of the data, as the layers below encode them."""
    z = rows.set_aside(rows_to_look_at(len(rows), n_epochs))[0]
    reports = []
    with computing(rows.device):
        for k, layer in enumerate(layers):
            z = layer.scaling(z) if k else z
            reports.append(health_of(layer, z))
            z = layer.encode_scaled(z)
    return reports


class _Width(Constrained):
    """Stands in for an estimator where codes are checked: only their width is known."""

    def __init__(self, n_features_in: int) -> None:
        self.n_features_in_ = n_features_in
