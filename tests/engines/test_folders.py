"""From a folder to a folder on every engine, with and without workers that are killed."""

from __future__ import annotations

import hashlib
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engine_rows import CUTS, make_rows, split
from joblib import cpu_count

from stackae.engines import encode_folder
from stackae.exceptions import DataFileError, ModelFileError, ParameterError

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def watch(monkeypatch):
    """What kills a process that writes into a folder."""
    if not Path("/proc/self/fd").exists() or cpu_count() < 2:
        pytest.skip("needs Linux and two cores, to find a worker of its own")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import engines

    yield engines.Watch
    for path in BENCHMARKS.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_codes_keys_and_files_are_those_of_transform_on_every_engine(rows, engine, tmp_path):
    manifest = encode_folder(rows.file, rows.folder, tmp_path / "out", engine=engine, keep=["key"], workers=2)
    assert rows.is_in(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "_manifest.json").read_text()) == manifest
    assert manifest["model"] == hashlib.sha256(rows.file.read_bytes()).hexdigest()
    assert (manifest["method"], manifest["rows"], len(manifest["files"])) == ("transform", CUTS[-1], 5)
    for name, one in manifest["files"].items():
        content = (tmp_path / "out" / name).read_bytes()
        assert (one["bytes"], one["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_manifest.json",
        "half=0",
        "half=1",
    ]


def test_a_worker_killed_while_it_writes_loses_and_doubles_no_row(engine, tmp_path, watch):
    many = make_rows(tmp_path, 60)
    options = {"engine": engine, "keep": ["key"], "workers": 2}
    with watch(tmp_path / "out", 1) as watched:
        try:
            encode_folder(many.file, many.folder, tmp_path / "out", **options)
        except OSError:
            encode_folder(many.file, many.folder, tmp_path / "out", resume=True, **options)
    assert watched.killed == 1
    assert many.is_in(tmp_path / "out")


def test_an_engines_own_data_is_encoded_in_its_own_way(rows, engine):
    keys, codes = OWN[engine](rows)
    np.testing.assert_array_equal(keys, np.arange(len(rows.X)))
    np.testing.assert_array_equal(codes, rows.model.transform(rows.X))


def own_local(rows):
    from stackae.engines import local

    return split(local.transform(rows.model, rows.table, keep=["key"], workers=2).read_all())


def own_ray(rows):
    import ray

    from stackae.engines import ray as own

    parts = [rows.table.slice(start, stop - start) for start, stop in pairwise(CUTS)]
    found = own.transform(rows.file, ray.data.from_arrow(parts), keep=["key"], workers=1)
    return split(pa.concat_tables(ray.get(found.to_arrow_refs())))


def own_spark(rows):
    from pyspark.sql import SparkSession

    from stackae.engines import spark as own

    frame = SparkSession.getActiveSession().createDataFrame(rows.table).repartition(5)
    found = own.transform(rows.file, frame, keep=["key"]).toArrow()
    return split(found.sort_by("key"))


def own_dask(rows):
    import dask.dataframe as dd

    from stackae.engines import dask as own

    frame = dd.from_pandas(rows.table.to_pandas(), npartitions=2)
    with_empty = dd.concat([frame.partitions[0], frame.partitions[0].query("key < 0"), frame.partitions[1]])
    found = own.transform(rows.file, with_empty, keep=["key"])
    assert found.npartitions == 3
    frame = found.compute()
    assert found._meta.dtypes.equals(frame.dtypes)
    return split(pa.Table.from_pandas(frame, preserve_index=False))


OWN = {"local": own_local, "ray": own_ray, "spark": own_spark, "dask": own_dask}


@pytest.fixture
def encode(rows, tmp_path):
    """One worker, in this process."""

    def call(source=rows.folder, **parameters):
        out = parameters.pop("out", tmp_path / "out")
        return encode_folder(rows.file, source, out, **{"keep": ["key"], "workers": 1, **parameters})

    return call


def test_what_was_stopped_goes_on_with_what_is_left(rows, encode, tmp_path, monkeypatch):
    from stackae.engines.file_work import FileWork

    written, write = [], FileWork._written

    def dying(self, job):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(job.name)
        return write(self, job)

    monkeypatch.setattr(FileWork, "_written", dying)
    with pytest.raises(KeyboardInterrupt):
        encode()
    (tmp_path / "out" / "half=0" / f".4.parquet.{'0' * 16}.tmp").write_bytes(b"half")
    first = list(written)
    with pytest.raises(FileExistsError, match="go on with it"):
        encode()
    (tmp_path / "out" / first[1]).write_bytes((tmp_path / "out" / first[1]).read_bytes()[:-1])
    written[:] = []
    monkeypatch.setattr(
        FileWork, "_written", lambda self, job: (written.append(job.name), write(self, job))[1]
    )
    manifest = encode(resume=True)
    assert rows.is_in(tmp_path / "out")
    assert first[0] not in written
    assert set(written) | set(first) == set(manifest["files"])
    assert not list((tmp_path / "out").rglob(".*"))
    written[:] = []
    assert encode(resume=True) == {**manifest, "kept": len(manifest["files"])}
    assert written == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"method": "score"}, "method was transform, is score"),
        ({"keep": [], "drop": ["key"]}, r"keep was \['key'\], is \[\]"),
        ({"source": "other"}, "was made of other files .*4.parquet"),
    ],
)
def test_another_run_is_not_gone_on_with(rows, encode, tmp_path, changed, says):
    encode()
    if "source" in changed:
        changed = {"source": tmp_path / "rows"}
        make_rows(tmp_path)
        path = tmp_path / "rows" / "half=0" / "4.parquet"
        pq.write_table(pq.ParquetFile(path).read().slice(1), path)
    with pytest.raises(ModelFileError, match=says):
        encode(resume=True, **changed)
    assert rows.is_in(tmp_path / "out")


def test_a_damaged_manifest_and_a_folder_without_one_are_refused(encode, tmp_path):
    encode()
    (tmp_path / "out" / "_manifest.json").write_text('{"model": 3')
    with pytest.raises(ModelFileError, match=r"_manifest\.json: is damaged"):
        encode(resume=True)
    (tmp_path / "out" / "_manifest.json").unlink()
    with pytest.raises(FileExistsError, match="exists; choose another --out"):
        encode(resume=True)


def other_schema(path):
    table = pq.ParquetFile(path).read()
    pq.write_table(table.set_column(2, "x1", table["x1"].cast("float64")), path)


def without_a_column(path):
    pq.write_table(pq.ParquetFile(path).read().drop_columns("x1"), path)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


BAD_FILES = {
    "another type": (other_schema, "column 'x1' holds double, where it holds float in"),
    "a column too few": (without_a_column, "no column 'x1'"),
    "empty": (lambda path: path.write_bytes(b""), "damaged, or not a Parquet file"),
    "truncated": (truncated, "damaged, or not a Parquet file"),
    "text": (lambda path: path.write_text("x0,x1\n"), "damaged, or not a Parquet file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named_before_anything_is_written(encode, tmp_path, name):
    spoil, says = BAD_FILES[name]
    make_rows(tmp_path)
    spoil(tmp_path / "rows" / "half=0" / "4.parquet")
    with pytest.raises(DataFileError, match=says) as error:
        encode(tmp_path / "rows")
    assert str(error.value).startswith(str(tmp_path / "rows" / "half=0" / "4.parquet"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_refused_row_leaves_whole_files_and_names_its_own(rows, encode, tmp_path):
    make_rows(tmp_path)
    path = tmp_path / "rows" / "half=1" / "3.parquet"
    table = pq.ParquetFile(path).read()
    bad = table["x2"].to_numpy().copy()
    bad[1234] = np.inf
    pq.write_table(table.set_column(3, "x2", pa.array(bad)), path)
    with pytest.raises(DataFileError, match=r"3.parquet: Input X contains inf in row 1234, column 'x2'"):
        encode(tmp_path / "rows")
    left = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert "3.parquet" not in left
    assert all(name == "_manifest.json" or name.endswith(".parquet") for name in left)


def test_the_folder_that_is_read_is_not_written(encode, rows):
    with pytest.raises(ParameterError, match="is the folder that is read; give another"):
        encode(out=rows.folder)


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"workers": 0}, ParameterError, "workers must be at least 1, got 0"),
        ({"engine": "flink"}, ParameterError, "must be one of local, ray, spark, dask"),
        ({"address": "localhost:8786"}, ParameterError, "address is for a cluster"),
        ({"source": "nowhere"}, FileNotFoundError, "nowhere: there is no such file"),
        ({"source": "."}, DataFileError, "a folder without .parquet files"),
        ({"out": "inside"}, ParameterError, "lie one in the other"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    encode, rows, tmp_path, monkeypatch, parameters, error, says
):
    nothing = tmp_path.with_name(f"{tmp_path.name}-nothing")
    nothing.mkdir()
    monkeypatch.chdir(nothing)
    given = {**parameters, **({"out": rows.folder / "codes"} if "out" in parameters else {})}
    with pytest.raises(error, match=says):
        encode(**given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["ray", "spark", "dask"])
def test_an_address_where_nothing_answers_is_said_at_once(encode, tmp_path, engine):
    pytest.importorskip({"spark": "pyspark", "dask": "distributed"}.get(engine, engine))
    scheme = {"ray": "ray://", "spark": "spark://", "dask": "tcp://"}[engine]
    with pytest.raises(OSError, match=f"{scheme}127.0.0.1:9: nothing answers there"):
        encode(engine=engine, address=f"{scheme}127.0.0.1:9")
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_workers_is_said(encode, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("stackae.engines.dask._SECONDS", 0.2)
    with (
        distributed.SpecCluster(
            scheduler={"cls": distributed.Scheduler, "options": {"dashboard": False}}
        ) as cluster,
        pytest.raises(OSError, match="the cluster has no worker; add one"),
    ):
        encode(engine="dask", address=cluster.scheduler_address)
    assert not (tmp_path / "out").exists()


def test_an_engine_that_is_not_installed_says_its_extra(encode, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParameterError, match=r"needs ray; pip install 'stackae\[ray\]'"):
        encode(engine="ray")
    assert not (tmp_path / "out").exists()


def test_two_at_work_in_one_folder_are_one_too_many(encode, tmp_path):
    from stackae.engines.manifest import at_work_in
    from stackae.engines.places import Place

    with (
        at_work_in(Place.at(tmp_path / "out")),
        pytest.raises(OSError, match="another process is at work in it"),
    ):
        encode()


def test_a_single_file_is_a_folder_of_one(rows, encode, tmp_path):
    assert list(encode(rows.folder / "half=0" / "4.parquet")["files"]) == [""]
    assert pq.ParquetFile(tmp_path / "out" / "4.parquet").read()["key"].to_pylist() == list(range(*CUTS[-2:]))
