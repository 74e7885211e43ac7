"""Default parameters against PCA and others of the same width, on the data sets of data_sets.py.

    python benchmarks/features_vs_pca.py [--json FILE] [--role ROLE] [--only NAME]... [--jobs N]
                                         [--keep-others] [--quick]

On each of five draws of a data set, StackedAutoencoder(width) with nothing else set and PCA are fitted on the
training samples without labels, at widths 4, 8, 16, 32 and 64 as far as there are more columns and rows. A
logistic regression and 5 nearest neighbours learn from the features of the labelled training samples and are
asked about the test samples, whose reconstruction is judged too; logistic regression also from 10 and from
100 labels. A cell is one data set at one width. "Better" and "worse" are what a paired t-test over the draws
says at 5 %, which allows for samples that draws share (Nadeau & Bengio 2003); the rest are ties. On the first
draw kernel PCA, UMAP, ICA and NMF are fitted too, and the best of them and PCA is taken, by hindsight.

Nothing is tuned for a data set. The first layer is fitted once for all widths, so the seconds of the first
width are those of a whole fit. The data sets are those for reporting; --role choosing takes those by which
defaults may be chosen. --json is written after every data set, and keeps those of the role that it holds and
that are not run; with --keep-others also what other methods than PCA are worth on those that are. --quick
takes two small tables, two draws and hardly any training. UMAP is left out where umap-learn is not installed.
About two hours on two cores.
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
from data_sets import DATA_SETS, GROUPS, ROLES, for_role

from stackae import StackedAutoencoder, Training
from stackae.evaluation import Comparison, compare
from stackae.evaluation.measures import FIT, PROBES, R2, few_labels_measure
from stackae.evaluation.methods import OURS, RIVAL, refusal

WIDTHS = (4, 8, 16, 32, 64)
FEW = tuple(few_labels_measure(n_labels) for n_labels in (10, 100))
RIVALS = tuple(name for name in ("kernel PCA", "UMAP", "ICA", "NMF") if refusal(name) is None)
#: Where PCA's probe is less accurate than this there is something to gain.
ROOM = 0.95
POINT = 0.01


def figures_of(others: Comparison) -> dict[str, dict[str, Any]]:
    """Of each width: what each of the other methods is worth by the probes."""
    return {
        str(width): {
            method: {probe.key: others.values(probe.key, method, width)[0] for probe in PROBES}
            for method in others.methods
        }
        for width in others.widths
    }


def cells(comparison: Comparison, others: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each width: both methods' means, their differences, and what the test says; and others' figures."""
    found = {}
    for width in comparison.widths:
        cell: dict[str, Any] = {}
        for measure in comparison.measures:
            draws = [comparison.values(measure.key, method, width) for method in (OURS, RIVAL)]
            ours, theirs = (float(np.mean(values)) for values in draws)
            cell[measure.key] = {OURS: ours, RIVAL: theirs}
            if measure.key != R2.key:
                difference = comparison.difference(measure.key, width)
                half = None if isnan(difference.half_width) else difference.half_width  # JSON has no NaN
                cell[measure.key] |= {"half width": half, "sign": difference.sign}
                cell[measure.key]["draws"] = [[round(value, 4) for value in values] for values in draws]
        cell["others"] = others[str(width)]
        seconds = comparison.values(FIT.key, OURS, width)
        found[str(width)] = {**cell, "seconds": float(np.median(seconds))}
    return found


def counts(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of each group of sets, of each probe: in how many cells it is better, worse, or tied."""
    result: dict[str, Any] = {}
    for group, kinds in GROUPS.items():
        own = [
            (name, width, cell)
            for name, widths in found.items()
            if DATA_SETS[name].kind in kinds
            for width, cell in widths.items()
        ]
        result[group] = {"cells": len(own)}
        for measure in (*PROBES, *FEW):
            pairs = [cell[measure.key] for _, _, cell in own if measure.key in cell]
            gains = [pair[OURS] - pair[RIVAL] for pair in pairs]
            result[group][measure.key] = {
                "cells": len(pairs),
                "with room": sum(pair[RIVAL] < ROOM for pair in pairs),
                "better, with room": sum(pair["sign"] > 0 for pair in pairs if pair[RIVAL] < ROOM),
                "better": sum(pair["sign"] > 0 for pair in pairs),
                "worse": sum(pair["sign"] < 0 for pair in pairs),
                "worse by a point": sum(gain < -POINT for gain in gains),
                "mean": 100 * float(np.mean(gains)) if gains else None,
            }
        for probe in PROBES:
            ahead = [_ahead_of_the_best(cell, probe.key) for _, _, cell in own]
            result[group][probe.key]["within a point of the best"] = sum(gain >= -POINT for gain in ahead)
        gaps = [(cell[R2.key][OURS] - cell[R2.key][RIVAL], name, width) for name, width, cell in own]
        result[group][R2.key] = {
            "worst": [*min(gaps)] if gaps else None,
            "below by more than 0.005": sum(gap < -0.005 for gap, _, _ in gaps),
        }
    return result


def _ahead_of_the_best(cell: dict[str, Any], probe: str) -> float:
    """On the first draw: how far ahead of the best of PCA and the others, by hindsight."""
    ours, theirs = (draws[0] for draws in cell[probe]["draws"])
    best: float = max(theirs, *(figures[probe] for figures in cell["others"].values()))
    return float(ours - best)


def report(result: dict[str, Any]) -> None:
    """Print the counts."""
    for group, own in result.items():
        print(f"\n{group}: {own['cells']} cells")
        for measure in (*PROBES, *FEW):
            c = own[measure.key]
            n, room = max(1, c["cells"]), max(1, c["with room"])
            line = (
                f"{measure.title}: better in {c['better']} of {c['cells']} ({c['better'] / n:.0%}), in"
                f" {c['better, with room']} of the {c['with room']} ({c['better, with room'] / room:.0%})"
                f" where PCA's is under {ROOM:.0%}; worse in {c['worse']} ({c['worse'] / n:.0%}), by more"
                f" than a point in {c['worse by a point']} ({c['worse by a point'] / n:.0%})"
            )
            line += "" if c["mean"] is None else f"; mean {c['mean']:+.1f} points"
            if measure in PROBES:
                near = c["within a point of the best"]
                line += f"; within a point of the best of {', '.join((RIVAL, *RIVALS))}, or better, in {near}"
                line += f" ({near / n:.0%})"
            print(line)
        r2 = own[R2.key]
        if r2["worst"]:
            gap, name, width = r2["worst"]
            print(f"{R2.title}: worst difference {gap:+.3f} ({name}, {width})", end="; ")
            print(f"below by more than 0.005 in {r2['below by more than 0.005']}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--role", choices=ROLES, default="reporting")
    parser.add_argument("--only", action="append", choices=DATA_SETS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep-others", action="store_true", help="Do not fit them again: take --json's")
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
    stack = StackedAutoencoder(1, memory=folder)
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
        data = DATA_SETS[name]
        first = data.draw(0)
        widths = [width for width in WIDTHS if width < min(first.X.shape)][: 2 if args.quick else None]

        def judged(methods: tuple[str, ...], n_splits: int, **asked: Any) -> Comparison:
            fixed = {"fresh": data.fresh, "n_jobs": args.jobs, "clusters": False}  # noqa: B023
            return compare(stack, data.draw, widths, methods=methods, n_splits=n_splits, **fixed, **asked)  # noqa: B023

        few = [measure.n_labels for measure in FEW if measure.n_labels < len(first.X)]
        ours = judged((OURS, RIVAL), 2 if args.quick else 5, few_labels=few)
        if args.keep_others and name in found:
            others = {width: cell["others"] for width, cell in found[name].items()}
        else:
            others = figures_of(judged(RIVALS, 1, few_labels=()))
        found[name] = cells(ours, others)
        for width, cell in found[name].items():
            line = f"{name:<26}{width:>5}"
            for probe in PROBES:
                c = cell[probe.key]
                mark = {1: "+", 0: " ", -1: "-"}[c["sign"]]
                gain = 100 * (c[OURS] - c[RIVAL])
                line += f"{100 * c[OURS]:9.1f} /{100 * c[RIVAL]:5.1f} {gain:+6.1f} {mark}"
            r2 = cell[R2.key]
            print(f"{line}{r2[OURS]:9.3f} /{r2[RIVAL]:6.3f}{cell['seconds']:9.1f}", flush=True)
        print(f"{'':<26}{perf_counter() - start:.0f} s", flush=True)
        if args.json is not None:
            write_results(args.json, {"cells": found, "counts": counts(found)})
    report(counts(found))


if __name__ == "__main__":
    main()
