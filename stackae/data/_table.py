"""What the readers of all formats share: the table they return, and the refusals they have in common."""

from __future__ import annotations

import errno
import math
import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stackae.data.labels import says_nothing
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import SparseMatrix
from stackae.exceptions import DataFileError, ParameterError, StackaeError, StackaeWarning, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

StrPath = str | os.PathLike[str]

_BLOCK = 2**24  # bytes read at once
_PLACE = re.compile(r"-?\d{1,9}")
LARGEST_EXACT = 2**53  # float64 holds every integer up to here
_CODE = re.compile(r"[+-]?0\d+")
_LONGEST_LABEL = 1000  # characters; NumPy gives every label the room of the longest one


@dataclass(frozen=True)
class TableSpec:
    """What is wanted of a data file.

    Attributes
    ----------
    drop : sequence of str
        Columns to leave out.
    labels, ids : str or None
        The columns that hold the labels and what rows are called by, which are no features.
    features : sequence of str or None
        The features, in the order wanted; every other column is left out. None: all that is left.
    header : bool or None
        Whether the first row of a file of text names the columns; None: as it looks.
    delimiter, decimal, encoding : str or None
        How text is written; None: as it looks.
    na : sequence of str
        Cells that stand for a gap too.
    as_table : bool or None
        Whether typed columns are kept as they are; False: they must be numbers, and become a matrix; None:
        they do where they are.
    """

    drop: Sequence[str] = ()
    labels: str | None = None
    ids: str | None = None
    features: Sequence[str] | None = None
    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    na: Sequence[str] = ()
    as_table: bool | None = None

    def refuse_for(self, path: StrPath, kind: str, *, has_arrays: bool = False) -> None:
        """Refuse to choose columns by name, or what is for text, in a format that has none."""
        named = [*self.drop, *(() if has_arrays else filter(None, (self.labels, self.ids)))]
        if named:
            what = f"{kind} has no column names, so {', '.join(map(repr, named))} cannot be found"
            raise refusal(path, what, mend="use a .csv with a header, a .parquet, or a file of labels")
        self.refuse_text_options(path, kind)

    def refuse_text_options(self, path: StrPath, kind: str) -> None:
        """Refuse what says how text is written, in a format that is none."""
        for name in ("header", "delimiter", "decimal", "encoding", "na"):
            if getattr(self, name) not in (None, ()):
                raise refusal(path, f"{kind} has no {name}", mend="leave the option out: it is for text")


@dataclass(frozen=True, eq=False)
class Table:
    """The content of a data file, from :func:`read_table`.

    Attributes
    ----------
    X : ndarray, MappedMatrix, SparseMatrix (n_samples, n_columns), float32 or float64; or pyarrow.Table
        Arrays are C-contiguous; that of a ``.npy`` file may be a read-only memory map. A table if there are
        columns of text, dates or the like.
    feature_names : list of str or None
        The column names, None if the format or the file has none.
    y : ndarray of shape (n_samples,) or None
        The labels, if asked for: integers, floats, booleans or text; NaN or empty if a row has none.
    ids : ndarray of shape (n_samples,) or None
        The row identifiers, if asked for: integers or text.
    ignored : tuple of str
        Columns that are neither features, labels nor ids, and were not dropped by name.
    """

    X: np.ndarray | MappedMatrix | SparseMatrix | pa.Table
    feature_names: list[str] | None
    y: np.ndarray | None = None
    ids: np.ndarray | None = None
    ignored: tuple[str, ...] = ()


def refusal(path: StrPath, what: str, where: str = "", mend: str = "") -> DataFileError:
    """Return the error for a malformed file: one line, ``PATH: what (where); how to mend it``."""
    message = f"{os.fspath(path)}: {what}" + (f" ({where})" if where else "") + (f"; {mend}" if mend else "")
    return DataFileError(" ".join(message.splitlines()))


def refuse_irregular(path: StrPath) -> None:
    """Refuse a folder, a pipe or a device, and what does not exist."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{os.fspath(path)}: a folder, not a file; name a file in it")
    if not stat.S_ISREG(mode):  # opening a pipe would wait for its other end
        raise refusal(path, "a pipe or a device, not a file", mend="save it as a file first")


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
    if integers.dtype.kind not in "iu" or integers.dtype.itemsize < 8 or not integers.size:
        return
    if integers.max() <= LARGEST_EXACT and integers.min() >= -LARGEST_EXACT:
        return
    if any(int(value) != float(value) for value in integers[np.abs(integers) > LARGEST_EXACT].flat):
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


def labels_of(
    path: StrPath, cells: list[str], na: Sequence[str] = (), *, decimal_comma: bool = False
) -> np.ndarray:
    """Return labels written as text: as numbers, NaN for those that are missing, or else as they stand.

    Numbers that begin with a zero, such as 01, are codes, and stay text. Cells of ``na`` are missing, too.
    """
    cells = ["" if cell.strip() in na else cell for cell in cells]
    known = [cell for cell in cells if not says_nothing(cell)]
    is_code = any("_" in cell or _CODE.fullmatch(cell.strip()) for cell in known)
    for kind in () if is_code or not known else (int, float):
        try:
            numbers = [kind(with_point(cell) if decimal_comma else cell) for cell in known]
        except ValueError:
            continue
        if kind is int and len(known) == len(cells) and all(-(2**63) <= n < 2**63 for n in numbers):
            return np.array(numbers, np.int64)
        if kind is int and max(map(abs, numbers)) > LARGEST_EXACT:
            break  # identifiers, which a float would round
        values = iter(numbers)
        return np.array([np.nan if says_nothing(cell) else next(values) for cell in cells], np.float64)
    return texts_of(path, cells)


def with_point(cell: str) -> str:
    """A number with a decimal comma, its thousands perhaps apart by points, as Python writes it."""
    whole, comma, rest = cell.rpartition(",")
    return f"{whole.replace('.', '')}.{rest}" if comma else cell


def texts_of(path: StrPath, cells: list[str]) -> np.ndarray:
    """Return texts as an array, unless one of them is so long that the array would be enormous."""
    longest = max(map(len, cells), default=0)
    if longest > _LONGEST_LABEL:
        raise refusal(path, f"a label of {longest:,} characters", f"at most {_LONGEST_LABEL:,} are read")
    return np.array(cells, dtype=np.str_)


class Places(NamedTuple):
    """Where the columns are that are wanted of a table."""

    features: list[int]
    label: int | None
    id: int | None
    ignored: tuple[str, ...]


def find_columns(path: StrPath, names: Sequence[str], spec: TableSpec) -> Places:
    """Find the columns asked for among those that a table has."""
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise refusal(path, f"column name {repeated!r} occurs more than once", mend="rename one of them")
    places = {name: place for place, name in enumerate(names)}
    named = {name: column_called(name, names) for name in (*spec.drop, spec.labels, spec.ids) if name}
    if unknown := [name for name, column in named.items() if column is None]:
        is_place = _PLACE.fullmatch(unknown[0])
        more = "; places count from 1, or from -1 at the end" if is_place else did_you_mean(unknown[0], names)
        if unknown[0] == spec.labels and re.search(r"[/\\]|\.\w+$", unknown[0]):
            more = ", and there is no file of that name"
        raise refusal(path, f"no column {unknown[0]!r}", mend=f"it has {listed(names)}{more}")
    drop = {named[name] for name in spec.drop}
    label, id_ = (None if name is None else named[name] for name in (spec.labels, spec.ids))
    for what, name in (("the labels", label), ("the ids", id_)):
        if name is not None and name in drop:
            raise ParameterError(f"column {name!r} cannot both be dropped and hold {what}")
    if label is not None and label == id_:
        raise ParameterError(f"column {label!r} cannot hold both the labels and the ids")
    apart = {*drop, label, id_}
    rest = [name for name in names if name not in apart]
    features = rest if spec.features is None else list(spec.features)
    if known := [name for name in features if name in apart]:
        raise ParameterError(
            f"{os.fspath(path)}: column {known[0]!r} is a feature of the model, so that it can neither be"
            " dropped nor hold labels or ids; give another, or pretrain without it (--labels, --id or --drop)"
        )
    if missing := [name for name in features if name not in places]:
        raise refusal(path, f"no column {listed(missing)}, which the model knows", f"it has {listed(names)}")
    if not features:
        raise refusal(path, "no column is left as a feature", mend="drop fewer")
    wanted = set(features)
    return Places(
        [places[name] for name in features],
        None if label is None else places[label],
        None if id_ is None else places[id_],
        tuple(name for name in rest if name not in wanted),
    )


def column_called(name: str, names: Sequence[str]) -> str | None:
    """The column of that name, or else at that place: 1 is the first, -1 the last; None: there is none."""
    if name in names:
        return name
    place = int(name) if _PLACE.fullmatch(name) else 0
    return names[place - (place > 0)] if 0 < abs(place) <= len(names) else None


def names_asked_for(spec: TableSpec) -> tuple[str, ...]:
    """The columns that are asked for by name: the features, or else those that are none."""
    named = [name for name in (spec.labels, spec.ids, *spec.drop) if name and not _PLACE.fullmatch(name)]
    return tuple(spec.features or named)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return the names for a message, shortened where they are many."""
    more = f", ... ({len(names):,} in all)" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
