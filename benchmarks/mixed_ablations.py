"""What the defaults on mixed tables gain: each choice undone, or made otherwise, one at a time.

    python benchmarks/mixed_ablations.py [--json FILE] [--only NAME]... [--quick]

For every table of mixed_imputation.py and mixed_tables.py, with the gaps and the labelled rows by which the
defaults were chosen (their --validate; test rows are not asked), a stack (256, 64) is fitted in each variant:
the error of filled numbers in standard deviations and the share of filled categories that are right, means of
four tables; the accuracy and the area under the ROC curve of logistic regression on the codes, a label on one
row in ten, means of seven and of five tables.

One column a category stands for an embedding too: the first layer's weights from such columns are one vector
a category, learned with the rest.

About 25 minutes on 2 cores; --quick takes one table, two variants, and hardly any training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mixed_imputation
import mixed_tables
import numpy as np
from common import write_results
from mixed_data import TABLES

from stackae import (
    Autoencoder,
    GaussianNoise,
    Masking,
    StackedAutoencoder,
    Swap,
    TableEncoder,
    Training,
)
from stackae.corruption.base import Corruption

#: As fine-tuning and pretraining are by default on mixed tables; what is undone is written out.
_DECAY: dict[str, Any] = {"optimizer": "adamw", "weight_decay": 0.5}


def stack(
    corruption: Corruption,
    decay: dict[str, Any] = _DECAY,
    updates: int = 5000,
    brief: bool = True,
    **parameters: Any,
) -> StackedAutoencoder:
    """The default written out, with another corruption of the first layer and of fine-tuning."""
    first = Autoencoder(256, corruption=corruption, tied_weights=True)
    second = Autoencoder(64, corruption=GaussianNoise(0.1), tied_weights=True)
    return StackedAutoencoder(
        [first, second],
        pretrain=Training(updates=500) if brief else "auto",
        finetune=Training(corruption=corruption, updates=updates, **decay),
        shortcut=None,
        **parameters,
    )


VARIANTS: dict[str, Callable[[], StackedAutoencoder]] = {
    "default": lambda: StackedAutoencoder((256, 64), shortcut=None),
    "the same, written out": lambda: stack(Masking(0.5)),
    "a quarter hidden": lambda: stack(Masking(0.25)),
    "swapped cells, 15 %": lambda: stack(Swap(0.15)),
    "swapped cells, 30 %": lambda: stack(Swap(0.3)),
    "Gaussian noise, 0.1": lambda: stack(GaussianNoise(0.1)),
    "no weight decay": lambda: stack(Masking(0.5), {}),
    "half the fine-tuning": lambda: stack(Masking(0.5), updates=2500),
    "longer pretraining": lambda: stack(Masking(0.5), brief=False),
    "all numbers through quantiles": lambda: StackedAutoencoder(
        (256, 64), shortcut=None, columns=TableEncoder(numeric="quantile")
    ),
    "all numbers standardised": lambda: StackedAutoencoder(
        (256, 64), shortcut=None, columns=TableEncoder(numeric="standard")
    ),
    "no pretraining": lambda: StackedAutoencoder((256, 64), shortcut=None, pretrain=None),
}
_BRIEF = {"finetune": Training(max_epochs=1), "pretrain": Training(max_epochs=1)}


def imputed(make: Callable[[], StackedAutoencoder], names: list[str], quick: bool) -> dict[str, list[float]]:
    """The error of numbers and the share of right categories, of each table."""
    methods = {"own": lambda table, seed: make().set_params(random_state=seed).fit(table).impute(table)}
    found = [mixed_imputation.compare(name, methods, validate=True, quick=quick)["own"] for name in names]
    return {what: [own[what] for own in found] for what in ("error of numbers", "categories right")}


def probed(make: Callable[[], StackedAutoencoder], names: list[str], quick: bool) -> dict[str, list[float]]:
    """The accuracy and the area of logistic regression on the codes, of each table."""
    found = []
    for name in names:
        of_draws = []
        for draw in mixed_tables.draws(name, validate=True, quick=quick):
            encoder = make().set_params(random_state=draw.seed).fit(draw.X)
            codes = encoder.transform(draw.X), encoder.transform(draw.X_asked)
            of_draws.append(mixed_tables.judged(draw, mixed_tables.features(draw, *codes)))
        found.append(np.mean(of_draws, axis=0).tolist())
    accuracy, area = np.transpose(found).tolist()
    return {"accuracy": accuracy, "ROC AUC": area}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", choices=VARIANTS, default=None)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    variants = {name: VARIANTS[name] for name in args.only or VARIANTS}
    tables, labelled = list(mixed_imputation.TABLES), list(TABLES)
    if args.quick:
        tables = labelled = ["penguins"]
        variants = dict(list(variants.items())[:2])
    print(f"{'':<32}{'error':>8}{'right':>8}{'accuracy':>10}{'ROC AUC':>9}")
    results = {}
    for name, make in variants.items():

        def own(make: Callable[[], StackedAutoencoder] = make) -> StackedAutoencoder:
            return make().set_params(**_BRIEF) if args.quick else make()

        results[name] = imputed(own, tables, args.quick) | probed(own, labelled, args.quick)
        error, right, accuracy, area = (
            np.nan if np.isnan(own_values).all() else np.nanmean(own_values)
            for own_values in results[name].values()
        )
        print(f"{name:<32}{error:>8.3f}{right:>8.1%}{accuracy:>10.1%}{area:>9.3f}", flush=True)
    if args.json is not None:
        told = {"imputed": tables, "labelled": labelled, "variants": results}
        write_results(args.json, told)


if __name__ == "__main__":
    main()
