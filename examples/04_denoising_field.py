"""The field of a denoising autoencoder
=======================================

A denoising autoencoder learns a field of arrows that point from anywhere back to the data.

::

    python examples/04_denoising_field.py            # about 1 minute on 2 cores
    python examples/04_denoising_field.py --quick    # seconds

The arrow at x is g(f(x)) - x, the reconstruction minus x, where f is the encoder and g the decoder.

(a) On the left, the samples lie on a spiral in the plane, and the networks are trained on noisy copies of
them. The arrows on a grid are compared with the way to the nearest point of the spiral. The table says "best
possible" for the reconstruction with the smallest squared error: the mean of the points from which a noisy
sample may have come.

(b) On the right, theory says what the arrows should be. With noise of standard deviation s, the best
reconstruction is x + s² · grad log p(x), where p is the density of the noisy samples. For Gaussian samples
with mean m and covariance C, the arrows are therefore -s² (C + s² I)⁻¹ (x - m), without any training. The
arrows of three layers are compared with these at new noisy samples; the relative error is the mean length of
the difference divided by the mean length of the theoretical arrows.

References: Alain & Bengio (2014), What regularized auto-encoders learn from the data-generating distribution,
JMLR 15 (small noise); Miyasawa (1961), An empirical Bayes estimator of the mean of a normal population (any
noise); Chen et al. (2012), Marginalized denoising autoencoders for domain adaptation, ICML (the closed form).
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/04_denoising_field.png"
import gallery
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import KDTree

from stackae import Autoencoder, GaussianNoise, StackedAutoencoder, Training

NOISE = 0.3  # on the spiral, whose arms are 1.7 apart
COMMON = {"scale": None, "precision": "float32", "random_state": 0}


def training(epochs, rate, **others):
    # None are held out: they would be judged without noise, and the epoch that copies best be kept.
    return Training(round(epochs), learning_rate=rate, validation_fraction=0.0, **others)


def spiral(t):
    angle, radius = 3 * np.pi * t, 0.5 + 2.5 * t
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def spiral_field(axes, n_samples, effort):
    X, curve = spiral(np.random.default_rng(0).uniform(size=n_samples)), spiral(np.linspace(0, 1, 2000))
    grid = np.stack(np.meshgrid(*[np.linspace(-3.6, 3.6, 36)] * 2), -1).reshape(-1, 2)
    nearest = KDTree(curve)
    distance, index = nearest.query(grid)
    band = (distance > NOISE / 4) & (distance < 2 * NOISE)  # where training has noisy samples

    parts = {"activation": "tanh", "corruption": GaussianNoise(NOISE), "loss": "squared_error"}
    layer = Autoencoder(100, **parts, **COMMON, training=training(200 * effort, 0.02, batch_size=1000))
    tuning = training(100 * effort, 0.005, corruption=GaussianNoise(NOISE))
    layers = [Autoencoder(64, **parts), Autoencoder(64, activation="tanh")]
    stack = StackedAutoencoder(layers, pretrain=training(20 * effort, 0.002), finetune=tuning, **COMMON)
    likely = np.exp(-((grid[:, None] - curve) ** 2).sum(2) / (2 * NOISE**2))
    reconstructions = {
        "one layer of 100": layer.fit(X).reconstruct(grid),
        "stack of 64 and 64": stack.fit(X).reconstruct(grid),
        "best possible": likely @ curve / likely.sum(1, keepdims=True),
    }
    numbers = {}
    print(f"{'spiral':<20}{'mean cosine with the way back':>31}{'share of distance removed':>28}")
    for name, reconstruction in reconstructions.items():
        arrow, way = (reconstruction - grid)[band], (curve[index] - grid)[band]
        cosine = ((arrow * way).sum(1) / np.linalg.norm(arrow, axis=1) / distance[band]).mean()
        removed = 1 - nearest.query(reconstruction[band])[0].sum() / distance[band].sum()
        numbers[name] = {"cosine": cosine, "removed": removed}
        print(f"{name:<20}{cosine:>31.3f}{removed:>28.3f}")

    near = distance < 4 * NOISE
    arrow, dark = (reconstructions["stack of 64 and 64"] - grid)[near], band[near]
    colours = np.where(dark, gallery.COLOURS["stackae"], gallery.COLOURS["light"])
    axes.quiver(*grid[near].T, *arrow.T, color=colours, angles="xy", scale_units="xy", scale=1, width=0.003)
    axes.plot(*curve.T, color="black", lw=2)
    axes.set(xlabel="first column", ylabel="second column", aspect="equal")
    axes.set_title(
        "Arrows from x to its reconstruction by the stack\n(dark: those measured; black: the rows)"
    )
    return numbers


def gaussian_field(axes, n_samples, effort):
    rng, numbers = np.random.default_rng(0), []
    mean, mixing = rng.normal(size=5), rng.normal(size=(5, 5))
    covariance = mixing @ mixing.T / 5 + 0.2 * np.eye(5)
    X = rng.multivariate_normal(mean, covariance, n_samples)
    layers = {
        "64 relu, trained": (Autoencoder(64, activation="relu"), gallery.COLOURS["light"]),
        "linear, trained": (Autoencoder(5, activation="identity"), gallery.COLOURS["stackae"]),
        "linear, closed form": (Autoencoder(5, activation="identity", network="marginalised"), "black"),
    }
    print(f"\n{'gaussian rows':<20}{'noise':>7}{'slope':>10}{'correlation':>14}{'relative error':>17}")
    for sd in (0.1, 0.3):
        noisy = covariance + sd**2 * np.eye(5)
        at = rng.multivariate_normal(mean, noisy, 2000)
        theory = -(sd**2) * np.linalg.solve(noisy, (at - mean).T).T
        for name, (model, colour) in layers.items():
            model.set_params(corruption=GaussianNoise(sd), training=training(60 * effort, 0.01), **COMMON)
            arrow = model.set_params(loss="squared_error").fit(X).reconstruct(at) - at
            slope = (arrow * theory).sum() / (theory**2).sum()
            correlation = np.corrcoef(arrow.ravel(), theory.ravel())[0, 1]
            error = np.linalg.norm(arrow - theory, axis=1).mean() / np.linalg.norm(theory, axis=1).mean()
            found = {"slope": slope, "correlation": correlation, "relative_error": error}
            numbers.append({"layer": name, "noise": sd, **found})
            print(f"{name:<20}{sd:>7.1f}{slope:>10.3f}{correlation:>14.3f}{error:>17.3f}")
            if sd == 0.3:
                axes.plot(theory[:300].ravel(), arrow[:300].ravel(), ".", ms=4, color=colour, label=name)
    axes.axline((0, 0), slope=1, color=gallery.COLOURS["other"], lw=1, label="equal")
    axes.set(xlabel="theory: s² · grad log p(x)", ylabel="measured: g(f(x)) - x", aspect="equal")
    axes.set_title("Gaussian rows of 5 columns, noise s = 0.3:\nmeasured arrows against theory, each column")
    axes.legend()
    return numbers


def main() -> None:
    opts = gallery.options(__doc__)
    n_samples, effort = (2000, 0.1) if opts.quick else (20000, 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6.2))
    on_spiral, gaussian = spiral_field(left, n_samples, effort), gaussian_field(right, n_samples, effort)
    gallery.finish(figure, {"spiral": on_spiral, "gaussian": gaussian}, __file__, opts)


if __name__ == "__main__":
    main()
