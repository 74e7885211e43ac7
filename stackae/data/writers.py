"""Tables as files, whole or not at all; and the look before the leap.

A format is one function and one line in ``_WRITERS``.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np

from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write, check_new_file

__all__ = ["check_destination", "write_table"]


def write_table(path: str | os.PathLike[str], array: np.ndarray, names: Sequence[str]) -> None:
    """Write a table as ``.npy``, ``.csv`` or ``.parquet``, replacing an older file only by a whole new one.

    Parameters
    ----------
    path : str or path-like
        The file; the end of its name decides the format.
    array : ndarray of shape (n_samples, n_columns) or (n_samples,)
        Floats, integers, booleans or text. One dimension is one column; ``.npy`` keeps the dimension as it
        is.
    names : sequence of str, of length n_columns
        The columns' names, each once; ``.npy`` has no place for them.

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
    with atomic_write(path) as file:
        write(file, array, names)


def check_destination(path: str | os.PathLike[str]) -> None:
    """Raise now what :func:`write_table` would raise after the work is done.

    Parameters
    ----------
    path : str or path-like
        The file to be written later.

    Raises
    ------
    ParameterError
        The ending is unknown, or pyarrow is missing for ``.parquet``.
    FileExistsError
        There is something of that name already.
    OSError
        The folder is missing, or files cannot be created in it.
    """
    _writer_of(path)
    check_new_file(path)


def _write_npy(file: IO[bytes], array: np.ndarray, names: Sequence[str]) -> None:
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def _write_csv(file: IO[bytes], array: np.ndarray, names: Sequence[str]) -> None:
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(names)
    if array.dtype.kind == "U":
        csv.writer(header, lineterminator="\n").writerows(array.reshape(len(array), -1).tolist())
        file.write(header.getvalue().encode("utf-8"))
        return
    file.write(header.getvalue().encode("utf-8"))
    floats = "%.9g" if array.dtype.itemsize <= 4 else "%.17g"
    np.savetxt(file, array, fmt=floats if array.dtype.kind == "f" else "%d", delimiter=",")


def _write_parquet(file: IO[bytes], array: np.ndarray, names: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = array[:, np.newaxis] if array.ndim == 1 else array
    table = table.astype(table.dtype.newbyteorder("="), copy=False)
    columns = [pa.array(np.ascontiguousarray(column)) for column in table.T]
    pq.write_table(pa.table(columns, names=list(names)), file, write_page_checksum=True)


_WRITERS: dict[str, Callable[[IO[bytes], np.ndarray, Sequence[str]], None]] = {
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}


def _writer_of(path: str | os.PathLike[str]) -> Callable[[IO[bytes], np.ndarray, Sequence[str]], None]:
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
