"""Standard output and error of any encoding, closed, full or without a reader: no work is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from helpers import (
    SMALL,
    command,
    forked,
    run_stackae,
    run_stackae_in,
    run_stackae_on_a_full_disk,
    run_stackae_without,
    run_stackae_without_a_reader,
    write_noise_without_standard_output,
)

from stackae import load
from stackae_cli.streams import spelled

ONE_WIDTH = ("--method", "PCA", "--few-labels", 10)
NO_ROOM = "stackae: error: standard output: No space left on device; make room, or write elsewhere\n"


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp1252"])
def test_evaluate_writes_its_files_and_prints_in_any_encoding(encoding, finished_run, tmp_path):
    files = ("--json", tmp_path / "t.json", "--picture", tmp_path / "t.png")
    code, out, err = forked(run_stackae_in, encoding, "evaluate", finished_run, *ONE_WIDTH, *files)
    assert code == 0, err
    assert json.loads((tmp_path / "t.json").read_text())["records"][0]["method"] == "stackae"
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    assert "| stackae         | 3     |" in out
    if encoding == "ascii":
        assert " +- " in out
        assert ", R2 " in out
        assert len({len(line) for line in out.splitlines() if line.startswith(("|", "+"))}) == 1


def test_what_an_encoding_lacks_is_replaced_by_what_reads_well(monkeypatch, tmp_path):
    with open(tmp_path / "out", "w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert spelled("R² ± 2 × Nyström, 幅, \udcff") == r"R2 +- 2 x Nystrom, \u5e45, \udcff"
    monkeypatch.setattr(sys, "stdout", None)
    assert spelled("R² ± 幅") == "R² ± 幅"


def test_names_that_no_encoding_holds_are_printed_too(finished_run, tmp_path):
    out = tmp_path / "\udcff.npy"  # a byte that is not UTF-8
    code, printed, err = forked(run_stackae, "transform", finished_run, "digits:test", "--out", out)
    assert (code, err) == (0, "")
    assert printed == f"360 rows × 3 codes: {tmp_path}/\\udcff.npy\n"
    assert out.exists()


# Whole processes: what Python says at its end is part of it.


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", [("--json",), ()])
def test_a_reader_that_leaves_early_is_no_error(options, unbuffered, finished_run):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(
            command("info", finished_run, *options), stdout=stdout, stderr=subprocess.PIPE, env=environment
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_result_that_finds_no_room_on_standard_output_exits_5(unbuffered, finished_run):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as stdout:
        done = subprocess.run(
            command("info", finished_run), stdout=stdout, stderr=subprocess.PIPE, env=environment
        )
    assert (done.returncode, done.stderr.decode()) == (5, NO_ROOM)


@pytest.mark.slow
def test_who_leaves_standard_error_does_not_end_the_training(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stderr:
        done = subprocess.run(command("pretrain", "digits", "--out", tmp_path / "run", *SMALL), stderr=stderr)
    assert done.returncode == 0
    assert load(tmp_path / "run" / "model.safetensors").n_iter_ == 6


# Processes that are forked: they begin at once.


@pytest.mark.parametrize("args", [("transform", "--out", "-"), ("score",)])
def test_tables_and_figures_need_no_reader_but_room(args, finished_run):
    args = (args[0], finished_run, "digits:test", *args[1:])
    assert forked(run_stackae_without_a_reader, *args) == (0, "", "")
    assert forked(run_stackae_on_a_full_disk, *args) == (5, "", NO_ROOM)


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (run_stackae_without_a_reader, 0),
        (run_stackae_on_a_full_disk, 5),
        ((run_stackae_without, (1,)), 0),
        ((run_stackae_without, (2,)), 0),
        ((run_stackae_without, (0, 1, 2)), 0),
    ],
    ids=["no reader", "full", "no output", "no error", "no stream"],
)
def test_a_model_is_left_whatever_becomes_of_its_report(function, code, tmp_path):
    function, *streams = function if isinstance(function, tuple) else (function,)
    ended, _, err = forked(function, *streams, "pretrain", "digits", "--out", tmp_path / "run", *SMALL)
    assert ended == code, err
    assert "Traceback" not in err
    assert "ignored" not in err
    assert load(tmp_path / "run" / "model.safetensors").n_iter_ == 6
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_results_of_evaluate_are_in_their_files_before_they_are_printed(finished_run, tmp_path):
    files = ("--json", tmp_path / "t.json", "--picture", tmp_path / "t.png")
    code, _, err = forked(run_stackae_on_a_full_disk, "evaluate", finished_run, *ONE_WIDTH, *files, "--quiet")
    assert (code, err.count("\n")) == (5, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"t.json", "t.png"}


def test_an_error_without_standard_error_is_an_exit_code_alone(tmp_path):
    assert forked(run_stackae_without, (2,), "info", tmp_path / "nowhere") == (5, "", "")


def test_a_table_for_a_closed_standard_output_is_refused_before_any_work(finished_run):
    code, _, err = forked(
        run_stackae_without, (1,), "transform", finished_run, "no-such-file.npy", "--out", "-"
    )
    assert (code, "standard output is closed" in err) == (5, True)


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    assert forked(write_noise_without_standard_output, tmp_path / "file") == (0, "", "")
    assert (tmp_path / "file").read_bytes() == b""
