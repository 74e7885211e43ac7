"""Dask: ``pip install 'stackae[dask]'``."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stackae.engines.encoding import Encoding
from stackae.engines.file_work import FileWork, Job, Result
from stackae.engines.local import divided
from stackae.engines.names import imported
from stackae.engines.places import refuse_silence

if TYPE_CHECKING:
    import pyarrow as pa

    from stackae.estimators import BaseEncoder

_SECONDS = 30.0  # for a cluster to give a worker


def transform(
    model: BaseEncoder | str | os.PathLike[str],
    data: Any,
    *,
    method: str = "transform",
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    device: str = "cpu",
) -> Any:
    """Apply a model to a Dask data frame, with ``map_partitions``; empty partitions stay empty.

    Parameters
    ----------
    model : fitted estimator or path-like
        A fitted estimator, or its file.
    data : dask.dataframe.DataFrame or path-like
        A data frame, or what ``dask.dataframe.read_parquet`` reads.
    method, keep, drop, device
        See :func:`stackae.engines.encode_folder`.

    Returns
    -------
    dask.dataframe.DataFrame
        Rows in their order, with their index, computed lazily.

    Examples
    --------
    >>> from stackae.engines import dask
    >>> dask.transform("model.safetensors", "s3://bucket/rows", keep=["id"])  # doctest: +SKIP
    """
    import pyarrow as pa

    frames = imported("dask", "pandas", "dask.dataframe")
    frame = frames.read_parquet(os.fspath(data)) if isinstance(data, (str, os.PathLike)) else data
    encoding = Encoding.of(model, method=method, keep=keep, drop=drop, device=device)
    schema = encoding.schema(pa.Schema.from_pandas(frame._meta, preserve_index=False))
    meta = _as_frame(schema.empty_table(), frame._meta)
    return frame.map_partitions(_apply, encoding.shipped(), schema, meta=meta)


def _apply(frame: Any, encoding: Encoding, schema: pa.Schema) -> Any:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
    found = pa.Table.from_batches(encoding(table.to_batches(), schema=schema), schema)
    return _as_frame(found, frame)


def _as_frame(table: pa.Table, frame: Any) -> Any:
    """What was computed of a frame, under its index; columns that were kept have their type."""
    found = table.to_pandas().set_index(frame.index)
    kept = {name: dtype for name, dtype in frame.dtypes.items() if name in found.columns}
    return found.astype(kept)


def run(work: FileWork, jobs: Sequence[Job], workers: int | None, address: str | None) -> Iterator[Result]:
    """Do the jobs as tasks, in any order; those whose worker is killed are done again."""
    distributed = imported("dask", "distributed")
    n_workers, threads = divided(workers)
    if address is not None:
        refuse_silence(address)
    cluster: Any = address or distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    )
    with distributed.Client(cluster) as client:
        try:
            client.wait_for_workers(1, timeout=_SECONDS)
            task = work.on(threads if address is None else 1, shipped=True)
            futures = client.map(task, jobs, pure=False)
            for _, result in distributed.as_completed(futures, with_results=True):
                yield result
        except TimeoutError:
            raise OSError(f"{address}: the cluster has no worker; add one to it") from None
        except distributed.scheduler.KilledWorker as error:
            raise work.given_up() from error
        finally:
            if address is None:
                cluster.close()
