"""Runs that are stopped go on, to the same bits; others are refused."""

from __future__ import annotations

import json
import os
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import SMALL, forked, run_stackae_until_a_signal, timeless

from stackae.serialization.model_file import read_model, write_model
from stackae_cli.run_folder import read_config, sha256

EVERY = ("--checkpoint-every", "0")


def content(run: Path) -> tuple[str, list[dict]]:
    """The sha256 of the model file, and the history without its times."""
    lines = (run / "history.jsonl").read_text().splitlines()
    return sha256(run / "model.safetensors"), timeless([json.loads(line) for line in lines])


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


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_run_that_a_signal_stops_goes_on(number, code, stackae, finished_run, tmp_path):
    run = tmp_path / "run"
    args = ("pretrain", "digits", "--out", run, *SMALL, *EVERY)
    ended, _, err = forked(run_stackae_until_a_signal, number, 3, *args)
    assert ended == code
    assert "Traceback" not in err
    assert err.splitlines()[1].startswith("layer 1  epoch 1/2")
    if number != signal.SIGKILL:
        go_on = f"stackae pretrain --resume --out {run} digits"
        assert err.splitlines()[-1] == f"stackae: error: stopped; go on with: {go_on}"
        assert {path.name for path in run.iterdir()} == {"checkpoints", "config.toml"}
    done = stackae(*args, "--resume")
    assert done.err.startswith("layer 2  up to 2 epochs of 1,294 rows, 1 of them done\n")
    assert content(run) == content(finished_run)


def test_a_run_whose_paths_and_columns_are_beyond_the_basic_plane_goes_on(stackae, dying, table):
    folder = table.with_name('\N{PARTY POPPER} "data"')
    folder.mkdir()
    data, run = folder / "table.csv", folder / "run"
    data.write_text(table.read_text().replace("label", "\N{ANT} kind", 1))
    options = ("--drop", "\N{ANT} kind", *SMALL, "--quiet")
    dying(1)
    assert stackae("pretrain", data, "--out", run, *options).code == 130
    config = read_config(run / "config.toml")
    assert (config["data"], config["drop"]) == (str(data), ["\N{ANT} kind"])
    assert stackae("pretrain", data, "--out", run, "--resume").code == 0
    again = ("pretrain", "--config", run / "config.toml", "--out", folder / "again")
    assert stackae(*again).code == 0
    assert content(folder / "again") == content(run)


def test_a_name_that_no_configuration_can_hold_exits_2_before_training(stackae, table):
    data = table.with_name("t\udcff.csv")  # a byte that is not UTF-8, as the shell hands it on
    data.write_bytes(table.read_bytes())
    done = stackae("pretrain", data, "--drop", "label", "--out", table.with_name("run"), *SMALL)
    assert done.code == 2
    assert "config.toml: must be UTF-8, which" in done.err
    assert "t\\udcff" in done.err
    assert not table.with_name("run").exists()


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
    done = stackae("pretrain", "digits", "--out", run, "--resume")
    assert (done.code, done.out) == (0, f"{run / 'model.safetensors'} is there already\n")
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
    done = stackae("pretrain", "digits", "--out", broken_off, "--resume", *options)
    assert done.code == 4
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert sorted(os.listdir(broken_off / "checkpoints")) == before


def test_options_that_are_the_same_may_be_given_again(stackae, broken_off):
    assert stackae("pretrain", "digits", "--out", broken_off, "--resume", *SMALL).code == 0


def test_other_rows_exit_4(stackae, dying, tmp_path):
    rows = np.random.default_rng(0).normal(size=(100, 5))
    np.save(tmp_path / "rows.npy", rows)
    dying(1)
    stackae("pretrain", tmp_path / "rows.npy", "--out", tmp_path / "run", *SMALL)
    np.save(tmp_path / "rows.npy", rows + 1)
    done = stackae("pretrain", tmp_path / "rows.npy", "--out", tmp_path / "run", "--resume")
    assert done.code == 4
    assert "is a run on other input (fingerprint was" in done.err
    np.save(tmp_path / "rows.npy", rows[:-1])
    done = stackae("pretrain", tmp_path / "rows.npy", "--out", tmp_path / "run", "--resume")
    assert "rows was 100, is 99" in done.err


@pytest.mark.parametrize("damage", ["layers = [", "layers = ['8', 'x']", "ran = 3", "ran = 'it'", ""])
def test_a_damaged_configuration_exits_4(stackae, broken_off, damage):
    (broken_off / "config.toml").write_text(damage)
    done = stackae("pretrain", "digits", "--out", broken_off, "--resume")
    assert done.code == 4
    assert "config.toml: is damaged" in done.err


def test_other_versions_are_warned_of(stackae, broken_off, finished_run):
    config = broken_off / "config.toml"
    config.write_text(config.read_text().replace('numpy = "', 'numpy = "0.'))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        done = stackae("pretrain", "digits", "--out", broken_off, "--resume", "--quiet")
    assert done.code == 0
    assert done.err.startswith(
        "stackae: warning: the run may end in a model that differs in the last digits: numpy was 0."
    )
    assert content(broken_off) == content(finished_run)


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
    done = stackae(*tuned(table, "tuned"), "--resume")
    assert done.code == 4
    assert "is a run on other input (labels was" in done.err
    table.write_text(whole)
    other = ("--layer", 3, "--epochs", 1, "--finetune-epochs", 0, "--drop", "label")
    assert stackae("pretrain", table, "--out", table.with_name("other"), *other).code == 0
    for name in ("model.safetensors", "manifest.json", "config.toml", "history.jsonl"):
        os.replace(table.with_name("other") / name, pretrained / name)
    done = stackae(*tuned(table, "tuned"), "--resume")
    assert done.code == 4
    assert "is a run on other input (model was" in done.err


def test_one_command_does_not_go_on_with_another_ones_run(stackae, broken_off, broken_off_tuning, table):
    done = stackae("pretrain", table, "--drop", "label", "--out", broken_off_tuning, "--resume")
    assert done.code == 4
    assert "is a run of stackae finetune" in done.err
    done = stackae(*tuned(table, "x")[:3], "--out", broken_off, "--resume")
    assert done.code == 4
    assert "is a run of stackae pretrain" in done.err


def test_a_forged_checkpoint_exits_4(stackae, broken_off):
    (path,) = (broken_off / "checkpoints").iterdir()
    header, tensors = read_model(path)
    for forged in (
        {**tensors, "parameter.other": tensors["generator"]},
        {"generator": tensors["generator"][:3]},
    ):
        write_model(path, header, forged)
        done = stackae("pretrain", "digits", "--out", broken_off, "--resume", "--quiet")
        assert done.code == 4
        assert "is no checkpoint of this phase" in done.err


def test_a_rate_of_checkpoints_that_is_none_exits_2(stackae, tmp_path):
    for every in ("nan", "-1"):
        done = stackae("pretrain", "digits", "--out", tmp_path / "run", "--checkpoint-every", every)
        assert done.code == 2
        assert "checkpoint-every" in done.err
    assert not (tmp_path / "run").exists()


def test_several_processes_that_torchrun_has_not_started_exit_2(stackae, monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = stackae("pretrain", "digits", "--out", tmp_path / "run")
    assert done.code == 2
    what = "environment variable RANK expected, but not set"
    assert done.err == (
        f"stackae: error: WORLD_SIZE is set, {what}; start it by torchrun, or unset WORLD_SIZE\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_run_that_has_no_checkpoint_yet_is_left_as_it_is_where_it_cannot_go_on(stackae, broken_off):
    (broken_off / "checkpoints" / "001-000001.safetensors").unlink()  # as if killed in its first minute
    before = (broken_off / "config.toml").read_bytes()
    done = stackae("pretrain", "nowhere.csv", "--out", broken_off, "--resume", "--data-home", "/nowhere")
    assert done.code == 4
    config = broken_off / "config.toml"
    config.write_bytes(before.replace(b'fingerprint = "', b'fingerprint = "0'))
    done = stackae("pretrain", "digits", "--out", broken_off, "--resume")
    assert done.code == 4
    assert "is a run on other input" in done.err
    assert config.exists()
    config.write_bytes(before)
    assert stackae("pretrain", "digits", "--out", broken_off, "--resume").code == 0
