"""Two processes train the model that one would; one that is killed ends the run, which then goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
import torch
from fits_together import CPU, RUN, estimators, fits
from helpers import Mean, call_stackae, run_of

from stackae import load
from stackae.serialization.model_file import read_model
from stackae.training.distributed import Processes, together

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]


def torchrun(*args: object) -> subprocess.Popen:
    """Two processes on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *args]
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*map(str, command)], stdout=pipe, stderr=pipe, text=True, env={**os.environ, **own}
    )


@pytest.fixture(scope="module")
def together_in(tmp_path_factory) -> Path:
    """Where two processes have left their fits, and the rows on the disk."""
    folder = tmp_path_factory.mktemp("together")
    draws = np.random.default_rng(1)
    np.save(folder / "many.npy", (draws.normal(size=(15_001, 5)) @ draws.normal(size=(5, 300))).astype("f"))
    process = torchrun(TESTS / "fits_together.py", folder)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return folder


@pytest.fixture(scope="module")
def alone_and_together(together_in):
    return fits(Processes(CPU), together_in), torch.load(together_in / "found.pt")


@pytest.mark.parametrize("name", estimators())
def test_the_result_agrees_with_one_process_on_the_same_batches(name, alone_and_together):
    (alone, losses), (both, losses_of_both) = (found[name] for found in alone_and_together)
    for a, b in zip(alone, both, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    assert losses_of_both == pytest.approx(losses, rel=1e-5)


def test_processes_do_not_wait_for_one_that_stops_and_refuse_to_have_other_rows(alone_and_together):
    n_epochs, said = alone_and_together[1]["misfits"]
    assert n_epochs == 2
    what = "from 59 rows × 5 columns to 60 rows × 5 columns"
    assert said == f"the processes have other rows, {what}; give all of them the same"


def workers_of(process: subprocess.Popen, but: set[int]) -> list[int]:
    """The processes that torchrun has started, by rank, but for those of before."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if int(child) not in but]


def wait_for(run: Path, name: str, process: subprocess.Popen) -> None:
    until = monotonic() + 60
    while not (run / "checkpoints" / name).exists():
        assert process.poll() is None, process.communicate()
        assert monotonic() < until
        sleep(0.002)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes in /proc")
def test_a_run_of_which_a_process_is_killed_starts_again_by_itself_or_goes_on_with_another_number(
    together_in, tmp_path, monkeypatch, capfd
):
    """Killed in layer 1 it starts again, and comes to the same bits; killed in fine-tuning it ends."""
    run, draws = tmp_path / "run", random.Random(7)
    options = ("pretrain", "digits", "--out", run, *RUN, "--resume", "--checkpoint-every", 0, "--no-report")
    script = Path(sys.executable).with_name("stackae")
    program = [script] if script.is_file() else [sys.executable, "-m", "stackae_cli.main"]
    process = torchrun("--max-restarts=1", "--no-python", *program, *options)
    killed: set[int] = set()
    for phase, epoch in ((1, draws.randint(1, 3)), (3, draws.randint(1, 6))):
        wait_for(run, f"{phase:03d}-{epoch:06d}.safetensors", process)
        workers = workers_of(process, killed)
        os.kill(draws.choice(workers), signal.SIGKILL)
        killed.update(workers)
    out, err = process.communicate(timeout=60)
    go_on = f"torchrun --nproc-per-node 2 --no-python stackae pretrain --resume --out {run} digits"
    said = [line for line in err.splitlines() if line.startswith("stackae: ")]
    # The other process sees that one is gone, or is told to stop before it does.
    seen = f"stackae: error: another process of this run has ended; go on with: {go_on}"
    assert len(said) == 2
    assert set(said) <= {seen, f"stackae: error: stopped; go on with: {go_on}"}
    assert (process.returncode, out) == (1, "")
    assert "stackae_cli/errors.py" not in err  # no traceback of ours
    undisturbed = together_in / "undisturbed"
    for name in ("001.safetensors", "002.safetensors"):
        same, other = (read_model(folder / name)[1] for folder in (run / "checkpoints", undisturbed))
        assert all(torch.equal(tensor, other[name]) for name, tensor in same.items())
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert call_stackae(monkeypatch, "pretrain", "digits", "--out", run, "--resume", "--quiet") == 0
    told = capfd.readouterr().err  # threads may differ, too
    assert "differs in the last digits: " in told
    assert "processes was 2, is 1" in told
    ends = read_model(undisturbed / "003.safetensors")[1]
    for name, value in load(run / "model.safetensors").module_.named_parameters():
        torch.testing.assert_close(value, ends[f"parameter.{name}"], atol=1e-4, rtol=1e-3)


def test_alone_nothing_is_shared():
    with together(CPU) as processes:
        assert (processes.is_first, processes.size) == (True, 1)
        run = run_of(Mean(), torch.ones(4, 2), torch.ones(2, 2))
        gradient, watch = run.gradient, run.watch
        processes.begin_phase(run.phase, run)
        assert (run.gradient, run.watch) == (gradient, watch)
        assert processes.agreed(lambda: 3) == 3
        assert processes.sum([1.0, 2.0]) == [1.0, 2.0]
