"""One table in several files, or in one that is too large for the memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackae.data._dialect import Dialect
from stackae.data._large import may_exceed, select
from stackae.data._npy import map_npy
from stackae.data._parquet import Columns, beside, choose_columns, copy_parquet, open_parquet
from stackae.data._table import StrPath, Table, TableSpec, check_shape, refusal
from stackae.data.dialects import TableStream, stream_as
from stackae.data.mapped import MappedMatrix, scratch_array

_BLOCK = 2**26  # bytes of typed columns read at once, at most
_ENDINGS = (".npy", ".parquet")


def shards_of(folder: StrPath) -> list[Path]:
    """The files of a folder that are shards of a table, in the order of their names.

    Raises
    ------
    DataFileError
        There are none.
    """
    shards = _shards(folder)
    if not shards:
        mend = "name a file, or a folder of them"
        raise refusal(folder, "a folder without .npy or .parquet files or images in it", mend=mend)
    return shards


def has_shards(folder: StrPath) -> bool:
    """Whether some of a folder's files are shards of a table."""
    return bool(_shards(folder))


def may_be_large(path: StrPath) -> bool:
    """Whether files of this kind can be read without being loaded whole."""
    return bool(_ending(path))


def read_shards(
    paths: Sequence[StrPath], spec: TableSpec, memory: int, folder: str | os.PathLike[str] | None
) -> Table:
    """Read ``.npy`` or ``.parquet`` files as one table, one below the other.

    Parameters
    ----------
    paths : sequence of path-like
        Of one kind, in the order of the rows.
    spec : TableSpec
        Labels and ids are columns of Parquet files.
    memory : int
        Bytes that the rows of Parquet files may take; more of them are copied to the disk, in one pass.
        ``.npy`` files are read from where they lie.
    folder : path-like or None
        Where that copy is kept; None: the system's folder for temporary files.

    Raises
    ------
    DataFileError
        The files are of several kinds, or differ in width, or in columns, or one of them cannot be read.
    OSError
        A file cannot be opened, or there is no room for the copy.
    """
    kinds = {_ending(path) for path in paths}
    if len(kinds) != 1 or "" in kinds:
        found = ", ".join(sorted(Path(path).suffix or Path(path).name for path in paths)[:5])
        raise refusal(paths[0], f"parts of one table must all be .npy or all .parquet, got {found}")
    return _read_npy(paths, spec) if kinds == {".npy"} else _read_parquet(paths, spec, memory, folder)


def _read_npy(paths: Sequence[StrPath], spec: TableSpec) -> Table:
    maps = []
    for path in paths:
        spec.refuse_for(path, "a .npy file")
        maps.append(map_npy(path))
        if maps[-1].shape[1] != maps[0].shape[1]:
            what = f"{maps[-1].shape[1]} columns, where {os.fspath(paths[0])} has {maps[0].shape[1]}"
            raise refusal(path, what, mend="parts of one table have the same columns")
    return Table(MappedMatrix(maps), None)


def _read_parquet(
    paths: Sequence[StrPath], spec: TableSpec, memory: int, folder: str | os.PathLike[str] | None
) -> Table:
    with ExitStack() as stack:
        files = [stack.enter_context(open_parquet(path)) for path in paths]
        columns = [choose_columns(path, file, spec) for path, file in zip(paths, files, strict=True)]
        features = columns[0].features
        for path, chosen in zip(paths, columns, strict=True):
            if chosen.features != features:
                other = next(name for name in {*chosen.features} ^ {*features} or features)
                what = f"other columns than {os.fspath(paths[0])}, such as {other!r}"
                raise refusal(path, what, mend="parts of one table have the same columns in the same order")
        shape = (sum(chosen.n_samples for chosen in columns), len(features))
        check_shape(paths[0], shape)
        y, ids = _beside(paths, files, columns)
        if any(chosen.dtype is None for chosen in columns):
            X = _typed(paths, features, may_exceed(paths, memory))
            return Table(X, features, y, ids, columns[0].ignored)
        dtype = np.result_type(*(chosen.dtype for chosen in columns))
        large = shape[0] * shape[1] * dtype.itemsize > memory
        X = scratch_array(shape, dtype, folder) if large else np.empty(shape, dtype)
        start = 0
        for path, file, chosen in zip(paths, files, columns, strict=True):
            copy_parquet(path, file, features, X[start : start + chosen.n_samples])
            start += chosen.n_samples
    return Table(MappedMatrix([X]) if large else X, features, y, ids, columns[0].ignored)


def _beside(
    paths: Sequence[StrPath], files: Sequence[Any], columns: Sequence[Columns]
) -> list[npt.NDArray[Any] | None]:
    """The labels and the ids of all files, which are held."""
    parts = [
        beside(path, file.read(columns=chosen.apart), chosen)
        for path, file, chosen in zip(paths, files, columns, strict=True)
    ]
    return [_below_another(paths, own) for own in zip(*parts, strict=True)]


def _below_another(
    paths: Sequence[StrPath], parts: Sequence[npt.NDArray[Any] | None]
) -> npt.NDArray[Any] | None:
    """Labels or ids of several files as one array; None where none are wanted."""
    arrays = [part for part in parts if part is not None]
    are_text = [array.dtype.kind == "U" for array in arrays]
    for path, is_text in zip(paths, are_text, strict=False):
        if is_text != are_text[0]:
            held, other = ("text", "numbers") if is_text else ("numbers", "text")
            what = f"labels or ids are {held}, where they are {other} in {os.fspath(paths[0])}"
            raise refusal(path, what, mend="parts of one table have the same types")
    return np.concatenate(arrays) if arrays else None


def _typed(paths: Sequence[StrPath], features: list[str], is_large: bool) -> Any:
    """Files of typed columns as one table, or as one stream."""
    import pyarrow as pa

    streams = [select(stream_as(path, _BLOCK, None), features) for path in paths]
    schema = streams[0].schema
    for path, stream in zip(paths, streams, strict=True):
        if stream.schema != schema:
            name, held, other = next(
                (field.name, field.type, own.type)
                for field, own in zip(stream.schema, schema, strict=True)
                if field != own
            )
            what = f"column {name!r} holds {held}, where it holds {other} in {os.fspath(paths[0])}"
            raise refusal(path, what, mend="parts of one table have the same types")
    if not is_large:
        return pa.Table.from_batches([batch for stream in streams for batch in stream], schema)
    dialects = [stream.dialect for stream in streams]
    gaps = {name: sum(one.gaps.get(name, 0) for one in dialects) for name in features}
    n_rows = sum(one.n_rows for one in dialects)
    told = Dialect("Parquet", gaps={name: n for name, n in gaps.items() if n}, n_rows=n_rows)
    return TableStream(schema, told, lambda: (batch for stream in streams for batch in stream))


def _shards(folder: StrPath) -> list[Path]:
    return sorted(
        path for path in Path(folder).iterdir() if _ending(path) and not path.name.startswith((".", "_"))
    )


def _ending(path: StrPath) -> str:
    suffix = Path(path).suffix.lower()
    return suffix if suffix in _ENDINGS else ""
