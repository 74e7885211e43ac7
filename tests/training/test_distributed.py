"""Two processes train the model that one would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from stackae import load
from stackae.training import distributed

LAYERS = ("--layer", "32", "--layer", "8:masking=0.2", "--epochs", "2", "--finetune-epochs", "2")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The same command by one process and by two."""
    folder = tmp_path_factory.mktemp("runs")
    answers = []
    for n_processes in (1, 2):
        run = folder / str(n_processes)
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_processes}"]
        done = subprocess.run(
            [sys.executable, *launcher, "-m", "stackae_cli.main", "pretrain", "digits", "--out", str(run), *LAYERS,
             "--random-state", "0"],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers.append((run, done))
    return answers


def test_the_result_agrees_with_one_process_on_the_same_batches(models):
    alone, both = (load(run / "model.safetensors") for run, _ in models)
    for a, b in zip(alone.module_.parameters(), both.module_.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    for a, b in zip(alone.history_, both.history_, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["validation_loss"] == pytest.approx(b["validation_loss"], rel=1e-5)


def test_the_first_process_alone_reports_and_writes(models):
    for run, done in models:
        assert sorted(path.name for path in run.iterdir()) == [
            "config.toml",
            "history.jsonl",
            "manifest.json",
            "model.safetensors",
        ]
        assert done.stdout.count("fitted on") == 1
        assert done.stderr.count("layer 1  epoch 1/2") == 1


def test_alone_nothing_is_shared():
    gradient = object()
    assert distributed.shared(gradient, []) is gradient
    assert distributed.is_first()
    assert distributed.agreed(1.5, torch.device("cpu")) == 1.5


def test_a_batch_smaller_than_the_processes_counts_once(monkeypatch):
    """The second of two processes has no row of a batch of one: its share weighs nothing."""
    weight = torch.zeros(3)
    for rank, expected in ((0, 2.0), (1, 0.0)):
        monkeypatch.setattr(distributed, "_together", True)
        monkeypatch.setattr(distributed.processes, "get_rank", lambda rank=rank: rank)
        monkeypatch.setattr(distributed.processes, "get_world_size", lambda: 2)
        monkeypatch.setattr(distributed.processes, "all_reduce", lambda flat: None)
        shared = distributed.shared(lambda b, s, g: (b.sum(), [torch.full((3,), 5.0)]), [weight])
        batch = torch.full((1, 1), 2.0)
        loss, (gradient,) = shared(batch, batch, torch.Generator())
        assert loss == expected
        assert (gradient == expected * 2.5).all()
