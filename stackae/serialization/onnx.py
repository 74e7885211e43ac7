"""A fitted estimator to an ONNX file, which other programs run without stackae, torch or Python."""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from math import isnan
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stackae._utils.constraints import Constrained
from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write
from stackae.serialization.provenance import versions

#: The set of operators, of December 2022, which decides the file format too: onnxruntime 1.14 reads both.
OPSET = 18

#: torch's exporter keeps its state in the process, and refuses to run twice at a time.
_exporter = Lock()


def write_onnx(
    estimator: Constrained,
    path: str | os.PathLike[str],
    function: Callable[[Any, Tensor], Any],
    outputs: Sequence[str],
    metadata: Mapping[str, Any],
    *,
    missing_values: float | None = None,
    values: Mapping[str, npt.NDArray[Any]] | None = None,
) -> None:
    """Write what an estimator computes from a block of rows.

    The function is called once, on rows of zeros, and what it does with them is recorded: it may branch on
    the module's own numbers, but not on the rows or on how many there are. Recording takes some hundredths
    of a second, on torch's older exporter: the newer one took a hundred times as long for these models, and
    needs onnxscript.

    Parameters
    ----------
    estimator : Constrained
        Fitted: with ``module_``, which is copied, and ``n_features_in_``.
    path : path-like
        A file that stood there is replaced whole or not at all.
    function : callable
        From the module and a block of rows (float32, in the user's units) to a tensor, or a tuple of tensors,
        each with one entry a row.
    outputs : sequence of str
        A name for each of these tensors. The input is called ``X``.
    metadata : mapping of str to JSON value
        Written into the model, beside the estimator's class, its features and the versions of what made it.
        Texts are written as they are, all else as JSON.
    missing_values : float or None, default=None
        What stands for a missing cell in the rows; the function is given NaN there.
    values : mapping of str to array, default=None
        For outputs that are places in an array: the array, of numbers or of text, whose entries are given
        instead.

    Raises
    ------
    ParameterError
        onnx is not installed, or ONNX cannot hold the model: it takes more than 2 GiB, or a part that is not
        stackae's own uses what ONNX has no operator for (torch then prints its graph).
    OSError
        The file cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise ParameterError(
            f"{os.fspath(path)}: writing ONNX needs onnx; pip install 'stackae[onnx]'"
        ) from error
    if getattr(estimator, "_table", None) is not None:
        raise ParameterError(
            f"{os.fspath(path)}: ONNX takes numbers, and the model was fitted on a table; fit it on what"
            " TableEncoder makes of the table"
        )
    applied = _Applied(estimator.module_, function, missing_values)
    model = onnx.load_model_from_string(_recorded(applied, estimator.n_features_in_, outputs, path))
    for name, array in (values or {}).items():
        _look_up(model.graph, name, array)
    made_with = versions()
    model.producer_name, model.producer_version = "stackae", made_with["stackae"]
    properties = {
        "estimator": type(estimator).__name__,
        "n_features": int(estimator.n_features_in_),
        **metadata,
        "versions": made_with,
    }
    if (names := getattr(estimator, "feature_names_in_", None)) is not None:
        properties["feature_names"] = [str(name) for name in names]
    onnx.helper.set_model_props(
        model, {k: v if isinstance(v, str) else json.dumps(v) for k, v in properties.items()}
    )
    with atomic_write(path) as file:
        file.write(model.SerializeToString(deterministic=True))


def _recorded(
    applied: _Applied, n_features: int, outputs: Sequence[str], path: str | os.PathLike[str]
) -> bytes:
    """What a function computes, as torch's exporter records it."""
    recorded = io.BytesIO()
    with _exporter, torch.no_grad(), warnings.catch_warnings():
        # Branches on constants, the age of the exporter: all of it is meant, or held by the tests.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                applied,
                (torch.zeros(2, n_features, dtype=torch.float32, device="cpu"),),
                recorded,  # type: ignore[arg-type]  # which the older exporter takes
                input_names=["X"],
                output_names=list(outputs),
                dynamic_axes={name: {0: "n_samples"} for name in ("X", *outputs)},
                opset_version=OPSET,
                dynamo=False,
            )
        except RuntimeError as error:
            raise ParameterError(
                f"{os.fspath(path)}: the model cannot be written as ONNX, which has a limit of 2 GiB and"
                f" fewer operators than torch ({str(error).splitlines()[0]})"
            ) from error
    return recorded.getvalue()


def _look_up(graph: Any, output: str, values: npt.NDArray[Any]) -> None:
    """Let an output be the values at the places that it was; torch records no text."""
    from onnx import helper, numpy_helper

    places, known = f"{output}_places", f"{output}_values"
    for node in graph.node:
        node.output[:] = [places if name == output else name for name in node.output]
    table = numpy_helper.from_array(values.astype(object) if values.dtype.kind == "U" else values, known)
    graph.initializer.append(table)
    graph.node.append(helper.make_node("Gather", [known, places], [output]))
    (given,) = (entry for entry in graph.output if entry.name == output)
    given.type.tensor_type.elem_type = table.data_type


class _Applied(nn.Module):
    """A function of a module and its input, as a module of its own: a float32 copy on the processor."""

    def __init__(
        self, module: nn.Module, function: Callable[[Any, Tensor], Any], missing_values: float | None
    ) -> None:
        super().__init__()
        self.module = deepcopy(module).cpu().float()
        self.function = function
        self.missing_values = missing_values
        self.eval()

    def forward(self, X: Tensor) -> Any:
        if self.missing_values is not None and not isnan(self.missing_values):
            X = torch.where(torch.tensor(self.missing_values, dtype=X.dtype) == X, torch.nan, X)
        return self.function(self.module, X)


def as_onnx_labels(classes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Classes as int64 or, where they are no whole numbers, as text: ONNX has no dates."""
    if classes.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            whole = classes.astype(np.int64)
        if (whole == classes).all():
            return whole
    return classes.astype(str)
