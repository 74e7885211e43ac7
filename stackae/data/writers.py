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
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write, check_new_file

__all__ = ["STANDARD_OUTPUT", "check_destination", "write_table"]

Ids = tuple[str, np.ndarray] | None
Writer = Callable[[IO[bytes], np.ndarray, Sequence[str], Ids], None]

#: What is no file: standard output, which is given CSV.
STANDARD_OUTPUT = Path("-")


def write_table(
    path: str | os.PathLike[str],
    array: np.ndarray,
    names: Sequence[str],
    ids: Ids = None,
) -> None:
    """Write a table as ``.npy``, ``.csv`` or ``.parquet``, replacing an older file only by a whole new one.

    Parameters
    ----------
    path : str or path-like
        The file; the end of its name decides the format. ``-`` is standard output, as CSV.
    array : ndarray of shape (n_samples, n_columns) or (n_samples,)
        Floats, integers, booleans or text. One dimension is one column; ``.npy`` keeps the dimension as it
        is.
    names : sequence of str, of length n_columns
        The columns' names, each once; ``.npy`` has no place for them.
    ids : (str, ndarray of shape (n_samples,)), default=None
        A first column, and its name: what the rows are called by, integers or text. Not in ``.npy``.

    Raises
    ------
    ParameterError
        The ending is unknown, pyarrow is missing, or names and columns do not fit.
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
    write = _writer_of(path)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiubU":
        raise ParameterError(
            f"a table has 1 or 2 dimensions of numbers or text, got {array.dtype} of shape {array.shape}"
        )
    columns = 1 if array.ndim == 1 else array.shape[1]
    if len(names) != columns or len(set(names)) != columns:
        raise ParameterError(f"{columns} columns need as many different names, got {len(set(names))}")
    if ids is not None and ids[0] in names:
        raise ParameterError(f"the ids' column {ids[0]!r} is called as one of the columns that are written")
    with _opened(path) as file:
        write(file, array, names, ids)


def check_destination(path: str | os.PathLike[str], *, ids: bool = False) -> None:
    """Raise now what :func:`write_table` would raise after the work is done.

    Parameters
    ----------
    path : str or path-like
        The file to be written later.
    ids : bool, default=False
        Whether with a column of ids.

    Raises
    ------
    ParameterError
        The ending is unknown, pyarrow is missing for ``.parquet``, or ``.npy`` is to hold ids.
    FileExistsError
        There is something of that name already.
    OSError
        The folder is missing, or files cannot be created in it; or standard output is closed.
    """
    if _writer_of(path) is _write_npy and ids:
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


def _write_csv(file: IO[bytes], array: np.ndarray, names: Sequence[str], ids: Ids) -> None:
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    rows.writerow(names if ids is None else [ids[0], *names])
    if array.dtype.kind != "U" and ids is None:
        file.write(lines.getvalue().encode("utf-8"))
        np.savetxt(file, array, fmt=_cell_format(array.dtype), delimiter=",")
        return
    cells = array.reshape(len(array), -1)
    if array.dtype.kind != "U":
        cells = np.char.mod(_cell_format(array.dtype), cells)
    beside = [[]] * len(cells) if ids is None else [[id_] for id_ in ids[1].tolist()]
    rows.writerows([*first, *others] for first, others in zip(beside, cells.tolist(), strict=True))
    file.write(lines.getvalue().encode("utf-8"))


def _cell_format(dtype: np.dtype[Any]) -> str:
    """How numbers are written, so that they read back as the same bits."""
    return "%d" if dtype.kind != "f" else "%.9g" if dtype.itemsize <= 4 else "%.17g"


def _write_parquet(file: IO[bytes], array: np.ndarray, names: Sequence[str], ids: Ids) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = array[:, np.newaxis] if array.ndim == 1 else array
    table = table.astype(table.dtype.newbyteorder("="), copy=False)
    columns = [*([] if ids is None else [ids[1]]), *table.T]
    made = pa.table(
        [pa.array(np.ascontiguousarray(column)) for column in columns],
        names=[*([] if ids is None else [ids[0]]), *names],
    )
    pq.write_table(made, file, write_page_checksum=True)


_WRITERS: dict[str, Writer] = {
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}


def _writer_of(path: str | os.PathLike[str]) -> Writer:
    if Path(path) == STANDARD_OUTPUT:
        return _write_csv
    ending = Path(path).suffix.lower()
    if ending not in _WRITERS:
        raise ParameterError(
            f"{os.fspath(path)}: unknown ending {ending!r}; the known ones are {', '.join(_WRITERS)}"
        )
    if ending == ".parquet" and find_spec("pyarrow") is None:
        raise ParameterError(
            f"{os.fspath(path)}: writing Parquet needs pyarrow; pip install 'stackae[tables]'"
        )
    return _WRITERS[ending]
