"""A folder of Parquet files to one of what a model says of their rows: a file for each, on any engine.

========================  ====================================================================================
name                      content
========================  ====================================================================================
``a/k=1/part-0.parquet``  what is computed of the rows of the file of that name, in their order
``_manifest.json``        model, method, and of each file its rows, size and sha256, and what it was made of
``.lock``                 held by the process that works on a folder of this machine
========================  ====================================================================================
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from stackae.data.batches import parquet_on, refusal, refuse_other_types
from stackae.engines.encoding import Encoding
from stackae.engines.file_work import FileWork, Job
from stackae.engines.manifest import at_work_in, known_of, refuse_overlap, write_manifest
from stackae.engines.names import ENGINES
from stackae.engines.places import Place
from stackae.exceptions import ParameterError, StackaeWarning
from stackae.serialization.provenance import versions

if TYPE_CHECKING:
    import pyarrow as pa

    from stackae.estimators import BaseEncoder

__all__ = ["encode_folder"]

_READERS = 16  # of footers, at once
_SECONDS = 30.0  # between manifests
#: What joblib says of workers that ended and of tasks that were left, which is told in other words.
_OF_JOBLIB = ("A worker stopped while some jobs", ".*tasks which were still being processed")


def encode_folder(
    model: BaseEncoder | str | os.PathLike[str],
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engine: str = "local",
    method: str = "transform",
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    workers: int | None = None,
    address: str | None = None,
    resume: bool = False,
    device: str = "auto",
) -> dict[str, Any]:
    """Apply a model to every Parquet file in a folder, and write one file of results for each.

    Use it for more rows than memory or one machine holds. Subfolders are kept
    (``country=DE/part-0.parquet``). Files are written atomically. All input files are checked before anything
    is computed.

    Parameters
    ----------
    model : fitted estimator or path-like
        A fitted estimator, its file, or the folder of a run.
    source : path-like
        A folder of Parquet files, or one such file; also a URL: ``s3://``, ``gs://``, or any known to fsspec.
    out : path-like
        The output folder, or its URL. Without ``resume`` it must be empty or missing.
    engine : {"local", "ray", "spark", "dask"}, default="local"
        ``"local"``: processes of this machine.
    method : {"transform", "predict", "predict_proba", "score", "impute", "reconstruct"}, default="transform"
        What to compute; ``"score"`` is the reconstruction error of each row.
    keep : sequence of str, default=()
        Columns to pass through, before the computed ones. ``"impute"`` keeps all.
    drop : sequence of str, default=()
        Columns that are no features, for models without feature names; for ``"impute"``: columns to leave
        out.
    workers : int or None, default=None
        Number of files at the same time. None: one per core, or what the cluster has.
    address : str or None, default=None
        Address of a running cluster of the engine. None: one is started on this machine.
    resume : bool, default=False
        Continue an interrupted run: existing files are checked against the manifest and kept. Input files
        without a result may have been repaired since.
    device : str, default="auto"
        Where each worker computes. ``"auto"``: a GPU if there is one.

    Returns
    -------
    dict
        The content of ``_manifest.json``; ``"kept"`` is the number of files that existed already.

    Raises
    ------
    DataFileError
        A file is damaged, or has other columns than the first; or a row is refused.
    ModelFileError
        With ``resume``: ``out`` belongs to another model, method or source.
    ParameterError
        The engine is not installed, or parameters are invalid.
    OSError
        ``out`` is not empty, cannot be written or is in use; nothing answers at ``address``; workers were
        killed again and again.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, pyarrow as pa, pyarrow.parquet as pq
    >>> from stackae import StackedAutoencoder
    >>> from stackae.engines import encode_folder
    >>> X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    >>> model = StackedAutoencoder((4, 2), random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, out = os.path.join(folder, "rows"), os.path.join(folder, "codes")
    ...     os.mkdir(source)
    ...     table = pa.table([np.arange(200), *X.T], ["id", "a", "b", "c"])
    ...     pq.write_table(table, os.path.join(source, "one.parquet"))
    ...     manifest = encode_folder(model, source, out, keep=["id"], workers=1)
    ...     pq.read_table(os.path.join(out, "one.parquet")).column_names
    ['id', 'stackedautoencoder0', 'stackedautoencoder1']
    >>> manifest["rows"]
    200
    """
    if engine not in ENGINES:
        raise ParameterError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if workers is not None and workers < 1:
        raise ParameterError(f"workers must be at least 1, got {workers}")
    run = import_module(f"stackae.engines.{engine}").run
    encoding = Encoding.of(model, method=method, keep=keep, drop=drop, device=device)
    origin, target = Place.at(source), Place.at(out)
    refuse_overlap(origin, target)
    sources, schema, ignored = _inspected(origin, encoding)
    manifest = {
        "model": encoding.digest,
        "estimator": type(encoding.loaded).__name__,
        "method": method,
        "keep": list(keep),
        "drop": list(drop),
        "ignored": ignored,
        "versions": versions(),
        "rows": sum(one["rows"] for one in sources.values()),
        "kept": 0,
        "files": {name: {"source": one} for name, one in sources.items()},
    }
    known = known_of(target, manifest, resume=resume)
    work = FileWork(encoding, origin, target, schema)
    jobs = [Job(name, one, known.get(name)) for name, one in sources.items()]
    told: set[str] = set()
    with at_work_in(target), warnings.catch_warnings():
        for said in _OF_JOBLIB:
            warnings.filterwarnings("ignore", said, UserWarning)
        write_manifest(target, manifest)
        written = time.monotonic()
        for name, found, warned, is_kept in run(work, jobs, workers, address):
            if isinstance(found, Exception):
                write_manifest(target, manifest)
                raise found
            manifest["files"][name].update(found)
            manifest["kept"] += is_kept
            for text in [text for text in warned if text not in told]:
                warnings.warn(text, StackaeWarning, stacklevel=2)
            told.update(warned)
            if time.monotonic() > written + _SECONDS:
                write_manifest(target, manifest)
                written = time.monotonic()
        write_manifest(target, manifest)
    return manifest


def _inspected(origin: Place, encoding: Encoding) -> tuple[dict[str, dict[str, Any]], pa.Schema, list[str]]:
    """Of each file its size, rows and footer's digest; what all of them become; and the columns that nothing
    is made of. All files are looked at."""
    names = origin.parquet_files()

    def look(name: str) -> tuple[dict[str, Any], pa.Schema]:
        path, sink = origin.path(name), BytesIO()
        with parquet_on(origin.filesystem, path, origin.called(name)) as parquet:
            parquet.metadata.write_metadata_file(sink)
            footer = hashlib.sha256(sink.getvalue()).hexdigest()
            size = origin.filesystem.get_file_info(path).size
            return {"rows": parquet.metadata.num_rows, "bytes": size, "footer": footer}, parquet.schema_arrow

    with ThreadPoolExecutor(_READERS) as threads:
        looked = dict(zip(names, threads.map(look, names), strict=True))
    (first, (_, schema)), *others = looked.items()
    needed = encoding.needed(schema, origin.called(first))
    for name, (_, other) in others:
        refuse_other_types(origin.called(name), other, needed, schema, origin.called(first))
        if encoding.needed(other, origin.called(name)) != needed:
            raise refusal(
                origin.called(name),
                f"other columns than {origin.called(first)}",
                mend="files of one folder have the same columns",
            )
    becomes = encoding.schema(schema, origin.called(first))
    held = dict.fromkeys(name for _, other in looked.values() for name in other.names)
    ignored = [name for name in held if name not in {*needed, *encoding.drop}]
    return {name: found for name, (found, _) in looked.items()}, becomes, ignored
