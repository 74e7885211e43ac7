"""Missing pixels restored
==========================

Missing pixels are filled by a denoising stack, by iterated PCA and by the mean image.

::

    python examples/08_inpainting.py            # MNIST, about 2 minutes on 2 cores
    python examples/08_inpainting.py --quick    # the bundled 8 × 8 digits, seconds

A stack trained with masking noise learns to reconstruct images from a random half of their pixels. So we give
it images with zeros in place of the missing pixels, and take the missing pixels from the reconstruction. Two
kinds of damage are tried: each pixel is missing with probability 0.5, as in training; or a square block near
the middle is missing, which the stack has never seen.

PCA fills the missing pixels with the mean, projects the image onto its components, replaces the missing
pixels by the projection, and so on, twenty times (Roweis 1998; Josse & Husson 2012). The stack can be
iterated in the same way. The number of components of PCA and the number of rounds of the stack are chosen,
for each kind of damage, on 2,000 training images to which neither was fitted; the errors of all choices are
printed. The layers and the weights of the loss were chosen earlier, among eight settings, on such images too.
Errors are root mean squares over the missing pixels, which are in [0, 1].

For your own data you need none of this: fit with ``missing_values=np.nan`` and call ``impute``, as
``short/plot_missing_pixels.py`` does.

Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11; Roweis (1998), EM algorithms for PCA and SPCA,
NIPS 10; Josse & Husson (2012), Handling missing values in exploratory multivariate data analysis methods,
Journal de la SFdS 153.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/08_inpainting.png"
import gallery
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from stackae import Autoencoder, CrossEntropy, Masking, StackedAutoencoder, Training


def a_half(n_images, shape, rng):
    """Which pixels are missing: each with probability one half."""
    return rng.random((n_images, shape[0] * shape[1])) < 0.5


def a_block(n_images, shape, rng):
    """Which pixels are missing: a square of 3/7 of the side, at random near the middle."""
    side = round(3 * shape[0] / 7)
    middle = (shape[0] - side) // 2
    missing = np.zeros((n_images, *shape), bool)
    for image, (row, column) in zip(missing, rng.integers(-2, 3, (n_images, 2)) + middle, strict=True):
        image[row : row + side, column : column + side] = True
    return missing.reshape(n_images, -1)


def by_stack(stack, X, missing, rounds):
    """Zeros in the holes, then the reconstruction in the holes, so many times."""
    filled = np.where(missing, 0, X)
    for _ in range(rounds):
        filled = np.where(missing, stack.reconstruct(filled), X)
    return filled


def by_pca(pca, X, missing, n_components):
    """The mean in the holes, then the projection in the holes, twenty times."""
    axes = pca.components_[:n_components]
    filled = np.where(missing, pca.mean_, X)
    for _ in range(20):
        projection = (filled - pca.mean_) @ axes.T @ axes + pca.mean_
        filled = np.where(missing, np.clip(projection, 0, 1), X)
    return filled


def error(filled, X, missing):
    return float(np.sqrt(np.square(filled - X)[missing].mean()))


def listed(errors):
    return ", ".join(f"{name}: {value:.3f}" for name, value in errors.items())


def main() -> None:
    opts = gallery.options(__doc__)
    data = gallery.images(opts.quick)
    held_out, train = np.split(data.train, [200 if opts.quick else 2000])
    test = data.test[:2000]
    first, second = (64, 32) if opts.quick else (500, 250)
    # What was hidden counts ten times as much as what the encoder saw.
    layers = [
        Autoencoder(first, corruption=Masking(0.5), loss=CrossEntropy(corrupted=1.0, intact=0.1)),
        Autoencoder(second, corruption=Masking(0.25)),
    ]
    # No images are held out: they would be judged undamaged, which says nothing about filling holes.
    pretrain = Training(max_epochs=10 if opts.quick else 3, validation_fraction=0.0)
    finetune = Training(max_epochs=20 if opts.quick else 10, corruption=Masking(0.5), validation_fraction=0.0)
    stack = StackedAutoencoder(layers, pretrain=pretrain, finetune=finetune, random_state=0).fit(train)
    n_components = (5, 10, 20) if opts.quick else (10, 20, 40, 80, 160)
    pca = PCA(max(n_components), random_state=0).fit(train)

    rng = np.random.default_rng(0)
    numbers = {}
    figure = plt.figure(figsize=(12, 5), layout="constrained")
    halves = figure.subfigures(1, 2, wspace=0.03)
    for half, damage, drawn in zip(halves, ("a random half", "a block"), (a_half, a_block), strict=True):
        missing = drawn(len(held_out), data.shape, rng)
        of_stack = {r: error(by_stack(stack, held_out, missing, r), held_out, missing) for r in (1, 2, 4, 8)}
        of_pca = {n: error(by_pca(pca, held_out, missing, n), held_out, missing) for n in n_components}
        rounds, n = min(of_stack, key=of_stack.get), min(of_pca, key=of_pca.get)

        missing = drawn(len(test), data.shape, rng)
        restored = {
            "mean": np.where(missing, train.mean(axis=0), test),
            "PCA": by_pca(pca, test, missing, n),
            "stackae": by_stack(stack, test, missing, rounds),
        }
        errors = {name: error(filled, test, missing) for name, filled in restored.items()}
        numbers[damage] = {"rounds of stackae": of_stack, "components of PCA": of_pca, "test": errors}
        print(f"{data.name}, {damage} missing: root mean square error over missing pixels")
        print(f"  held-out rows, rounds of stackae: {listed(of_stack)}")
        print(f"  held-out rows, components of PCA: {listed(of_pca)}")
        print(f"  test images: {listed(errors)}\n")

        shown = {"original": test, "damaged": np.where(missing, 0.3, test)} | restored
        half.suptitle(f"{damage} missing (grey)")
        for axes, (name, images) in zip(half.subplots(5, 6), shown.items(), strict=True):
            for ax, image in zip(axes, images, strict=False):
                gallery.show(ax, image, data.shape)
            axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    gallery.finish(figure, numbers, __file__, opts)


if __name__ == "__main__":
    main()
