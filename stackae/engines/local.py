"""The processes of this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import TYPE_CHECKING, Any

from joblib import Parallel, cpu_count, delayed, parallel_config

from stackae.data.batches import parquet_on
from stackae.engines.encoding import Encoding
from stackae.engines.file_work import FileWork, Job, Result
from stackae.engines.places import Place
from stackae.exceptions import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

    from stackae.estimators import BaseEncoder

_TRIES = 3  # at the same files, where workers are killed


def divided(workers: int | None) -> tuple[int, int]:
    """How many workers there are, at most one a core, and how many threads each of them has."""
    workers = min(workers or cpu_count(), cpu_count())
    return workers, max(1, cpu_count() // workers)


def transform(
    model: BaseEncoder | str | os.PathLike[str],
    data: str | os.PathLike[str] | pa.Table | pa.RecordBatchReader,
    *,
    method: str = "transform",
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    workers: int | None = None,
    device: str = "auto",
) -> pa.RecordBatchReader:
    """Apply a model to a table, or to the Parquet files of a folder, on the processes of this machine.

    Parameters
    ----------
    model : fitted estimator or path-like
        A fitted estimator, or its file.
    data : path-like, pyarrow.Table or RecordBatchReader
        A file, a folder or its URL; or rows, which are read once.
    method, keep, drop
        See :func:`stackae.engines.encode_folder`.
    workers : int or None, default=None
        Number of processes, at most one per core, among which the threads are divided. None: one per core.
    device : str, default="auto"
        Where each process computes. ``"auto"``: a GPU if there is one.

    Returns
    -------
    pyarrow.RecordBatchReader
        Rows in their order, computed lazily.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from stackae import StackedAutoencoder
    >>> from stackae.engines import local
    >>> X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    >>> model = StackedAutoencoder((4, 2), random_state=0).fit(X)
    >>> rows = pa.table(list(X.T), ["a", "b", "c"])
    >>> local.transform(model, rows, workers=1).read_all().column_names
    ['stackedautoencoder0', 'stackedautoencoder1']
    """
    import pyarrow as pa

    workers, threads = divided(workers)
    encoding = Encoding.of(model, method=method, keep=keep, drop=drop, device=device, threads=threads)
    batches = iter(
        _read(Place.at(data), encoding) if isinstance(data, (str, os.PathLike)) else _cut(data, encoding)
    )
    first = next(batches)
    schema = encoding.schema(first.schema)

    def all_of_them() -> Iterator[Any]:
        yield first
        yield from batches

    tasks = (delayed(_one)(encoding, batch, schema) for batch in all_of_them())
    return pa.RecordBatchReader.from_batches(schema, _parallel(tasks, workers, threads, "generator"))


def run(work: FileWork, jobs: Sequence[Job], workers: int | None, address: str | None) -> Iterator[Result]:
    """Do the jobs, in any order; workers that are killed are replaced."""
    if address is not None:
        raise ParameterError(
            f"address is for a cluster, got {address!r}; leave it out, or say which engine answers there"
        )
    workers, threads = divided(workers)
    left, tries = {job.name: job for job in jobs}, 0
    while left:
        n_before = len(left)
        tasks = [delayed(_done)(work.on(threads), job, os.getpid()) for job in left.values()]
        try:
            for result in _parallel(tasks, workers, threads, "generator_unordered"):
                del left[result.name]
                yield result
        except BrokenProcessPool:
            tries = 0 if len(left) < n_before else tries + 1
            if tries == _TRIES:
                raise work.given_up("fewer (--workers, --resume)") from None


def _parallel(tasks: Iterable[Any], workers: int, threads: int, order: str) -> Any:
    with parallel_config("loky", inner_max_num_threads=threads):
        return Parallel(workers, return_as=order, batch_size=1, pre_dispatch="2*n_jobs")(tasks)


def _done(work: FileWork, job: Job, parent: int) -> Result:
    _end_with(parent)
    return work(job)


@cache
def _end_with(parent: int) -> None:
    """Let a worker not outlive who started it, if that is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if os.getppid() == parent:
        threading.Thread(target=watch, daemon=True).start()


def _one(encoding: Encoding, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return next(iter(encoding([batch], schema=schema)))


def _cut(data: Any, encoding: Encoding) -> Iterator[pa.RecordBatch]:
    """Rows in batches of a good size."""
    import pyarrow as pa

    size = encoding.batch_rows(len(data.schema.names))
    for batch in data.to_batches() if hasattr(data, "to_batches") else data:
        yield from pa.Table.from_batches([batch]).to_batches(size) or [batch]


def _read(place: Place, encoding: Encoding) -> Iterator[pa.RecordBatch]:
    for name in place.parquet_files():
        with parquet_on(place.filesystem, place.path(name), place.called(name)) as parquet:
            names = encoding.needed(parquet.schema_arrow, place.called(name))
            for batch in parquet.iter_batches(encoding.batch_rows(len(names)), columns=names):
                yield batch.select(names)
