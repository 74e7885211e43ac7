"""Filters of first layers
==========================

What the units of a first layer look for: their weights, drawn as images, for six kinds of layers.

::

    python examples/10_sparse_filters.py            # about 4 minutes on 2 cores
    python examples/10_sparse_filters.py --quick    # seconds, on the bundled digits

Each layer has 196 units and is trained on MNIST. The plain layer may use all units for every image, and its
weights look like nothing in particular. The other five kinds (a penalty, a sparse code or a corruption) make
units respond to spots, strokes or whole digits, at the price of a lower R². Encoder and decoder share their
weights (they are *tied*), so a unit draws what it looks for. The panels show the first 36 units, without
selection; positive weights are blue, negative ones red, and each unit has its own scale.

The table has the R² of the test reconstructions; the share of codes that are not zero (all of them for
sigmoid units, which are never exactly zero); the mean of the codes; and the share of *dead* units, whose
output is the same for all images. A unit that responds to one image in a thousand does not count as dead,
though its weights may look like noise. The weights of the penalties were chosen for MNIST; on the small
digits of ``--quick`` they are rather strong.

KL: Ng (2011), Sparse autoencoder, CS294A lecture notes; top-k: Makhzani & Frey (2014),
k-sparse autoencoders; denoising: Vincent et al. (2010), Stacked denoising autoencoders; contractive: Rifai et
al. (2011), Contractive auto-encoders.
"""

from __future__ import annotations

# sphinx_gallery_thumbnail_path = "../examples/figures/10_sparse_filters.png"
import gallery
import numpy as np
from matplotlib import pyplot as plt

from stackae import L1, Autoencoder, Contractive, KLSparsity, Masking, TopK, Training

#: What each kind asks for. Where no activation is named, the library's choice is: sigmoid for KL, linear for
#: top-k, else relu.
KINDS = {
    "plain": {},
    "L1 penalty": {"penalty": L1(0.5)},
    "KL sparsity": {"penalty": KLSparsity(target=0.05, weight=5.0)},
    "top-k": {"code": TopK(15)},
    "denoising": {"corruption": Masking(0.5), "activation": "sigmoid"},
    "contractive": {"penalty": Contractive(2.0), "activation": "sigmoid"},
}
SIDE = 6  # of a panel, in filters


def panel(filters, shape):
    """The first filters as one image, each divided by its greatest weight, with gaps between them."""
    height, width = shape
    image = np.full((SIDE * (height + 2), SIDE * (width + 2)), np.nan)
    for k, weights in enumerate(filters[: SIDE**2]):
        top, left = k // SIDE * (height + 2) + 1, k % SIDE * (width + 2) + 1
        image[top : top + height, left : left + width] = weights.reshape(shape) / np.abs(weights).max()
    return image


def main() -> None:
    opts = gallery.options(__doc__)
    data = gallery.images(opts.quick)
    n_units = 64 if opts.quick else 196
    training = Training(max_epochs=10 if opts.quick else 15, batch_size=64 if opts.quick else 128)

    numbers = {}
    fig, axes = plt.subplots(2, 3, figsize=(12, 8.6), layout="constrained")
    print(f"{'kind':14}{'test R²':>9}{'active cells':>14}{'mean activity':>15}{'dead units':>12}")
    for (name, parts), axis in zip(KINDS.items(), axes.flat, strict=True):
        layer = Autoencoder(n_units, tied_weights=True, training=training, random_state=0, **parts)
        layer.fit(data.train)
        health = layer.health_
        numbers[name] = {
            "r2": layer.score(data.test),
            **{key: health[key] for key in ("active_cells", "mean_activity", "dead_units")},
        }
        r2, active, mean, dead = numbers[name].values()
        print(f"{name:14}{r2:9.3f}{active:14.3f}{mean:15.3f}{dead:12.3f}")
        image = panel(layer.components_, data.shape)
        gallery.show(axis, image, image.shape, cmap="RdBu", vmin=-1, vmax=1)
        axis.set_title(f"{name}\nR² {r2:.2f}, {active:.0%} of cells active, mean {mean:.2f}", fontsize=11)

    fig.suptitle(f"Weights of {SIDE**2} of {n_units} units, by what the layer is asked for", fontsize=13)
    gallery.finish(fig, numbers, __file__, opts)


if __name__ == "__main__":
    main()
