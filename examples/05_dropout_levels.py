"""Dropout of the code
======================

Dropout on the code of a wide layer: do the codes become better features, and at what price?

::

    python examples/05_dropout_levels.py            # about 3 minutes on 2 cores, MNIST
    python examples/05_dropout_levels.py --quick    # seconds, on the bundled digits

In training, each of the 1,000 units of the layer is set to zero before the code is decoded, with a
probability (the level) from 0, which is no dropout, to 0.5. ``transform`` drops nothing. A layer at each
level is fitted to one half of 10,000 training images and tested on the other half, by the cross-entropy of
the reconstructions and by the accuracy of a logistic regression on the codes. This is repeated with three
seeds, each with another split into halves. Finally the level with the best accuracy, and level 0, are fitted
to all 10,000 images and tested on the test images, which were not used for the choice.

Reference: Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, JMLR
15.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/05_dropout_levels.png"
import gallery
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import Autoencoder, Dropout, Training

LEVELS = (0, 0.1, 0.2, 0.3, 0.4, 0.5)
SEEDS = (0, 1, 2)
BLUE = gallery.COLOURS["stackae"]


def judge(level, epochs, seed, X, labels, new_X, new_labels):
    """Cross-entropy of new images, in nats an image, and the share whose digit their codes tell."""
    layer = Autoencoder(
        1000,
        corruption=Dropout(level) if level else None,
        training=Training(epochs, validation_fraction=0.0),
        random_state=seed,
    )
    codes, new_codes = layer.fit_transform(X), layer.transform(new_X)
    chance = np.clip(layer.inverse_transform(new_codes), 1e-6, 1 - 1e-6)
    loss = -(new_X * np.log(chance) + (1 - new_X) * np.log(1 - chance)).sum(1).mean()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(codes, labels)
    return float(loss), float(probe.score(new_codes, new_labels))


def main() -> None:
    opts = gallery.options(__doc__)
    images = gallery.images(opts.quick)
    n_images, epochs = (600, 2) if opts.quick else (10000, 12)
    X, labels = images.train[:n_images], images.train_labels[:n_images]

    found = np.empty((len(LEVELS), len(SEEDS), 2))
    for s, seed in enumerate(SEEDS):
        order = np.random.default_rng(seed).permutation(n_images)
        ours, held_out = order[: n_images // 2], order[n_images // 2 :]
        for k, level in enumerate(LEVELS):
            halves = X[ours], labels[ours], X[held_out], labels[held_out]
            found[k, s] = judge(level, epochs, seed, *halves)
    mean, spread = found.mean(1), found.std(1, ddof=1)

    half = f"{n_images // 2:,}"
    print(f"{images.name}: {half} images to fit, {half} held out; mean ± standard deviation")
    print(f"{'level':>5}{'held-out loss':>20}{'held-out accuracy':>24}")
    for level, (loss, accuracy), (by, by_accuracy) in zip(LEVELS, mean, spread, strict=True):
        print(f"{level:>5}{loss:>13.2f} ± {by:.2f}{accuracy:>16.2%} ± {by_accuracy:.2%}")

    chosen = LEVELS[int(mean[:, 1].argmax())]
    print(
        f"\nchosen by accuracy: {chosen}; fitted to {n_images:,} images, on {len(images.test):,} test images:"
    )
    test = {}
    for level in sorted({0, chosen}):
        result = judge(level, epochs, 0, X, labels, images.test, images.test_labels)
        test[str(level)] = dict(zip(["loss", "accuracy"], result, strict=True))
        print(f"{level:>5}{result[0]:>13.2f}       {result[1]:>16.2%}")

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    titles = "Reconstruction of held-out images", "Logistic regression on their codes"
    units = "cross-entropy, nats an image (less is better)", "accuracy, % (more is better)"
    for k, (panel, title, unit) in enumerate(zip(axes, titles, units, strict=True)):
        scale = (1, 100)[k]
        panel.errorbar(LEVELS, scale * mean[:, k], scale * spread[:, k], fmt="o-", capsize=4, color=BLUE)
        panel.set(title=title, xlabel="dropout level of the hidden units", ylabel=unit)
        panel.grid(alpha=0.3)
    figure.suptitle(f"{images.name}, 1,000 units: mean and standard deviation of {len(SEEDS)} seeds")
    losses, accuracies = np.moveaxis(found, 2, 0).tolist()
    numbers = {"levels": LEVELS, "losses": losses, "accuracies": accuracies, "chosen": chosen, "test": test}
    gallery.finish(figure, numbers, __file__, opts)


if __name__ == "__main__":
    main()
