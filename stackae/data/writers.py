"""Tables as files, whole or not at all; and the look before the leap.

A format is one function and one line in ``_WRITERS``.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from stackae.data.data_set import is_typed
from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write, check_new_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ENDINGS", "STANDARD_OUTPUT", "check_destination", "write_table"]

Ids = tuple[str, np.ndarray] | None
Writer = Callable[[IO[bytes], Any, Sequence[str], Ids], None]

#: What is no file: standard output, which is given CSV.
STANDARD_OUTPUT = Path("-")


def write_table(
    path: str | os.PathLike[str],
    array: np.ndarray | pa.Table,
    names: Sequence[str],
    ids: Ids = None,
) -> None:
    """Write a table as ``.npy``, ``.csv`` or ``.parquet``, replacing an older file only by a whole new one.

    Parameters
    ----------
    path : str or path-like
        The file; the end of its name decides the format. ``-`` is standard output, as CSV.
    array : ndarray of shape (n_samples, n_columns) or (n_samples,), or pyarrow.Table
        Floats, integers, booleans or text. One dimension is one column; ``.npy`` keeps the dimension as it
        is. A table may hold dates and gaps too, and has no place in ``.npy``; in CSV gaps are empty cells.
    names : sequence of str, of length n_columns
        The columns' names, each once; ``.npy`` has no place for them.
    ids : (str, ndarray of shape (n_samples,)), default=None
        A first column, and its name: what the rows are called by, integers or text. Not in ``.npy``.

    Raises
    ------
    ParameterError
        The ending is unknown, ``.npy`` is to hold a table, or names and columns do not fit.
    OSError
        The file cannot be written; the old one stays.

    Notes
    -----
    CSV holds 9 digits of a float32 and 17 of a float64: they read back as the same bits. Parquet has page
    checksums, so that damage is found when it is read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(Path(folder) / "codes.csv", np.array([[0.5, 1.0]]), ["code0", "code1"])
    ...     (Path(folder) / "codes.csv").read_text()
    'code0,code1\\n0.5,1\\n'
    """
    write = _writer_of(path, typed=is_typed(array))
    if isinstance(array, np.ndarray) and (array.ndim not in (1, 2) or array.dtype.kind not in "fiubU"):
        raise ParameterError(
            f"a table has 1 or 2 dimensions of numbers or text, got {array.dtype} of shape {array.shape}"
        )
    columns = array.shape[1] if len(array.shape) == 2 else 1
    if len(names) != columns or len(set(names)) != columns:
        raise ParameterError(f"{columns} columns need as many different names, got {len(set(names))}")
    if ids is not None and ids[0] in names:
        raise ParameterError(f"the ids' column {ids[0]!r} is called as one of the columns that are written")
    with _opened(path) as file:
        write(file, array, names, ids)


def check_destination(path: str | os.PathLike[str], *, ids: bool = False, typed: bool = False) -> None:
    """Raise now what :func:`write_table` would raise after the work is done.

    Parameters
    ----------
    path : str or path-like
        The file to be written later.
    ids : bool, default=False
        Whether with a column of ids.
    typed : bool, default=False
        Whether of a table of other than numbers.

    Raises
    ------
    ParameterError
        The ending is unknown, or ``.npy`` is to hold ids or a table of other than numbers.
    FileExistsError
        There is something of that name already.
    OSError
        The folder is missing, or files cannot be created in it; or standard output is closed.
    """
    if _writer_of(path, typed=typed) is _write_npy and ids:
        raise ParameterError(f"{os.fspath(path)}: .npy has no place for ids; give .csv or .parquet")
    if Path(path) != STANDARD_OUTPUT:
        check_new_file(path)
    elif sys.stdout is None:
        raise OSError("standard output is closed; open it, or give a file instead of -")


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """What is written into: a file that is whole or not there, or standard output."""
    if Path(path) != STANDARD_OUTPUT:
        with atomic_write(path) as file:
            yield file
        return
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        raise type(error)(error.errno, error.strerror, "standard output") from None


def _write_npy(file: IO[bytes], array: np.ndarray, names: Sequence[str], ids: Ids) -> None:
    if ids is not None:
        raise ParameterError(".npy has no place for ids; give .csv or .parquet")
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def _write_csv(file: IO[bytes], array: np.ndarray | pa.Table, names: Sequence[str], ids: Ids) -> None:
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    rows.writerow(names if ids is None else [ids[0], *names])
    if isinstance(array, np.ndarray) and array.dtype.kind != "U" and ids is None:
        file.write(lines.getvalue().encode("utf-8"))
        np.savetxt(file, array, fmt=_cell_format(array.dtype), delimiter=",")
        return
    beside = [] if ids is None else [ids[1].tolist()]
    rows.writerows(zip(*beside, *map(as_texts, _columns(array)), strict=True))
    file.write(lines.getvalue().encode("utf-8"))


def _columns(array: np.ndarray | pa.Table) -> Sequence[Any]:
    """The columns, each contiguous and in the machine's byte order."""
    if not isinstance(array, np.ndarray):
        return cast(Sequence[Any], array.columns)
    table = array.reshape(len(array), -1).astype(array.dtype.newbyteorder("="), copy=False)
    return [np.ascontiguousarray(column) for column in table.T]


def as_texts(column: Any) -> list[str]:
    """A column's cells, of an array or of Arrow, as a file of text has them."""
    if isinstance(column, np.ndarray):
        is_text = column.dtype.kind == "U"
        texts: np.ndarray = column if is_text else np.char.mod(_cell_format(column.dtype), column)
        return cast(list[str], texts.tolist())
    from pyarrow import types

    as_float = np.float32 if types.is_float32(column.type) else np.float64
    return [_as_text(cell, as_float) for cell in column.to_pylist()]


def _as_text(cell: Any, as_float: type[np.floating]) -> str:
    """A cell as text; numbers with as few digits as read back as the same bits."""
    if cell is None or cell != cell:  # NaN
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(as_float(cell))
    return cell.isoformat(" ") if isinstance(cell, datetime) else str(cell)


def _cell_format(dtype: np.dtype[Any]) -> str:
    """How numbers are written, so that they read back as the same bits."""
    return "%d" if dtype.kind != "f" else "%.9g" if dtype.itemsize <= 4 else "%.17g"


def _write_parquet(file: IO[bytes], array: np.ndarray | pa.Table, names: Sequence[str], ids: Ids) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    beside, id_names = ([], []) if ids is None else ([ids[1]], [ids[0]])
    columns = [
        pa.array(column) if isinstance(column, np.ndarray) else column
        for column in (*beside, *_columns(array))
    ]
    pq.write_table(pa.table(columns, names=[*id_names, *names]), file, write_page_checksum=True)


_WRITERS: dict[str, Writer] = {
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
#: How the names of files end that can be written.
ENDINGS = tuple(_WRITERS)


def _writer_of(path: str | os.PathLike[str], *, typed: bool = False) -> Writer:
    if Path(path) == STANDARD_OUTPUT:
        return _write_csv
    ending = Path(path).suffix.lower()
    if ending not in _WRITERS:
        raise ParameterError(
            f"{os.fspath(path)}: unknown ending {ending!r}; the known ones are {', '.join(_WRITERS)}"
        )
    if ending == ".npy" and typed:
        raise ParameterError(f"{os.fspath(path)}: .npy holds numbers alone; give .csv or .parquet")
    return _WRITERS[ending]
