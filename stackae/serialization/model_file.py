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

import hashlib
import json
import math
import os
import re
import reprlib
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from stackae.exceptions import ModelFileError, ParameterError
from stackae.serialization.files import atomic_write

FORMAT, VERSION = "stackae", "1"
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_MAX_TABLE = 100_000_000  # bytes: safetensors' own limit
_MAX_DEPTH = 100  # of the header's nesting: far from Python's recursion limit, on writing and on reading
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: not UTF-8
_MEND = "copy it again from where it is whole, or save the model again"


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
    text = _dump(_plain(header))
    blob = memoryview(safetensors.torch.save(_storable(tensors)))
    start = 8 + int.from_bytes(blob[:8], "little")
    table, payload = json.loads(bytes(blob[8:start])), blob[start:]
    # The library orders the metadata at random, so the table is written here: same content, same file.
    digest = _digest(text, table, payload)
    table["__metadata__"] = {"format": FORMAT, "format_version": VERSION, "header": text, "sha256": digest}
    front = _dump(table).encode()
    front += b" " * (-len(front) % 8)
    if len(front) > _MAX_TABLE:
        raise ParameterError(
            f"header and tensor names must take at most {_MAX_TABLE} bytes, got {len(front)}"
        )
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
    try:
        return _parse(_read(path, max_bytes))
    except ModelFileError as error:
        raise ModelFileError(" ".join(f"{os.fspath(path)}: {error}".splitlines())) from error


def _read(path: str | os.PathLike[str], max_bytes: int | None) -> bytes:
    """Read a regular file once."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # before opening, which would wait on a pipe
        raise ModelFileError("is not a regular file; give the path of a saved model")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if max_bytes is not None and size > max_bytes:
            raise ModelFileError(
                f"has {size} bytes, over the limit of {max_bytes}; raise the limit if you trust it"
            )
        return file.read(size)


def _parse(data: bytes) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a model file's bytes; errors lack the path."""
    if not data:
        raise ModelFileError(f"is empty; {_MEND}")
    start = 8 + int.from_bytes(data[:8], "little")
    if start > min(len(data), 8 + _MAX_TABLE) or data[8:9] != b"{":
        raise ModelFileError(_diagnosis(data))
    table = _load_object(data[8:start], "safetensors table")
    metadata = table.pop("__metadata__", None)
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelFileError("was not written by stackae; give a file that an estimator's save() wrote")
    if (version := metadata.get("format_version")) != VERSION:
        version = reprlib.repr(version).strip("'")
        if version.isdecimal() and int(version) > int(VERSION):
            raise ModelFileError(
                f"was written by a newer stackae (format {version}); upgrade stackae to read it"
            )
        raise ModelFileError(f"has the unknown format version {version}; {_MEND}")
    for name, entry in table.items():
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if dtype not in list(_DTYPES.values()):
            what = f"holds the tensor {reprlib.repr(name)} of dtype {reprlib.repr(dtype)}"
            raise ModelFileError(f"{what}, which stackae never writes; {_MEND}")
    try:
        tensors: dict[str, torch.Tensor] = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, TypeError, AssertionError, RuntimeError) as error:
        raise ModelFileError(f"is damaged ({str(error)[:200]}); {_MEND}") from error
    text = metadata.get("header", "")
    # Only now: the library has checked that the offsets tile the payload, without gaps or overlap.
    if _digest(text, table, memoryview(data)[start:]) != metadata.get("sha256"):
        raise ModelFileError(f"is damaged (its sha256 does not match its content); {_MEND}")
    try:
        return _plain(_load_object(text.encode(), "header")), tensors
    except ParameterError as error:
        raise ModelFileError(f"is not a model that stackae wrote ({error}); {_MEND}") from error


def _diagnosis(data: bytes) -> str:
    """Say what a file that cannot be safetensors is instead."""
    # A whole table's length may begin like a pickle, but then a brace follows it, and no opcode is zero.
    foreign = data[8:9] != b"{" and data[2:3] not in (b"", b"\0")
    if foreign and data[0] == 0x80 and data[1] <= 8:
        return "looks like a pickle; stackae never unpickles: save the model with its own save()"
    if foreign and data.startswith(b"PK\x03\x04"):
        return "looks like a zip of pickles (torch.save); stackae never unpickles: use the model's own save()"
    return f"is truncated or not a safetensors file; {_MEND}"


def _load_object(text: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object and refuse what parsers disagree on."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise ValueError(f"the key {reprlib.repr(key)} stands there twice")
            seen[key] = value
        return seen

    try:
        value = json.loads(text.decode(), object_pairs_hook=unique)
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"is damaged (its {what} cannot be read: {error}); {_MEND}") from error
    return value


def _dump(value: Any) -> str:
    """Write canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any, at: tuple[str | int, ...] = ()) -> Any:
    """Return `value` as plain JSON types, or name the place of what is none."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":  # no dates
        value = float(value) if isinstance(value, np.floating) else value.item()
    if len(at) > _MAX_DEPTH:
        problem = f"is nested more than {_MAX_DEPTH} deep"
    elif isinstance(value, dict):
        wrong = [key for key in value if type(key) not in (str, np.str_)]
        if not wrong:
            return {str(key): _plain(item, (*at, str(key))) for key, item in value.items()}
        problem = f"must have text keys, got {reprlib.repr(wrong[0])}"
    elif isinstance(value, list):
        return [_plain(item, (*at, index)) for index, item in enumerate(value)]
    elif type(value) is float and not math.isfinite(value):
        problem = f"must be finite, got {value}"
    elif value is None or type(value) in (str, int, float, bool):
        return value
    else:
        problem = f"must be a JSON value, got {type(value).__name__}"
    raise ParameterError(f"header{''.join(f'[{reprlib.repr(key)}]' for key in at)} {problem}")


def _storable(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Detach, bring to the CPU, make contiguous, and clone what shares memory."""
    ready: dict[str, torch.Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        if not isinstance(name, str) or name == "__metadata__" or _SURROGATE.search(name):
            raise ParameterError(f"a tensor's name must be text, and not '__metadata__', got {name!r}")
        kind = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        if kind not in _DTYPES or tensor.layout != torch.strided:
            raise ParameterError(
                f"tensor {name!r} must be dense, of {', '.join(_DTYPES.values())}, got {kind}"
            )
        tensor = tensor.detach().cpu().resolve_neg().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        ready[name] = tensor.clone() if storage in storages else tensor
        storages.add(storage)
    return ready


def _digest(text: str, table: Mapping[str, Any], payload: memoryview) -> str:
    """Hash the header and the tensors, in the file's own bytes: the host's byte order does not matter."""
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(table):
        entry = table[name]
        sha256.update(_dump([name, entry["dtype"], entry["shape"]]).encode())
        sha256.update(payload[slice(*entry["data_offsets"])])
    return sha256.hexdigest()
