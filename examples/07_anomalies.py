"""Anomalies that reconstruct badly
===================================

Each digit in turn is left out of training. Are its images then reconstructed worse than the others?

::

    python examples/07_anomalies.py            # MNIST, about 2 minutes on 2 cores
    python examples/07_anomalies.py --quick    # the bundled 8 × 8 digits, seconds

A model is fitted to training images of nine digits and scores test images of all ten; those of the tenth are
the anomalies. Three scores are compared: the squared reconstruction error of a stack (``-score_samples``),
that of PCA with a code of the same width, and scikit-learn's ``IsolationForest``. The measure is the area
under the ROC curve: the probability that an anomaly gets a higher score than a usual image. 0.5 is guessing.

Training uses no anomalies and no labels, and nothing was tuned to find the anomalies. The layers are the
defaults, with fewer units and epochs than one would use for a single model, since ten are fitted, each on
10,000 images less those of the digit left out. The forest has 300 trees and is otherwise at its defaults.

In the full run no method finds the 1: an image with so little ink is easy to reconstruct, whatever was
learned. An area below 0.5 means that the anomalies look more usual than the usual images.

Liu, Ting & Zhou (2008), Isolation forest, ICDM; Sakurada & Yairi (2014), Anomaly detection using autoencoders
with nonlinear dimensionality reduction, MLSDA.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/07_anomalies.png"
import gallery
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from stackae import GaussianNoise, StackedAutoencoder, Training

COLOURS = {
    "stackae": gallery.COLOURS["stackae"],
    "PCA": gallery.COLOURS["PCA"],
    "isolation forest": gallery.COLOURS["other"],
}


def strangeness(usual, test, layers, epochs, trees):
    """How unlike the usual images each method finds each test image: higher is stranger."""
    stack = StackedAutoencoder(
        layers,
        pretrain=Training(epochs),
        finetune=Training(epochs, learning_rate=2e-3, corruption=GaussianNoise(0.1), patience=10),
        shortcut=None,  # it would reconstruct whatever is linear, unusual rows too
        random_state=0,
    ).fit(usual)
    pca = PCA(layers[-1], random_state=0).fit(usual)
    forest = IsolationForest(n_estimators=trees, random_state=0).fit(usual)
    pca_error = np.square(test - pca.inverse_transform(pca.transform(test))).sum(axis=1)
    return {
        "stackae": -stack.score_samples(test),
        "PCA": pca_error,
        "isolation forest": -forest.score_samples(test),
    }


def main() -> None:
    opts = gallery.options(__doc__)
    data = gallery.images(opts.quick)
    train, labels = data.train[:10_000], data.train_labels[:10_000]
    layers, epochs, trees = ((32, 8), 2, 20) if opts.quick else ((128, 32), 12, 300)

    print(f"{data.name}: area under the ROC curve\n")
    print("left out " + "".join(f"{name:>18}" for name in COLOURS))
    areas = {name: [] for name in COLOURS}
    for digit in range(10):
        scores = strangeness(train[labels != digit], data.test, layers, epochs, trees)
        for name, score in scores.items():
            areas[name].append(float(roc_auc_score(data.test_labels == digit, score)))
        print(f"{digit:>8} " + "".join(f"{areas[name][-1]:18.3f}" for name in COLOURS), flush=True)
    means = {name: float(np.mean(values)) for name, values in areas.items()}
    print("    mean " + "".join(f"{means[name]:18.3f}" for name in COLOURS))

    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    positions = np.arange(11)
    for name, colour in COLOURS.items():
        values = [*areas[name], means[name]]
        axes.plot(values, positions, "o", color=colour, label=f"{name}, mean {means[name]:.3f}", markersize=8)
    axes.axvline(0.5, color=gallery.COLOURS["other"], linestyle=":", linewidth=1)
    axes.axhline(9.5, color=gallery.COLOURS["other"], linewidth=0.8)
    axes.set(
        yticks=positions,
        yticklabels=[*map(str, range(10)), "mean"],
        ylabel="digit left out of training",
        xlabel="area under the ROC curve (dotted: guessing)",
        title="Is a digit that was never seen found among the nine others?",
    )
    axes.invert_yaxis()
    axes.grid(axis="y", color=gallery.COLOURS["light"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    numbers = {"layers": layers, "epochs": epochs, "areas": areas, "means": means}
    gallery.finish(figure, numbers, __file__, opts)


if __name__ == "__main__":
    main()
