"""Spark: ``pip install 'stackae[spark]'``, and Java 17."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stackae.engines.encoding import Encoding
from stackae.engines.file_work import FileWork, Job, Result
from stackae.engines.local import divided
from stackae.engines.names import imported
from stackae.engines.places import refuse_silence

if TYPE_CHECKING:
    from stackae.estimators import BaseEncoder

_TRIES = 4  # at a file, where workers are killed
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
    """Apply a model to a Spark data frame, with ``mapInArrow``.

    A model given as a file is sent to the executors by ``addFile``, an estimator with the tasks.

    Parameters
    ----------
    model : fitted estimator or path-like
        A fitted estimator, or its file.
    data : pyspark.sql.DataFrame or path-like
        A data frame, or what the active session reads as Parquet.
    method, keep, drop, device
        See :func:`stackae.engines.encode_folder`.

    Returns
    -------
    pyspark.sql.DataFrame
        Each partition's rows in their order, computed lazily.

    Examples
    --------
    >>> from stackae.engines import spark
    >>> frame = session.read.parquet("s3a://bucket/rows")  # doctest: +SKIP
    >>> spark.transform("model.safetensors", frame, keep=["id"]).write.parquet("codes")  # doctest: +SKIP
    """
    pyspark = imported("spark", "pyspark.sql", "pyspark")
    types = imported("spark", "pyspark.sql.pandas.types")
    given = isinstance(data, (str, os.PathLike))
    frame = pyspark.sql.SparkSession.builder.getOrCreate().read.parquet(os.fspath(data)) if given else data
    encoding = Encoding.of(model, method=method, keep=keep, drop=drop, device=device)
    schema = encoding.schema(types.to_arrow_schema(frame.schema))
    if isinstance(encoding.model, str):
        frame.sparkSession.sparkContext.addFile(encoding.model)
        encoding = replace(encoding, model=os.path.basename(encoding.model))

    def apply(batches: Iterator[Any]) -> Iterator[Any]:
        from pyspark import SparkFiles

        is_file = isinstance(encoding.model, str)
        here = replace(encoding, model=SparkFiles.get(encoding.model)) if is_file else encoding
        return here(batches, schema=schema)

    return frame.mapInArrow(apply, types.from_arrow_schema(schema))


def run(work: FileWork, jobs: Sequence[Job], workers: int | None, address: str | None) -> Iterator[Result]:
    """Do the jobs as tasks of one stage; those whose worker is killed are done again."""
    sql = imported("spark", "pyspark.sql")
    n_workers, threads = divided(workers)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = sql.SparkSession.getActiveSession()
    started = session is None
    if session is None:
        if address is not None:
            refuse_silence(address)
        master = address or f"local[{n_workers},{_TRIES}]"
        builder = sql.SparkSession.builder.master(master).appName("stackae")
        for option in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
            builder = builder.config(option, "false")
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
    try:
        context = session.sparkContext
        _refuse_no_workers(context, address)
        task = work.on(threads if address is None else 1, shipped=True)
        yield from context.parallelize(jobs, len(jobs)).map(task).collect()
    except imported("spark", "py4j.protocol").Py4JJavaError as error:
        raise work.given_up() from error
    finally:
        if started:
            session.stop()


def _refuse_no_workers(context: Any, address: str | None) -> None:
    """Tasks would wait without end."""
    start = time.monotonic()
    while address and address.startswith("spark://"):
        if context._jsc.sc().getExecutorMemoryStatus().size() > 1:  # the first is this process
            return
        if time.monotonic() > start + _SECONDS:
            raise OSError(f"{address}: the cluster has no worker; add one to it")
        time.sleep(0.2)
