"""Tables and series with five labels a class: a classifier that knows all rows, beside others.

    python benchmarks/few_labels_tables.py [--json FILE] [--role ROLE] [--per-class N] [--semi NAMES]...
                                           [--ablate] [--jobs N] [--quick]

On five draws of each set (data_sets.py) five training rows of every class (--per-class) keep their label,
drawn at random; the test rows are asked. StackedAutoencoderClassifier is fitted with its defaults, once as it
is (semi=None) and once with each --semi (names joined by commas; propagation where none is given), all on one
pretraining; --ablate adds fits that undo one default each. Beside it stand logistic
regression, LabelSpreading (7 nearest neighbours), SelfTrainingClassifier on logistic regression and
HistGradientBoostingClassifier, all on standardised rows, with scikit-learn's defaults. The sets of --role
choosing are for choosing defaults; those of --role reporting (the default) are reported. --json is written
after every set. Half an hour on two cores; --quick takes one set and one draw.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from common import write_results
from data_sets import DATA_SETS, ROLES
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from stackae import Dropout, Masking, StackedAutoencoder, StackedAutoencoderClassifier, Training

SETS = {
    "choosing": [
        *("wine", "breast cancer", "penguins", "cells", "yield", "meats", "waveforms"),
        *("cylinder-bell-funnel", "electricity", "gun or point"),
    ],
    "reporting": [
        *("glass", "leaves", "weather", "fast food", "Alzheimer's", "orange juice", "control charts"),
        *("arrow heads", "outlines of leaves", "vowels"),
    ],
}
PER_CLASS, N_DRAWS = 5, 5
LOGISTIC = partial(LogisticRegression, max_iter=1000)


#: Parameters that undo one default each.
ABLATIONS: dict[str, dict[str, Any]] = {
    "hidden cells, too": {"finetune": Training(corruption=[Masking(0.2), Dropout(0.1)])},
    "the head alone": {"finetune": Training(max_epochs=1, learning_rate=1e-9)},
    "256-64, no shortcut": {"encoder": (256, 64)},
}


def judged(name: str, seed: int, variants: dict[str, dict[str, Any]], per_class: int) -> dict[str, float]:
    """Each method's accuracy on one draw."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    split = DATA_SETS[name].draw(seed)
    classes, y = np.unique(split.y, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(y))
    labelled = np.concatenate([order[y[order] == c][:per_class] for c in range(len(classes))])
    few = np.full(len(y), -1)
    few[labelled] = y[labelled]
    X, X_test = (np.asarray(rows, np.float64) for rows in (split.X, split.X_test))
    y_test = np.searchsorted(classes, split.y_test)
    found: dict[str, float] = {}
    encoder = FrozenEstimator(StackedAutoencoder(random_state=seed).fit(X))  # as the default would be
    for variant, parameters in variants.items():
        own = {"encoder": encoder, "unlabelled": -1, "random_state": seed} | parameters
        model = StackedAutoencoderClassifier(**own)
        found[variant] = float((model.fit(X, few).predict(X_test) == y_test).mean())
    scaler = StandardScaler().fit(X)
    z, z_test = scaler.transform(X), scaler.transform(X_test)
    on_all: dict[str, Any] = {
        "LabelSpreading": LabelSpreading(kernel="knn", n_neighbors=7, max_iter=1000),
        "SelfTrainingClassifier": SelfTrainingClassifier(LOGISTIC()),
    }
    alone = {
        "logistic regression": LOGISTIC(),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=seed),
    }
    for method, model in on_all.items():
        found[method] = float((model.fit(z, few).predict(z_test) == y_test).mean())
    for method, model in alone.items():
        found[method] = float((model.fit(z[labelled], few[labelled]).predict(z_test) == y_test).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--role", choices=ROLES, default="reporting")
    parser.add_argument("--per-class", type=int, default=PER_CLASS)
    parser.add_argument("--semi", action="append", metavar="NAMES")
    parser.add_argument("--ablate", action="store_true", help="Undo one default after the other, too")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    variants = {"stackae": {}}
    for given in args.semi or ["propagation"]:
        variants[f"stackae, {given}"] = {"semi": given if given == "auto" else given.split(",")}
    if args.ablate:
        variants |= ABLATIONS
    names = SETS[args.role][: 1 if args.quick else None]
    n_draws = 1 if args.quick else N_DRAWS
    table: dict[str, dict[str, list[float]]] = {}
    for name in names:
        jobs = [joblib.delayed(judged)(name, seed, variants, args.per_class) for seed in range(n_draws)]
        done = joblib.Parallel(n_jobs=args.jobs)(jobs)
        if not table:
            print(f"{'':<22}" + "".join(f"{method[:22]:>24}" for method in done[0]))
        table[name] = {method: [one[method] for one in done] for method in done[0]}
        print(shown(name, {method: np.mean(values) for method, values in table[name].items()}), flush=True)
        means = {method: np.mean([np.mean(own[method]) for own in table.values()]) for method in done[0]}
        if args.json is not None:
            write_results(args.json, {"labels a class": args.per_class, "accuracy": table, "means": means})
    print(shown("mean", means))


def shown(name: str, accuracies: dict[str, Any]) -> str:
    """A line of the table."""
    return f"{name:<22}" + "".join(f"{100 * value:>24.1f}" for value in accuracies.values())


if __name__ == "__main__":
    main()
