"""MNIST, each digit held out once: how well a detector fitted to the other nine finds it.

    python benchmarks/anomalies.py [--validate] [--quick] [--json FILE] [--data-home FOLDER]

Fitted to the first 10,000 training images, less those of the held-out digit, without labels; asked about the
10,000 test images of all ten digits. The figure is the area under the ROC curve of the held-out digit against
the nine others (0.5 is guessing), and its mean over the ten digits. Compared, all on the same samples:

- StackedAutoencoderDetector, one recipe for all ten digits (LAYERS, PRETRAIN and FINETUNE below);
- PCA, by its squared reconstruction error;
- IsolationForest of 300 trees;
- OneClassSVM with an RBF kernel, gamma="scale".

The squared error of an image grows with its ink, and a 1, which has little, then seems usual whatever was
learned. The detector therefore gets all images stretched to the same Euclidean length. PCA and the forest are
listed with images as they are and of the same length, the support vectors with those that suit them better.

Recipe, number of components, nu and length were chosen on training images 50,000 to 60,000, to which nothing
is fitted. --validate judges by these instead of the test images, and lists the settings that were chosen
from, too: those of the support vectors on the first 1,000 images only, and the detector's images as they are.
About 8 minutes on 2 cores; --quick takes the bundled 8 x 8 digits, in seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from common import write_results
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize
from sklearn.svm import OneClassSVM

from stackae import Autoencoder, StackedAutoencoder, StackedAutoencoderDetector, TopK, Training
from stackae.data import load_data

LAYERS = [256, 128, Autoencoder(256, code=TopK(4))]
PRETRAIN = Training(max_epochs=3)
FINETUNE = Training(max_epochs=30, batch_size=128, learning_rate=4e-3, corruption=None)
LENGTH = 10.0  # about that of an MNIST image
COMPONENTS = 8
NU = 0.1
TREES = 300
IMAGES = ("as they are", "same length")
#: Settings that --validate compares.
COMPONENTS_TRIED = (8, 16, 32, 64, 128)
NU_TRIED = (0.05, 0.1, 0.5)
NU_SAMPLES = 1000
FIT_SAMPLES = 10_000
VALIDATION = slice(50_000, 60_000)


@dataclass(frozen=True)
class Method:
    """A detector to fit, to images as they are or all of the same length, perhaps to fewer of them."""

    name: str
    build: Callable[[], Any]
    images: str
    n_samples: int | None = None


@dataclass(frozen=True)
class Images:
    """Images to fit to and images to judge by, with the digits on them."""

    fit: np.ndarray
    fit_digits: np.ndarray
    judged: np.ndarray
    judged_digits: np.ndarray


def images(*, validate: bool, quick: bool, data_home: Path | None) -> Images:
    small, whole = ("digits", 1000, slice(1000, 1437)), ("mnist", FIT_SAMPLES, VALIDATION)
    name, n_fit, held = small if quick else whole
    train = load_data(name, data_home=data_home)
    if validate:
        judged, judged_digits = train.X[held], train.y[held]
    else:
        test = load_data(f"{name}:test", data_home=data_home)
        judged, judged_digits = test.X, test.y
    return Images(train.X[:n_fit], train.y[:n_fit], judged, judged_digits)


def chosen(*, quick: bool) -> list[Method]:
    """What is compared."""
    trees = 50 if quick else TREES
    return [
        Method("StackedAutoencoderDetector", detector(quick=quick), "same length"),
        *(Method(f"PCA, {COMPONENTS} components", pca(COMPONENTS), images) for images in IMAGES),
        *(Method("IsolationForest", forest(trees), images) for images in IMAGES),
        Method(f"OneClassSVM, nu {NU}", support(NU), "as they are"),
    ]


def tried(*, quick: bool) -> list[Method]:
    """What the methods' settings were chosen from, beside the chosen ones."""
    components = [n for n in COMPONENTS_TRIED if n < 64 or not quick]
    return [
        Method("StackedAutoencoderDetector", detector(quick=quick), "as they are"),
        *(Method(f"PCA, {n} components", pca(n), images) for images in IMAGES for n in components),
        *(
            Method(f"OneClassSVM, nu {nu}", support(nu), images, NU_SAMPLES)
            for images in IMAGES
            for nu in NU_TRIED
        ),
    ]


def detector(*, quick: bool) -> Callable[[], Any]:
    finetune = clone(FINETUNE).set_params(max_epochs=4) if quick else FINETUNE
    encoder = StackedAutoencoder(LAYERS, pretrain=PRETRAIN, finetune=finetune, scale=None)
    return lambda: StackedAutoencoderDetector(encoder, random_state=0)


def pca(n_components: int) -> Callable[[], Any]:
    return lambda: PCA(n_components, random_state=0)


def forest(trees: int) -> Callable[[], Any]:
    return lambda: IsolationForest(n_estimators=trees, random_state=0)


def support(nu: float) -> Callable[[], Any]:
    return lambda: OneClassSVM(kernel="rbf", gamma="scale", nu=nu, cache_size=1000)


def strangeness(model: Any, X: np.ndarray) -> np.ndarray:
    """Higher: less like the samples that the model was fitted to."""
    if isinstance(model, PCA):
        return np.square(X - model.inverse_transform(model.transform(X))).sum(1)
    return -model.score_samples(X)


def measure(method: Method, data: Images) -> dict[str, Any]:
    """The areas for the ten digits, and the mean seconds of a fit."""
    fit, judged = data.fit, data.judged
    if method.images == "same length":
        fit, judged = (LENGTH * normalize(X) for X in (fit, judged))
    areas, seconds = [], []
    for digit in range(10):
        usual = fit[data.fit_digits != digit][: method.n_samples]
        start = perf_counter()
        model = method.build().fit(usual)
        seconds.append(perf_counter() - start)
        areas.append(float(roc_auc_score(data.judged_digits == digit, strangeness(model, judged))))
    return {"mean": float(np.mean(areas)), "digits": areas, "fit seconds": float(np.mean(seconds))}


def table(title: str, methods: list[Method], data: Images) -> dict[str, dict[str, Any]]:
    print(f"\n{title}")
    digits = "".join(f"{digit:>6}" for digit in range(10))
    print(f"{'method':<28}{'images':<14}{'mean':>6} {digits}{'fit seconds':>13}")
    results = {}
    for method in methods:
        result = results[f"{method.name}; {method.images}"] = measure(method, data)
        areas = "".join(f"{area:>6.3f}" for area in result["digits"])
        row = f"{method.name:<28}{method.images:<14}{result['mean']:>6.3f} {areas}"
        print(f"{row}{result['fit seconds']:>13.1f}", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-home", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    data = images(validate=args.validate, quick=args.quick, data_home=args.data_home)
    judged = "validation" if args.validate else "test"
    results = table(f"area under the ROC curve, {judged} samples", chosen(quick=args.quick), data)
    settings = (
        table("other settings, validation samples", tried(quick=args.quick), data) if args.validate else {}
    )
    if args.json is not None:
        recipe = {"layers": LAYERS, "pretrain": PRETRAIN, "finetune": FINETUNE, "length": LENGTH}
        content = {"rows": len(data.fit), "judged": judged, "methods": results, "settings": settings}
        write_results(args.json, {**content, "recipe": {name: repr(part) for name, part in recipe.items()}})


if __name__ == "__main__":
    main()
