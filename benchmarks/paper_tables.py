"""The literature's tables, on MNIST and on data rebuilt from it: one command.

    python benchmarks/paper_tables.py [--json FILE] [--only TABLE]... [--validate] [--quick]

code30       a 30-number code of the 60,000 training images: squared error of the test images.
probe        a linear classifier on frozen codes that saw no labels, beside the same layer untrained.
filters      a linear support vector machine on the codes of filters that k-means found, beside filters that
             were drawn; needs 16 GB of memory.
clusters     k-means on 10-number codes (784-500-500-250-250-250-10), with decoupled weight decay, as they are
             and whitened; and, where umap-learn is installed, a Gaussian mixture on UMAP's embedding of them,
             in 10 dimensions.
neighbours   k-means on codes of as many numbers, by the same widths with a neighbour embedding; on them a
             linear classifier that has 100 labels, ten draws of them.
neighbours on filters
             the same by 500-500-250-10, on 200 principal components of the codes of 64 filters that k-means
             found.
basic, rot, bg-rand, bg-img, bg-img-rot, rect, rect-img, convex
             MNIST as it is, rotated, on noise, on texture, both, rectangles, textured rectangles and convex
             sets, rebuilt with a seed (Larochelle et al. 2007): 10,000 training samples, 2,000 for choices,
             50,000 test samples. SVM-RBF and a multilayer perceptron, both tuned on the 2,000; three stacked
             dense denoising layers (SDAE-3), and a convolutional one under a dense one, both fine-tuned with
             labels; on rot also a linear classifier on frozen codes, of two dense layers on a convolutional
             one. paper_variations.py has them.

Published figures stand beside as context: rebuilt data is not the published data, and the samples differ.
Recipes were found on MNIST's training samples 50,000 to 60,000 and on the 2,000 samples for choices, which
--validate asks instead of the test samples. --json keeps the tables that it already holds and are not run.
--quick takes a minute: few samples, small networks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from common import write_results
from few_labels import LAYERS, LAYERS_ON_FILTERS, draws, filters_below
from paper_variations import PUBLISHED, WHOLE, error, linear, variation_of
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from stackae import (
    Autoencoder,
    Convolutional,
    GaussianNoise,
    KMeansFilters,
    Masking,
    NeighborEmbedding,
    StackedAutoencoder,
    Training,
)
from stackae.data import load_data
from stackae.evaluation.probes import clustering_accuracy, matched

FIRST_VALIDATION_SAMPLE = 50_000


def mnist(*, validate: bool, quick: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, and those that are asked."""
    train = load_data("mnist:train")
    X, y = np.asarray(train.X), np.asarray(train.y)
    if validate:
        cut = FIRST_VALIDATION_SAMPLE
        X, y, X_asked, y_asked = X[:cut], y[:cut], X[cut:], y[cut:]
    else:
        test = load_data("mnist:test")
        X_asked, y_asked = np.asarray(test.X), np.asarray(test.y)
    most = 1000 if quick else None
    return X[:most], y[:most], X_asked[:most], y_asked[:most]


def code30(*, validate: bool, quick: bool) -> dict[str, Any]:
    """784-1000-500-250-30 as Hinton & Salakhutdinov, with decoupled weight decay."""
    X, _, X_asked, _ = mnist(validate=validate, quick=quick)
    widths, epochs = ((64, 30), 5) if quick else ((1000, 500, 250, 30), 60)
    layers = [
        Autoencoder(width, activation="identity" if width == 30 else "silu", tied_weights=True)
        for width in widths
    ]
    models = {
        "PCA": PCA(30, random_state=0),
        "stackae": StackedAutoencoder(
            layers,
            pretrain=Training(2, 256, 2e-3, **WHOLE),
            finetune=Training(epochs, 128, 2e-3, "adamw", weight_decay=0.1, corruption=None, **WHOLE),
            random_state=0,
        ),
    }
    table = {}
    for name, model in models.items():
        start = perf_counter()
        model.fit(X)
        seconds = perf_counter() - start
        errors = {
            where: float(((model.inverse_transform(model.transform(x)) - x) ** 2).sum(1).mean())
            for where, x in (("asked", X_asked), ("training", X))
        }
        table[name] = {**errors, "seconds": seconds}
        print(f"{name:<12}{errors['asked']:>8.2f}{errors['training']:>8.2f} in training{seconds:>8.0f} s")
    published = {"deep autoencoder": 3.00, "logistic PCA": 8.01, "PCA": 13.87}
    print(f"published (Hinton & Salakhutdinov 2006): {published}")
    return {"squared error an image": table, "published": published}


def probe(*, validate: bool, quick: bool) -> dict[str, Any]:
    """One convolutional denoising layer, a linear classifier on its codes, and the same of drawn weights."""
    X, y, X_asked, y_asked = mnist(validate=validate, quick=quick)
    filters, n_fitted = (8, 500) if quick else (128, 10_000)
    table = {}
    for name, pretrain in {
        "stackae": Training(1, 100, 2e-3, "adamw", **WHOLE),
        "untrained": None,
    }.items():
        start = perf_counter()
        network = Convolutional(kernel_size=9, pool=4)
        layer = Autoencoder(filters, network=network, activation="relu", corruption=Masking(0.5))
        encoder = StackedAutoencoder([layer], pretrain=pretrain, finetune=None, random_state=0)
        encoder.fit(X[:n_fitted])
        seconds = perf_counter() - start
        codes = encoder.transform(X)
        model = linear(1e6 / (len(X) * codes.shape[1])).fit(codes, y)
        wrong = error(model.predict(encoder.transform(X_asked)), y_asked)
        table[name] = {"error in percent": wrong, "fit seconds": seconds, "width": codes.shape[1]}
        print(f"{name:<12}{wrong:>8.2f} % on {codes.shape[1]:,} codes, fitted in {seconds:.0f} s", flush=True)
    published = {"k-sparse, 1000 units": 1.35}
    print(f"published (Makhzani & Frey 2013): {published}")
    return {"methods": table, "published": published}


def filters(*, validate: bool, quick: bool) -> dict[str, Any]:
    """A support vector machine on codes of filters that k-means found, and on those of drawn filters."""
    X, y, X_asked, y_asked = mnist(validate=validate, quick=quick)
    n_filters, n_fitted = (8, 500) if quick else (256, 10_000)
    network = KMeansFilters(kernel_size=9, pool=7)
    table = {}
    for name in ("stackae", "drawn filters"):
        start = perf_counter()
        layer = Autoencoder(n_filters, network=network, random_state=0).fit(X[:n_fitted])
        if name == "drawn filters":
            draw(layer.module_[0].network.encoder_weight.data)
        seconds = perf_counter() - start
        codes = layer.transform(X)
        model = margins(codes).fit(codes, y)
        wrong = error(model.predict(layer.transform(X_asked)), y_asked)
        table[name] = {"error in percent": wrong, "fit seconds": seconds, "width": codes.shape[1]}
        print(f"{name:<16}{wrong:>8.2f} % on {codes.shape[1]:,} codes, fitted in {seconds:.0f} s", flush=True)
    return {"methods": table}


def margins(codes: np.ndarray) -> Any:
    """A linear support vector machine on centred codes, as slack whatever their scale."""
    slack = 10 / codes.var(0).sum()
    return make_pipeline(StandardScaler(with_std=False), LinearSVC(C=float(slack)))


def draw(weight: torch.Tensor) -> None:
    """Directions at random, each with mean 0 and length 1."""
    weight.normal_(generator=torch.Generator().manual_seed(0))
    weight -= weight.mean((1, 2, 3), keepdim=True)
    weight /= torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)


def clusters(*, validate: bool, quick: bool) -> dict[str, Any]:
    """k-means on codes of ten numbers, and a Gaussian mixture on UMAP's embedding of them."""
    X, _, X_asked, y_asked = mnist(validate=validate, quick=quick)
    widths, epochs = ((64, 10), 5) if quick else ((500, 500, 250, 250, 250, 10), 120)
    noise = GaussianNoise(0.1)
    finetune = Training(epochs, optimizer="adamw", weight_decay=0.3, corruption=noise, **WHOLE)
    encoder = StackedAutoencoder(widths, pretrain=Training(3), finetune=finetune, random_state=0)
    start = perf_counter()
    encoder.fit(X)
    seconds = perf_counter() - start
    codes, codes_asked = encoder.transform(X), encoder.transform(X_asked)
    white = PCA(10, whiten=True, random_state=0).fit(codes)
    whitened = white.transform(codes), white.transform(codes_asked)
    table = {
        "stackae": clustering_accuracy(codes, codes_asked, y_asked, 10, 0),
        "stackae, whitened": clustering_accuracy(*whitened, y_asked, 10, 0),
        "pixels": clustering_accuracy(X, X_asked, y_asked, 10, 0),
    }
    if find_spec("umap") is not None:
        start = perf_counter()
        table["stackae, UMAP, Gaussian mixture"] = by_mixture(codes, codes_asked, y_asked)
        seconds_of_umap = perf_counter() - start
        print(f"UMAP and the mixture took {seconds_of_umap:.0f} s")
    for name, accuracy in table.items():
        print(f"{name:<32}{100 * accuracy:>8.1f} %", flush=True)
    published = {"k-means on pixels": 53, "autoencoders": "82 to 88", "N2D (McConville et al. 2021)": 97.9}
    print(f"published (DEC and its reimplementations): {published}; fitted in {seconds:.0f} s")
    return {"accuracy": table, "published": published, "fit seconds": seconds}


def neighbours(*, validate: bool, quick: bool, on_filters: bool = False) -> dict[str, Any]:
    """k-means on codes of ten numbers that keep neighbours together, and a classifier that has few labels."""
    X, y, X_asked, y_asked = mnist(validate=validate, quick=quick)
    start = perf_counter()
    if on_filters:
        below = filters_below(X, quick=quick)
        X, X_asked = below.transform(X), below.transform(X_asked)
    widths, epochs = (LAYERS_ON_FILTERS, 30) if on_filters else (LAYERS, 60)
    if quick:
        widths, epochs = (64,), 5
    code = Autoencoder(10, penalty=NeighborEmbedding(300))
    finetune = Training(epochs, optimizer="adamw", weight_decay=0.3, **WHOLE)
    encoder = StackedAutoencoder([*widths, code], pretrain=Training(3), finetune=finetune, random_state=0)
    encoder.set_params(scale="pareto" if on_filters else "auto").fit(X)
    seconds = perf_counter() - start
    codes, codes_asked = encoder.transform(X), encoder.transform(X_asked)
    accuracy = clustering_accuracy(codes, codes_asked, y_asked, 10, 0)
    classifiers = [linear(1.0).fit(codes[few], y[few]) for few in draws(y, 10, 10)]
    errors = [error(classifier.predict(codes_asked), y_asked) for classifier in classifiers]
    print(f"k-means {100 * accuracy:.1f} %; 100 labels, a linear classifier: {np.mean(errors):.2f} % wrong")
    print(f"R² {encoder.score(X_asked):.3f}; fitted in {seconds:.0f} s")
    return {
        "accuracy": accuracy,
        "100 labels": {"error in percent": float(np.mean(errors)), "errors": errors},
        "r2": encoder.score(X_asked),
        "fit seconds": seconds,
    }


def by_mixture(codes: np.ndarray, codes_asked: np.ndarray, y_asked: np.ndarray) -> float:
    """As N2D (McConville et al. 2021) has it: clusters of a manifold that is learned from codes."""
    from umap import UMAP

    manifold = UMAP(n_neighbors=20, min_dist=0.0, n_components=10, random_state=0).fit(codes)
    mixture = GaussianMixture(10, n_init=5, random_state=0).fit(manifold.embedding_)
    return matched(mixture.predict(manifold.transform(codes_asked)), y_asked, 10)


TABLES: dict[str, Callable[..., dict[str, Any]]] = {
    "code30": code30,
    "probe": probe,
    "filters": filters,
    "clusters": clusters,
    "neighbours": neighbours,
    "neighbours on filters": partial(neighbours, on_filters=True),
    **{name: partial(variation_of, name) for name in PUBLISHED},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", choices=TABLES)
    parser.add_argument(
        "--validate", action="store_true", help="ask the samples for choices, not the test samples"
    )
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    if args.json is not None and args.json.exists():
        results = json.loads(args.json.read_text(encoding="utf-8"))["results"]
    for name in args.only or TABLES:
        print(f"\n{name}")
        results[name] = TABLES[name](validate=args.validate, quick=args.quick)
        if args.json is not None:
            write_results(args.json, results)


if __name__ == "__main__":
    main()
