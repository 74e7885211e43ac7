"""What the default parameters gain: each choice undone, or made otherwise, one at a time.

    python benchmarks/ablations.py [--json FILE] [--only NAME]... [--quick]

On six data sets of data_sets.py, of those for choosing (a draw that features_vs_pca.py does not use, at most
2,000 samples to fit) and at 16 dimensions, each variant of StackedAutoencoder((256, 16)) and PCA are fitted
without labels. Printed are the stack's differences to PCA: the linear probe and the k-NN probe of the test
samples, in points, and R². One draw and one seed: differences below a point are noise. --quick takes two
small data sets, few variants, and hardly any training.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from common import write_results
from data_sets import for_role
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from stackae import Autoencoder, GaussianNoise, Masking, StackedAutoencoder, Training
from stackae.data.statistics import two_valuedness
from stackae.evaluation import Split
from stackae.evaluation.probes import linear_probe, neighbour_probe
from stackae.fitting import planner, shortcut
from stackae.fitting.defaults.parts import default_layer
from stackae.fitting.defaults.trainings import RECIPES
from stackae.modules.layer import Composition
from stackae.training.callbacks import Callback
from stackae.training.phase import EpochRecord, Phase, PhaseRun

DRAW, MOST_SAMPLES, WIDTH = 100, 2000, 16
SETS = ("digits", "waveforms", "cylinder-bell-funnel", "letters", "patches", "MNIST")


@dataclass(frozen=True)
class Variant:
    """Parameters of the stack, what is replaced inside the library meanwhile, and who hears of the fit."""

    parameters: dict[str, Any] = field(default_factory=dict)
    replaced: Sequence[Any] = ()
    callbacks: Sequence[Callback] = ()


def given(**own: Any) -> Variant:
    return Variant(own)


def tuned(**own: Any) -> Variant:
    """Other parameters of fine-tuning; what is not named is what the recipes of the default say."""
    recipes = {name: clone(recipe).set_params(**own) for name, recipe in RECIPES.items()}
    return Variant(replaced=[patch.dict(RECIPES, recipes)])


def layered(**own: Any) -> Variant:
    """Other parts of the layers; the activation of the code stays linear."""

    def layer(n_components: int, **how: Any) -> Composition:
        kept = {"activation"} if n_components == WIDTH else set()
        parts = {name: part for name, part in own.items() if name not in kept}
        return replace(default_layer(n_components, **how), **parts)

    return Variant(replaced=[patch.object(planner, "default_layer", layer)])


def rated(times: float) -> Variant:
    """Another peak rate of fine-tuning."""
    rates = {"shortcut": 2e-3, "two-valued": 4e-3, "table": 2e-3}
    recipes = {
        name: clone(recipe).set_params(learning_rate=times * rates[name]) for name, recipe in RECIPES.items()
    }
    return Variant(replaced=[patch.dict(RECIPES, recipes)])


def internal(module: Any, name: str, value: Any) -> Variant:
    return Variant(replaced=[patch.object(module, name, value)])


class Averaging(Callback):
    """Fine-tuning ends in the mean of the weights after each epoch of its last quarter.

    Where samples are held out, the mean is kept only if they are judged better than by the weights otherwise
    kept.
    """

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self._sums: list[torch.Tensor] = []
        self._n_epochs = 0

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        if run is None or run.phase.name != "finetune":
            return
        if record["epoch"] > run.budget.max_epochs - max(1, run.budget.max_epochs // 4):
            weights = [p.detach().double() for p in run.module.parameters()]
            self._sums = [a + b for a, b in zip(self._sums, weights, strict=True)] if self._sums else weights
            self._n_epochs += 1

    @torch.no_grad()
    def end_phase(self, run: PhaseRun | None) -> None:
        if run is None or not self._sums:
            return
        parameters = list(run.module.parameters())
        kept = [p.clone() for p in parameters]
        before = None if run.held_out is None else run.watch(run.held_out)
        for parameter, total in zip(parameters, self._sums, strict=True):
            parameter.copy_(total / self._n_epochs)
        if run.held_out is not None and run.watch(run.held_out) > before:
            for parameter, weights in zip(parameters, kept, strict=True):
                parameter.copy_(weights)


VARIANTS: dict[str, Variant] = {
    "default": given(),
    "no shortcut": given(shortcut=None),
    "always a shortcut": given(shortcut="pca"),
    "no shortcut, mask falls": given(
        shortcut=None, finetune=Training(corruption=Masking((0.5, 0.0)), patience=None, updates=5000)
    ),
    "no pretraining": given(pretrain=None),
    "four times the pretraining": given(pretrain=Training(updates=2000)),
    "no fine-tuning": given(finetune=None),
    "nothing stays PCA": internal(shortcut, "_KEPT", 0.0),
    "a quarter stays PCA": internal(shortcut, "_KEPT", 0.25),
    "decoder not solved": internal(shortcut, "solve_decoder", lambda *_: None),
    "mask 0.75 to 0": tuned(corruption=Masking((0.75, 0.0))),
    "mask 0.5 throughout": tuned(corruption=Masking(0.5)),
    "noise 0.1 throughout": tuned(corruption=GaussianNoise(0.1)),
    "no corruption": tuned(corruption=None),
    "always cross-entropy in [0, 1]": internal(planner, "_TWO_VALUED", 0.0),
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
    "weights averaged": Variant(callbacks=[Averaging()]),
    "512 units": given(layers=(512, WIDTH)),
    "three layers": given(layers=(256, 256, WIDTH)),
    "all codes, not the last": given(output="all"),
    "top-k below": given(layers=[Autoencoder(256, code="topk"), Autoencoder(WIDTH)]),
    "layers start as PCA": given(
        layers=[Autoencoder(256), Autoencoder(WIDTH, network="pca", activation="identity")]
    ),
}


def judged(model: Any, split: Split) -> dict[str, float]:
    """Both probes and R² of the test samples."""
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
    split = for_role("choosing")[name].draw(DRAW)
    some = np.random.default_rng(0).permutation(len(split.X))[:most]
    return Split(split.X[some], split.y[some], split.X_test, split.y_test)


def fitted(variant: Variant, split: Split, others: dict[str, Any]) -> Any:
    with ExitStack() as replaced:
        for part in variant.replaced:
            replaced.enter_context(part)
        own = {"layers": (256, WIDTH), "random_state": 0, **others, **variant.parameters}
        return StackedAutoencoder(**own).set_callbacks(*variant.callbacks).fit(split.X)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", choices=VARIANTS)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    sets = ("digits", "waveforms") if args.quick else SETS
    splits = {name: drawn(name, 300 if args.quick else MOST_SAMPLES) for name in sets}
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
                results = {"PCA": rival, "difference to PCA": table, "rows": MOST_SAMPLES, "width": WIDTH}
                write_results(args.json, results)


if __name__ == "__main__":
    main()
