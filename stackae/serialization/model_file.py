"""The model file: named tensors and one JSON header in a single ``.safetensors`` file, never a pickle.

Any safetensors reader opens it; what stackae adds stands in the container's metadata. All numbers are
little-endian, all text is UTF-8.

=====================  ======================================================================================
bytes                  content
=====================  ======================================================================================
0 to 7                 unsigned length ``n`` of the table, at most 100,000,000
8 to 7 + ``n``         the table, a JSON object: tensor name -> ``{"dtype", "shape", "data_offsets"}``, and
                       ``__metadata__`` -> the four texts below; padded with spaces to a multiple of 8
8 + ``n`` to the end   the tensors' bytes, row-major, where their offsets say, without gaps or overlap
=====================  ======================================================================================

==================  =========================================================================================
``__metadata__``    content
==================  =========================================================================================
``format``          ``stackae``
``format_version``  ``1``
``header``          a JSON object written as text: sorted keys, no spaces, ASCII, finite numbers
``sha256``          hex digest of ``header``'s bytes and then, for each tensor in the order of its name's
                    code points, of ``["name","dtype",[shape]]`` (JSON as above) followed by its bytes
==================  =========================================================================================

The dtypes are F64, F32, F16, BF16, I64, I32, U8 and BOOL. The same content always gives the same file. What
the header means is the business of those who write it: see :mod:`stackae.estimators`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import safetensors
import safetensors.torch
import torch

from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write
from stackae.serialization.model_header import (
    DTYPES,
    FORMAT,
    MAX_TABLE,
    VERSION,
    damage,
    digest,
    dump,
    plain,
    read_verified,
    refusal,
)

_DTYPES = {
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
}
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: not UTF-8


def write_model(
    path: str | os.PathLike[str], header: dict[str, Any], tensors: Mapping[str, torch.Tensor]
) -> None:
    """Write one model file, atomically: a write that fails leaves the file that was there whole.

    Parameters
    ----------
    path : str or path-like
        Where the file goes.
    header : dict
        JSON values: dicts with text keys, lists, texts, integers, finite floats, booleans, None, nested at
        most 100 deep. NumPy scalars are converted.
    tensors : mapping of str to torch.Tensor
        Dense tensors of any device and memory layout; they are copied where needed, never changed.

    Raises
    ------
    ParameterError
        The header holds something that JSON cannot, or a tensor's name or dtype cannot be stored.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import os, tempfile, torch
    >>> from stackae.serialization.model_file import read_model, write_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "model.safetensors")
    ...     write_model(file, {"units": [3, 2]}, {"weight": torch.ones(2, 3)})
    ...     read_model(file)
    ({'units': [3, 2]}, {'weight': tensor([[1., 1., 1.], [1., 1., 1.]])})
    """
    if not isinstance(header, dict):
        raise ParameterError(f"header must be a dict, got {type(header).__name__}")
    text = dump(plain(header))
    blob = memoryview(safetensors.torch.save(_storable(tensors)))
    start = 8 + int.from_bytes(blob[:8], "little")
    table, payload = json.loads(bytes(blob[8:start])), blob[start:]
    # The library orders the metadata at random, so the table is written here: same content, same file.
    sha256 = digest(text, table, payload)
    table["__metadata__"] = {"format": FORMAT, "format_version": VERSION, "header": text, "sha256": sha256}
    front = dump(table).encode()
    front += b" " * (-len(front) % 8)
    if len(front) > MAX_TABLE:
        raise ParameterError(f"header and tensor names must take at most {MAX_TABLE} bytes, got {len(front)}")
    with atomic_write(path) as file:
        file.write(len(front).to_bytes(8, "little") + front)
        file.write(payload)


def read_model(
    path: str | os.PathLike[str], *, max_bytes: int | None = None
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read one model file, verify it, and run nothing of it.

    The bytes are read once, so that a file changing underneath cannot matter; honest files take about twice
    their size of memory.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes : int, optional
        Refuse a larger file before reading it.

    Returns
    -------
    header : dict
        The JSON object given to `write_model`.
    tensors : dict of str to torch.Tensor
        On the CPU; their memory is their own.

    Raises
    ------
    ModelFileError
        The file is damaged, foreign, too large or of a newer format; one line that begins with the path.
    OSError
        The file does not exist or cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> from stackae.serialization.model_file import read_model, write_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "model.safetensors")
    ...     write_model(file, {"classes": ["cat", "dog"]}, {})
    ...     read_model(file, max_bytes=10_000)
    ({'classes': ['cat', 'dog']}, {})
    """
    header, _, data = read_verified(path, max_bytes=max_bytes)
    try:
        return header, safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, TypeError, AssertionError, RuntimeError) as error:
        # Such as a tensor without a byte, of a shape that torch does not have.
        raise refusal(path, damage(error)) from error


def _storable(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Detach, bring to the CPU, make contiguous, and clone what shares memory."""
    ready: dict[str, torch.Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        if not isinstance(name, str) or name == "__metadata__" or _SURROGATE.search(name):
            raise ParameterError(f"a tensor's name must be text, and not '__metadata__', got {name!r}")
        kind = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        if kind not in _DTYPES or tensor.layout != torch.strided:
            raise ParameterError(f"tensor {name!r} must be dense, of {', '.join(DTYPES)}, got {kind}")
        tensor = tensor.detach().cpu().resolve_neg().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        ready[name] = tensor.clone() if storage in storages else tensor
        storages.add(storage)
    return ready
