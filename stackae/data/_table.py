"""What the readers of all formats share: the table they return, and the refusals they have in common."""

from __future__ import annotations

import errno
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from stackae.data.mapped import MappedMatrix
from stackae.exceptions import DataFileError, ParameterError, StackaeError, StackaeWarning

StrPath = str | os.PathLike[str]

_BLOCK = 2**24  # bytes read at once
LARGEST_EXACT = 2**53  # float64 holds every integer up to here
_LONGEST_LABEL = 1000  # characters; NumPy gives every label the room of the longest one


@dataclass(frozen=True, eq=False)
class Table:
    """A data file's content.

    Attributes
    ----------
    X : ndarray or MappedMatrix of shape (n_samples, n_columns), float32 or float64
        An array is C-contiguous. A ``.npy`` file of such floats is a read-only memory map.
    feature_names : list of str or None
        The columns' names, None where the format or the file has none.
    y : ndarray of shape (n_samples,) or None
        The labels, if any were asked for: integers, floats, booleans or text.
    """

    X: np.ndarray | MappedMatrix
    feature_names: list[str] | None
    y: np.ndarray | None


def refusal(path: StrPath, what: str, where: str = "", mend: str = "") -> DataFileError:
    """Return the error for a malformed file: one line, ``PATH: what (where); how to mend it``."""
    message = f"{os.fspath(path)}: {what}" + (f" ({where})" if where else "") + (f"; {mend}" if mend else "")
    return DataFileError(" ".join(message.splitlines()))


@contextmanager
def decoding(path: StrPath, kind: str) -> Iterator[None]:
    """Turn what a decoder raises about the bytes into a refusal; errors of the disk pass."""
    try:
        yield
    except (StackaeError, StackaeWarning):  # a warning, where the caller made warnings errors
        raise
    except MemoryError as error:
        raise refusal(path, "does not fit in memory", mend="give fewer rows or columns") from error
    except Exception as error:  # damaged bytes make the decoders raise nearly anything
        # decoders raise OSError without a number; EINVAL is a seek to where a damaged file points
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = " ".join((str(error) or type(error).__name__).split())[:200]
        raise refusal(path, f"damaged, or not {kind}", reason, "write or fetch it again") from error


def read_exactly(path: StrPath, stream: IO[bytes], shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray:
    """Read the array that fills the rest of ``stream``, never more than one byte past its declared end.

    Memory is claimed by the operating system only as bytes arrive, so that a short stream fails before its
    declared size is ever used.
    """
    flat = np.empty(math.prod(shape), dtype)
    room = flat.view(np.uint8).data
    done = 0
    while done < len(room):
        block = stream.read(min(_BLOCK, len(room) - done))
        if not block:
            what = f"truncated: {done:,} bytes of data where {len(room):,} are declared"
            raise refusal(path, what, mend="write or fetch it again")
        room[done : done + len(block)] = block
        done += len(block)
    if stream.read(1):  # reaching the end also makes zip and gzip compare their checksums
        what = f"more data follows the {len(room):,} bytes declared"
        raise refusal(path, what, mend="write or fetch it again")
    return flat


def as_floats(path: StrPath, array: np.ndarray) -> np.ndarray:
    """Return ``array`` C-contiguous, native, aligned, as float32 where that is exact, else as float64."""
    exact = array.dtype.itemsize <= 2 or (array.dtype.kind == "f" and array.dtype.itemsize == 4)
    dtype = np.dtype(np.float32 if exact else np.float64)
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array  # a memory map stays one
    warn_of_rounding(path, array)
    return np.require(np.asarray(array), dtype, ["C", "A"])


def warn_of_rounding(path: StrPath, integers: np.ndarray, where: str = "integers") -> None:
    """Warn of integers that float64 rounds."""
    if integers.dtype.kind not in "iu" or integers.dtype.itemsize < 8:
        return
    if integers.max() > LARGEST_EXACT or integers.min() < -LARGEST_EXACT:
        message = f"{os.fspath(path)}: {where} over 2**53 are rounded; shift or encode identifiers first"
        warnings.warn(message, StackaeWarning, stacklevel=2)


def check_shape(path: StrPath, shape: Sequence[int], where: str = "") -> None:
    """Refuse what is not a table with at least one row and one column."""
    if len(shape) != 2:
        what = f"the array is {len(shape)}-dimensional, shape {tuple(shape)}, where a table has 2 dimensions"
        raise refusal(path, what, where, "reshape it to rows x columns")
    if 0 in shape:
        what = f"the table has {shape[0]} rows and {shape[1]} columns"
        raise refusal(path, what, where, "give at least one of each")


def check_labels(path: StrPath, shape: Sequence[int], dtype: np.dtype[Any], where: str = "") -> None:
    """Refuse what is not a list of numbers or texts; a single column counts as a list."""
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise refusal(path, f"labels are 1-dimensional, this array has shape {tuple(shape)}", where)
    if shape[0] == 0:
        raise refusal(path, "no labels in it", where)
    if dtype.kind not in "biufU":
        raise refusal(path, f"labels must be numbers or text, not {dtype}", where)


def labels_of(path: StrPath, cells: list[str]) -> np.ndarray:
    """Return labels written as text: integers or floats if all of them are, else the texts themselves."""
    if not any("_" in cell for cell in cells):  # Python reads 1_000 as a number, no other tool does
        try:
            return np.array([int(cell) for cell in cells], np.int64)
        except OverflowError:  # identifiers, which a float would round
            return texts_of(path, cells)
        except ValueError:
            pass
        try:
            return np.array([float(cell) for cell in cells], np.float64)
        except ValueError:
            pass
    return texts_of(path, cells)


def texts_of(path: StrPath, cells: list[str]) -> np.ndarray:
    """Return texts as an array, unless one of them is so long that the array would be enormous."""
    longest = max(map(len, cells))
    if longest > _LONGEST_LABEL:
        raise refusal(path, f"a label of {longest:,} characters", f"at most {_LONGEST_LABEL:,} are read")
    return np.array(cells, dtype=np.str_)


def refuse_names(path: StrPath, kind: str, drop: Sequence[str], labels: str | None) -> None:
    """Refuse to choose columns by name in a format or file that has no names."""
    wanted = [*drop, *([] if labels is None else [labels])]
    if wanted:
        what = f"{kind} has no column names, so {', '.join(map(repr, wanted))} cannot be found"
        raise refusal(path, what, mend="use a .csv with a header, a .parquet, or a file of labels")


def select_columns(
    path: StrPath, names: Sequence[str], drop: Sequence[str], labels: str | None
) -> tuple[list[int], int | None]:
    """Return the positions of the features and of the labels among the columns ``names``."""
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise refusal(path, f"column name {repeated!r} occurs more than once", mend="rename one of them")
    if labels is not None and labels in drop:
        raise ParameterError(f"column {labels!r} cannot both be dropped and hold the labels")
    for name in [*drop, *([] if labels is None else [labels])]:
        if name not in names:
            raise refusal(path, f"no column {name!r}", mend=f"it has {listed(names)}")
    left_out = {*drop, labels}
    kept = [position for position, name in enumerate(names) if name not in left_out]
    if not kept:
        raise refusal(path, "no column is left as a feature", mend="drop fewer")
    return kept, None if labels is None else names.index(labels)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return the names for a message, shortened where they are many."""
    more = f", ... ({len(names):,} in all)" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
