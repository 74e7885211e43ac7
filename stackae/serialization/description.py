"""What a model file holds, from its header and the shapes of its tensors: without torch, in no time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from stackae.exceptions import ModelFileError
from stackae.serialization.editions import upgraded
from stackae.serialization.model_header import making_sense_of, read_verified
from stackae.serialization.table_info import ColumnInfo

#: What a health report says; see :class:`stackae.modules.health.Health`.
_HEALTH = (
    "dead_units",
    "saturated_units",
    "mean_activity",
    "active_cells",
    "effective_rank",
    "variance_reconstructed",
)
#: Tensors of 32-bit floats that nothing trains; other dtypes hold no weights.
_NO_WEIGHTS = ("code.best", "network.mean", "network.variance", "shortcut.mean", "shortcut.kept")


def describe_model(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a saved model and its training, without loading torch.

    Parameters
    ----------
    path : str or path-like
        A file that ``save`` of an estimator wrote, in this version or an earlier one.

    Returns
    -------
    dict
        JSON values: the estimator, its widths and number of weights; epochs and last losses of fine-tuning;
        ``"semi"``, ``"calibration"`` and its ``"temperature"``, if used; column names and classes, if any;
        ``"table"``, how each column of a table was encoded, or None; the versions it was made with; and
        ``"layers"``, for each its parts, epochs and health report (:class:`stackae.modules.health.Health`).

    Raises
    ------
    ModelFileError
        As from :func:`stackae.load`: the file is damaged, foreign or newer. The values of the parts'
        parameters are not checked.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder, Training
    >>> from stackae.serialization.description import describe_model
    >>> model = Autoencoder(2, penalty="l1", training=Training(max_epochs=1)).fit(load_iris().data)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     model.save(path)
    ...     found = describe_model(path)
    >>> found["weights"], found["layers"][0]["penalty"]
    (22, 'L1(weight=0.01)')
    """
    header, table, _ = read_verified(path)
    with making_sense_of(path):
        return _described(*upgraded(header, table))


def _described(header: dict[str, Any], table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    fitted, layers = header["fitted"], header["layers"]
    history, health = fitted["history_"], fitted["health"]
    _check_chain(layers, fitted, is_table=header.get("table") is not None)
    widths = [_n_units(layer) for layer in layers]
    names, classes = fitted["feature_names_in_"], fitted.get("classes_")
    described = [
        _described_layer(number, layer, n_units, history) | {"health": _health(report)}
        for number, (layer, n_units, report) in enumerate(zip(layers, widths, health, strict=True), 1)
    ]
    found = {
        "estimator": str(header["estimator"]),
        "features": int(fitted["n_features_in_"]),
        "outputs": sum(widths) if header["params"].get("output") == "all" else widths[-1],
        "shortcut": _about_shortcut(header.get("shortcut"), widths[-1]),
        "weights": sum(prod(entry["shape"]) for name, entry in table.items() if _is_weight(name, entry)),
        "finetune epochs": 0,
    }
    for phase in ("finetune", "supervised"):
        if losses := [float(record["loss"]) for record in history if record["phase"] == phase]:
            found |= {f"{phase} epochs": len(losses), f"{phase} last loss": losses[-1]}
    for name in ("semi", "calibration"):
        if (given := header["params"].get(name)) is not None:
            found[name] = given if isinstance(given, (str, int)) else _written(given)
    if "temperature_" in fitted:
        found["temperature"] = float(fitted["temperature_"])
    if "n_spread_" in fitted:
        found["spread labels"] = int(fitted["n_spread_"])
    if "semi_" in fitted:
        found["semi"] = f"auto: {' and '.join(map(str, fitted['semi_'])) or 'none'}"
    if "offset_" in fitted:
        found["threshold"] = -float(fitted["offset_"])
    return found | {
        "columns": None if names is None else list(map(str, names)),
        "classes": None if classes is None else list(classes),
        "table": _about_table(header.get("table")),
        "versions": {name: str(version) for name, version in header.get("versions", {}).items()},
        "layers": described,
    }


def _described_layer(
    number: int, layer: dict[str, Any], n_units: int, history: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    parts = layer["parts"]
    losses = [float(record["loss"]) for record in history if record["layer"] == number]
    return {
        "layer": number,
        "inputs": int(layer["n_inputs"]),
        "units": n_units,
        "network": _named(parts["network"]),
        "activation": str(parts["activation"]),
        "tied": bool(parts["tied_weights"]),
        "frozen": bool(parts.get("frozen", False)),
        "corruption": _named(parts["corruption"]),
        "code": _named(parts["code"]),
        "penalty": ", ".join(_named(penalty) for penalty in parts["penalties"]["tuple"]),
        "loss": _named(parts["loss"]),
        "scale": scaling_in_words(parts["scale"], len(parts.get("kept", {"tuple": ()})["tuple"])),
        "epochs": len(losses),
        "last loss": losses[-1] if losses else None,
    }


def _health(report: dict[str, Any]) -> dict[str, float]:
    return {"rows": int(report["rows"])} | {name: float(report[name]) for name in _HEALTH}


def _check_chain(layers: Sequence[dict[str, Any]], fitted: dict[str, Any], *, is_table: bool) -> None:
    """Refuse widths that contradict each other."""
    if not layers or (not is_table and fitted["n_features_in_"] != layers[0]["n_inputs"]):
        raise ModelFileError("n_features_in_ is not the width of the first layer")
    if any(_n_units(below) != above["n_inputs"] for below, above in pairwise(layers)):
        raise ModelFileError("a layer's width is not that of the codes below it")


def _n_units(layer: dict[str, Any]) -> int:
    """The width of a layer's code; where it has filters, each has a unit, or two, for every pooled cell."""
    n_components, network = int(layer["parts"]["n_components"]), layer["parts"]["network"]["params"]
    if "image_shape" not in network:
        return n_components
    if layer["parts"]["network"]["class"] == "KMeansFilters":
        n_components *= 2
    shape = [int(side) for side in network["image_shape"]["tuple"]]
    height, width = shape[1:] if network.get("channels_first") else shape[:2]
    pool = int(network["pool"])
    return -(-height // pool) * -(-width // pool) * n_components


def _is_weight(name: str, entry: dict[str, Any]) -> bool:
    return entry["dtype"] == "F32" and not name.endswith(_NO_WEIGHTS)


def _about_table(kept: dict[str, Any] | None) -> list[dict[str, Any]] | None:
    """What each column became, and no more of it than is text and numbers."""
    if kept is None:
        return None
    found = [ColumnInfo(*line) for line in kept["table"]]
    return [
        ColumnInfo(
            info.name if isinstance(info.name, int) else str(info.name),
            str(info.dtype),
            str(info.kind),
            int(info.n_encoded),
            int(info.n_missing),
            str(info.note),
        )._asdict()
        for info in found
    ]


def _about_shortcut(kept: dict[str, Any] | None, n_units: int) -> str | None:
    if kept is None:
        return None
    n_kept = int(kept["n_kept"])
    if not n_kept:
        return "started as PCA, and trained with the rest"
    return f"{n_kept} of {n_units} units of the code are principal components"


def scaling_in_words(scale: str | None, n_kept: int) -> str:
    """What becomes of a layer's columns, so many of which are kept as they are."""
    kept = f", {n_kept:,} column{'' if n_kept == 1 else 's'} kept 0/1" if n_kept else ""
    return f"{scale or 'none'}{kept}"


def _named(value: Any) -> str:
    """A part as Python writes it, with all of its parameters; nothing where there is none."""
    return "" if value is None else _written(value)


def _written(value: Any) -> str:
    """A value of the header as Python writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if not isinstance(value, dict):
        return repr(value)
    if "float" in value:
        return str(value["float"])
    if "tuple" in value:
        inner = ", ".join(map(_written, value["tuple"]))
        return f"({inner},)" if len(value["tuple"]) == 1 else f"({inner})"
    if "dict" in value:
        return "{" + ", ".join(f"{_written(key)}: {_written(own)}" for key, own in value["dict"]) + "}"
    params = ", ".join(f"{name}={_written(own)}" for name, own in value["params"].items())
    return f"{value['class']}({params})"
