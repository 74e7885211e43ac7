"""MNIST varied, and shapes: four methods on each, and frozen codes where a figure was published.

The data are rebuilt with a seed (Larochelle et al. 2007); ``paper_tables.py`` asks for them by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from drawn_images import (
    SIDE,
    convex,
    on_noise,
    on_texture,
    rectangles,
    rotated,
    rotated_on_texture,
    textured_rectangles,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from stackae import (
    Autoencoder,
    Convolutional,
    Dropout,
    Masking,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    Training,
)
from stackae.data import load_data

#: Test error in percent (Vincent et al. 2010); on frozen codes with a linear SVM.
PUBLISHED = {
    "basic": {"SVM-RBF": 3.03, "SDAE-3": 2.84},
    "rot": {"SVM-RBF": 11.11, "SDAE-3": 9.53, "frozen codes": 10.00},
    "bg-rand": {"SVM-RBF": 14.58, "SDAE-3": 10.30},
    "bg-img": {"SVM-RBF": 22.61, "SDAE-3": 16.68},
    "bg-img-rot": {"SVM-RBF": 55.18, "SDAE-3": 43.76},
    "rect": {"SVM-RBF": 2.15, "SDAE-3": 1.99},
    "rect-img": {"SVM-RBF": 24.04, "SDAE-3": 21.59},
    "convex": {},
}
VARIATIONS: dict[str, Callable[..., Any]] = {
    "basic": lambda images, rng: images,
    "rot": rotated,
    "bg-rand": on_noise,
    "bg-img": on_texture,
    "bg-img-rot": rotated_on_texture,
}
SHAPES = {"rect": rectangles, "rect-img": textured_rectangles, "convex": convex}
WHOLE = {"validation_fraction": 0.0, "patience": None}


def error(predicted: np.ndarray, y: np.ndarray) -> float:
    """In percent."""
    return 100 * float((predicted != y).mean())


def linear(slack: float) -> Any:
    """A logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=slack, max_iter=150))


class Subsets:
    """Training samples, samples for choices, and those that are asked."""

    def __init__(self, X: np.ndarray, y: np.ndarray, sizes: tuple[int, int, int], *, validate: bool) -> None:
        X = X.reshape(len(X), -1).astype(np.float32)
        train, chosen = sizes[0], sizes[0] + sizes[1]
        self.X, self.y = X[:train], y[:train]
        self.X_choice, self.y_choice = X[train:chosen], y[train:chosen]
        asked = slice(train, chosen) if validate else slice(chosen, None)
        self.X_asked, self.y_asked = X[asked], y[asked]


def variation(name: str, sizes: tuple[int, int, int], *, validate: bool) -> Subsets:
    """One of the rebuilt data sets."""
    rng = np.random.default_rng(list(PUBLISHED).index(name))
    n = sum(sizes)
    if name in SHAPES:
        return Subsets(*SHAPES[name](n, rng), sizes, validate=validate)
    # Training samples, and those for choices, are training images; the test images come first of those asked.
    train, test = load_data("mnist:train"), load_data("mnist:test")
    order, n_first = rng.permutation(len(train.X)), sizes[0] + sizes[1]
    first, rest = order[:n_first], order[n_first : max(n_first, n - len(test.X))]
    X = np.concatenate([train.X[first], test.X[: n - n_first], train.X[rest]])
    y = np.concatenate([train.y[first], test.y[: n - n_first], train.y[rest]])
    return Subsets(VARIATIONS[name](X.reshape(-1, SIDE, SIDE), rng), y, sizes, validate=validate)


def svm(data: Subsets) -> np.ndarray:
    """An SVM with a Gaussian kernel: first its width, then its slack, by the samples for choices."""
    among, choice = (euclidean_distances(X, data.X, squared=True) for X in (data.X, data.X_choice))
    tried: list[tuple[float, int, float, SVC]] = []

    def attempt(gamma: float, slack: float) -> None:
        model = SVC(C=slack, kernel="precomputed", cache_size=1000).fit(np.exp(-gamma * among), data.y)
        wrong = error(model.predict(np.exp(-gamma * choice)), data.y_choice)
        tried.append((wrong, len(tried), gamma, model))

    for gamma in (0.003, 0.01, 0.03, 0.1):
        attempt(gamma, 10.0)
    for slack in (1.0, 100.0):
        attempt(min(tried)[2], slack)
    _, _, gamma, model = min(tried)
    blocks = np.array_split(data.X_asked, max(1, len(data.X_asked) // 5000))
    return np.concatenate([model.predict(rbf_kernel(block, data.X, gamma=gamma)) for block in blocks])


def perceptron(data: Subsets, *, quick: bool) -> np.ndarray:
    """A network of 1,000 hidden units from scratch, its decay by the samples for choices."""
    tried = []
    for alpha in (1e-4, 1e-1):
        model = MLPClassifier((50 if quick else 1000,), alpha=alpha, early_stopping=True, random_state=0)
        model.fit(data.X, data.y)
        tried.append((error(model.predict(data.X_choice), data.y_choice), len(tried), model))
    return min(tried)[2].predict(data.X_asked)


def dense(width: int, masked: float, training: Training) -> Autoencoder:
    """A dense denoising layer."""
    return Autoencoder(width, activation="relu", corruption=Masking(masked), training=training)


def convolution(filters: int) -> Autoencoder:
    """A convolutional denoising layer: 49 codes a filter."""
    network, training = Convolutional(kernel_size=9, pool=4), Training(1, 50, 2e-3, "adamw", **WHOLE)
    return Autoencoder(
        filters, network=network, activation="relu", corruption=Masking(0.5), training=training
    )


def dense_stack(data: Subsets, *, quick: bool) -> np.ndarray:
    """Three dense layers, fine-tuned with labels."""
    width, epochs = (32, 1) if quick else (1000, 15)
    layers = [dense(width, masked, Training(epochs, **WHOLE)) for masked in (0.5, 0.3, 0.3)]
    return tuned(layers, data, Training(2 * epochs, corruption=[Masking(0.2), Dropout(0.2)], **WHOLE))


def convolutional_stack(data: Subsets, *, quick: bool) -> np.ndarray:
    """A convolutional layer and a dense one on it, fine-tuned with labels."""
    filters, width, epochs = (4, 32, 1) if quick else (32, 1000, 15)
    layers = [convolution(filters), dense(width, 0.3, Training(6, 100, 2e-3, "adamw", **WHOLE))]
    corruption = [Masking(0.1), Dropout(0.2)]
    return tuned(
        layers,
        data,
        Training(epochs, 32, 1e-3, "adamw", weight_decay=0.1, corruption=corruption, **WHOLE),
    )


def tuned(layers: list[Autoencoder], data: Subsets, finetune: Training) -> np.ndarray:
    """What layers predict that are pretrained, then fine-tuned with labels."""
    encoder = StackedAutoencoder(layers, finetune=None, random_state=0)
    model = StackedAutoencoderClassifier(encoder, finetune=finetune, label_smoothing=0.1, random_state=0)
    return model.fit(data.X, data.y).predict(data.X_asked)


def frozen_codes(data: Subsets, *, quick: bool) -> np.ndarray:
    """A linear classifier on all codes of two dense layers on a convolutional one, its penalty tuned."""
    filters, widths = (8, (64, 32)) if quick else (64, (3000, 2000))
    trainings = (Training(epochs, 50, 1e-3, "adamw", **WHOLE) for epochs in (4, 6))
    layers = [convolution(filters), *map(dense, widths, (0.5, 0.3), trainings)]
    encoder = StackedAutoencoder(layers, finetune=None, output="all", random_state=0).fit(data.X)
    codes, choice, asked = map(encoder.transform, (data.X, data.X_choice, data.X_asked))
    tried = []
    for slack in (1e-2, 3e-2, 1e-1):
        model = linear(slack).fit(codes, data.y)
        tried.append((error(model.predict(choice), data.y_choice), len(tried), model))
    return min(tried)[2].predict(asked)


def variation_of(name: str, *, validate: bool, quick: bool) -> dict[str, Any]:
    """Four methods on one data set, and frozen codes where a figure was published."""
    data = variation(name, (300, 100, 300) if quick else (10_000, 2_000, 50_000), validate=validate)
    methods: dict[str, Callable[[Subsets], np.ndarray]] = {
        "SVM-RBF": svm,
        "perceptron": partial(perceptron, quick=quick),
        "SDAE-3": partial(dense_stack, quick=quick),
        "convolutional": partial(convolutional_stack, quick=quick),
        "frozen codes": partial(frozen_codes, quick=quick),
    }
    if "frozen codes" not in PUBLISHED[name]:
        del methods["frozen codes"]
    table = {}
    for method, predicted in methods.items():
        start = perf_counter()
        wrong = error(predicted(data), data.y_asked)
        table[method] = {"error in percent": wrong, "seconds": perf_counter() - start}
        print(f"{method:<16}{wrong:>8.2f} %{table[method]['seconds']:>8.0f} s", flush=True)
    print(f"published (Vincent et al. 2010): {PUBLISHED[name] or 'none'}")
    return {"methods": table, "published": PUBLISHED[name]}
