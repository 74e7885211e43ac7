"""A model file to a fitted estimator: its JSON may name only classes that stackae knows."""

from __future__ import annotations

import os
from itertools import pairwise
from os import PathLike
from typing import Any, TypeVar

import numpy as np
import torch

from stackae._utils.constraints import Constrained
from stackae.estimators._base import BaseEncoder
from stackae.estimators._parameters import part_classes
from stackae.estimators._saving import MEANS, TABLE
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.classifier import StackedAutoencoderClassifier
from stackae.estimators.detector import StackedAutoencoderDetector
from stackae.estimators.regressor import StackedAutoencoderRegressor
from stackae.estimators.stacked import StackedAutoencoder
from stackae.exceptions import ModelFileError
from stackae.modules.health import Health
from stackae.modules.layer import Composition, Layer
from stackae.modules.shortcut import PrefixDecoders, Shortcut
from stackae.networks import ACTIVATIONS
from stackae.serialization.editions import upgraded
from stackae.serialization.files import MODEL_FILE
from stackae.serialization.model_file import read_model
from stackae.serialization.model_header import making_sense_of
from stackae.tables import TableEncoder
from stackae.training.parameters import Training
from stackae.training.precision import resolve_device

T = TypeVar("T")

ESTIMATORS: dict[str, type[BaseEncoder]] = {
    "Autoencoder": Autoencoder,
    "StackedAutoencoder": StackedAutoencoder,
    "StackedAutoencoderClassifier": StackedAutoencoderClassifier,
    "StackedAutoencoderDetector": StackedAutoencoderDetector,
    "StackedAutoencoderRegressor": StackedAutoencoderRegressor,
}


def load(path: str | PathLike[str], *, device: str | torch.device | None = None) -> BaseEncoder:
    """Load a fitted estimator from a file that ``save`` wrote.

    No code from the file is run: it holds tensors, and JSON that can only name classes that stackae knows.

    Parameters
    ----------
    path : path-like
        The file, or the folder of a run of ``stackae pretrain`` or ``stackae finetune``.
    device : str, torch.device or None, default=None
        The device of the model and its new ``device`` parameter. None: the saved ``device``, or the CPU if
        that is not available.

    Returns
    -------
    estimator
        Of the class that was saved.

    Raises
    ------
    ModelFileError
        The file is damaged, not stackae's, or of a newer format.
    ParameterError
        ``device`` is not available.
    OSError
        The file cannot be opened, or the folder holds no model.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder, Training, load
    >>> X = load_iris().data
    >>> model = Autoencoder(2, training=Training(max_epochs=1), random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     model.save(path)
    ...     again = load(path)
    >>> bool((again.transform(X) == model.transform(X)).all())
    True
    """
    if device is not None:
        resolve_device(device)
    if os.path.isdir(path):
        folder, path = path, os.path.join(path, MODEL_FILE)
        if not os.path.exists(path):
            raise FileNotFoundError(
                f"{os.fspath(folder)}: a folder without {MODEL_FILE}; give a model's file, or the folder of a"
                " run that is done"
            )
    header, tensors = read_model(path)
    with making_sense_of(path):
        estimator = _rebuild(*upgraded(header, tensors))
    if device is not None:
        estimator.device = device
    estimator._place(estimator.device)
    return estimator


def _rebuild(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> BaseEncoder:
    arrays = {name: tensors.pop(name) for name in [*tensors] if name.startswith(TABLE)}
    means = tensors.pop(MEANS, None)
    kind = _known(ESTIMATORS, header["estimator"], "estimator")
    estimator = kind(**{name: _decode(value) for name, value in header["params"].items()})
    estimator.check_parameters()
    fitted = header["fitted"]
    estimator._take_kept(fitted)
    layers = [
        Layer.without_memory(_decode_parts(layer["parts"]), int(layer["n_inputs"]))
        for layer in header["layers"]
    ]
    asked = estimator._asked_widths()
    if not layers or (asked is not None and len(layers) != len(asked)):
        raise ModelFileError(f"its parameters ask for {len(asked or [0])} layers, got {len(layers)}")
    _check_chain(layers)
    with torch.device("meta"):
        module = estimator._join(layers, _shortcut(header.get("shortcut"), layers))
    expected = module.state_dict()
    for name, tensor in tensors.items():
        if name in expected and expected[name].dtype != tensor.dtype:
            raise ModelFileError(f"tensor {name!r} must be {expected[name].dtype}, got {tensor.dtype}")
    module.load_state_dict(tensors, strict=True, assign=True)

    table, variances = None, None
    if header.get("table") is not None:
        named = {name.removeprefix(TABLE): tensor.numpy() for name, tensor in arrays.items()}
        table = TableEncoder.from_json(header["table"], named)
        variances = header["table"]["variances"]
    n_encoded = fitted["n_features_in_"] if table is None else len(table.column_of_)
    if n_encoded != layers[0].n_inputs:
        raise ModelFileError("n_features_in_ is not the width of the first layer")
    if means is not None and (means.shape != (n_encoded,) or means.dtype != torch.float64):
        raise ModelFileError(f"tensor {MEANS!r} must be {n_encoded} numbers of float64")
    health: list[Health] = [
        {name: report[name] for name in Health.__annotations__}  # type: ignore[misc]
        for report in fitted["health"]
    ]
    if len(health) != len(layers):
        raise ModelFileError(f"it has {len(health)} health reports for {len(layers)} layers")
    estimator._set_fitted(module, list(fitted["history_"]), health)
    estimator._set_table(table, variances, None if means is None else means.numpy())
    names = fitted["feature_names_in_"]
    own = None if names is None else np.asarray(names, dtype=object)
    return estimator._set_names(own)


def _shortcut(kept: dict[str, Any] | None, layers: list[Layer]) -> Shortcut | None:
    """What stands beside the layers; files of before there were any do not name it."""
    if kept is None:
        return None
    n_units, n_kept = layers[-1].n_units, int(kept["n_kept"])
    if not 0 <= n_kept <= n_units:
        raise ModelFileError(f"its shortcut keeps {n_kept} of {n_units} numbers")
    with torch.device("meta"):
        shortcut = Shortcut(layers[0].n_inputs, n_units, n_kept)
        if kept.get("prefixes"):
            shortcut.prefixes = PrefixDecoders(layers[0].n_inputs, layers[0].n_units, n_units)
    return shortcut


def _check_chain(layers: list[Layer]) -> None:
    for below, above in pairwise(layers):
        if below.n_units != above.scaling.shift.shape[0]:
            raise ModelFileError("a layer's width is not that of the codes below it")


# Values ----------------------------------------------------------------------------------------------


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "dict" in value:
        return {_decode(key): _decode(inner) for key, inner in value["dict"]}
    if "tuple" in value:
        return tuple(_decode(inner) for inner in value["tuple"])
    kind = _known(known_classes(), value["class"], "part")
    return kind(**{name: _decode(inner) for name, inner in value["params"].items()})


def known_classes() -> dict[str, type[Constrained]]:
    """Every class that a file may name."""
    own: tuple[type[Constrained], ...] = (Training, TableEncoder, Autoencoder, StackedAutoencoder)
    return {**part_classes(), **{kind.__name__: kind for kind in own}}


def _known(table: dict[str, T], name: Any, what: str) -> T:
    if name not in table:
        raise ModelFileError(
            f"needs the {what} {str(name)[:80]!r}, which this stackae does not know; upgrade it, or register"
            " the part"
        )
    return table[name]


def _decode_parts(encoded: dict[str, Any]) -> Composition:
    parts = Composition(**{name: _decode(value) for name, value in encoded.items()})
    for activation in (parts.activation, parts.output):
        _known(ACTIVATIONS, activation, "activation")
    for part in (parts.network, parts.corruption, parts.code, *parts.penalties, parts.loss):
        if part is not None:
            part.check_parameters()
    return parts
