"""Cleaning noisy images
========================

Autoencoders are trained to remove noise from images, and compared with PCA and a linear map.

::

    python examples/02_denoising_images.py            # about 4 minutes on 2 cores
    python examples/02_denoising_images.py --quick    # seconds, on the bundled digits

The noise is Gaussian with standard deviation 0.5, clipped to [0, 1] as a camera or a file format would. In
training, every batch gets new noise, and the loss asks for the clean images. The library's ``GaussianNoise``
does not clip, and that matters: clipped noise turns a black background grey on average. So the script also
defines a corruption of its own, ``ClippedNoise``, in a few lines.

The images are compared by their peak signal-to-noise ratio in decibels, averaged over the test images; higher
is better. The other methods are PCA, fitted to clean images, with the number of components that works best on
held-out training images, and a linear map (ridge regression) from noisy training images to clean ones.

The method is that of Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11, who publish no figures
for this task.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/02_denoising_images.png"
import gallery
import numpy as np
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from stackae import Autoencoder, GaussianNoise, StackedAutoencoder, Training

NOISE = 0.5


class ClippedNoise(GaussianNoise):
    """Gaussian noise, and what leaves [0, 1] is clipped."""

    def __call__(self, x, generator, fraction=1.0):
        return super().__call__(x, generator, fraction).clamp_(0, 1)


def psnr(clean, image):
    """Peak signal-to-noise ratio in decibels, the mean over images."""
    return float(np.mean(-10 * np.log10(np.square(clean - np.clip(image, 0, 1)).mean(1))))


def stack(noise, quick: bool):
    """784-500-250, each layer and then the whole trained to undo the noise."""
    epochs = 5 if quick else "auto"
    return StackedAutoencoder(
        [Autoencoder(500, corruption=noise), 250],
        pretrain=Training(max_epochs=epochs),
        finetune=Training(max_epochs=epochs, corruption=noise),
        random_state=0,
    )


def best_pca(clean, noisy, quick: bool):
    """PCA with the number of components that cleans a held-out twelfth of the training images best."""
    held_out = len(clean) // 12
    choices = (5, 10, 15, 20, 30, 40) if quick else (20, 30, 40, 50, 60, 70, 80, 100)
    fitted = [PCA(k, random_state=0).fit(clean[held_out:]) for k in choices]
    return max(fitted, key=lambda pca: psnr(clean[:held_out], through(pca, noisy[:held_out])))


def through(pca, images):
    """What PCA makes of images from its components."""
    return pca.inverse_transform(pca.transform(images))


def main() -> None:
    opts = gallery.options(__doc__)
    data = gallery.images(opts.quick)
    rng = np.random.default_rng(0)
    noisy_train, noisy_test = (
        np.clip(x + NOISE * rng.standard_normal(x.shape, np.float32), 0, 1) for x in (data.train, data.test)
    )

    pca = best_pca(data.train, noisy_train, opts.quick)
    linear = Ridge(1.0).fit(noisy_train, data.train)
    plain = stack(GaussianNoise(NOISE), opts.quick).fit(data.train)
    clipped = stack(ClippedNoise(NOISE), opts.quick).fit(data.train)
    cleaned = {
        "noisy": noisy_test,
        f"PCA, {pca.n_components_} components": through(pca, noisy_test),
        "linear map of noisy copies": np.clip(linear.predict(noisy_test), 0, 1),
        "stackae, GaussianNoise": plain.reconstruct(noisy_test),
        "stackae, noise clipped": clipped.reconstruct(noisy_test),
    }
    numbers = {name: {"psnr_db": psnr(data.test, images)} for name, images in cleaned.items()}
    print(f"{'test images':30}{'PSNR in dB':>12}")
    for name, result in numbers.items():
        print(f"{name:30}{result['psnr_db']:12.2f}")

    shown = [np.flatnonzero(data.test_labels == digit)[0] for digit in range(10)]
    fig, axes = plt.subplots(len(cleaned) + 1, 10, figsize=(10, 6.4))
    for line, (name, images) in zip(axes, [*cleaned.items(), ("original", data.test)], strict=True):
        for axis, image in zip(line, images[shown], strict=True):
            gallery.show(axis, image, data.shape)
        label = f"{name}\n{numbers[name]['psnr_db']:.1f} dB" if name in numbers else name
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10, labelpad=10)
    fig.suptitle("Test images with gaussian noise (standard deviation 0.5), cleaned", fontsize=12, y=0.94)
    gallery.finish(fig, numbers, __file__, opts)


if __name__ == "__main__":
    main()
