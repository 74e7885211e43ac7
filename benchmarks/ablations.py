"""What the default parameters gain: each choice undone, or made otherwise, one at a time.

    python benchmarks/ablations.py [--json FILE] [--only NAME]... [--quick]

On six data sets of data_sets.py (a draw that features_vs_pca.py does not use, at most 2,000 training rows)
and at 16 dimensions, each variant of StackedAutoencoder((256, 16)) and PCA are fitted without labels. Printed
are the stack's differences to PCA: the linear probe and the k-NN probe of the test rows, in points, and R².
One draw and one seed: differences below a point are noise. --quick takes two small data sets, few variants,
and hardly any training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from common import write_results
from data_sets import DATA_SETS
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from stackae import Autoencoder, GaussianNoise, Masking, StackedAutoencoder, Training, from_pca
from stackae.estimators import stacked
from stackae.evaluation import Split
from stackae.evaluation.probes import linear_probe, neighbour_probe
from stackae.fitting.finetune import RECIPES
from stackae.modules.scaling import two_valuedness
from stackae.training import loop
from stackae.training.callbacks.history import EpochRecord

DRAW, MOST_ROWS, WIDTH = 100, 2000, 16
SETS = ("digits", "waveforms", "cylinder-bell-funnel", "letters", "patches", "MNIST")

#: A variant: parameters of the stack, and what it replaces inside the library meanwhile.
Variant = tuple[dict[str, Any], list[Any]]


def given(**own: Any) -> Variant:
    return own, []


def tuned(**own: Any) -> Variant:
    """Other parameters of fine-tuning; what is not named is what the recipes of the default say."""
    recipes = {name: clone(recipe).set_params(**own) for name, recipe in RECIPES.items()}
    return {}, [patch.dict(RECIPES, recipes)]


def layered(**own: Any) -> Variant:
    """Other layers; the code stays linear."""

    def layer(n_components: int, *, shortcut: bool = False) -> Autoencoder:
        linear = {"activation": "identity"} if n_components == WIDTH else {}
        parts = {"corruption": "gaussian", "tied_weights": not shortcut, **own, **linear}
        return Autoencoder(n_components, **parts)

    return {}, [patch.object(stacked, "default_layer", layer)]


def rated(times: float) -> Variant:
    """Another peak rate of fine-tuning."""
    rates = {"shortcut": 2e-3, "two-valued": 4e-3}
    recipes = {
        name: clone(recipe).set_params(learning_rate=times * rates[name]) for name, recipe in RECIPES.items()
    }
    return {}, [patch.dict(RECIPES, recipes)]


def averaging(epoch: Callable[..., EpochRecord]) -> Callable[..., EpochRecord]:
    """Epochs of which the last gives way to the mean of the weights after each of the last quarter."""
    sums: list[torch.Tensor] = []

    def averaged(run: loop.Run, number: int) -> EpochRecord:
        record = epoch(run, number)
        first, last = run.plan.max_epochs - run.plan.max_epochs // 4, run.plan.max_epochs
        parameters = [p.detach() for p in run.module.parameters()]
        if number == first:
            sums[:] = [p.double() for p in parameters]
        elif number > first:
            for total, parameter in zip(sums, parameters, strict=True):
                total += parameter
        if number == last:
            for total, parameter in zip(sums, parameters, strict=True):
                parameter.copy_(total / (last - first + 1))
            if run.held_out is not None:
                record["validation_loss"] = loop.evaluate(run, run.held_out)
        return record

    return averaged


def internal(module: Any, name: str, value: Any) -> Variant:
    return {}, [patch.object(module, name, value)]


VARIANTS: dict[str, Variant] = {
    "default": given(),
    "no shortcut": given(shortcut=None),
    "no shortcut, mask falls": given(
        shortcut=None, finetune=Training(corruption=Masking((0.5, 0.0)), patience=None, updates=5000)
    ),
    "no pretraining": given(pretrain=None),
    "four times the pretraining": given(pretrain=Training(updates=2000)),
    "no fine-tuning": given(finetune=None),
    "nothing stays PCA": internal(from_pca, "_KEPT", 0.0),
    "a quarter stays PCA": internal(from_pca, "_KEPT", 0.25),
    "decoder not solved": internal(from_pca, "solve_decoder", lambda *_: None),
    "mask 0.75 to 0": tuned(corruption=Masking((0.75, 0.0))),
    "mask 0.5 throughout": tuned(corruption=Masking(0.5)),
    "noise 0.1 throughout": tuned(corruption=GaussianNoise(0.1)),
    "no corruption": tuned(corruption=None),
    "always cross-entropy in [0, 1]": internal(stacked, "_TWO_VALUED", 0.0),
    "never cross-entropy": internal(stacked, "_TWO_VALUED", 2.0),
    "no weight decay": tuned(optimizer="adam", weight_decay=0.0),
    "weight decay 0.3": tuned(optimizer="adamw", weight_decay=0.3),
    "half the rate": rated(0.5),
    "twice the rate": rated(2.0),
    "batches of 512": tuned(batch_size=512),
    "half the updates": tuned(updates=2500),
    "twice the updates": tuned(updates=10_000),
    "silu": layered(activation="silu"),
    "tanh": layered(activation="tanh"),
    "no layer tied": layered(tied_weights=False),
    "pretrained without corruption": layered(corruption=None),
    "weights averaged": internal(loop, "epoch", averaging(loop.epoch)),
    "512 units": given(layers=(512, WIDTH)),
    "three layers": given(layers=(256, 256, WIDTH)),
    "all codes, not the last": given(output="all"),
    "top-k below": given(layers=[Autoencoder(256, code="topk"), Autoencoder(WIDTH)]),
    "layers start as PCA": given(
        layers=[Autoencoder(256), Autoencoder(WIDTH, network="pca", activation="identity")]
    ),
}


def judged(model: Any, split: Split) -> dict[str, float]:
    """Both probes and R² of the test rows."""
    train, test = model.transform(split.X), model.transform(split.X_test)
    spread = np.ones(split.X.shape[1])
    if split.X.min() < 0 or split.X.max() > 1:
        spread = np.where(split.X.std(0) > 0, split.X.std(0), 1)
    error = (split.X_test - model.inverse_transform(test)) / spread
    centred = (split.X_test - split.X_test.mean(0)) / spread
    return {
        "linear probe": 100 * float(linear_probe(train, split.y, test, split.y_test).mean()),
        "k-NN probe": 100 * float(neighbour_probe(train, split.y, test, split.y_test).mean()),
        "R²": 1 - float(np.square(error).sum() / np.square(centred).sum()),
    }


def pca(split: Split) -> Any:
    """PCA, of columns of one spread where they do not lie in [0, 1]."""
    in_unit = split.X.min() >= 0 and split.X.max() <= 1
    scaler = FunctionTransformer(check_inverse=False) if in_unit else StandardScaler()
    return make_pipeline(scaler, PCA(WIDTH, random_state=0)).fit(split.X)


def drawn(name: str, most: int) -> Split:
    split = DATA_SETS[name](DRAW)
    some = np.random.default_rng(0).permutation(len(split.X))[:most]
    return Split(split.X[some], split.y[some], split.X_test, split.y_test)


def fitted(variant: Variant, split: Split, others: dict[str, Any]) -> Any:
    own, inside = variant
    with ExitStack() as replaced:
        for part in inside:
            replaced.enter_context(part)
        model = StackedAutoencoder(**{"layers": (256, WIDTH), "random_state": 0, **others, **own})
        return model.fit(split.X)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", choices=VARIANTS)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    sets = ("digits", "waveforms") if args.quick else SETS
    splits = {name: drawn(name, 300 if args.quick else MOST_ROWS) for name in sets}
    for name, split in splits.items():
        if split.X.min() >= 0 and split.X.max() <= 1:
            print(f"{name}: two-valued to {two_valuedness(split.X.astype(float)):.2f}")
    rival = {name: judged(pca(split), split) for name, split in splits.items()}
    few = ["default", "no shortcut", "nothing stays PCA", "silu"]
    names = args.only or (few if args.quick else list(VARIANTS))
    quick = {name: Training(max_epochs=2) for name in ("pretrain", "finetune")} if args.quick else {}
    print(f"{'points to PCA: linear / k-NN; R²':<34}" + "".join(f"{name[:18]:>22}" for name in sets))
    table: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for name in names:
            row = {}
            for of_set, split in splits.items():
                found = judged(fitted(VARIANTS[name], split, {"memory": folder, **quick}), split)
                row[of_set] = {measure: value - rival[of_set][measure] for measure, value in found.items()}
            cells = (
                f"{c['linear probe']:+6.1f} /{c['k-NN probe']:+6.1f} {c['R²']:+6.3f}" for c in row.values()
            )
            print(f"{name:<34}" + "".join(f"{cell:>22}" for cell in cells), flush=True)
            table[name] = row
            if args.json is not None:
                results = {"PCA": rival, "difference to PCA": table, "rows": MOST_ROWS, "width": WIDTH}
                write_results(args.json, results)


if __name__ == "__main__":
    main()
