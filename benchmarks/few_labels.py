"""MNIST with few labels: 100 and 1,000 of 60,000, against the same network without pretraining and others.

    python benchmarks/few_labels.py [--json FILE] [--validate] [--quick]

One stack is pretrained on the 60,000 training images without labels; StackedAutoencoderClassifier then takes
it as its encoder and learns from 10 or 100 labels a class, drawn ten times. Beside it, on the same draws:

- the same network and fine-tuning without pretraining (the encoder has its starting weights);
- logistic regression on 32 principal components of the 60,000 images, and on raw pixels;
- scikit-learn's LabelSpreading on the graph of each image's 10 nearest neighbours, for which the 59,900
  (59,000) unlabelled images are used as well.

Judged is the error on the 10,000 test images, in percent, mean and standard deviation over draws. The layers,
epochs and defaults were chosen on training rows 50,000 to 60,000 (never among the labelled ones), which
--validate asks instead of the test images. Data: MNIST, from OpenML or $STACKAE_DATA_HOME. About 20 minutes
on 2 cores; --quick takes the bundled digits, two draws and small budgets.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from common import write_results
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading

from stackae import GaussianNoise, StackedAutoencoder, StackedAutoencoderClassifier, Training
from stackae.data import load_data

LAYERS = (500, 500, 250, 250, 250, 10)
PRETRAIN = Training(max_epochs=3)
RECONSTRUCT = Training(
    35, "auto", 2e-3, patience=None, validation_fraction=0.0, corruption=GaussianNoise(0.1)
)
NEIGHBOURS = 10
COMPONENTS = 32
#: Labels a class, and the training rows on which choices were made.
LABELS, N_DRAWS = (10, 100), 10
FIRST_VALIDATION_ROW = 50_000


def draws(y: np.ndarray, per_class: int, n_draws: int) -> list[np.ndarray]:
    """The numbers of the labelled rows, so many of each class."""
    result = []
    for seed in range(n_draws):
        order = np.random.default_rng(seed).permutation(len(y))
        result.append(np.concatenate([order[y[order] == c][:per_class] for c in np.unique(y)]))
    return result


def neighbour_graph(X: np.ndarray, asked: np.ndarray, n_neighbors: int):
    """The kernel that LabelSpreading would compute for every draw, computed once; rows by their numbers."""
    index = NearestNeighbors(n_neighbors=n_neighbors).fit(X)
    among, to_asked = index.kneighbors_graph(X), index.kneighbors_graph(asked).T.tocsr()
    return lambda rows, others: to_asked if others[0, 0] < 0 else among


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--validate", action="store_true", help="ask the validation rows, not the test rows")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    # LabelSpreading, of test images that no label has reached: they count as zeros, most of them wrong.
    warnings.filterwarnings("ignore", "invalid value encountered in divide", RuntimeWarning)
    name = "digits" if args.quick else "mnist"
    data = load_data(name)
    X, y = data.X, data.y
    n_drawn_from = min(FIRST_VALIDATION_ROW, len(X) * 5 // 6)
    asked, truth = X[n_drawn_from:], y[n_drawn_from:]
    if not args.validate:
        test = load_data(f"{name}:test")
        asked, truth = test.X, test.y

    layers = (64, 32, 10) if args.quick else LAYERS
    short = Training(max_epochs=5)
    start = perf_counter()
    pretrained = StackedAutoencoder(
        layers,
        pretrain=short if args.quick else PRETRAIN,
        finetune=short if args.quick else RECONSTRUCT,
        shortcut=None,
        random_state=0,
    ).fit(X)
    seconds = perf_counter() - start
    print(f"{'-'.join(map(str, layers))} pretrained on {len(X):,} rows in {seconds:.0f} s", flush=True)
    barely = Training(max_epochs=1, batch_size=len(X), learning_rate=1e-9)  # one step that moves nothing
    untrained = StackedAutoencoder(layers, pretrain=barely, finetune=None, random_state=0).fit(X[:1000])
    components = PCA(min(COMPONENTS, X.shape[1] // 2), random_state=0).fit(X)
    graph = neighbour_graph(X, asked, NEIGHBOURS)
    places, asked_places = np.arange(len(X))[:, None], -1 - np.arange(len(asked))[:, None]

    def linear(train, answers, test):
        return (
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            .fit(train, answers)
            .predict(test)
        )

    def fine_tuned(encoder, few, seed, **training):
        tuning = Training(**training)
        model = StackedAutoencoderClassifier(encoder=encoder, finetune=tuning, random_state=seed)
        return model.fit(X, few).predict(asked)

    results: dict[str, dict[str, dict[str, object]]] = {}
    for per_class in LABELS[:1] if args.quick else LABELS:
        errors: dict[str, list[float]] = {}
        taken: dict[str, list[float]] = {}
        for seed, rows in enumerate(draws(y[:n_drawn_from], per_class, 2 if args.quick else N_DRAWS)):
            few = np.full(len(y), -1)
            few[rows] = y[rows]
            methods = {
                "stackae": lambda few=few, seed=seed: fine_tuned(pretrained, few, seed),
                "without pretraining": lambda few=few, seed=seed: fine_tuned(
                    untrained, few, seed, layerwise_rate=1.0
                ),
                "logistic regression on PCA": lambda rows=rows: linear(
                    components.transform(X[rows]), y[rows], components.transform(asked)
                ),
                "logistic regression on pixels": lambda rows=rows: linear(X[rows], y[rows], asked),
                "LabelSpreading": lambda few=few: (
                    LabelSpreading(kernel=graph).fit(places, few).predict(asked_places)
                ),
            }
            for method, predict in methods.items():
                start = perf_counter()
                answers = predict()
                taken.setdefault(method, []).append(perf_counter() - start)
                errors.setdefault(method, []).append(100 * float((answers != truth).mean()))
        n_labels = per_class * len(np.unique(y))
        print(
            f"\n{n_labels:,} labels, error on {len(asked):,} {'validation' if args.validate else 'test'} rows"
        )
        for method, values in errors.items():
            print(f"{method:<32}{np.mean(values):7.2f} ± {np.std(values, ddof=1):.2f} %", flush=True)
        results[f"{n_labels} labels"] = {
            method: {
                "mean": float(np.mean(values)),
                "standard deviation": float(np.std(values, ddof=1)),
                "errors": values,
                "seconds a draw": float(np.median(taken[method])),
            }
            for method, values in errors.items()
        }
    if args.json is not None:
        write_results(
            args.json,
            {"data": name, "layers": layers, "pretraining seconds": seconds, "error in percent": results},
        )


if __name__ == "__main__":
    main()
