"""Runs that are stopped go on, runs that are not theirs are left alone."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import SMALL, command
from safetensors.numpy import load_file

from stackae import load
from stackae.serialization.model_file import read_model, write_model
from stackae.training.callbacks.checkpoints import Checkpoints
from stackae_cli.run_folder import run_folder

EVERY = ("--checkpoint-every", "0")


def content(run: Path) -> tuple[str, list[dict]]:
    """The bits of the model's tensors, and the history without its times."""
    lines = (run / "history.jsonl").read_text().splitlines()
    records = [{k: v for k, v in json.loads(line).items() if "second" not in k} for line in lines]
    sha256 = hashlib.sha256()
    for name, values in sorted(load_file(run / "model.safetensors").items()):
        sha256.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())
    return sha256.hexdigest(), records


@pytest.fixture
def dying(monkeypatch):
    """Let a run within this process die after so many epochs, once."""

    def die_after(n_epochs: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        counted = []
        end_epoch = Checkpoints.end_epoch

        def counting(*args):
            end_epoch(*args)
            counted.append(None)
            if len(counted) == n_epochs:
                raise error

        monkeypatch.setattr(Checkpoints, "end_epoch", counting)

    return die_after


@pytest.fixture
def broken_off(stackae, dying, tmp_path) -> Path:
    """A run that was interrupted in its first layer."""
    dying(1)
    assert stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL).code == 130
    return tmp_path / "run"


def test_an_interrupted_run_says_how_to_go_on_and_ends_in_the_same_bits(
    stackae, dying, finished_run, tmp_path
):
    dying(2)
    stopped = stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL, "--quiet")
    assert stopped.code == 130
    go_on = f"stackae pretrain --resume --out {tmp_path / 'run'} digits"
    assert stopped.err == f"stackae: error: stopped; go on with: {go_on}\n"
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"config.toml", "checkpoints"}
    resumed = stackae(*go_on.split()[1:], "--quiet")
    assert (resumed.code, resumed.err) == (0, "")
    assert content(tmp_path / "run") == content(finished_run)
    left = {"model.safetensors", "config.toml", "history.jsonl", "manifest.json"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == left


LONG = ("--layer", "4", "--epochs", 80, *EVERY)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> Path:
    """A run that is long enough to be stopped, and was not."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    args = command("pretrain", "digits", "--out", run, *LONG, "--random-state", "0")
    subprocess.run(args, check=True, capture_output=True)
    return run


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_run_that_a_signal_stops_goes_on(number, code, whole_run, tmp_path):
    args = ("pretrain", "digits", "--out", tmp_path / "run", *LONG)
    process = subprocess.Popen(command(*args, "--random-state", "0"), stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("layer 1  epoch 5/"):
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    done = subprocess.run(command(*args, "--resume"), capture_output=True, text=True, check=True)
    assert "layer 1  epoch 5/" in done.stderr  # told again, not trained again
    assert content(tmp_path / "run") == content(whole_run)


def test_going_on_with_nothing_starts_a_run(stackae, finished_run, tmp_path):
    (tmp_path / "empty").mkdir()
    for out in ("new", "empty"):
        assert stackae("pretrain", "digits", "--out", tmp_path / out, *SMALL, "--resume").code == 0
        assert content(tmp_path / out) == content(finished_run)


def test_going_on_with_a_run_that_is_done_leaves_it_as_it_is(stackae, tmp_path):
    run = tmp_path / "run"
    stackae("pretrain", "digits", "--out", run, *SMALL)
    (run / "manifest.json").unlink()  # as if killed when the model was there
    before = content(run)
    answer = stackae("pretrain", "digits", "--out", run, "--resume")
    assert (answer.code, answer.out) == (0, f"{run / 'model.safetensors'} is there already\n")
    assert content(run) == before
    assert (run / "manifest.json").exists()


def test_a_run_without_a_seed_goes_on_with_the_one_that_it_drew(stackae, dying, tmp_path):
    dying(1)
    stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL[:-2])
    assert stackae("pretrain", "digits", "--out", tmp_path / "run", "--resume").code == 0
    config = tmp_path / "run" / "config.toml"
    assert stackae("pretrain", "--config", config, "--out", tmp_path / "again").code == 0
    assert content(tmp_path / "run") == content(tmp_path / "again")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layer", "5"], "layers was ['8', '3'], is ['5']"),
        (["--epochs", "7", "--random-state", "1"], "epochs was 2, is 7, random_state was 0, is 1"),
        (["--scale", "standard"], "scale was auto, is standard"),
    ],
)
def test_other_options_are_listed_and_exit_4(stackae, broken_off, options, words):
    before = sorted(os.listdir(broken_off / "checkpoints"))
    answer = stackae("pretrain", "digits", "--out", broken_off, "--resume", *options)
    assert answer.code == 4
    assert words in answer.err
    assert len(answer.err.splitlines()) == 1
    assert sorted(os.listdir(broken_off / "checkpoints")) == before


def test_options_that_are_the_same_may_be_given_again(stackae, broken_off):
    assert stackae("pretrain", "digits", "--out", broken_off, "--resume", *SMALL).code == 0


def test_other_rows_exit_4(stackae, dying, tmp_path):
    rows = np.random.default_rng(0).normal(size=(100, 5))
    np.save(tmp_path / "rows.npy", rows)
    dying(1)
    stackae("pretrain", tmp_path / "rows.npy", "--out", tmp_path / "run", *SMALL)
    np.save(tmp_path / "rows.npy", rows + 1)
    answer = stackae("pretrain", tmp_path / "rows.npy", "--out", tmp_path / "run", "--resume")
    assert answer.code == 4
    assert "is a run on other input (fingerprint was" in answer.err
    np.save(tmp_path / "rows.npy", rows[:-1])
    answer = stackae("pretrain", tmp_path / "rows.npy", "--out", tmp_path / "run", "--resume")
    assert "rows was 100, is 99" in answer.err


@pytest.mark.parametrize("damage", ["layers = [", "layers = ['8', 'x']", "ran = 3", ""])
def test_a_damaged_configuration_exits_4(stackae, broken_off, damage):
    (broken_off / "config.toml").write_text(damage)
    answer = stackae("pretrain", "digits", "--out", broken_off, "--resume")
    assert answer.code == 4
    assert "config.toml: is damaged" in answer.err


def test_other_versions_are_warned_of(stackae, broken_off, finished_run):
    config = broken_off / "config.toml"
    config.write_text(config.read_text().replace('numpy = "', 'numpy = "0.'))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        answer = stackae("pretrain", "digits", "--out", broken_off, "--resume", "--quiet")
    assert answer.code == 0
    assert answer.err.startswith("stackae: warning: the run may not end in the same bits: numpy was 0.")
    assert content(broken_off) == content(finished_run)


def test_a_run_that_stands_is_not_overwritten_and_how_to_go_on_is_said(stackae, broken_off):
    answer = stackae("pretrain", "digits", "--out", broken_off)
    assert answer.code == 5
    assert "exists; go on with it (--resume), choose another --out, or remove it" in answer.err
    answer = stackae("info", broken_off)
    assert answer.code == 4
    assert "holds no model.safetensors yet; go on with it by --resume" in answer.err


@pytest.fixture
def table(tmp_path) -> Path:
    """Rows with labels, as a file that can change."""
    rng = np.random.default_rng(0)
    path = tmp_path / "table.csv"
    lines = [f"{a:.6f},{b:.6f},{'x' if a > b else 'y'}" for a, b in rng.normal(size=(90, 2))]
    path.write_text("\n".join(["a,b,label", *lines]) + "\n")
    return path


def tuned(table: Path, out: str, *more: object) -> tuple[object, ...]:
    """A fine-tuning with labels, beside its table."""
    options = ("--labels", "label", "--epochs", 6, "--random-state", 0, *EVERY)
    return ("finetune", table.with_name("pretrained"), table, "--out", table.with_name(out), *options, *more)


@pytest.fixture
def broken_off_tuning(stackae, dying, table) -> Path:
    """A fine-tuning that was interrupted after its third epoch."""
    options = ("--layer", 3, "--epochs", 2, "--finetune-epochs", 0, "--drop", "label", "--random-state", 0)
    assert stackae("pretrain", table, "--out", table.with_name("pretrained"), *options).code == 0
    dying(3)
    stopped = stackae(*tuned(table, "tuned"), "--quiet")
    assert stopped.code == 130
    run, pretrained = table.with_name("tuned"), table.with_name("pretrained")
    go_on = f"stackae finetune --resume --out {run} {pretrained} {table}"
    assert stopped.err == f"stackae: error: stopped; go on with: {go_on}\n"
    return run


def test_a_fine_tuning_goes_on_to_the_same_bits(stackae, broken_off_tuning, table):
    pretrained = table.with_name("pretrained")
    resumed = stackae("finetune", "--resume", "--out", broken_off_tuning, pretrained, table, "--quiet")
    assert (resumed.code, resumed.err) == (0, "")
    assert stackae(*tuned(table, "whole")).code == 0
    assert content(broken_off_tuning) == content(table.with_name("whole"))
    assert not (broken_off_tuning / "checkpoints").exists()
    again = stackae(*tuned(table, "tuned"), "--resume")
    assert (again.code, again.out) == (0, f"{broken_off_tuning / 'model.safetensors'} is there already\n")


def test_a_fine_tuning_is_replayed_from_its_configuration(stackae, broken_off_tuning, table):
    run = broken_off_tuning
    assert stackae(*tuned(table, "tuned", "--corruption", "none"), "--resume").code == 4
    assert stackae(*tuned(table, "tuned"), "--resume").code == 0
    again = stackae("finetune", "--config", run / "config.toml", "--out", table.with_name("again"))
    assert again.code == 0
    assert content(table.with_name("again")) == content(run)


def test_a_fine_tuning_of_other_input_exits_4(stackae, broken_off_tuning, table):
    whole, pretrained = table.read_text(), table.with_name("pretrained")
    table.write_text(whole.replace(",x", ",z", 1))
    answer = stackae(*tuned(table, "tuned"), "--resume")
    assert answer.code == 4
    assert "is a run on other input (labels was" in answer.err
    table.write_text(whole)
    other = ("--layer", 3, "--epochs", 1, "--finetune-epochs", 0, "--drop", "label")
    assert stackae("pretrain", table, "--out", table.with_name("other"), *other).code == 0
    for name in ("model.safetensors", "manifest.json", "config.toml", "history.jsonl"):
        os.replace(table.with_name("other") / name, pretrained / name)
    answer = stackae(*tuned(table, "tuned"), "--resume")
    assert answer.code == 4
    assert "is a run on other input (model was" in answer.err


def test_one_command_does_not_go_on_with_another_ones_run(stackae, broken_off, broken_off_tuning, table):
    answer = stackae("pretrain", table, "--drop", "label", "--out", broken_off_tuning, "--resume")
    assert answer.code == 4
    assert "is a run of stackae finetune" in answer.err
    answer = stackae(*tuned(table, "x")[:3], "--out", broken_off, "--resume")
    assert answer.code == 4
    assert "is a run of stackae pretrain" in answer.err


def test_a_second_process_exits_5_at_once(stackae, tmp_path):
    args = ("pretrain", "digits", "--out", tmp_path / "run", "--epochs", 100_000)
    first = subprocess.Popen(command(*args), stderr=subprocess.PIPE, text=True)
    try:
        assert first.stderr.readline().startswith("layer 1")
        start = time.monotonic()
        answer = stackae("pretrain", "digits", "--out", tmp_path / "run", "--resume")
        assert time.monotonic() - start < 5
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()
    assert answer.code == 5
    assert "another process is at work in it" in answer.err


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
    answer = stackae("pretrain", "digits", "--out", broken_off, "--resume")
    assert answer.code == 5
    assert "is a link, which no run makes" in answer.err
    assert (elsewhere / ".x.0123456789abcdef.tmp").exists()


def test_a_forged_checkpoint_exits_4(stackae, broken_off):
    (path,) = (broken_off / "checkpoints").iterdir()
    header, tensors = read_model(path)
    for forged in (
        {**tensors, "parameter.other": tensors["generator"]},
        {"generator": tensors["generator"][:3]},
    ):
        write_model(path, header, forged)
        answer = stackae("pretrain", "digits", "--out", broken_off, "--resume", "--quiet")
        assert answer.code == 4
        assert "is no checkpoint of this phase" in answer.err


def test_a_disk_without_room_for_the_run_exits_5_before_training(stackae, monkeypatch, tmp_path):
    free = 10_000
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    answer = stackae("pretrain", "digits", "--out", tmp_path / "run", "--layer", "64")
    assert answer.code == 5
    path, sizes = (
        tmp_path / "run" / "checkpoints",
        "training leaves 0.0 MB there at least, and 0.0 MB are free",
    )
    assert answer.err == f"stackae: error: {path}: {sizes}; make room, or write elsewhere\n"
    assert not (tmp_path / "run").exists()
    free = 1_000_000
    assert stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL).code == 0


def test_a_rate_of_checkpoints_that_is_none_exits_2(stackae, tmp_path):
    for every in ("nan", "-1"):
        answer = stackae("pretrain", "digits", "--out", tmp_path / "run", "--checkpoint-every", every)
        assert answer.code == 2
        assert "checkpoint-every" in answer.err
    assert not (tmp_path / "run").exists()


def test_several_processes_keep_no_checkpoints_and_say_so(stackae, monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    answer = stackae("pretrain", "digits", "--out", tmp_path / "run", "--resume")
    assert answer.code == 2
    assert "runs of several processes keep no checkpoints" in answer.err


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
def test_a_manifest_that_is_none_exits_4(stackae, tmp_path, manifest, words):
    stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL)
    (tmp_path / "run" / "manifest.json").write_text(manifest)
    answer = stackae("info", tmp_path / "run")
    assert answer.code == 4
    assert words in answer.err


def test_a_model_that_is_a_link_or_was_exchanged_exits_4(stackae, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    stackae("pretrain", "digits", "--out", run, *SMALL)
    stackae("pretrain", "digits", "--out", other, *SMALL[:-1], "1")
    model = run / "model.safetensors"
    model.write_bytes((other / "model.safetensors").read_bytes())
    answer = stackae("info", run)
    assert answer.code == 4
    assert "is not what the run left there" in answer.err
    model.unlink()
    model.symlink_to(other / "model.safetensors")
    for manifest in (run / "manifest.json").read_text(), '{"sha256": {}}':
        (run / "manifest.json").write_text(manifest)
        answer = stackae("info", run)
        assert answer.code == 4
        assert "model.safetensors: is no regular file" in answer.err
    (run / "manifest.json").unlink()
    os.mkfifo(run / "manifest.json")
    assert stackae("info", run).code == 4
    assert load(model).random_state == 1  # who names the file itself is believed


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(tmp_path):
    def fail() -> None:
        with run_folder(tmp_path / "run") as folder:
            (folder / "config.toml").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (tmp_path / "run").exists()


def test_a_run_that_has_no_checkpoint_yet_is_left_as_it_is_where_it_cannot_go_on(stackae, broken_off):
    (broken_off / "checkpoints" / "001-000001.safetensors").unlink()  # as if killed in its first minute
    before = (broken_off / "config.toml").read_bytes()
    answer = stackae("pretrain", "nowhere.csv", "--out", broken_off, "--resume", "--data-home", "/nowhere")
    assert answer.code == 4
    config = broken_off / "config.toml"
    config.write_bytes(before.replace(b'fingerprint = "', b'fingerprint = "0'))
    answer = stackae("pretrain", "digits", "--out", broken_off, "--resume")
    assert answer.code == 4
    assert "is a run on other input" in answer.err
    assert config.exists()
    config.write_bytes(before)
    assert stackae("pretrain", "digits", "--out", broken_off, "--resume").code == 0


def test_what_else_lies_in_a_folder_stays_where_a_run_that_goes_on_fails(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes").write_text("mine")
    with pytest.raises(RuntimeError), run_folder(tmp_path / "run", resume=True):
        raise RuntimeError
    assert os.listdir(tmp_path / "run") == ["notes"]
