"""Training by several processes: what two with a core each gain on one with one, and what a kill costs.

    python benchmarks/torchrun.py [--quick] [--turns N] [--kills N] [--json FILE]

One layer, 784-1000 with masking noise, is trained on 60,000 rows in memory, and on the same rows read in
blocks from a .npy file (64 MB of memory; --quick 6,000 rows and 16 MiB), by one process and by two, in
turns; with precision="auto", which is bfloat16 where the processor has it, and in float32. Each process is
held to a core of its own and has one thread. Of each turn the median time of an epoch but the first is taken;
what is told is the median over the turns of the first one's time over the other's, for each number of rows in
a batch: the gradients of all weights are exchanged once a batch, whatever its size. Beside it stands what the
machine allows: the epochs that two processes which know nothing of each other, with a core each, end in the
time of one epoch of one alone; where cores share memory or parts of the processor, it is less than 2. Then a
run of the command line by two processes is killed (SIGKILL of one, drawn) at drawn moments, each time gone on
with by --resume, and its weights compared with those of a run that was left alone.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import mean, median
from typing import Any

import click
import numpy as np
from common import conclude

BATCHES = (256, 1024, 4096)
PRECISIONS = ("auto", "float32")
TARGET = 1.8
#: File, batch, memory, precision.
Worker = tuple[Path, int, str, str]
_FIRST_CORE = "FIRST_CORE"
_TORCHRUN = ("-m", "torch.distributed.run", "--standalone")
_RUN = ("--layer", "64", "--layer", "16:masking=0.2", "--epochs", "20", "--finetune-epochs", "20",
        "--random-state", "0", "--checkpoint-every", "0", "--no-report")  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="Fewer rows and turns: whether it works, not how fast it is.")
@click.option("--turns", type=click.IntRange(1), default=5, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=10, show_default=True)
@click.option("--json", "json_", type=click.Path(path_type=Path), help="Write the figures there.")
@click.option("--worker", nargs=4, type=(Path, int, str, str), hidden=True)
def main(quick: bool, turns: int, kills: int, json_: Path | None, worker: Worker | None) -> None:
    """Measure, kill, compare."""
    if worker is not None:
        seconds = seconds_of_an_epoch(*worker)
        if os.environ["RANK"] == "0":  # they end an epoch together
            print(seconds)
        return
    turns, kills, n_rows = (1, min(kills, 2), 6_000) if quick else (turns, kills, 60_000)
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "rows.npy", np.random.default_rng(0).random((n_rows, 784), np.float32))
        places = {"in memory": "8GB", "from the disk": "16MiB" if quick else "64MB"}
        epochs = {precision: {where: {} for where in places} for precision in PRECISIONS}
        for precision, where, size in product(PRECISIONS, places, BATCHES):
            found = measured((folder / "rows.npy", size, places[where], precision), turns)
            epochs[precision][where][size] = found
            print(
                f"precision {precision}, rows {where}, batches of {size:,}: two processes"
                f" {found['ratio']:.2f} times as fast as one, two that know nothing of each other"
                f" {found['ratio_apart']:.2f}",
                flush=True,
            )
        ratios = [
            one["ratio"]
            for by_place in epochs.values()
            for by_size in by_place.values()
            for one in by_size.values()
        ]
        if not quick and max(ratios) < TARGET:
            failures.append(f"two processes are nowhere {TARGET} times as fast as one")
        n_same = survived(folder, kills, failures) if kills else 0
    conclude(json_, {"epochs": epochs, "kills": kills, "same_bits": n_same}, failures)


def measured(arguments: Worker, turns: int) -> dict[str, Any]:
    """Seconds of an epoch by one process, by two, and by two apart, in turns, and their ratios."""
    seconds: dict[str, list[float]] = {"1": [], "2": [], "apart": []}
    for _ in range(turns):
        seconds["1"].append(finished(begun(1, arguments)))
        seconds["2"].append(finished(begun(2, arguments)))
        both = [begun(1, arguments, core) for core in range(2)]
        seconds["apart"].append(mean(map(finished, both)))
    one, two, apart = seconds.values()
    return {
        "seconds": seconds,
        "ratio": median(a / b for a, b in zip(one, two, strict=True)),
        "ratio_apart": median(2 * a / b for a, b in zip(one, apart, strict=True)),
    }


def begun(n_processes: int, arguments: Worker, core: int = 0) -> subprocess.Popen[str]:
    """So many processes that train together, the first of them on that core."""
    together = [*_TORCHRUN, f"--nproc-per-node={n_processes}", __file__, "--worker", *map(str, arguments)]
    return subprocess.Popen(
        [sys.executable, *together],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", _FIRST_CORE: str(core)},
    )


def finished(process: subprocess.Popen[str]) -> float:
    """The seconds that they say."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"torchrun ended with {process.returncode}")
    return float(said)


def seconds_of_an_epoch(path: Path, size: int, memory: str, precision: str) -> float:
    """One process's part: the median time of an epoch but the first, on one core."""
    import torch

    from stackae import Autoencoder, Masking, Training
    from stackae.training.distributed import together

    cores = sorted(os.sched_getaffinity(0))
    own = int(os.environ[_FIRST_CORE]) + int(os.environ["LOCAL_RANK"])
    os.sched_setaffinity(0, {cores[own % len(cores)]})
    torch.set_num_threads(1)
    training = Training(max_epochs=4, batch_size=size, validation_fraction=0)
    layer = Autoencoder(1000, corruption=Masking(0.25), training=training, max_memory=memory)
    layer.set_params(device="cpu", precision=precision, random_state=0)
    with together(torch.device("cpu")) as processes:
        layer.set_callbacks(processes).fit(np.load(path, mmap_mode="r"))
    return median(record["seconds"] for record in layer.history_[1:])


def survived(folder: Path, kills: int, failures: list[str]) -> int:
    """How many runs, killed at a drawn moment and gone on with, end in the bits of one left alone."""
    draws, n_same = random.Random(0), 0
    began = time.monotonic()
    whole = run(folder / "whole")
    seconds = time.monotonic() - began
    for number in range(kills):
        out = folder / str(number)
        moment = draws.uniform(0.2, 0.95) * seconds
        process = start(out)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            if children:
                os.kill(int(draws.choice(children)), signal.SIGKILL)
        process.wait()
        same = run(out) == whole
        n_same += same
        print(
            f"killed after {moment:.1f} of {seconds:.1f} s: {'same bits' if same else 'OTHER BITS'}",
            flush=True,
        )
        if not same:
            failures.append(f"killed after {moment:.2f} s, a run ended in other bits")
    return n_same


def run(out: Path) -> str:
    """Start a run, or go on with it, and return the digest of its model."""
    process = start(out)
    if process.wait() != 0:
        return "failed"
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def start(out: Path) -> subprocess.Popen[bytes]:
    """Two processes."""
    command = [
        "-m",
        "stackae_cli.main",
        "pretrain",
        "digits",
        "--out",
        str(out),
        "--resume",
        "--quiet",
        *_RUN,
    ]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, *_TORCHRUN, "--nproc-per-node=2", *command],
        stdout=nothing,
        stderr=nothing,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


if __name__ == "__main__":
    main()
