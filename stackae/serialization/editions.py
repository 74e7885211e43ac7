"""Model files of an earlier version, as if they were written now."""

from __future__ import annotations

from typing import Any, TypeVar

from stackae.exceptions import ModelFileError

T = TypeVar("T")

#: What a header means; 1, which had none: version 0.1.0.
EDITION = 2
#: What made the encoder among the parameters of predictors and detector.
_OF_THE_ENCODER = ("layers", "pretrain", "scale", "missing_values", "add_indicator", "memory")


def upgraded(header: dict[str, Any], tensors: dict[str, T]) -> tuple[dict[str, Any], dict[str, T]]:
    """The header of this version, and the tensors, or what is known of them, by its names.

    A lone autoencoder was no stack of one, and predictors and detector had the encoder's parameters.

    Raises
    ------
    ModelFileError
        They are of a later version.
    """
    edition = header.get("edition", 1)
    if edition == EDITION:
        return header, tensors
    if edition != 1:
        raise ModelFileError(
            f"was written by a newer stackae (edition {edition!r}); upgrade stackae to read it"
        )
    if header["estimator"] == "Autoencoder":
        tensors = {f"layers.0.{name}": tensor for name, tensor in tensors.items()}
    elif header["estimator"] != "StackedAutoencoder":
        params = dict(header["params"])
        names = [*_OF_THE_ENCODER, *(["finetune"] if header["estimator"].endswith("Detector") else [])]
        encoder = {name: params.pop(name) for name in names if name in params}
        encoder = {"class": "StackedAutoencoder", "params": {**encoder, "shortcut": None}}
        header = {**header, "params": {**params, "encoder": encoder}}
    return header, tensors
