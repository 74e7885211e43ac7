"""Digits, default parameters: codes against PCA of the same width, cross-validated on the training rows.

    python benchmarks/digits_cross_validated.py [--json FILE] [--quick]

Five folds of the 1,437 training rows, two seeds, widths 8 and 32: the transformers and the probes are fitted
on four folds and asked about the fifth. The defaults of StackedAutoencoder were chosen by this very measure,
so it flatters them a little; the 360 test rows, which `make demo` asks, had no part in it. About 4 minutes on
2 cores; --quick takes one seed and two folds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from common import write_results
from sklearn.model_selection import StratifiedKFold

from stackae import StackedAutoencoder
from stackae.data import load_data
from stackae.evaluation import Split, compare_fitted

COLUMNS = {"linear_probe": "linear probe", "neighbour_probe": "k-NN probe", "r2": "R²"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    data = load_data("digits")
    folds = StratifiedKFold(2 if args.quick else 5, shuffle=True, random_state=1)
    seeds = (0,) if args.quick else (0, 1)

    results = {}
    print(f"{'width':<8}{'method':<10}{'linear probe':>14}{'k-NN probe':>14}{'R²':>10}")
    for width in (8, 32):
        figures: dict[str, list[list[float]]] = {"stackae": [], "PCA": []}
        for seed in seeds:
            for fit_rows, held_rows in folds.split(data.X, data.y):
                split = Split(data.X[fit_rows], data.y[fit_rows], data.X[held_rows], data.y[held_rows])
                model = StackedAutoencoder((256, width), random_state=seed).fit(split.X)
                for record in compare_fitted(model, split.X, split, methods=["PCA"], few_labels=()).records:
                    figures[record.method].append([record.measures[name] for name in COLUMNS.values()])
        means = {method: np.mean(values, 0) for method, values in figures.items()}
        for method, (linear, neighbour, r2) in means.items():
            print(f"{width:<8}{method:<10}{100 * linear:>13.2f}%{100 * neighbour:>13.2f}%{r2:>10.3f}")
        results[str(width)] = {m: dict(zip(COLUMNS, map(float, v), strict=True)) for m, v in means.items()}
    if args.json is not None:
        write_results(
            args.json, {"rows": len(data.X), "seeds": seeds, "folds": folds.get_n_splits(), "widths": results}
        )


if __name__ == "__main__":
    main()
