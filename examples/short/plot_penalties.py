"""
First-layer weights under three penalties
=========================================

The weights of a layer of 16 sigmoid units, trained on the digits: without a penalty, with a penalty on the units' mean
activity (``KLSparsity``), on the change of the code when the pixels change (``Contractive``), and on the size of the
code (``L2``). Above each, the R² of the reconstruction and the mean of the code.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from stackae import L2, Autoencoder, Contractive, KLSparsity, Training

X = load_digits().data / 16
penalties = [None, KLSparsity(0.1, 0.5), Contractive(0.5), L2(0.3)]

fig, axes = plt.subplots(1, 4, figsize=(9, 2.8), layout="constrained")
for ax, penalty in zip(axes, penalties, strict=True):
    layer = Autoencoder(
        16,
        activation="sigmoid",
        tied_weights=True,
        penalty=penalty,
        training=Training(max_epochs=60),
        random_state=0,
    ).fit(X)
    filters = np.pad(layer.components_.reshape(16, 8, 8), [(0, 0), (1, 1), (1, 1)])
    sheet = filters.reshape(4, 4, 10, 10).swapaxes(1, 2).reshape(40, 40)
    ax.imshow(sheet, cmap="RdBu_r", vmin=-abs(sheet).max(), vmax=abs(sheet).max())
    active = layer.transform(X).mean()
    name = "none" if penalty is None else type(penalty).__name__
    ax.set_title(f"{name}\nR² {layer.score(X):.2f}, mean {active:.2f}", fontsize=9)
    ax.set_axis_off()
