"""Three networks that every tutorial builds
============================================

A dense layer, three dense layers and three convolutional ones, on MNIST: how well do they reconstruct?

::

    python examples/01_tutorial_networks.py            # about 3 minutes on 2 cores
    python examples/01_tutorial_networks.py --quick    # seconds, on the bundled digits

Most tutorials on autoencoders build these three networks. They are compared by the binary cross-entropy, in
nats per pixel, of the reconstructions of the 10,000 test images. Lower is better.

The dense networks are trained with the defaults: a fixed number of updates, which is a few epochs for each
layer. The convolutional network is slower, so it is trained on the first 20,000 images only, in small
batches: its time depends on the number of images seen, and smaller batches give more updates in the same
time.

The column "blog" has the losses that Chollet reports on the same test images after 50, 100 and 50 epochs
(2016, Building autoencoders in Keras, The Keras Blog, in its current version). The column "retold" has the
losses after 50 epochs of Adadelta that other tutorials report for the same networks. Two things differ from
the blog's networks: the last layer of a stack has a linear code here, relu there; and the convolutional
decoder has three convolutions here, as many as the encoder, four there.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/01_tutorial_networks.png"
import gallery
import numpy as np
from matplotlib import pyplot as plt
from scipy.special import xlog1py, xlogy
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from stackae import Autoencoder, StackedAutoencoder, Training

BLOG = {"dense": 0.09, "deep": 0.08, "convolutional": 0.094}
RETOLD = {"dense": 0.104, "deep": 0.093, "convolutional": 0.102}


def cross_entropy(x, guess):
    """Mean over images and pixels, in nats; sure errors are bounded as Keras bounds them."""
    guess = np.clip(guess.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-(xlogy(x, guess) + xlog1py(1 - x, -guess)).mean())


def as_text(value) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else f"{value:,}"


def networks(quick: bool):
    """Each network by its name, with the number of images that it is fitted to."""
    default = Training(max_epochs=5 if quick else "auto")
    # Reconstruction alone counts here, so the noise that fine-tuning adds by default is left out.
    clean = Training(max_epochs=5 if quick else "auto", corruption=None)
    small = {"batch_size": 32, "learning_rate": 0.01}
    filters = [Autoencoder(n, network="convolutional") for n in (16, 8, 8)]
    layers = [Autoencoder(n) for n in (128, 64, 32)]
    return {
        "dense": (Autoencoder(32, training=default, random_state=0), 60_000),
        "deep": (StackedAutoencoder(layers, pretrain=default, finetune=clean, random_state=0), 60_000),
        "convolutional": (
            StackedAutoencoder(
                filters,
                pretrain=Training(max_epochs=1, **small),
                finetune=Training(max_epochs=2 if quick else 10, corruption=None, **small),
                random_state=0,
            ),
            20_000,
        ),
    }


def main() -> None:
    opts = gallery.options(__doc__)
    data = gallery.images(opts.quick)
    examples = data.test[[np.flatnonzero(data.test_labels == digit)[0] for digit in range(10)]]

    numbers, drawn = {}, {"original": examples}
    columns = ["code", "weights", "epochs", "nats/pixel", "blog", "retold", "R²", "PCA R²"]
    print(f"{'network':14}" + "".join(f"{column:>11}" for column in columns))
    for name, (model, n_images) in networks(opts.quick).items():
        model.fit(data.train[:n_images])
        width = model.transform(examples).shape[1]
        pca = PCA(width, random_state=0).fit(data.train)
        numbers[name] = {
            "code": width,
            "weights": sum(weights.numel() for weights in model.module_.parameters()),
            "epochs": model.n_iter_,
            "nats_a_pixel": cross_entropy(data.test, model.reconstruct(data.test)),
            "blog": None if opts.quick else BLOG[name],  # which are of MNIST
            "retold": None if opts.quick else RETOLD[name],
            "r2": model.score(data.test),
            "pca_r2": r2_score(
                data.test, pca.inverse_transform(pca.transform(data.test)), multioutput="variance_weighted"
            ),
        }
        print(f"{name:14}" + "".join(f"{as_text(value):>11}" for value in numbers[name].values()))
        label = f"{name}, code of {width}\n{numbers[name]['nats_a_pixel']:.3f} nats a pixel"
        drawn[label] = model.reconstruct(examples)

    fig, axes = plt.subplots(len(drawn), 10, figsize=(10, 4.4))
    for line, (label, images) in zip(axes, drawn.items(), strict=True):
        for axis, image in zip(line, images, strict=True):
            gallery.show(axis, image, data.shape)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10, labelpad=10)
    fig.suptitle("Test images, and what each network makes of them from its code", fontsize=12, y=0.96)
    gallery.finish(fig, numbers, __file__, opts)


if __name__ == "__main__":
    main()
