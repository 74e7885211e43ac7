"""Kill runs wherever they can be killed, let them go on, and compare with undisturbed ones.

    python benchmarks/torture.py [--json FILE] [--kills N] [--seed N] [--quick]

Each trial starts `stackae pretrain` or `stackae finetune` in a process of its own, which kills itself
(SIGKILL) right before or right after a call that is drawn: of reading the data, of a step of any layer or of
fine-tuning, of encoding the samples for the next layer, of making a file, flushing it, renaming it, removing
one. The run goes on by --resume, half of the time to be killed once more, until it ends. Other trials stop it
by SIGINT and SIGTERM, and on a disk that is full, which is then emptied (a small tmpfs; needs the right to
mount one). In the end the sha256 of the model file, and of the history without its times, must be those of
the undisturbed run, and nothing but a run's files may lie in its folder. Three kinds of runs: widths alone,
layers with parts, and fine-tuning with labels.

Processes are forked from a server that has imported the library and computed nothing, which saves the
seconds of a start.

--quick is a version of seconds: three kills of the first kind of runs, with few epochs.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from common import conclude

PARTS = ["--layer", "32:masking=0.5/0.1", "--layer", "24:topk=6", "--layer", "8:l2=0.001"]


def runs(*, quick: bool) -> dict[str, list[str]]:
    """What is run, by kind."""
    epochs = ["--epochs", "3" if quick else "8", "--finetune-epochs", "3" if quick else "10"]
    widths = ["pretrain", "digits", "--layer", "32", "--layer", "8", *epochs]
    if quick:
        return {"widths": widths}
    of_labels = ["undisturbed widths", "digits", "--corruption", "dropout=0.2", "--epochs", "20"]
    return {
        "widths": widths,
        "parts": ["pretrain", "digits", *PARTS, *epochs],
        "labels": ["finetune", *of_labels],
    }


OPTIONS = ["--random-state", "3", "--quiet", "--no-report", "--checkpoint-every", "0"]
#: What is called at a moment, and where its name is looked up.
MOMENTS = {
    "loading": ("stackae.data", "load_data"),
    "training": ("stackae.training.loop", "step"),
    "an epoch's end": ("stackae.training.loop", "evaluate"),
    "between layers": ("stackae.fitting.greedy", "_codes"),
    "making a file": ("stackae.serialization.files", "_mode_to_keep"),
    "flushing": ("os", "fsync"),
    "renaming": ("os", "replace"),
    "removing": ("os", "unlink"),
    "saving the model": ("stackae.estimators._saving", "write_model"),
}
ENDS = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}


@dataclass(frozen=True)
class Blow:
    """A signal right before or right after a call, the how-manieth it is, at one of the moments."""

    moment: str
    number: int
    before: bool
    signal: signal.Signals

    def __str__(self) -> str:
        when = "before" if self.before else "after"
        return f"{self.signal.name} {when} call {self.number} at {self.moment}"


# In the process that is disturbed -------------------------------------------------------------------------


def disturbed(args: list[str], folder: Path, blow: Blow | None, counts_at: Path | None) -> None:
    """The command line in a folder, with a blow; how often each moment came is left in a file."""
    from stackae_cli.errors import run
    from stackae_cli.main import cli

    os.chdir(folder)
    with open(os.devnull, "wb") as nowhere, open("standard error", "wb") as file:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(file.fileno(), 2)
    counts: Counter[str] = Counter()

    def watched(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            counts[name] += 1
            here = blow is not None and (blow.moment, blow.number) == (name, counts[name])
            if here and blow.before:
                os.kill(os.getpid(), blow.signal)
            result = original(*given, **named)
            if here and not blow.before:
                os.kill(os.getpid(), blow.signal)
            return result

        return call

    for name, (module, function) in MOMENTS.items():
        place = importlib.import_module(module)
        setattr(place, function, watched(name, getattr(place, function)))
    code = run(cli, args)
    if counts_at is not None:
        counts_at.write_text(json.dumps(counts), encoding="utf-8")
    sys.exit(code)


# In the process that disturbs -----------------------------------------------------------------------------

SERVER = multiprocessing.get_context("forkserver")


def start(
    args: list[str], folder: Path, blow: Blow | None = None, counts_at: Path | None = None
) -> tuple[int, str]:
    """Run the command line in a folder, and say how it ended."""
    SERVER.set_forkserver_preload(["stackae.estimators", "stackae_cli.main"])  # before the server starts
    process = SERVER.Process(target=disturbed, args=([*args, *OPTIONS], folder, blow, counts_at))
    process.start()
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"{args} runs for more than 300 seconds")
    return process.exitcode, (folder / "standard error").read_text(encoding="utf-8")


def digest(run: Path) -> str:
    """Of the model file, and of the history without its times."""
    sha256 = hashlib.sha256((run / "model.safetensors").read_bytes())
    for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines():
        record = {name: value for name, value in json.loads(line).items() if "second" not in name}
        sha256.update(json.dumps(record).encode())
    return sha256.hexdigest()


def names(run: Path) -> set[str]:
    return {path.name for path in run.iterdir()}


class Torture:
    """The undisturbed runs, and what came of the others."""

    def __init__(self, folder: Path, rng: np.random.Generator, runs: dict[str, list[str]]) -> None:
        self.folder, self.rng, self.runs, self.kinds = folder, rng, runs, list(runs)
        self.known: dict[str, str] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.survived: Counter[str] = Counter()
        self.failures: list[str] = []
        for kind in self.kinds:
            out, counts_at = f"undisturbed {kind}", folder / f"{kind}.json"
            code, said = start([*runs[kind], "--out", out], folder, counts_at=counts_at)
            assert code == 0, said
            self.known[kind] = digest(folder / out)
            self.counts[kind] = json.loads(counts_at.read_text(encoding="utf-8"))
            self.files = names(folder / out)

    def blow(self, kind: str, number: int, signal_: signal.Signals) -> Blow:
        """All kinds of moments in turn, of each any call."""
        moments = list(self.counts[kind])  # there is nothing between the layers of a model that is there
        moment = moments[number % len(moments)]
        call = int(self.rng.integers(1, self.counts[kind][moment] + 1))
        return Blow(moment, call, bool(self.rng.integers(2)), signal_)

    def trial(self, number: int, signal_: signal.Signals) -> None:
        """One run, disturbed once or twice, until it ends."""
        kind = self.kinds[number % len(self.kinds)]
        out = f"{signal_.name} {number}"
        blow = self.blow(kind, number // len(self.kinds), signal_)
        what = f"{blow} of {kind}"
        args = [*self.runs[kind], "--out", out]
        code, said = start(args, self.folder, blow)
        # A signal that comes when all is done, or while the process ends anyway, may find nothing to stop.
        if code not in (ENDS[signal_], 0):
            self.failures.append(f"{what}: ended with {code}: {said}")
            return
        if signal_ is signal.SIGKILL and self.rng.integers(2):
            again = self.blow(kind, int(self.rng.integers(len(MOMENTS))), signal_)
            start([*args, "--resume"], self.folder, again)
        self.resumed(what, kind, out, blow.moment)

    def resumed(self, what: str, kind: str, out: str, moment: str) -> None:
        """Let a run go on to its end, and compare."""
        code, said = start([*self.runs[kind], "--out", out, "--resume"], self.folder)
        run = self.folder / out
        if code != 0:
            self.failures.append(f"{what}: --resume ended with {code}: {said}")
        elif digest(run) != self.known[kind]:
            self.failures.append(f"{what}: other bits")
        elif names(run) != self.files:
            self.failures.append(f"{what}: left {names(run) ^ self.files}")
        else:
            self.survived[moment] += 1

    def full_disk(self, size: int) -> None:
        """A run on a disk of so many bytes; then on the same disk, larger."""
        out, kind = f"disk/run {size}", "widths"
        with disk(self.folder / "disk", size) as enlarge:
            code, said = start([*self.runs[kind], "--out", out], self.folder)
            if code not in (0, 5) or "Traceback" in said:
                self.failures.append(f"a full disk of {size}: ended with {code}: {said}")
                return
            enlarge()
            self.resumed(f"a full disk of {size}", kind, out, "a full disk" if code else "no full disk")


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """A disk of that size at the folder; what is given makes it large enough."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield lambda: subprocess.run(
            ["mount", "-o", f"remount,size={2**26}", str(folder)], check=True, capture_output=True
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--kills", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    begin = perf_counter()
    n_kills, n_stops = (3, 0) if args.quick else (args.kills, args.kills // 4)
    sizes = [] if args.quick else [2**13, 2**15, 2**16, 3 * 2**15, 2**17]
    with TemporaryDirectory() as folder:
        torture = Torture(Path(folder), np.random.default_rng(args.seed), runs(quick=args.quick))
        for signal_, n_trials in (
            (signal.SIGKILL, n_kills),
            (signal.SIGINT, n_stops),
            (signal.SIGTERM, n_stops),
        ):
            for number in range(n_trials):
                torture.trial(number, signal_)
                print(f"{signal_.name:<8}{number + 1:>4}, failures {len(torture.failures)}", flush=True)
        try:
            for size in sizes:
                torture.full_disk(size)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"no full disk was tried: {error}")
    for moment, number in torture.survived.items():
        print(f"{moment:<20}{number:>4} survived")
    print(f"{sum(torture.survived.values())} survived, {len(torture.failures)} not;", end=" ")
    print(f"{perf_counter() - begin:.0f} s")
    for failure in torture.failures:
        print(failure)
    conclude(args.json, {"survived": dict(torture.survived), "seed": args.seed}, torture.failures)


if __name__ == "__main__":
    main()
