"""Data sets by name, and the one function that turns what a user names into rows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from stackae._utils.memory import MemoryBudget
from stackae.data._arrays import part_of
from stackae.data._endings import TEXT
from stackae.data._images import images_in, read_images
from stackae.data._large import may_exceed
from stackae.data._table import StrPath, Table, TableSpec, find_columns, refusal
from stackae.data.data_set import DataSet
from stackae.data.readers import read_labels, read_table, read_within
from stackae.data.shards import has_shards, may_be_large, read_shards, shards_of
from stackae.exceptions import DataFileError, ParameterError

__all__ = ["DATA_SETS", "load_data"]

_HOME = "STACKAE_DATA_HOME"
_TRAIN_ROWS = 60_000  # OpenML's copies of MNIST and Fashion-MNIST hold these first, then the test rows


def _digits(name: str, train: bool, data_home: StrPath | None) -> DataSet:
    """Return scikit-learn's 8 x 8 digits in [0, 1], split once and for all."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    rows = np.arange(len(digits.target))
    rows = train_test_split(rows, test_size=0.2, stratify=digits.target, random_state=0)[0 if train else 1]
    X = (digits.data[rows] / 16).astype(np.float32)  # 16 grey levels: exact
    return DataSet(X, digits.target[rows].astype(np.int64), list(digits.feature_names), name)


def _mnist(name: str, train: bool, data_home: StrPath | None) -> DataSet:
    return _like_mnist(name, "mnist", "mnist_784", train, data_home)


def _fashion_mnist(name: str, train: bool, data_home: StrPath | None) -> DataSet:
    return _like_mnist(name, "fashion-mnist", "Fashion-MNIST", train, data_home)


DATA_SETS: dict[str, Callable[[str, bool, StrPath | None], DataSet]] = {
    "digits": _digits,
    "mnist": _mnist,
    "fashion-mnist": _fashion_mnist,
}


def load_data(
    source: StrPath | Sequence[StrPath],
    *,
    data_home: StrPath | None = None,
    drop: Sequence[str] = (),
    labels: StrPath | None = None,
    ids: str | None = None,
    features: Sequence[str] | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    na: Sequence[str] = (),
    as_table: bool | None = None,
    max_memory: int | str | None = None,
    cache_folder: StrPath | None = None,
) -> DataSet:
    """Load a data set by its name, a data file, or a table in several files.

    ========================= ======= ======= ======== ==========================================
    name                      train   test    features
    ========================= ======= ======= ======== ==========================================
    ``digits``                1,437   360     64       comes with scikit-learn; stratified split
    ``mnist``                 60,000  10,000  784      the official split
    ``fashion-mnist``         60,000  10,000  784      the official split
    ========================= ======= ======= ======== ==========================================

    The bare name means the training rows, as does ``digits:train``; ``digits:test`` means the test rows. All
    three are grey images in [0, 1], float32. A name takes precedence over a file in the current folder: write
    ``./digits`` for the file.

    MNIST and Fashion-MNIST are read from their IDX files (``train-images-idx3-ubyte``, ``.idx3-ubyte``, with
    or without ``.gz``, ...) in ``data_home/NAME`` or ``data_home``; otherwise scikit-learn fetches them from
    OpenML, once.

    Parameters
    ----------
    source : str, path-like or sequence of them
        A name or a file; or the ``.npy`` or ``.parquet`` files of one table, in order, or a folder of them;
        or a folder of images (``.png``, ``.jpg``, ``.bmp``, ``.tif``) of one size and mode, where subfolders
        are labels. Rows of images are height × width × channels, float32, white is 1, without feature names.
    data_home : str or path-like, default=None
        Folder of the IDX files, which must exist. None: the environment variable ``STACKAE_DATA_HOME``, if it
        is set and that folder has them, otherwise OpenML.
    drop : sequence of str, default=()
        Columns of a file to leave out.
    labels : str or path-like, default=None
        The file's column of labels, or an existing file of labels. Data sets bring their own, as do images in
        subfolders.
    ids, features, header, delimiter, decimal, encoding, na, as_table
        As for :func:`read_table`.
    max_memory : int, str or None, default=None
        Memory for the rows: bytes, or text like ``"1GB"``. Larger ``.npy`` files are read where they are;
        larger tables of numbers are copied once to ``cache_folder``; larger ones with other columns become a
        :class:`stackae.data.dialects.TableStream`. None: half of the machine's memory.
    cache_folder : str, path-like or None, default=None
        None: the system's folder for temporary files.

    Returns
    -------
    DataSet
        ``X`` of shape (n_samples, n_features), ``y``, ``feature_names``, ``name``, ``ids`` and ``ignored``.

    Raises
    ------
    FileNotFoundError
        ``source`` is neither a name nor a file, or the data set is not in ``data_home``.
    OSError
        A file cannot be opened, or the data set cannot be fetched.
    DataFileError
        A file is malformed, or its rows and labels differ in number.
    ParameterError
        ``drop``, ``labels``, ``ids`` or ``header`` were given for a data set.

    Examples
    --------
    >>> data = load_data("digits")
    >>> data.X.shape, data.X.dtype, data.feature_names[:2]
    ((1437, 64), dtype('float32'), ['pixel_0_0', 'pixel_0_1'])
    """
    memory = MemoryBudget.of(max_memory).n_bytes
    # Labels are a file of their own, or a column.
    file = None if labels is None or not os.path.isfile(labels) else os.fspath(labels)
    column = None if labels is None or file is not None else os.fspath(labels)
    spec = TableSpec(
        (drop,) if isinstance(drop, str) else tuple(drop),
        column,
        ids,
        features,
        header,
        delimiter,
        decimal,
        encoding,
        (na,) if isinstance(na, str) else tuple(na),
        as_table,
    )
    if not isinstance(source, (str, os.PathLike)):
        return _in_shards(list(source), spec, file, memory, cache_folder)
    text = os.fspath(source)
    name, _, split = text.partition(":")
    named = name in DATA_SETS and text in (name, f"{name}:train", f"{name}:test")
    # a Path cannot say "./digits", so that for a Path an existing file wins
    if named and (isinstance(source, str) or not os.path.exists(text)):
        if labels is not None or spec != TableSpec(features=features, as_table=as_table):
            raise ParameterError(
                f"drop, labels, ids, header and what else says how text is read are for files; {name!r} has"
                " its own columns and labels"
            )
        return _with_columns(DATA_SETS[name](text, split != "test", data_home), spec)
    return _load_file(text, spec, file, memory, cache_folder)


def _with_columns(data: DataSet, spec: TableSpec) -> DataSet:
    """A data set with the features that are wanted."""
    if spec.features is None or data.feature_names is None or list(spec.features) == data.feature_names:
        return data
    places = find_columns(data.name, data.feature_names, spec)
    X = np.ascontiguousarray(np.asarray(data.X)[:, places.features])
    return replace(data, X=X, feature_names=list(spec.features), ignored=places.ignored)


def _load_file(
    path: str, spec: TableSpec, labels: str | None, memory: int, cache_folder: StrPath | None
) -> DataSet:
    """Load a file, or the folder of a table's files; ``labels`` is a file of them."""
    file, part = part_of(path)
    if not os.path.exists(file):
        known = ", ".join(DATA_SETS)
        raise FileNotFoundError(f"{path}: neither a file nor a data set; the data sets are {known}")
    budget = MemoryBudget(memory, cache_folder)
    if os.path.isdir(path):
        if has_shards(path) or not images_in(path):
            return _in_shards(path, spec, labels, memory, cache_folder)
        folder = os.path.basename(os.path.normpath(path))
        return _data_set(read_images(path, spec, budget), labels, spec, path, folder)
    if may_be_large(path) and may_exceed([path], memory):
        return _in_shards([path], spec, labels, memory, cache_folder)
    table = read_within(path, spec, budget)
    name = os.path.basename(file)
    return _data_set(table, labels, spec, path, name if part is None else f"{name}:{part}")


def _in_shards(
    source: str | list[StrPath],
    spec: TableSpec,
    labels: str | None,
    memory: int,
    cache_folder: StrPath | None,
) -> DataSet:
    """Load the files of one table, or those in a folder."""
    paths = [*shards_of(source)] if isinstance(source, str) else source
    if not paths:
        raise ParameterError("a table in parts needs at least one file, got none")
    name = os.path.basename(os.path.normpath(source if isinstance(source, str) else os.fspath(paths[0])))
    return _data_set(read_shards(paths, spec, memory, cache_folder), labels, spec, name, name)


def _data_set(table: Table, labels: str | None, spec: TableSpec, source: str, name: str) -> DataSet:
    """A table with its labels, which may be in a file of their own."""
    y = table.y
    if labels is not None:
        is_text = re.search(TEXT + r"\Z", labels.lower())
        own = spec if is_text else TableSpec()
        y = read_labels(labels, header=own.header, decimal=own.decimal, na=own.na)
        _check_lengths(labels, y, source, table.X)
    return DataSet(table.X, y, table.feature_names, name, table.ids, table.ignored)


def _check_lengths(labels: StrPath, y: np.ndarray, source: str, X: Any) -> None:
    if len(y) != len(X):
        mend = (
            "say by --header or --no-header whether they begin with one" if abs(len(y) - len(X)) == 1 else ""
        )
        raise refusal(labels, f"{len(y):,} labels for the {len(X):,} rows of {source}", mend=mend)


def _like_mnist(name: str, folder: str, openml: str, train: bool, data_home: StrPath | None) -> DataSet:
    """Load a data set laid out like MNIST from IDX files, or else from OpenML."""
    home = data_home if data_home is not None else os.environ.get(_HOME) or None
    if home is not None:
        part = "train" if train else "t10k"
        images = _find(Path(home), folder, f"{part}-images", "idx3-ubyte")
        labels = _find(Path(home), folder, f"{part}-labels", "idx1-ubyte")
        if images is not None and labels is not None:
            X, y = read_table(images).X, read_labels(labels)
            _check_lengths(labels, y, os.fspath(images), X)
            return DataSet(X, y.astype(np.int64), None, name)
        if data_home is not None:
            wanted = f"{part}-images-idx3-ubyte[.gz] and {part}-labels-idx1-ubyte[.gz]"
            looked = f"{wanted} were looked for in {Path(home) / folder} and {Path(home)}"
            raise FileNotFoundError(f"{os.fspath(home)}: {folder} is not there; {looked}")
    X, y = _fetch(folder, openml)
    rows = slice(None, _TRAIN_ROWS) if train else slice(_TRAIN_ROWS, None)
    return DataSet(X[rows].astype(np.float32) / np.float32(255), y[rows].astype(np.int64), None, name)


def _find(home: Path, folder: str, stem: str, kind: str) -> Path | None:
    """Return the first file of the names under which MNIST is handed around."""
    for place in (home / folder, home):
        for joint in "-.":
            for packing in ("", ".gz"):
                if (path := place / f"{stem}{joint}{kind}{packing}").is_file():
                    return path
    return None


def _fetch(name: str, openml: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows and labels of a data set on OpenML; scikit-learn keeps them for the next time."""
    from sklearn.datasets import fetch_openml

    parser = "liac-arff" if find_spec("pandas") is None else "pandas"  # the second is faster, and an extra
    try:
        X, y = fetch_openml(openml, version=1, as_frame=False, return_X_y=True, parser=parser)
    except Exception as error:  # no network, a wrong checksum, a half page of HTML: all mean that it failed
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        mend = f"pass --data-home (data_home=) or set {_HOME} to a folder with its IDX files"
        raise OSError(f"{name}: could not be fetched from OpenML ({reason}); {mend}") from error
    if X.shape != (70_000, 784) or y.shape != (70_000,):
        raise DataFileError(f"{name}: OpenML sent {X.shape} where 70,000 rows of 784 are expected")
    return X, y
