"""MNIST with few labels: 100 and 1,000 of 60,000, against the same network without pretraining and others.

    python benchmarks/few_labels.py [--convolutional] [--json FILE [--resume]] [--labels N]... [--draws N]
                                    [--only METHOD]... [--validate] [--quick]

One stack is pretrained on the 60,000 training images without labels; StackedAutoencoderClassifier then takes
it, frozen, as its encoder and learns from 10 or 100 labels a class, drawn ten times: from the labelled images
alone, and with semi= from the others too, in the ways that validation samples prefer: of 100 labels spread
over the codes' neighbours; spread so, to the surest 70 % of each class, with virtual adversarial training; of
1,000 by the latter alone. Beside it, on the same draws:

- the same network and fine-tuning without pretraining (the encoder has its starting weights);
- logistic regression on 32 principal components of the 60,000 images, and on raw pixels;
- scikit-learn's LabelSpreading on the graph of each image's 10 nearest neighbours, for which the 59,900
  (59,000) unlabelled images are used as well.

With --convolutional the stack stands on 200 principal components of the codes of 64 filters of 9 x 9 pixels,
which k-means finds without labels, and which are left as they are. Its own layers are 500-500-250-10, with a
neighbour embedding, and labels are spread to the surer half. Only stackae's methods are run; --only names
some of them ("stackae").

Judged is the error on the 10,000 test images, in percent, mean and standard deviation over draws. The layers,
epochs and defaults were chosen on training samples 50,000 to 60,000 (never among the labelled ones), which
--validate asks instead of the test images. --json is written after every draw; with --resume the draws that
it holds are kept, else it is begun anew. Data: MNIST, from OpenML or $STACKAE_DATA_HOME. Two hours on 2
cores; --quick takes the bundled digits, two draws and small budgets.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from common import write_results
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading

from stackae import (
    Autoencoder,
    GaussianNoise,
    KMeansFilters,
    NeighborEmbedding,
    Propagation,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    Training,
)
from stackae.data import load_data

LAYERS = (500, 500, 250, 250, 250)
LAYERS_ON_FILTERS = (500, 500, 250)
WHOLE: dict[str, Any] = {"patience": None, "validation_fraction": 0.0}
PRETRAIN = Training(max_epochs=3)
RECONSTRUCT = Training(35, "auto", 2e-3, corruption=GaussianNoise(0.1), **WHOLE)
EMBED = Training(30, optimizer="adamw", weight_decay=0.3, **WHOLE)
NEIGHBOURS = 10
COMPONENTS = 32
SUREST, SUREST_ON_FILTERS = 0.7, 0.5
#: Labels a class.
LABELS = (10, 100)
N_DRAWS = 10
#: The training samples on which choices were made begin here.
FIRST_VALIDATION_SAMPLE = 50_000


@dataclass(frozen=True)
class Images:
    """Training images, of which the first may be drawn, and those that are asked."""

    X: np.ndarray
    y: np.ndarray
    n_drawn_from: int
    X_asked: np.ndarray
    y_asked: np.ndarray


def images(name: str, *, validate: bool) -> Images:
    data = load_data(name)
    cut = min(FIRST_VALIDATION_SAMPLE, len(data.X) * 5 // 6)
    if validate:
        return Images(data.X, data.y, cut, data.X[cut:], data.y[cut:])
    test = load_data(f"{name}:test")
    return Images(data.X, data.y, cut, test.X, test.y)


def draws(y: np.ndarray, per_class: int, n_draws: int) -> list[np.ndarray]:
    """The numbers of the labelled samples, so many of each class."""
    result = []
    for seed in range(n_draws):
        order = np.random.default_rng(seed).permutation(len(y))
        result.append(np.concatenate([order[y[order] == c][:per_class] for c in np.unique(y)]))
    return result


def neighbour_graph(X: np.ndarray, asked: np.ndarray, n_neighbors: int) -> Callable[..., Any]:
    """The kernel that LabelSpreading would compute for every draw, once; samples by their numbers."""
    index = NearestNeighbors(n_neighbors=n_neighbors).fit(X)
    among, to_asked = index.kneighbors_graph(X), index.kneighbors_graph(asked).T.tocsr()
    return lambda samples, others: to_asked if others[0, 0] < 0 else among


def filters_below(X: np.ndarray, *, quick: bool) -> Pipeline:
    """Filters that k-means finds, and principal components of their codes, fitted."""
    n_filters, kernel_size, pool, n_components = (8, 3, 4, 20) if quick else (64, 9, 7, 200)
    network = KMeansFilters(kernel_size=kernel_size, pool=pool)
    filters = Autoencoder(n_filters, network=network, random_state=0)
    return make_pipeline(filters, PCA(n_components, random_state=0)).fit(X)


class Methods:
    """What all draws share, made once; each method predicts from a draw's labelled samples and its seed."""

    def __init__(self, data: Images, *, convolutional: bool, quick: bool) -> None:
        self.convolutional = convolutional
        short = Training(max_epochs=5)
        start = perf_counter()
        if convolutional:
            below = filters_below(data.X, quick=quick)
            data = replace(data, X=below.transform(data.X), X_asked=below.transform(data.X_asked))
        self.data = data
        widths = (64, 32) if quick else LAYERS_ON_FILTERS if convolutional else LAYERS
        self.layers = (*widths, Autoencoder(10, penalty=NeighborEmbedding(300)) if convolutional else 10)
        self.pretrained = StackedAutoencoder(
            self.layers,
            pretrain=short if quick else PRETRAIN,
            finetune=short if quick else EMBED if convolutional else RECONSTRUCT,
            shortcut=None,
            scale="pareto" if convolutional else "auto",
            random_state=0,
        ).fit(data.X)
        self.seconds = perf_counter() - start

    @cached_property
    def untrained(self) -> StackedAutoencoder:
        """The same layers with their starting weights."""
        start = StackedAutoencoder(self.layers, pretrain=None, finetune=None, random_state=0)
        return start.fit(self.data.X[:1000])

    @cached_property
    def components(self) -> PCA:
        """Principal components of all samples."""
        return PCA(min(COMPONENTS, self.data.X.shape[1] // 2), random_state=0).fit(self.data.X)

    @cached_property
    def graph(self) -> Callable[..., Any]:
        """The neighbours of every sample."""
        return neighbour_graph(self.data.X, self.data.X_asked, NEIGHBOURS)

    def by_name(self, per_class: int) -> dict[str, Callable[[np.ndarray, int], np.ndarray]]:
        surest = Propagation(surest=SUREST_ON_FILTERS if self.convolutional else SUREST)
        few: dict[str, Any] = {
            "stackae, propagation": ["propagation"],
            "stackae, propagation and VAT": [surest, "vat"],
        }
        ways = {"stackae": None, **(few if per_class == LABELS[0] else {"stackae, VAT": ["vat"]})}
        own = {name: partial(self.fine_tuned, self.pretrained, semi) for name, semi in ways.items()}
        if self.convolutional:
            return own
        return {
            **own,
            "without pretraining": lambda *draw: self.fine_tuned(
                self.untrained, None, *draw, layerwise_rate=1.0
            ),
            "logistic regression on PCA": lambda *draw: self.linear(self.components.transform, *draw),
            "logistic regression on pixels": partial(self.linear, np.asarray),
            "LabelSpreading": self.spread,
        }

    def few(self, labelled: np.ndarray) -> np.ndarray:
        """The labels of these samples, -1 for all others."""
        few = np.full(len(self.data.y), -1)
        few[labelled] = self.data.y[labelled]
        return few

    def fine_tuned(
        self,
        encoder: StackedAutoencoder,
        semi: list[Any] | None,
        labelled: np.ndarray,
        seed: int,
        **training: Any,
    ) -> np.ndarray:
        model = StackedAutoencoderClassifier(
            FrozenEstimator(encoder),
            finetune=Training(**training),
            semi=semi,
            unlabelled=-1,
            random_state=seed,
        )
        return model.fit(self.data.X, self.few(labelled)).predict(self.data.X_asked)

    def linear(
        self, features: Callable[[np.ndarray], np.ndarray], labelled: np.ndarray, seed: int
    ) -> np.ndarray:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(features(self.data.X[labelled]), self.data.y[labelled])
        return model.predict(features(self.data.X_asked))

    def spread(self, labelled: np.ndarray, seed: int) -> np.ndarray:
        places, asked = np.arange(len(self.data.X))[:, None], -1 - np.arange(len(self.data.X_asked))[:, None]
        return LabelSpreading(kernel=self.graph).fit(places, self.few(labelled)).predict(asked)


def compare(
    methods: Methods,
    per_class: int,
    n_draws: int,
    only: list[str],
    table: dict[str, dict[str, Any]],
    write: Callable[[], None],
) -> None:
    """Put each method's errors on so many draws into a table, which may hold some."""
    data = methods.data
    for seed, labelled in enumerate(draws(data.y[: data.n_drawn_from], per_class, n_draws)):
        for name, predict in methods.by_name(per_class).items():
            if only and name not in only:
                continue
            found = table.setdefault(name, {"errors": [], "seconds": []})
            if len(found["errors"]) > seed:
                continue
            start = perf_counter()
            predicted = predict(labelled, seed)
            found["seconds"].append(perf_counter() - start)
            found["errors"].append(100 * float((predicted != data.y_asked).mean()))
            found["mean"] = float(np.mean(found["errors"]))
            found["standard deviation"] = float(np.std(found["errors"]) * (1 + 1 / max(1, seed)) ** 0.5)
            found["seconds a draw"] = float(np.median(found["seconds"]))
            write()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--validate", action="store_true", help="ask the validation samples, not the test samples"
    )
    parser.add_argument("--resume", action="store_true", help="Keep the draws that --json holds")
    parser.add_argument("--labels", type=int, action="append", metavar="N", help="100, 1000 [default: both]")
    parser.add_argument("--only", action="append", metavar="METHOD", help="Leave the other methods out")
    parser.add_argument("--draws", type=int, default=N_DRAWS, metavar="N", help="Of the labels")
    parser.add_argument("--convolutional", action="store_true", help="On the codes of filters")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.resume and args.json is None:
        parser.error("--resume needs --json")
    warnings.simplefilter("ignore", ConvergenceWarning)
    # LabelSpreading, of test images that no label has reached: they count as zeros, most of them wrong.
    warnings.filterwarnings("ignore", "invalid value encountered in divide", RuntimeWarning)
    name = "digits" if args.quick else "mnist"
    data = images(name, validate=args.validate)
    methods = Methods(data, convolutional=args.convolutional, quick=args.quick)
    seconds = methods.seconds
    layers = [layer if isinstance(layer, int) else layer.n_components for layer in methods.layers]
    print(
        f"{'-'.join(map(str, layers))} pretrained on {len(data.X):,} samples in {seconds:.0f} s", flush=True
    )

    asked = f"{len(data.X_asked):,} {'validation' if args.validate else 'test'} samples"
    settings = {"data": name, "asked": asked, "layers": layers, "convolutional": args.convolutional}
    results: dict[str, dict[str, Any]] = {}
    if args.resume:
        held = json.loads(args.json.read_text(encoding="utf-8"))["results"]
        if any(held.get(key, False) != value for key, value in settings.items()):
            parser.error(f"{args.json} holds draws of other settings; leave --resume out")
        results = held["error in percent"]

    def write() -> None:
        if args.json is not None:
            figures = {**settings, "pretraining seconds": seconds}
            write_results(args.json, {**figures, "error in percent": results})

    n_classes = len(np.unique(data.y))
    for per_class in LABELS[:1] if args.quick else LABELS:
        n_labels = per_class * n_classes
        if args.labels and n_labels not in args.labels:
            continue
        print(f"\n{n_labels:,} labels, error on {asked}")
        table = results.setdefault(f"{n_labels} labels", {})
        compare(methods, per_class, 2 if args.quick else args.draws, args.only or [], table, write)
        for method, found in table.items():
            print(f"{method:<32}{found['mean']:7.2f} ± {found['standard deviation']:.2f} %", flush=True)


if __name__ == "__main__":
    main()
