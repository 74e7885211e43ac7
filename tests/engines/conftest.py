"""A model and a folder of its rows; and every engine, started once."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import pytest
from engine_rows import Rows, make_rows

from stackae.engines.names import ENGINES


@pytest.fixture(scope="session")
def rows(tmp_path_factory) -> Rows:
    return make_rows(tmp_path_factory.mktemp("engines"))


class Lasting:
    """A cluster of Dask that does not end with who asked for one."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def close(self) -> None:
        pass


#: The cluster of Dask that runs, if one does.
CLUSTERS: list[Any] = []


@pytest.fixture(scope="session", params=ENGINES)
def engine(request):
    """The name of an engine that runs, with two workers; where it is not installed, a skip."""
    yield from STARTS[request.param]()


def start_local():
    yield "local"


def start_ray():
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield "ray"
    ray.shutdown()


def start_spark():
    sql = pytest.importorskip("pyspark.sql", reason="needs the extra spark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = sql.SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false").getOrCreate()
    yield "spark"
    session.stop()


def start_dask():
    distributed = pytest.importorskip("distributed", reason="needs the extra dask")
    asked = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(**asked) as cluster:
        CLUSTERS.append(cluster)
        yield "dask"
        CLUSTERS.clear()


@pytest.fixture(autouse=True)
def one_cluster(monkeypatch):
    """Whoever asks for a cluster of Dask in these tests is given the one that runs."""
    if CLUSTERS:
        monkeypatch.setattr("distributed.LocalCluster", lambda *args, **kwargs: Lasting(CLUSTERS[0]))


STARTS = {"local": start_local, "ray": start_ray, "spark": start_spark, "dask": start_dask}
assert set(STARTS) == set(ENGINES)
