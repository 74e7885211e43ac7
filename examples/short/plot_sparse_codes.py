"""
Dense, sparse and ordered codes
===============================

The codes of forty digits, one digit in each line: of relu units; with top-k, where only the four largest of the forty
units are kept; and of an ordered code, whose first numbers matter most. Darker means further from zero.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from stackae import Autoencoder, Training

X = load_digits().data / 16
layers = {
    "relu": Autoencoder(40, activation="relu"),
    'code="topk"': Autoencoder(40, code="topk"),
    'code="nested"': Autoencoder(40, code="nested"),
}
fig, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for ax, (name, layer) in zip(axes, layers.items(), strict=True):
    codes = layer.set_params(
        training=Training(max_epochs=20), random_state=0
    ).fit_transform(X)
    ax.imshow(abs(codes[:40]), cmap="magma_r")
    ax.set(xlabel="unit", ylabel="digit")
    ax.set_title(f"{name}: {(codes != 0).mean():.0%} not zero", fontsize=9)
