"""How fast this version is beside another: the same work by both, in turns, in one run.

    python benchmarks/speed_versions.py OTHER [--turns N] [--only TEXT]... [--data-home FOLDER] [--json FILE]

OTHER is a checkout of another version (git worktree add ../before COMMIT). Each version has a process of its
own, which imports its own checkout and waits; a piece of work is done by one, then by the other, then by the
first again, and so on. What is printed is the median over the turns of this version's seconds divided by the
other's in the same turn: 1.00 means as fast, 0.50 twice as fast. MNIST is left out where its files are not
named. About 5 minutes on 2 cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from common import write_results

HERE = Path(__file__).resolve().parent.parent


def works(data_home: str | None) -> dict[str, Any]:
    """What is timed, by its name; spelled as every version spells it."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_iris

    from stackae import (
        Autoencoder,
        Contractive,
        Convolutional,
        Masking,
        Recurrent,
        StackedAutoencoder,
        StackedAutoencoderClassifier,
        Training,
    )
    from stackae.data import load_data

    X, y = load_digits(return_X_y=True)
    X = X / 16
    few = np.where(np.arange(len(y)) % 10 == 0, y, -1)
    flat = {"schedule": "constant", "validation_fraction": 0.0, "learning_rate": 1e-3}
    short = Training(max_epochs=20, batch_size=64, **flat)
    penalised = {"activation": "sigmoid", "penalty": Contractive(0.1), "training": short}
    stack = StackedAutoencoder((128, 32), finetune=None, pretrain=short, random_state=0).fit(X)
    many = np.resize(X.astype(np.float32), (200_000, 64))
    draws = np.random.default_rng(0)
    table = np.tanh(draws.normal(size=(20_000, 10)) @ draws.normal(size=(10, 40)))
    series, brief = draws.normal(size=(1000, 150)), Training(max_epochs=2, batch_size=64, **flat)
    filters = Autoencoder(64, network=Convolutional(kernel_size=9, pool=4), training=brief, random_state=0)
    steps = Autoencoder(8, network=Recurrent((50, 3)), training=brief, random_state=0)
    squares = draws.random((1000, 784), np.float32)
    chosen: dict[str, Any] = {
        "64-32-64, 100 epochs": lambda: Autoencoder(
            32, training=Training(max_epochs=100, batch_size=64, **flat), random_state=0
        ).fit(X),
        "64-256-64 contractive, by autograd": lambda: Autoencoder(256, **penalised, random_state=0).fit(X),
        "digits, all defaults": lambda: StackedAutoencoder(random_state=0).fit(X),
        "iris, all defaults": lambda: StackedAutoencoder(random_state=0).fit(load_iris().data),
        "breast cancer, all defaults": lambda: StackedAutoencoder(random_state=0).fit(
            load_breast_cancer().data
        ),
        "20,000 rows of 40 columns, all defaults": lambda: StackedAutoencoder(random_state=0).fit(table),
        "64 filters of 9 x 9, 1,000 images": lambda: filters.fit(squares),
        "recurrent, 1,000 series of 50 steps": lambda: steps.fit(series),
        "stack of 128 and 16, beside a shortcut": lambda: StackedAutoencoder((128, 16), random_state=0).fit(
            X
        ),
        "classifier, a tenth labelled": lambda: StackedAutoencoderClassifier((64, 16), random_state=0).fit(
            X, few
        ),
        "partial_fit, 20 pieces": lambda: _pieces(Autoencoder(32, training=short, random_state=0), X),
        "transform, 200,000 rows": lambda: stack.transform(many),
        "fits of 100 rows, 20 of them": lambda: [
            Autoencoder(8, training=Training(max_epochs=5), random_state=0).fit(X[:100]) for _ in range(20)
        ],
    }
    if data_home is not None:
        images = load_data("mnist", data_home=data_home).X[:20_000]
        once = Training(max_epochs=1, batch_size=256, **flat)
        layer = {"activation": "sigmoid", "corruption": Masking(0.25)}
        encoder = StackedAutoencoder((1000, 500, 30), pretrain=once, finetune=None, random_state=0)
        encoder.fit(images[:5_000])
        chosen |= {
            "784-1000-784, 20,000 MNIST rows, one epoch": lambda: Autoencoder(
                1000, training=once, random_state=0, **layer
            ).fit(images),
            "784-1000-1000-1000 greedily, 5,000 rows": lambda: StackedAutoencoder(
                [Autoencoder(1000, **layer) for _ in range(3)], pretrain=once, finetune=None, random_state=0
            ).fit(images[:5_000]),
            "transform, 784-1000-500-30, 20,000 rows": lambda: encoder.transform(images),
        }
    return chosen


def _pieces(model: Any, X: np.ndarray) -> None:
    for piece in np.array_split(X, 20):
        model.partial_fit(piece)


def serve(data_home: str | None) -> None:
    """Do the work whose name comes in, once to warm up and once for the clock; say the seconds."""
    chosen = works(data_home)
    print(*chosen, sep="\t", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        chosen[line.rstrip("\n")]()
        print(time.perf_counter() - start, flush=True)


class Version:
    """A process that has imported the version in a checkout."""

    def __init__(self, checkout: Path, data_home: str | None) -> None:
        program = [sys.executable, __file__, "--serve", *(["--data-home", data_home] if data_home else [])]
        paths = os.pathsep.join([str(checkout), str(HERE / "benchmarks")])
        self.process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self.works = self._answer().split("\t")

    def seconds(self, work: str) -> float:
        """How long it takes."""
        assert self.process.stdin is not None
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit("speed_versions.py: a version has died; its error stands above")
        return line.rstrip("\n")


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("other", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option("--turns", type=click.IntRange(1), default=7, show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Work whose name has the text.")
@click.option("--data-home", envvar="STACKAE_DATA_HOME", help="The folder that holds mnist/.")
@click.option("--json", "json_path", type=click.Path(path_type=Path))
@click.option("--serve", "serves", is_flag=True, hidden=True)
def main(
    other: Path | None,
    turns: int,
    only: tuple[str, ...],
    data_home: str | None,
    json_path: Path | None,
    serves: bool,
) -> None:
    if serves:
        serve(data_home)
        return
    if other is None:
        raise click.UsageError("give the checkout of another version")
    here, there = Version(HERE, data_home), Version(other.resolve(), data_home)
    results = {}
    for work in here.works:
        if only and not any(text in work for text in only):
            continue
        pairs = [(here.seconds(work), there.seconds(work)) for _ in range(turns + 1)][
            1:
        ]  # the first warms up
        ratio = median(a / b for a, b in pairs)
        results[work] = {
            "this": median(a for a, _ in pairs),
            "other": median(b for _, b in pairs),
            "ratio": ratio,
        }
        print(
            f"{work:<44}{results[work]['this']:>9.3f} s{results[work]['other']:>9.3f} s{ratio:>8.3f}",
            flush=True,
        )
    if json_path is not None:
        write_results(json_path, {"turns": turns, "works": results})


if __name__ == "__main__":
    main()
