"""
Activations
===========

The functions that can be applied to the output of a layer. By default it is relu in the layers below the code, and the
identity in the code itself. Choose another with ``Autoencoder(64, activation="tanh")``.
"""

import matplotlib.pyplot as plt
import torch

from stackae.networks import ACTIVATIONS

z = torch.linspace(-4, 4, 200)
fig, axes = plt.subplots(
    1, len(ACTIVATIONS), figsize=(10, 1.9), sharex=True, layout="constrained"
)
for ax, name in zip(axes, ACTIVATIONS, strict=True):
    ax.plot(z, ACTIVATIONS[name](z), color="#2f6db5")
    ax.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    ax.set_title(name, fontsize=9)
    ax.set_xticks([-4, 0, 4])
