"""Ordered codes: one fit of 32 numbers, cut to 4, 8 and 16, against a fit for each width.

    python benchmarks/ordered_codes.py [--json FILE] [--seeds N] [--only NAME]... [--quick]

For six of the sets on which defaults are chosen: StackedAutoencoder((256, k)) for k of 4, 8, 16 and 32, and
StackedAutoencoder((256, 32), ordered=True), truncated to each k. Judged is R² of the reconstruction of test
rows, and the accuracy of logistic regression on the standardised codes; the time is that of the processor.
The aim is an R² within 0.01 of the own fit's, in at most 1.3 times the time of one fit of 32.

About 10 minutes on one core; --quick takes widths of 4 and 8 on digits.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from common import write_results
from data_sets import DATA_SETS
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import StackedAutoencoder
from stackae.evaluation import Split

SETS = ("digits", "MNIST", "waveforms", "cylinder-bell-funnel", "cells", "spectra")
HIDDEN, WIDTHS = 256, (4, 8, 16, 32)
ALLOWED = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", action="append", choices=SETS)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    names = ("digits",) if args.quick else args.only or SETS
    widths = WIDTHS[:2] if args.quick else WIDTHS
    warnings.filterwarnings("ignore")
    results = {name: compared(name, widths, args.seeds) for name in names}
    if args.json is not None:
        write_results(args.json, {"hidden units": HIDDEN, "seeds": args.seeds, "data sets": results})


def compared(name: str, widths: tuple[int, ...], n_seeds: int) -> dict[str, Any]:
    """The figures of a data set, means over seeds, by width; printed, a line a width."""
    runs = [one_draw(DATA_SETS[name].draw(seed), widths, seed) for seed in range(n_seeds)]
    ratio = float(np.mean([run["ordered seconds"] / run[widths[-1]]["own seconds"] for run in runs]))
    by_width = {}
    for k in widths:
        mean = {figure: float(np.mean([run[k][figure] for run in runs])) for figure in runs[0][k]}
        by_width[str(k)] = mean
        miss = " MISSED" if mean["prefix R²"] < mean["own R²"] - ALLOWED else ""
        print(
            f"{name:22} {k:3}  R² {mean['prefix R²']:.3f} (own {mean['own R²']:.3f})"
            f"  probe {mean['prefix probe']:.3f} (own {mean['own probe']:.3f}){miss}",
            flush=True,
        )
    print(f"{name:22} {ratio:.2f} times the time of one fit of {widths[-1]}", flush=True)
    seconds = float(np.mean([run["ordered seconds"] for run in runs]))
    return {"by width": by_width, "ordered seconds": seconds, "times one fit": ratio}


def one_draw(split: Split, widths: tuple[int, ...], seed: int) -> dict[Any, Any]:
    """The figures of one draw of a data set."""
    given = {"random_state": seed, "precision": "float32", "device": "cpu"}
    start = process_time()
    ordered = StackedAutoencoder((HIDDEN, widths[-1]), ordered=True, **given).fit(split.X)
    run: dict[Any, Any] = {"ordered seconds": process_time() - start}
    for k in widths:
        start = process_time()
        own = StackedAutoencoder((HIDDEN, k), **given).fit(split.X)
        seconds = process_time() - start
        prefix = ordered.truncated(k)
        run[k] = {
            "own R²": own.score(split.X_test),
            "prefix R²": prefix.score(split.X_test),
            "own probe": probed(own, split),
            "prefix probe": probed(prefix, split),
            "own seconds": seconds,
        }
    return run


def probed(model: StackedAutoencoder, split: Split) -> float:
    """The accuracy of logistic regression on standardised codes."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(
        probe.fit(model.transform(split.X), split.y).score(model.transform(split.X_test), split.y_test)
    )


if __name__ == "__main__":
    main()
