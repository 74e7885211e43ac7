"""What the default parameters gain: each choice undone, or made otherwise, one at a time.

    python benchmarks/ablations.py [--json FILE] [--only NAME]... [--jobs N] [--quick]

On data sets of data_sets.py, of those for choosing (not those of SLOW), at 4 and 16 dimensions, each variant
of StackedAutoencoder(width) and PCA are fitted without labels: on one draw, of sets with fewer than
400 training samples on four. Printed are the stack's differences to PCA: the linear probe, the k-NN probe and
the linear probe from 100 labels, in points, and R², each a mean over sets and widths, for tables, spectra,
omics and texts on the one hand, images, series, shapes and photographs on the other; behind it in which
shares of these cells it is better and worse by more than a point; and the seconds of all fits, a core each.
Means that differ by half a point are alike. --json is written after each variant, and keeps those that it
holds and that are not run. --quick takes two small sets, few variants, and hardly any training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import joblib
import numpy as np
import torch
from common import write_results
from data_sets import GROUPS, for_role
from sklearn.base import clone

from stackae import Autoencoder, GaussianNoise, Masking, NeighborEmbedding, StackedAutoencoder, Training
from stackae.evaluation import Split, compare
from stackae.evaluation.measures import FIT, LINEAR, NEIGHBOURS, R2, few_labels_measure
from stackae.fitting import planner, shortcut
from stackae.fitting.defaults import trainings
from stackae.fitting.defaults.parts import default_layer
from stackae.fitting.defaults.trainings import RECIPES
from stackae.modules.layer import Composition

#: By name, for processes that have their own.
_RECIPES = f"{trainings.__name__}.RECIPES"
WIDTHS, LABELS = (4, 16), 100
#: Draws of small sets, and what these are.
DRAWS, SMALL = 4, 400
#: Some minutes each.
SLOW = {"docstrings", "tweets", "MNIST on texture"}
SETS = {name: own for name, own in for_role("choosing").items() if name not in SLOW}
FEW = few_labels_measure(LABELS)
MEASURES = (LINEAR, NEIGHBOURS, FEW, R2)


@dataclass(frozen=True)
class Variant:
    """Parameters of the stack, and what is replaced inside the library meanwhile."""

    parameters: dict[str, Any] = field(default_factory=dict)
    replaced: Sequence[Any] = ()


def given(**own: Any) -> Variant:
    return Variant(own)


def tuned(**own: Any) -> Variant:
    """Other parameters of fine-tuning; what is not named is what the recipes of the default say."""
    recipes = {name: clone(recipe).set_params(**own) for name, recipe in RECIPES.items()}
    return Variant(replaced=[patch.dict(_RECIPES, recipes)])


def layered(**own: Any) -> Variant:
    """Other parts of the layers; the activation of the code stays linear."""

    def layer(n_components: int, **how: Any) -> Composition:
        kept = {"activation"} if n_components in WIDTHS else set()
        parts = {name: part for name, part in own.items() if name not in kept}
        return replace(default_layer(n_components, **how), **parts)

    return Variant(replaced=[patch.object(planner, "default_layer", layer)])


def rated(times: float) -> Variant:
    """Another peak rate of fine-tuning."""
    rates = {"shortcut": 2e-3, "two-valued": 4e-3, "table": 2e-3}
    recipes = {
        name: clone(recipe).set_params(learning_rate=times * rates[name]) for name, recipe in RECIPES.items()
    }
    return Variant(replaced=[patch.dict(_RECIPES, recipes)])


def internal(module: Any, name: str, value: Any) -> Variant:
    return Variant(replaced=[patch.object(module, name, value)])


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
    "800 updates": tuned(updates=800),
    "5,000 updates, however few samples": Variant(
        replaced=[
            patch.dict(f"{trainings.__name__}._PER_ROOT", clear=True),
            patch.dict(_RECIPES, {"shortcut": clone(RECIPES["shortcut"]).set_params(updates=5000)}),
        ]
    ),
    "10,000 updates of two-valued data": Variant(
        replaced=[
            patch.dict(_RECIPES, {"two-valued": clone(RECIPES["two-valued"]).set_params(updates=10_000)})
        ]
    ),
    "silu": layered(activation="silu"),
    "tanh": layered(activation="tanh"),
    "no layer tied": layered(tied_weights=False),
    "pretrained without corruption": layered(corruption=None),
    "64 units": given(layers=(64, 1)),
    "256 units": given(layers=(256, 1)),
    "512 units": given(layers=(512, 1)),
    "three layers": given(layers=(256, 256, 1)),
    "all codes, not the last": given(output="all"),
    "top-k below": given(layers=[Autoencoder(256, code="topk"), Autoencoder(1)]),
    "neighbour embedding": given(layers=[Autoencoder(256), Autoencoder(1, penalty=NeighborEmbedding(10))]),
    "layers start as PCA": given(
        layers=[Autoencoder(256), Autoencoder(1, network="pca", activation="identity")]
    ),
}


def judged(method: str, variant: Variant, split: Split, width: int, quick: bool) -> dict[str, float]:
    """What a variant, or another method, is worth on one split."""
    torch.set_num_threads(1)
    own: dict[str, Any] = {"layers": 1, **variant.parameters}
    if quick:
        own |= dict.fromkeys(("pretrain", "finetune"), Training(max_epochs=2))
    with ExitStack() as replaced:
        for part in variant.replaced:
            replaced.enter_context(part)
        few = (LABELS,) if len(split.X) > LABELS else ()
        found = compare(
            StackedAutoencoder(**own),
            lambda seed: split,
            (width,),
            methods=(method,),
            n_splits=1,
            few_labels=few,
            n_draws=5,
            n_jobs=1,
        )
    asked = (*MEASURES, FIT) if few else (LINEAR, NEIGHBOURS, R2, FIT)
    return {measure.key: float(np.mean(found.values(measure.key, method, width))) for measure in asked}


def on_set(name: str, method: str, variant: Variant, quick: bool) -> dict[str, dict[str, float]]:
    """The mean over draws, of each width that is less than the columns and the samples."""
    found: dict[str, dict[str, float]] = {}
    first = SETS[name].draw(0)
    seeds = range(DRAWS if len(first.X) < SMALL and not quick else 1)
    splits = [first, *(SETS[name].draw(seed) for seed in seeds[1:])]
    for width in (width for width in WIDTHS if width < min(first.X.shape)):
        own = [judged(method, variant, split, width, quick) for split in splits]
        found[str(width)] = {key: float(np.mean([one[key] for one in own])) for key in own[0]}
    return found


def told(cells: dict[str, Any], rival: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each group of sets: means of the differences to PCA, shares of cells that are better and worse."""
    result: dict[str, dict[str, Any]] = {}
    for group, kinds in GROUPS.items():
        names = [name for name in cells if SETS[name].kind in kinds]
        pairs = [(cells[name][width], rival[name][width]) for name in names for width in cells[name]]
        result[group] = {"cells": len(pairs), "seconds": sum(own[FIT.key] for own, _ in pairs)}
        for measure in MEASURES:
            both = [(a[measure.key], b[measure.key]) for a, b in pairs if measure.key in a]
            gains = 100 * np.array([a - b for a, b in both] or [np.nan])
            result[group][measure.key] = {
                "mean": float(gains.mean()),
                "better": float((gains > 1).mean()),
                "worse": float((gains < -1).mean()),
            }
    return result


def shown(name: str, found: dict[str, dict[str, Any]]) -> str:
    """A variant's line in each group."""
    line = f"{name:<36}"
    for own in found.values():
        for measure in MEASURES[:-1]:
            c = own[measure.key]
            line += f"{c['mean']:+7.2f} {c['better']:4.0%} {c['worse']:4.0%}"
        line += f"{own[R2.key]['mean'] / 100:+8.3f}{own['seconds']:6.0f} s |"
    return line


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", choices=VARIANTS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    names = args.only or (["default", "no shortcut", "silu"] if args.quick else list(VARIANTS))
    sets = ["wine", "digits"] if args.quick else list(SETS)
    kept: dict[str, Any] = {}
    if args.json is not None and args.json.exists():
        kept = json.loads(args.json.read_text(encoding="utf-8"))["results"]["cells"]

    def run(method: str, variant: Variant) -> dict[str, Any]:
        jobs = [joblib.delayed(on_set)(name, method, variant, args.quick) for name in sets]
        return dict(zip(sets, joblib.Parallel(n_jobs=args.jobs)(jobs), strict=True))

    cells: dict[str, Any] = {"PCA": run("PCA", VARIANTS["default"]), **kept}
    print(" " * 36 + " |".join(f"{group + ': linear, k-NN, 100 labels, R²':<71}" for group in GROUPS))
    for name in names:
        cells[name] = run("stackae", VARIANTS[name])
        print(shown(name, told(cells[name], cells["PCA"])), flush=True)
        if args.json is not None:
            summary = {own: told(cells[own], cells["PCA"]) for own in cells if own != "PCA"}
            write_results(args.json, {"summary": summary, "cells": cells})


if __name__ == "__main__":
    main()
