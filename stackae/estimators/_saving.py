"""A fitted estimator to a model file: tensors, and JSON that names classes and their parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from math import isfinite
from os import PathLike
from typing import Any

import numpy as np
import torch

from stackae._utils.constraints import Constrained
from stackae.estimators._parameters import part_classes
from stackae.exceptions import ParameterError
from stackae.modules.layer import Composition
from stackae.modules.shortcut import Shortcut
from stackae.serialization.editions import EDITION
from stackae.serialization.model_file import write_model
from stackae.serialization.provenance import versions

#: What the names of a table encoder's arrays begin with, among tensors.
TABLE = "table."
#: The name of the tensor of the columns' means, which a model that knows them has.
MEANS = "column_means"
#: What a clock has measured; the same fit has other times whenever it runs.
_TIMES = ("seconds", "samples_per_second")


def save(estimator: Any, path: str | PathLike[str]) -> None:
    """Write a fitted estimator; see :meth:`stackae.Autoencoder.save`."""
    estimator._refuse_changed()
    _refuse_foreign(estimator)
    names, shortcut = getattr(estimator, "feature_names_in_", None), estimator.module_.shortcut
    header = {
        "edition": EDITION,
        "estimator": type(estimator).__name__,
        "params": {name: _encode(value) for name, value in estimator._kept_params().items()},
        "layers": [
            {"n_inputs": layer.n_inputs, "parts": _encode_parts(layer.parts)} for layer in estimator.module_
        ],
        "shortcut": None if shortcut is None else _of_shortcut(shortcut),
        "fitted": {
            "n_features_in_": estimator.n_features_in_,
            "feature_names_in_": None if names is None else [str(name) for name in names],
            "history_": [
                {name: value for name, value in record.items() if name not in _TIMES}
                for record in estimator.history_
            ],
            "health": [dict(report) for report in estimator._health],
            **estimator._kept(),
        },
        "versions": versions(),
    }
    tensors = dict(estimator.module_.state_dict())
    if estimator._means is not None:
        tensors[MEANS] = torch.from_numpy(estimator._means)
    if estimator._table is not None:
        values, arrays = estimator._table.to_json()
        values["variances"] = estimator._variances.tolist()
        header["table"] = json.loads(json.dumps(values))  # tuples are lists in a file
        tensors |= {f"{TABLE}{name}": torch.from_numpy(array) for name, array in arrays.items()}
    write_model(path, header, tensors)


def _of_shortcut(shortcut: Shortcut) -> dict[str, Any]:
    """What its shapes do not follow from the layers'."""
    prefixes = {} if shortcut.prefixes is None else {"prefixes": True}
    return {"n_kept": shortcut.n_kept, **prefixes}


def _refuse_foreign(value: Constrained) -> None:
    """Refuse what :func:`stackae.load` could not make again: a class that no table knows."""
    name, kind = type(value).__name__, type(value)
    if kind.__module__.partition(".")[0] != "stackae" and part_classes().get(name) is not kind:
        raise ParameterError(
            f"a model file holds no code, and cannot keep the class {name!r}; use a part of stackae's or one"
            " that is registered, or pickle the estimator"
        )


def _encode_parts(parts: Composition) -> dict[str, Any]:
    return {field.name: _encode(getattr(parts, field.name)) for field in fields(parts)}


def _encode(value: Any) -> Any:
    """A parameter as JSON; an object becomes its class's name and its parameters."""
    if isinstance(value, Constrained):
        _refuse_foreign(value)
        kept = value._kept_params() if hasattr(value, "_kept_params") else value.get_params(deep=False)
        params = {name: _encode(inner) for name, inner in kept.items()}
        return {"class": type(value).__name__, "params": params}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (tuple, range)):
        return {"tuple": [_encode(inner) for inner in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_encode(key), _encode(inner)] for key, inner in value.items()]}
    if isinstance(value, (list, np.ndarray)):
        return [_encode(inner) for inner in value]
    if isinstance(value, (torch.device, PathLike)):
        return str(value)
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return None
    if isinstance(value, float) and not isfinite(value):
        return {"float": str(value)}
    if callable(value):
        raise ParameterError(
            f"a model file holds no code, and cannot keep the function {getattr(value, '__name__', value)!r};"
            " use a named part, or pickle the estimator"
        )
    return value
