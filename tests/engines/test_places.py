"""Object stores, and files on them."""

from __future__ import annotations

import hashlib
import os
import socket

import pyarrow.parquet as pq
import pytest
from joblib.externals.loky import get_reusable_executor
from pyarrow.fs import S3FileSystem

from stackae.engines import encode_folder
from stackae.engines.places import Place, refuse_silence
from stackae.exceptions import DataFileError, ParameterError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def s3(rows):
    """A store that speaks S3, on this machine, with the rows in it."""
    server = pytest.importorskip("moto.server", reason="needs moto's server, of the extra test")
    store = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    store.start()
    own = {
        "AWS_ENDPOINT_URL": "http://{}:{}".format(*store.get_host_and_port()),
        "AWS_ACCESS_KEY_ID": "stackae",
        "AWS_SECRET_ACCESS_KEY": "stackae",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in own.items():
            monkeypatch.setenv(name, value)
        host = own["AWS_ENDPOINT_URL"].partition("://")[2]
        filesystem = S3FileSystem(endpoint_override=host, scheme="http", allow_bucket_creation=True)
        filesystem.create_dir("bucket")
        for path in rows.folder.rglob("*.parquet"):
            with filesystem.open_output_stream(f"bucket/rows/{path.relative_to(rows.folder)}") as file:
                file.write(path.read_bytes())
        yield filesystem
    store.stop()


def fetched(filesystem, prefix, folder):
    """The files of a prefix, in a folder."""
    place = Place("", filesystem, prefix)
    for name in place.names():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with filesystem.open_input_stream(place.path(name)) as file:
            (folder / name).write_bytes(file.read())
    return folder


def test_from_an_object_store_to_an_object_store_and_on(rows, s3, tmp_path):
    options = {"keep": ["key"], "workers": 2}
    manifest = encode_folder(rows.file, "s3://bucket/rows", "s3://bucket/codes", **options)
    out = fetched(s3, "bucket/codes", tmp_path / "first")
    assert rows.is_in(out)
    assert not list(out.rglob("*.tmp"))
    for name, one in manifest["files"].items():
        assert one["sha256"] == hashlib.sha256((out / name).read_bytes()).hexdigest()
    with pytest.raises(FileExistsError, match="s3://bucket/codes exists; go on with it"):
        encode_folder(rows.file, "s3://bucket/rows", "s3://bucket/codes", **options)
    s3.delete_file("bucket/codes/half=0/2.parquet")
    encode_folder(rows.file, "s3://bucket/rows", "s3://bucket/codes", resume=True, **options)
    assert rows.is_in(fetched(s3, "bucket/codes", tmp_path / "second"))


def test_workers_that_are_older_than_the_keys_have_them(rows, s3, tmp_path):
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        get_reusable_executor().shutdown(wait=True)
        encode_folder(rows.file, rows.folder, tmp_path / "here", keep=["key"], workers=2)
    encode_folder(rows.file, "s3://bucket/rows", "s3://bucket/later", keep=["key"], workers=2)
    assert rows.is_in(fetched(s3, "bucket/later", tmp_path / "later"))


def test_from_an_object_store_to_this_machine(rows, s3, tmp_path):
    encode_folder(rows.file, "s3://bucket/rows/", tmp_path / "out", keep=["key"], workers=1)
    assert rows.is_in(tmp_path / "out")


def test_a_write_that_fails_leaves_nothing_in_a_store(s3):
    place = Place.at("s3://bucket/failed")

    def write():
        with place.atomic("one.parquet") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert place.names() == []


def test_a_damaged_file_in_a_store_is_named_by_its_url(rows, s3, tmp_path):
    with s3.open_output_stream("bucket/damaged/one.parquet") as file:
        file.write(b"PAR1")
    with pytest.raises(DataFileError, match=r"^s3://bucket/damaged/one\.parquet: damaged"):
        encode_folder(rows.file, "s3://bucket/damaged", tmp_path / "out")


def test_other_stores_are_those_of_fsspec(rows, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").put(str(rows.folder), "/rows", recursive=True)
    encode_folder(rows.file, "memory://rows", tmp_path / "out", keep=["key"], workers=1)
    assert rows.is_in(tmp_path / "out")


def test_a_scheme_that_nobody_knows_is_refused():
    with pytest.raises(ParameterError, match=r"nonsense://a/b: .*nonsense"):
        Place.at("nonsense://a/b")


def test_a_bucket_where_nobody_answers_is_said(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"http://127\.0\.0\.1:9: nothing answers there"):
        encode_folder(rows.file, "s3://bucket/rows", tmp_path / "out")


def test_an_address_answers_or_has_no_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        refuse_silence(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    refuse_silence("local[2]")
    refuse_silence("auto")


def test_hidden_files_are_no_data_and_leftovers_are_swept(rows, tmp_path):
    for name in (
        "_delta/a.parquet",
        ".b.parquet",
        "c.txt",
        f"k=1/.d.parquet.{'0' * 16}.tmp",
        "k=1/d.PARQUET",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    place = Place.at(tmp_path)
    assert place.parquet_files() == ["k=1/d.PARQUET"]
    place.sweep()
    assert place.names() == [".b.parquet", "_delta/a.parquet", "c.txt", "k=1/d.PARQUET"]
    assert os.path.isabs(place.root)
    assert pq.ParquetFile(rows.folder / "half=0" / "2.parquet").metadata.num_rows == 0
