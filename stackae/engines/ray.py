"""Ray: ``pip install 'stackae[ray]'``."""

from __future__ import annotations

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


def transform(
    model: BaseEncoder | str | os.PathLike[str],
    data: Any,
    *,
    method: str = "transform",
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    workers: int | None = None,
    gpus: float = 0,
) -> Any:
    """Apply a model to a Ray data set, with ``map_batches`` on actors that load it once.

    Parameters
    ----------
    model : fitted estimator or path-like
        A fitted estimator, or its file.
    data : ray.data.Dataset or path-like
        A data set, or what ``ray.data.read_parquet`` reads.
    method, keep, drop
        See :func:`stackae.engines.encode_folder`.
    workers : int or None, default=None
        Number of actors, of one core each. None: as many as there is work and room for.
    gpus : float, default=0
        GPUs per actor; 0: it computes on the CPU.

    Returns
    -------
    ray.data.Dataset
        Rows in their order.

    Examples
    --------
    >>> from stackae.engines import ray
    >>> ray.transform("model.safetensors", "s3://bucket/rows", keep=["id"])  # doctest: +SKIP
    """
    ray = imported("ray", "ray.data", "ray")
    dataset = ray.data.read_parquet(os.fspath(data)) if isinstance(data, (str, os.PathLike)) else data
    device = "cuda" if gpus else "cpu"
    encoding = Encoding.of(model, method=method, keep=keep, drop=drop, device="cpu")
    given = dataset.schema().base_schema
    schema = encoding.schema(given)
    dataset.context.execution_options.preserve_order = True
    return dataset.map_batches(
        _Actor,
        fn_constructor_args=(encoding.shipped(device), schema),
        batch_size=encoding.batch_rows(len(given.names)),
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(size=workers)
        if workers
        else ray.data.ActorPoolStrategy(min_size=1),
        num_cpus=1,
        num_gpus=gpus,
    )


class _Actor:
    def __init__(self, encoding: Encoding, schema: pa.Schema) -> None:
        self.encoding, self.schema = encoding, schema

    def __call__(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        batches = table.combine_chunks().to_batches()
        return pa.Table.from_batches(self.encoding(batches, schema=self.schema), self.schema)


def run(work: FileWork, jobs: Sequence[Job], workers: int | None, address: str | None) -> Iterator[Result]:
    """Do the jobs as tasks, in any order; those whose worker is killed are done again."""
    ray = imported("ray", "ray")
    n_workers, threads = divided(workers)
    started = not ray.is_initialized()
    if started and address is None:
        ray.init(
            num_cpus=n_workers * threads, include_dashboard=False, log_to_driver=False, logging_level="error"
        )
    elif started:
        refuse_silence(str(address))
        ray.init(address, log_to_driver=False, logging_level="error")
    try:
        n_cores = int(ray.cluster_resources().get("CPU", 0))
        threads = threads if address is None else 1
        if n_cores < threads:
            raise OSError(f"{address or 'ray'}: the cluster has no worker with a free core; add one to it")
        task = ray.remote(num_cpus=threads, max_retries=3)(_done)
        shared = ray.put(work.on(threads, shipped=True))
        waiting: list[Any] = []
        for job in jobs:
            if len(waiting) >= (workers or n_cores):
                done, waiting = ray.wait(waiting)
                yield from ray.get(done)
            waiting.append(task.remote(shared, job))
        yield from ray.get(waiting)
    except ray.exceptions.WorkerCrashedError as error:
        raise work.given_up() from error
    finally:
        if started:
            ray.shutdown()


def _done(work: FileWork, job: Job) -> Result:
    return work(job)
