"""10^9 rows on many machines: a cost model of encoding and training, held against a simulation.

    python benchmarks/billion_rows.py [--rows N] [--columns N] [--rate R] [--file-mb MB] [--seed S]
                                      [--json FILE] [--quick]

Nothing is measured here but arithmetic. --rate is what a core does (rows a second of `transform` through an
engine, for the 100-256-32 network: benchmarks/engines.py measures it); all else is assumed, and stands in
``ASSUMED`` below. The model is in ``encoding_model`` and ``training_model``, as the page "10^9 rows" has it.
The simulation plays the same work with what the model leaves out:

- encoding: every file is a task on one core of a machine: it waits for the store, shares the network card of
  its machine and the store's own limit with all others, and is computed; some machines are slow, and any may
  fail: its tasks are then done again elsewhere, after a while;
- training (torchrun): every step ends when the slowest process has, gradients are summed around a ring, and a
  failure costs the work since the last checkpoint, and a restart.

Told are the minutes by the model, by the simulation (median and worst of ten), and their ratio. Seconds.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from common import write_results

MACHINES = (1, 16, 256)
N_SEEDS = 10
#: What `transform` through the local engine did a core, where nobody says another rate.
RATE_FILE, RATE = Path(__file__).parent / "results" / "engines.json", 300_000.0


@dataclass(frozen=True)
class Assumed:
    """What is taken for granted of machines, network and store; seconds, bytes."""

    cores: int = 16
    #: Of a machine's network card, and of the store for all machines together.
    card: float = 1.25e9
    store: float = 50e9
    #: A request's wait: the median of a log-normal distribution, and its spread (p99 is ten medians).
    latency: float = 0.03
    latency_spread: float = 1.0
    #: Requests for a file: its footer, and one for each 64 MB.
    request_bytes: float = 64e6
    #: Machines that are slow, and how much slower.
    slow_share: float = 0.05
    slowdown: float = 2.0
    #: A machine's mean time between failures, and what passes before its work begins again.
    between_failures: float = 1000 * 3600
    restart: float = 120.0
    #: Before the first task: cluster, packages, model.
    start: float = 60.0
    #: Training: rows in a batch of one machine; a step's latency of the ring, a machine.
    batch_of_machine: int = 4096
    hop: float = 50e-6
    checkpoint_every: float = 600.0
    epochs: int = 3
    layers: tuple[int, ...] = (256, 32)
    #: A gradient takes so many times what `transform` takes, a row (forward, backward, corruption, Adam).
    gradient: float = 5.0
    #: Differences between equal machines from step to step: standard deviation of the logarithm.
    jitter: float = 0.05


ASSUMED = Assumed()


def encoding_model(rows: int, columns: int, machines: int, rate: float, a: Assumed) -> dict[str, float]:
    """Seconds of each resource, of which the scarcest decides."""
    n_bytes = 4.0 * rows * columns
    written = 4.0 * rows * a.layers[-1]
    return {
        "cores": rows / (rate * a.cores * machines),
        "network cards": (n_bytes + written) / (a.card * machines),
        "store": (n_bytes + written) / a.store,
        "start": a.start,
    }


def total(parts: dict[str, float]) -> float:
    """Of resources that work at the same time the slowest, after the start."""
    return parts["start"] + max(value for name, value in parts.items() if name != "start")


def simulated_encoding(
    rows: int, columns: int, machines: int, rate: float, file_bytes: float, a: Assumed, seed: int
) -> float:
    """Seconds until the last file is written; a file is a task, free cores take the next one."""
    rng = np.random.default_rng(seed)
    n_files = max(1, round(4.0 * rows * columns / file_bytes))
    rows_a_file, n_cores = rows / n_files, machines * a.cores
    slow = np.where(rng.random(machines) < a.slow_share, a.slowdown, 1.0)
    failures = rng.exponential(a.between_failures, machines)
    n_busy = min(n_cores, n_files)  # who share cards and store
    speed = min(a.card / max(1, -(-n_busy // machines)), a.store / n_busy)
    moved = file_bytes + 4.0 * rows_a_file * a.layers[-1]
    n_requests = 2 + int(file_bytes / a.request_bytes)
    free = [(a.start, core % machines) for core in range(n_cores)]
    heapq.heapify(free)
    waiting, end = n_files, a.start
    while waiting:
        now, machine = heapq.heappop(free)
        latency = a.latency * np.exp(a.latency_spread * rng.standard_normal(n_requests)).sum()
        # A file is read while the one before is computed, of which the longer counts.
        took = max(moved / speed, slow[machine] * rows_a_file / rate) + latency
        done = now + took
        if now <= failures[machine] < done:
            back = failures[machine] + a.restart
            failures[machine] = back + rng.exponential(a.between_failures)
            heapq.heappush(free, (back, machine))  # the file goes to whoever is free next
            continue
        heapq.heappush(free, (done, machine))
        waiting, end = waiting - 1, max(end, done)
    return end


def n_weights(columns: int, a: Assumed) -> int:
    """Weights of encoder and decoder of the widest layer, which trains longest."""
    return 2 * columns * a.layers[0]


def training_model(rows: int, columns: int, machines: int, rate: float, a: Assumed) -> dict[str, float]:
    """Seconds of a greedy pretraining of the widest layer, each machine with a batch of its own size."""
    steps = a.epochs * rows / (a.batch_of_machine * machines)
    computing = a.batch_of_machine * a.gradient / (rate * a.cores)
    ring = 2 * (machines - 1) / machines * 4.0 * n_weights(columns, a) / a.card + 2 * (machines - 1) * a.hop
    reading = 4.0 * a.epochs * rows * columns / min(a.card * machines, a.store)
    return {
        "cores": steps * computing,
        "ring": steps * (ring if machines > 1 else 0.0),
        "reading": reading,
        "start": a.start,
    }


def of_training(parts: dict[str, float]) -> float:
    """Computing and the ring follow each other; reading goes beside."""
    return parts["start"] + max(parts["cores"] + parts["ring"], parts["reading"])


def simulated_training(rows: int, columns: int, machines: int, rate: float, a: Assumed, seed: int) -> float:
    """Seconds, by pieces between checkpoints: slow machines hold up all, a failure costs half a piece."""
    rng = np.random.default_rng(seed)
    parts = training_model(rows, columns, machines, rate, a)
    n_steps = max(1, round(a.epochs * rows / (a.batch_of_machine * machines)))
    computing, ring = parts["cores"] / n_steps, parts["ring"] / n_steps
    slow = np.where(rng.random(machines) < a.slow_share, a.slowdown, 1.0)
    drawn = np.exp(a.jitter * rng.standard_normal((min(n_steps, 2000), machines)))
    step = max(float((computing * slow * drawn).max(1).mean()) + ring, parts["reading"] / n_steps)
    now, left = a.start, n_steps * step
    while left > 0:
        piece = min(left, a.checkpoint_every)
        failure = rng.exponential(a.between_failures / machines)
        if failure < piece:
            now += failure + a.restart  # and the piece anew
        else:
            now, left = now + piece, left - piece
    return now


def measured_rate() -> float:
    """Rows a second and core of the local engine, from the results."""
    if not RATE_FILE.exists():
        return RATE
    found = json.loads(RATE_FILE.read_text(encoding="utf-8"))["results"]
    return float(found["engines"]["local"]["rows a second and worker"])


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rows", type=click.IntRange(1), default=10**9, show_default=True)
@click.option("--columns", type=click.IntRange(1), default=100, show_default=True)
@click.option("--rate", type=click.FloatRange(1), help="Rows a second and core [default: the measured one].")
@click.option("--file-mb", type=click.FloatRange(1), default=200, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True)
def main(
    rows: int,
    columns: int,
    rate: float | None,
    file_mb: float,
    seed: int,
    json_path: Path | None,
    quick: bool,
) -> None:
    rate, seeds = rate or measured_rate(), range(seed, seed + (2 if quick else N_SEEDS))
    file_bytes, table = 1e6 * file_mb, {}
    print(f"{rows:,} rows × {columns} columns, {rate:,.0f} rows a second and core, files of {file_mb:g} MB")
    print(f"{'':<10}{'machines':>9}{'model, min':>11}{'simulated':>11}{'worst':>11}{'ratio':>7}  scarcest")
    for work in ("encoding", "training"):
        for machines in MACHINES:
            found: dict[str, Any]
            if work == "encoding":
                parts = encoding_model(rows, columns, machines, rate, ASSUMED)
                expected = total(parts)
                played = [
                    simulated_encoding(rows, columns, machines, rate, file_bytes, ASSUMED, own)
                    for own in seeds
                ]
            else:
                parts = training_model(rows, columns, machines, rate, ASSUMED)
                expected = of_training(parts)
                played = [simulated_training(rows, columns, machines, rate, ASSUMED, own) for own in seeds]
            scarcest = max((name for name in parts if name != "start"), key=parts.__getitem__)
            found = {"model": expected, "simulated": float(np.median(played)), "worst": max(played)}
            ratio = found["simulated"] / expected
            minutes = "".join(f"{seconds / 60:>11.1f}" for seconds in found.values())
            print(f"{work:<10}{machines:>9}{minutes}{ratio:>7.2f}  {scarcest}")
            table[f"{work}, {machines}"] = {**found, "parts": parts, "scarcest": scarcest}
    if json_path is not None:
        given = {"rows": rows, "columns": columns, "rate": rate, "file bytes": file_bytes}
        write_results(json_path, {**given, "assumed": asdict(ASSUMED), "seconds": table})


if __name__ == "__main__":
    main()
