"""What a model file says beside its tensors, read and verified without torch: in no time.

How the bytes lie, and what is hashed, stands in :mod:`stackae.serialization.model_file`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import reprlib
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import safetensors

from stackae.exceptions import ModelFileError, ParameterError

FORMAT, VERSION = "stackae", "1"
#: Those that are written, by safetensors' names.
DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL")
MAX_TABLE = 100_000_000  # bytes: safetensors' own limit
_MAX_DEPTH = 100  # of the header's nesting: far from Python's recursion limit, on writing and on reading
_MEND = "copy it again from where it is whole, or save the model again"


class Verified(NamedTuple):
    """The content of a model file that is whole."""

    #: The JSON object that was given when it was written.
    header: dict[str, Any]
    #: Tensor name -> ``{"dtype", "shape", "data_offsets"}``.
    table: dict[str, dict[str, Any]]
    #: All of its bytes.
    data: bytes


def read_verified(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> Verified:
    """Read one model file and verify it, without making tensors of its bytes.

    Parameters and errors are those of :func:`stackae.serialization.model_file.read_model`.

    Examples
    --------
    >>> import os, tempfile, torch
    >>> from stackae.serialization.model_file import write_model
    >>> from stackae.serialization.model_header import read_verified
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "model.safetensors")
    ...     write_model(file, {"units": [3, 2]}, {"weight": torch.ones(2, 3)})
    ...     found = read_verified(file)
    >>> found.header, found.table["weight"]["shape"]
    ({'units': [3, 2]}, [2, 3])
    """
    try:
        return _parse(_read(path, max_bytes), is_named_so=os.fspath(path).lower().endswith(".safetensors"))
    except ModelFileError as error:
        raise refusal(path, error) from error


@contextmanager
def making_sense_of(path: str | os.PathLike[str]) -> Iterator[None]:
    """Refuse a whole file, by its path, where its header lacks or contradicts what is looked for in it.

    Raises
    ------
    ModelFileError
        Instead of what a wrong header leads to.
    """
    try:
        yield
    except ModelFileError as error:
        raise refusal(path, error) from None
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError) as error:
        reason = f"the header describes no model ({str(error)[:300]}); save it again"
        raise refusal(path, reason) from None


def refusal(path: str | os.PathLike[str], reason: object) -> ModelFileError:
    """The error that names a file, in one line."""
    return ModelFileError(" ".join(f"{os.fspath(path)}: {reason}".splitlines()))


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


def _parse(data: bytes, *, is_named_so: bool) -> Verified:
    """Read the bytes of a model file, or of one that is not named like one; errors lack the path."""
    if not data:
        raise ModelFileError(f"is empty; {_MEND}")
    start = 8 + int.from_bytes(data[:8], "little")
    if start > min(len(data), 8 + MAX_TABLE) or data[8:9] != b"{":
        raise ModelFileError(_diagnosis(data, is_named_so=is_named_so))
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
        if dtype not in DTYPES:
            what = f"holds the tensor {reprlib.repr(name)} of dtype {reprlib.repr(dtype)}"
            raise ModelFileError(f"{what}, which stackae never writes; {_MEND}")
    try:
        safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except (safetensors.SafetensorError, ValueError, TypeError) as error:
        raise ModelFileError(damage(error)) from error
    text = metadata.get("header", "")
    # Only now: the library has checked that the offsets tile the payload, without gaps or overlap.
    if digest(text, table, memoryview(data)[start:]) != metadata.get("sha256"):
        raise ModelFileError(f"is damaged (its sha256 does not match its content); {_MEND}")
    try:
        return Verified(plain(_load_object(text.encode(), "header")), table, data)
    except ParameterError as error:
        raise ModelFileError(f"is not a model that stackae wrote ({error}); {_MEND}") from error


def damage(error: Exception) -> str:
    """What is said of a file that safetensors, or torch, does not take."""
    return f"is damaged ({str(error)[:200]}); {_MEND}"


def _diagnosis(data: bytes, *, is_named_so: bool) -> str:
    """Say what a file that cannot be safetensors is instead."""
    # A whole table's length may begin like a pickle, but then a brace follows it, and no opcode is zero.
    foreign = data[8:9] != b"{" and data[2:3] not in (b"", b"\0")
    if foreign and data[0] == 0x80 and data[1] <= 8:
        return "looks like a pickle; stackae never unpickles: save the model with its own save()"
    if foreign and data.startswith(b"PK\x03\x04"):
        return "looks like a zip of pickles (torch.save); stackae never unpickles: use the model's own save()"
    if not is_named_so and data[8:9] != b"{":
        return "is not a run folder or a .safetensors model; give one"
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


def dump(value: Any) -> str:
    """Write canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain(value: Any, at: tuple[str | int, ...] = ()) -> Any:
    """Return `value` as plain JSON types, or name the place of what is none."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":  # no dates
        value = float(value) if isinstance(value, np.floating) else value.item()
    if len(at) > _MAX_DEPTH:
        problem = f"is nested more than {_MAX_DEPTH} deep"
    elif isinstance(value, dict):
        wrong = [key for key in value if type(key) not in (str, np.str_)]
        if not wrong:
            return {str(key): plain(item, (*at, str(key))) for key, item in value.items()}
        problem = f"must have text keys, got {reprlib.repr(wrong[0])}"
    elif isinstance(value, list):
        return [plain(item, (*at, index)) for index, item in enumerate(value)]
    elif type(value) is float and not math.isfinite(value):
        problem = f"must be finite, got {value}"
    elif value is None or type(value) in (str, int, float, bool):
        return value
    else:
        problem = f"must be a JSON value, got {type(value).__name__}"
    raise ParameterError(f"header{''.join(f'[{reprlib.repr(key)}]' for key in at)} {problem}")


def digest(text: str, table: Mapping[str, Any], payload: memoryview) -> str:
    """Hash the header and the tensors, in the file's own bytes: the host's byte order does not matter."""
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(table):
        entry = table[name]
        sha256.update(dump([name, entry["dtype"], entry["shape"]]).encode())
        sha256.update(payload[slice(*entry["data_offsets"])])
    return sha256.hexdigest()
