"""MNIST with all labels: three layers of 1000 pretrained, then fine-tuned with a head on 60,000 labels.

    python benchmarks/many_labels.py [--json FILE] [--validate] [--quick]

Greedy denoising layers, batch-normalised, 3 epochs each, then StackedAutoencoderClassifier for 30 epochs with
Gaussian noise of 0.15 on pixels and codes, and adversarial steps of length 1. Judged is the error on the
10,000 test images, in percent, and the time of everything after loading. The recipe was found by training on
samples up to 50,000 and asking samples 50,000 to 60,000, as --validate does. Vincent et al. (2010) published
1.28 for three such layers.

Data: MNIST, from OpenML or $STACKAE_DATA_HOME. 10 to 20 minutes on 2 cores; --quick takes the bundled digits.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

from common import write_results

from stackae import Autoencoder, GaussianNoise, StackedAutoencoder, StackedAutoencoderClassifier, Training
from stackae.data import load_data

WIDTH, PRETRAINING_EPOCHS, EPOCHS = 1000, 3, 30
FIRST_VALIDATION_SAMPLE = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--validate", action="store_true", help="ask the validation samples, not the test samples"
    )
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    name = "digits" if args.quick else "mnist"
    width, epochs = (64, 10) if args.quick else (WIDTH, EPOCHS)
    data = load_data(name)
    X, y = data.X, data.y
    if args.validate:
        cut = min(FIRST_VALIDATION_SAMPLE, len(X) * 5 // 6)
        X, y, X_asked, y_asked = X[:cut], y[:cut], X[cut:], y[cut:]
    else:
        test = load_data(f"{name}:test")
        X_asked, y_asked = test.X, test.y

    layers = [
        Autoencoder(width, network="batch_normalised", activation="relu", corruption=GaussianNoise(0.3))
        for _ in range(3)
    ]
    whole = {"validation_fraction": 0.0, "patience": None}
    start = perf_counter()
    model = StackedAutoencoderClassifier(
        StackedAutoencoder(
            layers, pretrain=Training(PRETRAINING_EPOCHS, **whole), finetune=None, random_state=0, verbose=1
        ),
        finetune=Training(
            epochs, 100, 1e-3, corruption=GaussianNoise(0.15, on="both"), layerwise_rate=1.0, **whole
        ),
        adversarial=0.3 if args.quick else 1.0,
        random_state=0,
        verbose=1,
    ).fit(X, y)
    seconds = perf_counter() - start
    error = 100 * float((model.predict(X_asked) != y_asked).mean())
    pretraining = sum(r["seconds"] for r in model.history_ if r["phase"] == "pretrain")
    print(f"error on {len(X_asked):,} {'validation' if args.validate else 'test'} samples: {error:.2f} %")
    print(f"{seconds:.0f} s in all, {pretraining:.0f} s of them pretraining")
    if args.json is not None:
        figures = {"data": name, "layers": [width] * 3, "epochs": epochs, "error in percent": error}
        write_results(args.json, {**figures, "seconds": seconds, "pretraining seconds": pretraining})


if __name__ == "__main__":
    main()
