"""The folder of a run: one process at a time, no links, nothing that the run did not leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest
from helpers import SMALL, command

from stackae import load
from stackae_cli.run_folder import run_folder


def test_a_run_that_stands_is_not_overwritten_and_how_to_go_on_is_said(stackae, broken_off):
    done = stackae("pretrain", "digits", "--out", broken_off)
    assert done.code == 5
    assert "exists; go on with it (--resume), choose another --out, or remove it" in done.err
    done = stackae("info", broken_off)
    assert done.code == 4
    assert "holds no model.safetensors yet; go on with it by --resume" in done.err


def test_a_runs_folder_is_loaded_in_python_too(finished_run):
    assert (
        load(finished_run).get_params().keys() == load(finished_run / "model.safetensors").get_params().keys()
    )


@pytest.mark.slow
def test_a_second_process_exits_5_at_once_and_the_first_one_ends_by_a_signal(stackae, tmp_path):
    run = tmp_path / "run"
    args = ("pretrain", "digits", "--out", run, "--epochs", 100_000)
    first = subprocess.Popen(command(*args), stderr=subprocess.PIPE, text=True)
    try:
        assert first.stderr.readline().startswith("layer 1  up to 100,000 epochs")
        assert first.stderr.readline().startswith("layer 1  epoch 1/100000")
        start = time.monotonic()
        done = stackae("pretrain", "digits", "--out", run, "--resume")
        assert time.monotonic() - start < 5
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        _, err = first.communicate(timeout=60)
    finally:
        first.kill()
        first.wait()
    assert done.code == 5
    assert "another process is at work in it" in done.err
    assert first.returncode == 143
    go_on = f"stackae pretrain --resume --out {run} digits"
    assert err.splitlines()[-1] == f"stackae: error: stopped; go on with: {go_on}"
    assert {path.name for path in run.iterdir()} == {"checkpoints", "config.toml"}


def test_leftovers_of_killed_writes_are_swept_and_nothing_else(stackae, broken_off):
    leftovers = [
        broken_off / ".config.toml.0123456789abcdef.tmp",
        broken_off / "checkpoints" / ".001.safetensors.0123456789abcdef.tmp",
    ]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    (broken_off / "notes.tmp").write_text("mine")
    assert stackae("pretrain", "digits", "--out", broken_off, "--resume").code == 0
    assert not any(leftover.exists() for leftover in leftovers)
    assert (broken_off / "notes.tmp").read_text() == "mine"


@pytest.mark.parametrize("name", ["checkpoints", "lock", "config.toml", "model.safetensors"])
def test_links_in_a_run_are_refused(stackae, broken_off, name, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".x.0123456789abcdef.tmp").write_text("not ours")
    os.rename(broken_off / name, tmp_path / "moved") if (broken_off / name).exists() else None
    (broken_off / name).symlink_to(elsewhere)
    done = stackae("pretrain", "digits", "--out", broken_off, "--resume")
    assert done.code == 5
    assert "is a link, which no run makes" in done.err
    assert (elsewhere / ".x.0123456789abcdef.tmp").exists()


def test_a_disk_without_room_for_the_run_exits_5_before_training(stackae, monkeypatch, tmp_path):
    free = 10_000
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    done = stackae("pretrain", "digits", "--out", tmp_path / "run", "--layer", "64")
    assert done.code == 5
    path, sizes = (
        tmp_path / "run" / "checkpoints",
        "training leaves 0.0 MB there at least, and 0.0 MB are free",
    )
    assert done.err == f"stackae: error: {path}: {sizes}; make room, or write elsewhere\n"
    assert not (tmp_path / "run").exists()
    free = 1_000_000
    assert stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL).code == 0


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ('{"sha256": {"../../model.safetensors": "0"}}', "names '../../model.safetensors', which is no file"),
        ('{"sha256": {"/etc/passwd": "0"}}', "names '/etc/passwd', which is no file of a run"),
        ('{"sha256": {"model.safetensors": "0"}}', "model.safetensors: is not what the run left there"),
        ('{"sha256": 3}', "manifest.json: is damaged"),
        ("{", "manifest.json: is damaged"),
        ("[" * 100_000, "manifest.json: is damaged"),
    ],
)
def test_a_manifest_that_is_none_exits_4(stackae, finished_run, tmp_path, manifest, words):
    shutil.copytree(finished_run, tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text(manifest)
    done = stackae("info", tmp_path / "run")
    assert done.code == 4
    assert words in done.err


def test_a_model_that_is_a_link_or_was_exchanged_exits_4(stackae, finished_run, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(finished_run, run)
    stackae("pretrain", "digits", "--out", other, *SMALL[:-1], "1")
    model = run / "model.safetensors"
    model.write_bytes((other / "model.safetensors").read_bytes())
    done = stackae("info", run)
    assert done.code == 4
    assert "is not what the run left there" in done.err
    model.unlink()
    model.symlink_to(other / "model.safetensors")
    for manifest in (run / "manifest.json").read_text(), '{"sha256": {}}':
        (run / "manifest.json").write_text(manifest)
        done = stackae("info", run)
        assert done.code == 4
        assert "model.safetensors: is no regular file" in done.err
    (run / "manifest.json").unlink()
    os.mkfifo(run / "manifest.json")
    assert stackae("info", run).code == 4
    assert load(model).random_state == 1  # who names the file itself is believed


@pytest.mark.parametrize("path", ["run", "runs/of/today"])
def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(tmp_path, path):
    def fail() -> None:
        with run_folder(tmp_path / path) as folder:
            (folder / "config.toml").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_else_lies_in_a_folder_stays_where_a_run_that_goes_on_fails(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes").write_text("mine")
    with pytest.raises(RuntimeError), run_folder(tmp_path / "run", resume=True):
        raise RuntimeError
    assert os.listdir(tmp_path / "run") == ["notes"]
