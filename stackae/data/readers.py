"""Data files as arrays or tables: the formats, and the choice among them by the file's name.

A format is two functions here, for rows and for labels, and one line in ``FORMATS``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import part_of
from stackae.data._endings import ARROW, EXCEL, JSON, PARQUET, TEXT
from stackae.data._h5ad import read_h5ad
from stackae.data._hdf5 import read_hdf5
from stackae.data._idx import read_idx, read_idx_labels
from stackae.data._large import may_exceed, read_large
from stackae.data._mat import read_mat
from stackae.data._npy import read_npy, read_npy_labels, read_npz, read_npz_labels
from stackae.data._parquet import read_parquet
from stackae.data._table import StrPath, Table, TableSpec, refusal, refuse_irregular
from stackae.data._typed import read_typed, read_typed_labels

__all__ = ["FORMATS", "Format", "Table", "read_labels", "read_table"]


class Format(NamedTuple):
    """How one kind of file is recognised and read."""

    shown: str  # its endings, for messages
    ending: str  # a pattern that the end of the name matches, in lower case
    table: Callable[[StrPath, TableSpec], Table]
    labels: Callable[[StrPath, TableSpec], np.ndarray] | None
    #: Where what is over a budget is read in blocks.
    within: Callable[[StrPath, TableSpec, MemoryBudget], Table] | None = None


def _in_blocks(read: Callable[[StrPath, TableSpec], Table]) -> Callable[..., Table]:
    """Reading at once what cannot exceed a budget, and else in blocks."""

    def within(path: StrPath, spec: TableSpec, budget: MemoryBudget) -> Table:
        return read_large(path, spec, budget) if may_exceed([path], budget.n_bytes) else read(path, spec)

    return within


FORMATS = (
    Format(".npy", r"\.npy", read_npy, read_npy_labels),
    Format(".npz", r"\.npz", read_npz, read_npz_labels),
    Format(
        ".csv, .tsv, .tab, .psv, .txt, .data, .dat (also .gz, .zst, .bz2)",
        TEXT,
        read_typed,
        read_typed_labels,
        _in_blocks(read_typed),
    ),
    Format(".parquet", PARQUET, read_parquet, read_typed_labels, _in_blocks(read_parquet)),
    Format(
        ".jsonl, .ndjson",
        JSON,
        read_typed,
        read_typed_labels,
        _in_blocks(read_typed),
    ),
    Format(".xlsx, .xls, .ods", EXCEL, read_typed, read_typed_labels),
    Format(".arrow, .feather", ARROW, read_typed, read_typed_labels, _in_blocks(read_typed)),
    Format(".mat", r"\.mat", read_mat, None, read_mat),
    Format(".h5ad", r"\.h5ad", read_h5ad, None, read_h5ad),
    Format(".h5, .hdf5", r"\.(h5|hdf5)", read_hdf5, None, read_hdf5),
    Format("-ubyte[.gz], .idx*[.gz]", r"(-ubyte|\.idx\d*)(\.gz)?", read_idx, read_idx_labels),
)


def read_table(
    path: StrPath,
    *,
    drop: Sequence[str] = (),
    labels: str | None = None,
    ids: str | None = None,
    features: Sequence[str] | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    na: Sequence[str] = (),
    as_table: bool | None = None,
) -> Table:
    """Read a data file.

    ``.npy``
        A 2-dimensional array. Native, C-ordered float32 and float64 are mapped, not loaded.
    ``.npz``
        The array ``X``, otherwise the only 2-dimensional one with more than one row and column; write
        ``FILE:NAME`` for another. ``labels``, ``ids`` and ``drop`` name arrays. Matrices of
        :func:`scipy.sparse.save_npz` (csr, csc or coo) stay sparse.
    Text, JSON lines, Excel, Arrow
        Text (``.csv``, ``.tsv``, ``.tab``, ``.psv``, ``.txt``, ``.data``, ``.dat``), compressed or not;
        JSON lines (``.jsonl``, ``.ndjson``); Excel (``.xlsx``, ``.xlsm``, ``.xlsb``, ``.xls``, ``.ods``);
        Arrow (``.arrow``, ``.feather``, ``.ipc``).
        As :func:`stackae.data.dialects.read_any` reads them: delimiter, decimal commas, header, encoding and
        compression are recognised. A first row of numbers is taken as the header, with a warning, if it alone
        is a sequence, as column numbers and wavelengths are. A first column without a name whose cells all
        differ (row names, as pandas and R write them) is no feature. The first sheet of Excel is read; write
        ``FILE:SHEET`` for another.
    ``.parquet``
        The unnamed row index that pandas stores is no column. Damaged pages are found if the file has page
        checksums, as those written by stackae have.
    ``.mat``
        As ``.npz``, for every MATLAB version (7.3 is HDF5); arrays of numbers and booleans, sparse ones stay
        sparse. Labels and ids may be text (char), in a row or a column.
    ``.h5``, ``.hdf5``
        As ``.npz``, through h5py; ``FILE:PATH``, ``labels``, ``ids`` and ``drop`` are paths in the file.
        Links into other files and virtual data sets are not followed; filter plugins are not loaded.
    ``.h5ad``
        AnnData's cells × genes, dense or sparse, through h5py: X, or ``FILE:layers/NAME``. ``var`` names the
        columns; repeated names are numbered as by ``var_names_make_unique``. ``labels`` and ``ids`` are
        columns of ``obs``; ``_index`` is its index.
    IDX (``-ubyte``, ``.idx``, ``.idx3``, ..., with or without ``.gz``)
        MNIST's format. Arrays of 3 dimensions or more are images: they become rows × pixels, and unsigned
        bytes are divided by 255, into [0, 1]. 2-dimensional arrays stay as they are.

    Arrays become float32 if their type fits exactly (float16, float32, booleans, integers of 8 and 16 bits),
    otherwise float64. Numeric and boolean columns become float64, or float32 if all are float16 or float32.
    With any other column (text, categories, dates) all stay a table. Empty cells, NA and the like are gaps,
    NaN in an array; gaps and infinities are left to the estimator. Columns can also be named by position,
    unless one has that name: "1" is the first, "-1" the last.

    Parameters
    ----------
    path : str or path-like
        The file; its suffix decides the format.
    drop : sequence of str, default=()
        Columns to leave out, in formats with column names. They may hold anything.
    labels : str, default=None
        The column (in ``.npz`` the array) of labels, which is no feature. Labels may be missing.
    ids : str, default=None
        The column of row identifiers, which is no feature.
    features : sequence of str, default=None
        The feature columns, in order, if the file has column names. None: all others.
    header : bool, default=None
        Whether the first row of text is a header. None: inferred.
    delimiter, decimal, encoding, na
        As of :func:`stackae.data.dialects.read_any`, for text.
    as_table : bool, default=None
        True: ``X`` is a table of typed columns. False: a matrix; columns of anything but numbers are refused.
        None: a matrix if all features are numbers.

    Returns
    -------
    Table
        ``X`` of shape (n_samples, n_columns), an array or a pyarrow table, ``feature_names``, ``y``, ``ids``
        and ``ignored``.

    Raises
    ------
    DataFileError
        The content cannot be used; the message names the file, the place and the remedy.
    ParameterError
        A column is both dropped and asked for as labels.
    OSError
        The file cannot be opened.

    Warns
    -----
    StackaeWarning
        Integers over 2**53 were rounded, or a row of numbers was taken as the header.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plants.csv"
    ...     _ = path.write_text("height,width,kind\\n1,2,rose\\n3,4,lily\\n")
    ...     table = read_table(path, labels="kind")
    >>> table.X.tolist(), table.feature_names, table.y.tolist()
    ([[1.0, 2.0], [3.0, 4.0]], ['height', 'width'], ['rose', 'lily'])
    """
    spec = TableSpec(
        (drop,) if isinstance(drop, str) else tuple(drop),
        labels,
        ids,
        features,
        header,
        delimiter,
        decimal,
        encoding,
        (na,) if isinstance(na, str) else tuple(na),
        as_table,
    )
    return _format_of(path).table(path, spec)


def read_labels(
    path: StrPath, *, header: bool | None = None, decimal: str | None = None, na: Sequence[str] = ()
) -> np.ndarray:
    """Read a file of labels, one per row, in the file's own type.

    Formats are ``.npy``, ``.npz`` with one array, IDX, and tables of one column in text, JSON lines, Excel,
    Arrow and Parquet. In text and Excel, a first cell that is not a number is the header if only numbers
    follow or if it never occurs again.

    Parameters
    ----------
    path : str or path-like
        The file.
    header : bool, default=None
        Whether the first row of text is a header. None: inferred.
    decimal : {".", ","}, default=None
        The decimal sign of text. None: inferred.
    na : sequence of str, default=()
        Texts that mean a missing label, besides those below.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        Integers, floats, booleans or text; integers stay integers. A missing label (an empty cell, ``NA``,
        ``nan`` and the like) is NaN among numbers and empty among text.

    Raises
    ------
    DataFileError
        The content cannot be used as labels.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.csv"
    ...     _ = path.write_text("kind\\n2\\n0\\n")
    ...     read_labels(path)
    array([2, 0])
    """
    read = _format_of(path).labels
    if read is None:
        known = ", ".join(known.shown for known in FORMATS if known.labels is not None)
        raise refusal(path, "labels are not read from this format", f"they are from {known}")
    return read(path, TableSpec(header=header, decimal=decimal, na=na))


def read_within(path: StrPath, spec: TableSpec, budget: MemoryBudget) -> Table:
    """Read a data file; what is over the budget goes to the disk where its format can be read in blocks."""
    known = _format_of(path)
    return known.table(path, spec) if known.within is None else known.within(path, spec, budget)


def _format_of(path: StrPath) -> Format:
    """Return the format of a file that exists and is no folder, pipe or device."""
    file, _ = part_of(path)
    refuse_irregular(file)
    name = os.path.basename(os.fspath(file)).lower()
    for known in FORMATS:
        if re.search(known.ending + r"\Z", name):
            return known
    endings = ", ".join(known.shown for known in FORMATS)
    raise refusal(file, "unknown kind of file", f"known endings: {endings}", "convert or rename it")
