"""What each part costs on a dense layer: its time over that of the plain denoising layer, in one run.

    python benchmarks/variants.py [--quick] [--json FILE] [--data-home FOLDER]

Two layers: 784-1000-784 on MNIST with batches of 256, and 64-32-64 on digits with batches of 64. Each part is
put in the place of the plain layer's (sigmoid, masking 0.25, cross-entropy), everything else stays, and all
take turns; what is printed is the median over the turns of the part's time divided by the plain layer's in
the same turn, for the whole of ``fit``. ``benchmarks/speed.py`` compares the plain layer with its peers.
Closed-form networks are listed beside them, though their time is not that of an epoch. About 8 minutes on 2
cores; --quick takes fewer samples and turns.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import write_results

from stackae import Autoencoder, CrossEntropy, Dropout, Masking, TopK, Training
from stackae.data import load_data

PLAIN: dict[str, Any] = {"activation": "sigmoid", "corruption": Masking(0.25)}
PARTS: dict[str, dict[str, Any]] = {
    "tied weights": {"tied_weights": True},
    "gaussian noise": {"corruption": "gaussian"},
    "salt-and-pepper": {"corruption": "salt-and-pepper"},
    "swap noise": {"corruption": "swap"},
    "dropout of the code": {"corruption": Dropout(0.25)},
    "k-sparse code": {"code": TopK(0.025), "activation": "identity"},
    "variational code": {"code": "variational", "activation": "identity"},
    "KL sparsity": {"penalty": "kl"},
    "contractive": {"penalty": "contractive"},
    "adversarial": {"penalty": "adversarial", "activation": "identity"},
    "L1 and L2": {"penalty": ["l1", "l2"]},
    "emphasis": {"loss": CrossEntropy(corrupted=1.0, intact=0.5)},
    "squared error": {"loss": "squared_error"},
    "huber": {"loss": "huber"},
    "per feature": {"loss": "per_feature"},
    "PCA start": {"network": "pca", "activation": "identity"},
    "marginalised (no descent)": {"network": "marginalised"},
}


def fit_seconds(X: np.ndarray, width: int, batch_size: int, epochs: int, parts: dict[str, Any]) -> float:
    training = Training(max_epochs=epochs, batch_size=batch_size, validation_fraction=0.0)
    layer = Autoencoder(
        min(width, X.shape[1]) if "network" in parts else width, training=training, random_state=0
    )
    layer.set_params(**PLAIN).set_params(**parts)
    time.sleep(0.2)  # until the threads of the one before no longer wait busily
    start = time.perf_counter()
    layer.fit(X)
    return time.perf_counter() - start


def compare(
    title: str, X: np.ndarray, width: int, batch_size: int, epochs: int, turns: int
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {"plain": [], **{name: [] for name in PARTS}}
    for _ in range(turns):
        for name, times in seconds.items():
            times.append(fit_seconds(X, width, batch_size, epochs, PARTS.get(name, {})))
    ratios = {
        name: median(t / plain for t, plain in zip(times, seconds["plain"], strict=True))
        for name, times in seconds.items()
    }
    print(f"\n{title}: {median(seconds['plain']):.2f} s for the plain layer")
    for name, ratio in ratios.items():
        print(f"  {name:<28}{ratio:>7.2f}")
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-home", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    n_samples, epochs, turns = (2000, 10, 1) if args.quick else (20_000, 40, 5)
    mnist = load_data("mnist", data_home=args.data_home).X[:n_samples]
    digits = load_data("digits").X
    results = {
        "784-1000-784, batch 256": compare("784-1000-784, batch 256", mnist, 1000, 256, 1, turns),
        "64-32-64, batch 64": compare("64-32-64, batch 64", digits, 32, 64, epochs, turns),
    }
    if args.json is not None:
        write_results(args.json, {"rows": n_samples, "turns": turns, "times over the plain layer's": results})


if __name__ == "__main__":
    main()
