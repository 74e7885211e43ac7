"""Folders on the command line: ``--engine``, ``--workers``, ``--address``, ``--keep`` and ``--resume``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engine_rows import NAMES, make_rows
from helpers import BRIEF, command, small_stack
from joblib import cpu_count

from stackae import StackedAutoencoderClassifier

pytestmark = pytest.mark.slow
QUICK = ("--layer", 4, "--epochs", 2, "--finetune-epochs", 0, "--no-report")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return make_rows(tmp_path_factory.mktemp("rows"))


def test_a_folder_becomes_a_folder_of_codes_with_what_is_kept(stackae, rows, tmp_path):
    done = stackae(
        "transform", rows.file, rows.folder, "--id", "key", "--out", tmp_path / "codes", "--workers", "1"
    )
    assert (done.code, done.out, done.err) == (0, f"6,000 rows in 5 files: {tmp_path / 'codes'}\n", "")
    assert rows.is_in(tmp_path / "codes")
    again = stackae("transform", rows.file, rows.folder, "--id", "key", "--out", tmp_path / "codes")
    assert again.code == 5
    assert "codes exists; go on with it (--resume)" in again.err
    on = stackae(
        "transform", rows.file, rows.folder, "--id", "key", "--out", tmp_path / "codes", "--resume", "--quiet"
    )
    assert (on.code, on.out, on.err) == (0, "", "")
    other = stackae("score", rows.file, rows.folder, "--keep", "key", "--out", tmp_path / "codes", "--resume")
    assert other.code == 4
    assert "is of another run (method was transform, is score)" in other.err


@pytest.mark.parametrize(
    ("method", "options", "columns"),
    [
        ("score", ("--keep", "key"), ["key", "squared_error"]),
        ("reconstruct", ("--keep", "key"), ["key", *NAMES]),
        ("impute", ("--drop", "note"), ["key", *NAMES]),
        ("predict", ("--keep", "key", "--keep", "note"), ["key", "note", "prediction"]),
        ("predict", ("--proba",), ["ant", "bee"]),
    ],
)
def test_other_commands_take_folders_too(stackae, tmp_path, method, options, columns):
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    gappy = np.where(np.arange(300)[:, None] % 7 == np.arange(6), np.nan, X) if method == "impute" else X
    table = pa.table([np.arange(300), *gappy.T, ["a"] * 300], ["key", *NAMES, "note"])
    samples = table.select(NAMES).to_pandas()
    if method == "predict":
        kinds = np.where(X[:, 0] > 0, "ant", "bee")
        model = StackedAutoencoderClassifier((4,), finetune=BRIEF, random_state=0).fit(samples, kinds)
    else:
        model = small_stack(missing_values=np.nan if method == "impute" else None).fit(samples)
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "rows").mkdir()
    pq.write_table(table, tmp_path / "rows" / "one.parquet")
    given = (
        tmp_path / "model.safetensors",
        tmp_path / "rows",
        "--out",
        tmp_path / "out",
        "--workers",
        "1",
        *options,
    )
    done = stackae(method, *given)
    assert (done.code, done.out) == (0, f"300 rows in 1 file: {tmp_path / 'out'}\n")
    ignored = [name for name in ("key", "note") if name not in (*options, *columns)]
    told = f"ignored {', '.join(map(repr, ignored))}, which the model does not know" if ignored else ""
    assert told in done.err
    assert done.err.count("\n") == bool(ignored)
    found = pq.ParquetFile(tmp_path / "out" / "one.parquet").read()
    assert found.column_names == columns
    if method == "impute":
        there = ~np.isnan(gappy)
        filled = np.stack([found[name].to_numpy() for name in NAMES], 1)
        np.testing.assert_array_equal(filled[there], gappy[there])
        assert np.isfinite(filled).all()


@pytest.mark.skipif(cpu_count() < 2, reason="a single worker is the process itself")
def test_a_run_that_was_killed_goes_on_with_one_command(stackae, tmp_path):
    many = make_rows(tmp_path, 200)
    line = ("transform", many.file, many.folder, "--id", "key", "--out", tmp_path / "codes")
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(*line, "--workers", "2"), **silent)
    while process.poll() is None and not list((tmp_path / "codes").rglob("*.parquet")):
        time.sleep(0.005)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "codes").rglob("*.parquet"))) < 5
    done = stackae(*line, "--resume", "--workers", "1")
    assert (done.code, done.err) == (0, "")
    assert many.is_in(tmp_path / "codes")
    assert not [name for name in os.listdir(tmp_path / "codes") if name.startswith(".")]
    assert len(workers) >= 2
    assert not psutil.wait_procs(workers, timeout=60)[1], "workers outlive who started them"


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--out", "codes.npy", "--engine", "ray"), 2, "--engine is for folders: give one to --out"),
        (("--out", "codes.parquet", "--keep", "key"), 2, "--keep is for folders"),
        (("--out", "codes", "--delimiter", ";"), 2, "--delimiter is for single files"),
        (("--out", "codes", "--workers", "0"), 2, "must be a whole number of at least 1, got 0"),
        (("--out", "codes", "--keep", "name"), 3, "no column 'name'"),
        (
            ("--out", "codes", "--engine", "dask", "--address", "127.0.0.1:9"),
            5,
            "127.0.0.1:9: nothing answers there",
        ),
        (("--out", "codes", "--address", "127.0.0.1:9"), 2, "address is for a cluster"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    stackae, rows, tmp_path, monkeypatch, options, code, says
):
    monkeypatch.chdir(tmp_path)
    done = stackae("transform", rows.file, rows.folder, "--drop", "key", *options)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("stackae: error: ")
    assert says in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_damaged_is_one_line_with_its_name(stackae, tmp_path):
    made = make_rows(tmp_path)
    path = made.folder / "half=1" / "3.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    done = stackae("transform", made.file, made.folder, "--id", "key", "--out", tmp_path / "codes")
    assert done.code == 3
    assert done.err.startswith(f"stackae: error: {path}: damaged, or not a Parquet file")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "codes").exists()


def test_options_of_one_file_alone_are_refused_of_folders(stackae, rows, tmp_path):
    done = stackae("score", rows.file, rows.folder, "--out", tmp_path / "codes", "--top", "3")
    assert (done.code, done.out) == (2, "")
    assert "--top is for single files" in done.err


def test_a_file_that_is_no_parquet_is_said_to_be_none(stackae, rows, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    done = stackae(
        "transform", rows.file, tmp_path / "rows.csv", "--out", tmp_path / "codes", "--engine", "local"
    )
    assert (done.code, done.out) == (2, "")
    assert "--engine is for Parquet files, got" in done.err
    assert not (tmp_path / "codes").exists()


def test_columns_that_the_model_does_not_know_are_told(stackae, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    table = pa.table(list(X.T), ["a", "b", "c"])
    small_stack().fit(table.to_pandas()).save(tmp_path / "model.safetensors")
    (tmp_path / "rows").mkdir()
    pq.write_table(table, tmp_path / "rows" / "0.parquet")
    pq.write_table(table.append_column("later", pa.array(range(60))), tmp_path / "rows" / "1.parquet")
    done = stackae(
        "transform", tmp_path / "model.safetensors", tmp_path / "rows", "--out", tmp_path / "codes"
    )
    assert done.code == 0
    assert "ignored 'later', which the model does not know" in done.err
    assert pq.read_table(tmp_path / "codes" / "1.parquet").num_rows == 60


def test_neither_help_nor_the_library_imports_an_engine():
    code = (
        "import sys\nfrom stackae_cli.main import cli\nimport stackae.engines, stackae.engines.folders\n"
        "import stackae.engines.ray, stackae.engines.spark, stackae.engines.dask\n"
        "cli.main(['transform', '--help'], standalone_mode=False)\n"
        "print('LOADED', *(m for m in ('ray', 'pyspark', 'distributed', 'dask', 's3fs', 'boto3') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "LOADED"
    assert "--engine [local|ray|spark|dask]" in done.stdout
    assert Path(sys.executable).exists()


def test_what_a_run_was_told_that_rows_are_called_by_is_kept_of_folders(stackae, tmp_path):
    made = make_rows(tmp_path)
    run = tmp_path / "run"
    done = stackae("pretrain", made.folder / "half=1" / "3.parquet", "--id", "key", "--out", run, *QUICK)
    assert done.code == 0, done.err
    assert stackae("transform", run, made.folder, "--out", tmp_path / "codes", "--workers", 1).code == 0
    assert pq.read_table(tmp_path / "codes" / "half=0" / "0.parquet").column_names[0] == "key"


def test_a_damaged_row_is_mended_and_what_was_done_is_kept(stackae, tmp_path):
    made = make_rows(tmp_path)
    path = made.folder / "half=0" / "4.parquet"
    whole = path.read_bytes()
    spoilt = pq.read_table(path).to_pandas()
    spoilt.loc[5, "x1"] = np.inf
    pq.write_table(pa.Table.from_pandas(spoilt[["key", *NAMES]], preserve_index=False), path)
    line = ("transform", made.file, made.folder, "--id", "key", "--out", tmp_path / "codes", "--workers", 1)
    done = stackae(*line)
    assert done.code == 3
    assert f"mend this one, and --resume goes on with {tmp_path / 'codes'}\n" in done.err
    n_kept = len(list((tmp_path / "codes").rglob("*.parquet")))
    assert n_kept > 0
    path.write_bytes(whole)
    done = stackae(*line, "--resume")
    assert (done.code, done.err) == (0, "")
    said = f"6,000 rows in 5 files, {n_kept} there already and {5 - n_kept} computed now"
    assert done.out == f"{said}: {tmp_path / 'codes'}\n"
    assert made.is_in(tmp_path / "codes")
