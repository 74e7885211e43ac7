"""
First-layer weights under four penalties
========================================

Twenty-five tied sigmoid units of a layer on digits: without a penalty, with sparsity, with a contractive code, with small weights.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from stackae import L2, Autoencoder, Contractive, KLSparsity, Training

X = load_digits().data / 16
penalties = {
    "none": None,
    "KLSparsity(0.05, 3.0)": KLSparsity(0.05, 3.0),
    "Contractive(0.5)": Contractive(0.5),
    "L2(0.01)": L2(0.01),
}

fig, axes = plt.subplots(1, 4, figsize=(9, 2.6))
for ax, (name, penalty) in zip(axes, penalties.items(), strict=True):
    layer = Autoencoder(
        25,
        activation="sigmoid",
        tied_weights=True,
        penalty=penalty,
        training=Training(max_epochs=40),
        random_state=0,
    ).fit(X)
    sheet = layer.components_.reshape(5, 5, 8, 8).swapaxes(1, 2).reshape(40, 40)
    ax.imshow(sheet, cmap="RdBu_r", vmin=-abs(sheet).max(), vmax=abs(sheet).max())
    active = layer.transform(X).mean()
    ax.set_title(f"{name}\nR² {layer.score(X):.2f}, mean activity {active:.2f}", fontsize=8)
    ax.set_axis_off()
