"""Training on a file that is larger than the memory allowed: resident memory, speed, and the loss reached.

    python benchmarks/larger_than_memory.py [--folder FOLDER] [--gigabytes 8] [--json FILE] [--quick]

Makes a .npy file of 784 float32 columns (32 hidden factors and noise) in FOLDER, which needs room for it
and for the codes, and takes it away again. Everything is run as a user would, by ``stackae pretrain`` in a
process of its own, 784-256-32, one epoch a phase:

- the whole file with --max-memory 1GB: the process's peak resident memory, less that of the same process on
  almost no samples, must stay under the budget;
- its rate in the first layer, as a share of the rate in memory on a subset that fits, measured before and
  after it: at least 70%;
- that subset from the disk and in memory, four epochs: the squared errors on samples that neither saw, median
  of seeds, within 2%.

About 12 minutes on 2 cores, on Linux; --quick takes 1 GB, a budget of 128 MB and one seed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from common import write_results

from stackae import load

WIDTH, FACTORS = 784, 32
BLOCK = 20_000


class Outcome(NamedTuple):
    """One run of the command line."""

    peak: int  # bytes
    first_layer_rate: float  # samples a second
    run: Path


def drawn(rng: np.random.Generator, mixing: np.ndarray, n_samples: int) -> np.ndarray:
    hidden = rng.standard_normal((n_samples, FACTORS), np.float32)
    noise = rng.standard_normal((n_samples, WIDTH), np.float32)
    return np.tanh(hidden @ mixing) + np.float32(0.1) * noise


def make_file(path: Path, n_samples: int) -> None:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((FACTORS, WIDTH), np.float32) / np.float32(FACTORS**0.5)
    np.save(path.with_name("mixing.npy"), mixing)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (n_samples, WIDTH)}
        )
        for start in range(0, n_samples, BLOCK):
            file.write(drawn(rng, mixing, min(BLOCK, n_samples - start)).tobytes())


def pretrain(data: Path, memory: str, *, epochs: int = 1, seed: int = 0) -> Outcome:
    """Run ``stackae pretrain`` and measure it from outside."""
    run = Path(tempfile.mkdtemp(dir=data.parent)) / "run"
    phases = ["--epochs", epochs, "--finetune-epochs", epochs, "--batch-size", 256, "--random-state", seed]
    options = ["--layer", 256, "--layer", 32, "--max-memory", memory, "--quiet", "--no-report", *phases]
    process = subprocess.Popen(
        [sys.executable, "-m", "stackae_cli.main", "pretrain", *map(str, [data, "--out", run, *options])],
        stdout=subprocess.DEVNULL,
    )
    # Of the process's own memory: what wait() reports would count that of this one, too.
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"stackae pretrain ended with {process.returncode}")
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return Outcome(peak * 1024, history[epochs - 1]["samples_per_second"], run)


def error(outcome: Outcome, X: np.ndarray) -> float:
    return -float(load(outcome.run / "model.safetensors").score_samples(X).mean())


def measure(folder: Path, n_samples: int, n_subset: int, memory: str, seeds: int) -> dict[str, Any]:
    whole, subset, tiny = (folder / f"{name}.npy" for name in ("whole", "subset", "tiny"))
    print(f"making {whole.name} of {4 * WIDTH * n_samples / 1e9:.1f} GB ...", file=sys.stderr)
    make_file(whole, n_samples)
    X = np.load(whole, mmap_mode="r")
    np.save(subset, X[:n_subset])
    np.save(tiny, X[:1000])
    unseen = drawn(np.random.default_rng(1), np.load(folder / "mixing.npy"), BLOCK)

    idle = pretrain(tiny, memory).peak
    # In memory before and after, since the machine may be faster at one time than at another.
    before, large, after = pretrain(subset, "100GB"), pretrain(whole, memory), pretrain(subset, "100GB")
    rate_in_memory = (before.first_layer_rate + after.first_layer_rate) / 2
    # An eighth of what the subset takes, as the whole file has of its budget.
    small_budget = f"{max(17, 4 * WIDTH * n_subset // 8 // 10**6)}MB"
    rates, errors = [], []
    for seed in range(seeds):
        in_memory = pretrain(subset, "100GB", epochs=4, seed=seed)
        from_disk = pretrain(subset, small_budget, epochs=4, seed=seed)
        rates.append((from_disk.first_layer_rate, in_memory.first_layer_rate))
        errors.append((error(from_disk, unseen), error(in_memory, unseen)))
    return {
        "rows": n_samples,
        "file bytes": whole.stat().st_size,
        "budget": memory,
        "idle bytes": idle,
        "peak bytes": large.peak,
        "peak less idle bytes": large.peak - idle,
        "rows a second": large.first_layer_rate,
        "rows a second in memory (subset)": rate_in_memory,
        "share of the rate in memory": large.first_layer_rate / rate_in_memory,
        "share of the rate in memory, subset": median(a / b for a, b in rates),
        "subset rows": n_subset,
        "subset budget": small_budget,
        "squared error from the disk": median(a for a, _ in errors),
        "squared error in memory": median(b for _, b in errors),
        "error ratio": median(a / b for a, b in errors),
        "error ratios": [a / b for a, b in errors],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where there is room [default: the temporary folder]")
    parser.add_argument("--gigabytes", type=float, default=8.2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    gigabytes = 1.0 if args.quick else args.gigabytes
    memory, budget = ("128MB", 128e6) if args.quick else ("1GB", 1e9)
    n_samples = int(gigabytes * 1e9 / (4 * WIDTH))
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        result = measure(folder, n_samples, min(100_000, n_samples // 4), memory, 1 if args.quick else 3)
    finally:
        shutil.rmtree(folder)
    over_idle, share, ratio = (
        result[name] for name in ("peak less idle bytes", "share of the rate in memory", "error ratio")
    )
    for text, reached in (
        (f"peak resident memory over idle: {over_idle / 1e6:,.0f} MB of {memory}", over_idle <= budget),
        (f"rate: {share:.0%} of that in memory", share >= 0.7),
        (f"squared error: {ratio:.3f} of that in memory", ratio <= 1.02),
    ):
        print(f"{text:<60}{'reached' if reached else 'MISSED'}")
    if args.json is not None:
        write_results(args.json, result)


if __name__ == "__main__":
    main()
