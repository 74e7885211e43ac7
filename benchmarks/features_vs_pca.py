"""Default parameters against PCA of the same width, on the data sets of data_sets.py.

    python benchmarks/features_vs_pca.py [--json FILE] [--role ROLE] [--only NAME]... [--jobs N] [--quick]

On each of five draws of a data set, StackedAutoencoder((256, width)) with nothing else set and PCA are fitted
on the training samples without labels, at widths 2, 8, 16, 32 and 64 as far as there are more columns and
rows. A logistic regression and 5 nearest neighbours learn from the features of the labelled training samples
and are asked about the test samples, whose reconstruction is judged too. A cell is one data set at one width.
"Better" and "worse" are what a paired t-test over the draws says at 5 %, which allows for samples that draws
share (Nadeau & Bengio 2003); the rest are ties.

Nothing is tuned for a data set. The first layer is fitted once for all widths, so the seconds of the first
width are those of a whole fit. The data sets are those for reporting; --role choosing takes those by which
defaults may be chosen. --json is written after every data set, and keeps those of the role that it holds and
that are not run. --quick takes two small tables, two draws and hardly any training.
"""

from __future__ import annotations

import argparse
import json
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from common import write_results
from data_sets import DATA_SETS, ROLES, for_role

from stackae import StackedAutoencoder, Training
from stackae.evaluation import Comparison, compare
from stackae.evaluation.measures import FIT, PROBES, R2

WIDTHS = (2, 8, 16, 32, 64)
#: Where PCA's probe is less accurate than this there is something to gain.
ROOM = 0.95
#: Widths that the counts are over; 2 is for pictures.
COUNTED = WIDTHS[1:]


def cells(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Of each width: both methods' means, their differences, and what the test says."""
    found = {}
    for width in comparison.widths:
        cell: dict[str, Any] = {}
        for measure in (*PROBES, R2):
            draws = [comparison.values(measure.key, method, width) for method in ("stackae", "PCA")]
            ours, theirs = (float(np.mean(values)) for values in draws)
            cell[measure.key] = {"stackae": ours, "PCA": theirs}
            if measure in PROBES:
                difference = comparison.difference(measure.key, width)
                half = None if isnan(difference.half_width) else difference.half_width  # JSON has no NaN
                cell[measure.key] |= {"half width": half, "sign": difference.sign}
                cell[measure.key]["draws"] = [[round(value, 4) for value in values] for values in draws]
        seconds = comparison.values(FIT.key, "stackae", width)
        found[str(width)] = {**cell, "seconds": float(np.median(seconds))}
    return found


def counts(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """How many cells are better, worse, or tied, of those with room and of all; and the worst R²."""
    counted = [
        (name, width, cell)
        for name, widths in found.items()
        for width, cell in widths.items()
        if int(width) in COUNTED
    ]
    result: dict[str, Any] = {"cells": len(counted)}
    for probe in (probe.key for probe in PROBES):
        with_room = [cell[probe] for _, _, cell in counted if cell[probe]["PCA"] < ROOM]
        result[probe] = {
            "with room": len(with_room),
            "better, with room": sum(c["sign"] > 0 for c in with_room),
            "worse, of all": sum(cell[probe]["sign"] < 0 for _, _, cell in counted),
            "better, of all": sum(cell[probe]["sign"] > 0 for _, _, cell in counted),
        }
    gaps = [(c[R2.key]["stackae"] - c[R2.key]["PCA"], name, width) for name, width, c in counted]
    result[R2.key] = {
        "worst": [*min(gaps)] if gaps else None,
        "below by more than 0.005": sum(gap < -0.005 for gap, _, _ in gaps),
    }
    return result


def report(result: dict[str, Any]) -> None:
    """Print the counts."""
    print(f"\n{result['cells']} cells")
    for probe in PROBES:
        c = result[probe.key]
        share = c["better, with room"] / max(1, c["with room"])
        print(
            f"{probe.title}: better in {c['better, with room']} of the {c['with room']} ({share:.0%}) where"
            f" PCA's is under {ROOM:.0%}; worse in {c['worse, of all']} of all"
            f" ({c['worse, of all'] / max(1, result['cells']):.0%})"
        )
    r2 = result[R2.key]
    if r2["worst"]:
        gap, name, width = r2["worst"]
        print(
            f"{R2.title}: worst difference {gap:+.3f} ({name}, {width}); below by more than 0.005 in", end=" "
        )
        print(r2["below by more than 0.005"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--role", choices=ROLES, default="reporting")
    parser.add_argument("--only", action="append", choices=DATA_SETS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    of_role = list(for_role(args.role))
    if others := set(args.only or ()) - set(of_role):
        parser.error(f"not for {args.role}: {', '.join(sorted(others))}")
    names = args.only or of_role[: 2 if args.quick else None]
    with TemporaryDirectory() as folder:
        run(args, names, folder)


def run(args: argparse.Namespace, names: list[str], folder: str) -> None:
    """Every data set; layers that stacks of several widths have in common are fitted once."""
    stack = StackedAutoencoder((256, 1), memory=folder)
    if args.quick:
        stack.set_params(pretrain=Training(max_epochs=2), finetune=Training(max_epochs=2))
    found: dict[str, dict[str, Any]] = {}
    if args.json is not None and args.json.exists():
        held = json.loads(args.json.read_text(encoding="utf-8"))["results"]["cells"]
        found = {name: held[name] for name in held if name in for_role(args.role)}
    titles = "".join(f"{probe.title:>24}" for probe in PROBES)
    print(f"{'data set':<26}{'width':>5}{titles}{R2.title:>17}{'seconds':>9}")
    for name in names:
        start = perf_counter()
        most = min(DATA_SETS[name].draw(0).X.shape)
        widths = [width for width in WIDTHS if width < most][: 2 if args.quick else None]
        comparison = compare(
            stack,
            DATA_SETS[name].draw,
            widths,
            methods=("stackae", "PCA"),
            n_splits=2 if args.quick else 5,
            few_labels=(),
            fresh=DATA_SETS[name].fresh,
            n_jobs=args.jobs,
        )
        found[name] = cells(comparison)
        for width, cell in found[name].items():
            line = f"{name:<26}{width:>5}"
            for probe in PROBES:
                c = cell[probe.key]
                mark = {1: "+", 0: " ", -1: "-"}[c["sign"]]
                gain = 100 * (c["stackae"] - c["PCA"])
                line += f"{100 * c['stackae']:9.1f} /{100 * c['PCA']:5.1f} {gain:+6.1f} {mark}"
            r2 = cell[R2.key]
            print(f"{line}{r2['stackae']:9.3f} /{r2['PCA']:6.3f}{cell['seconds']:9.1f}", flush=True)
        print(f"{'':<26}{perf_counter() - start:.0f} s", flush=True)
        if args.json is not None:
            write_results(args.json, {"cells": found, "counts": counts(found)})
    report(counts(found))


if __name__ == "__main__":
    main()
