"""Two processes train the model that one would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from helpers import Mean, run_of

from stackae import load
from stackae.training import distributed
from stackae.training.distributed import Processes, together
from stackae.training.gradients import by_autograd

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
OPTIONS = ("--layer", "32", "--layer", "8:masking=0.2", "--epochs", "2", "--finetune-epochs", "2",
           "--random-state", "0", "--precision", "float32")  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same command by one process and by two."""
    folder = tmp_path_factory.mktemp("runs")
    done = []
    for n_processes in (1, 2):
        run = folder / str(n_processes)
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_processes}"]
        command = ["-m", "stackae_cli.main", "pretrain", "digits", "--out", str(run), *OPTIONS]
        process = subprocess.run(
            [sys.executable, *(launcher if n_processes > 1 else []), *command],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert process.returncode == 0, process.stderr
        done.append((run, process))
    return done


def test_the_result_agrees_with_one_process_on_the_same_batches(runs):
    alone, both = (load(run / "model.safetensors") for run, _ in runs)
    for a, b in zip(alone.module_.parameters(), both.module_.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    for a, b in zip(alone.history_, both.history_, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["validation_loss"] == pytest.approx(b["validation_loss"], rel=1e-5)


def test_the_first_process_alone_reports_and_writes(runs):
    for run, process in runs:
        assert sorted(path.name for path in run.iterdir()) == [
            "README.md",
            "config.toml",
            "history.jsonl",
            "manifest.json",
            "model.safetensors",
            "report.html",
        ]
        assert process.stdout.count("fitted on") == 1
        assert process.stderr.count("layer 1  epoch 1/2") == 1


def test_alone_nothing_is_shared():
    with together(CPU) as processes:
        assert (processes.is_first, processes.size) == (True, 1)
        run = run_of(Mean(), torch.ones(4, 2), torch.ones(2, 2))
        gradient, watch = run.gradient, run.watch
        processes.begin_phase(run.phase, run)
        assert (run.gradient, run.watch) == (gradient, watch)


@pytest.mark.parametrize(("rank", "share"), [(0, 1.0), (1, 0.0)])
def test_a_batch_smaller_than_the_processes_counts_once(rank, share, monkeypatch):
    """The second of two processes has no sample of a batch of one: its share weighs nothing."""
    monkeypatch.setattr(distributed.torch_distributed, "all_reduce", lambda flat: None)
    run = run_of(Mean(), torch.full((1, 2), 2.0))
    Processes(CPU, rank, 2).begin_phase(run.phase, run)
    batch = torch.full((1, 2), 2.0)
    loss, (gradient,) = run.gradient(batch, batch, torch.Generator())
    known, (expected,) = by_autograd(run.module)(batch, batch, torch.Generator())
    assert loss == share * known
    assert torch.equal(gradient, share * expected)


def test_all_processes_take_the_first_ones_draws_and_held_out_loss(monkeypatch):
    sent = []

    def broadcast(tensor, source):
        sent.append(tensor.clone())
        if tensor.dtype == torch.float64:
            tensor.fill_(0.5)  # that of the first process
        else:
            tensor.copy_(torch.Generator().manual_seed(9).get_state())

    monkeypatch.setattr(distributed.torch_distributed, "broadcast", broadcast)
    processes = Processes(CPU, 1, 2)
    generator = torch.Generator().manual_seed(1)
    processes.begin_fit(1, 100, generator)
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(9).get_state())
    run = run_of(Mean(), torch.ones(4, 2), torch.ones(3, 2))
    processes.begin_phase(run.phase, run)
    assert run.watch(run.held_out) == 0.5
    assert sent[-1] == 2.0  # its own
