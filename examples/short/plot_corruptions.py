"""
Corruptions
===========

In training, the encoder sees a damaged copy of each row, and the loss asks for the row as it was. Here two digits, and
what each corruption makes of them.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

from stackae import Dropout, GaussianNoise, Masking, SaltAndPepper, Swap

X = torch.as_tensor(load_digits().data[:200] / 16, dtype=torch.float32)
corruptions = [
    None,
    Masking(0.3),
    GaussianNoise(0.2),
    SaltAndPepper(0.2),
    Swap(0.3),
    Dropout(0.3),
]

fig, axes = plt.subplots(2, 6, figsize=(8, 3))
for column, corruption in zip(axes.T, corruptions, strict=True):
    seen = X if corruption is None else corruption(X, torch.Generator().manual_seed(0))
    name = "as it is" if corruption is None else type(corruption).__name__
    column[0].set_title(name, fontsize=8)
    for ax, image in zip(column, seen[[0, 3]], strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()

# %%
# Masking sets cells to zero; dropout does, too, and scales up the remaining ones to make up for it. Swap takes the
# value of the same pixel in another image. To use one: ``Autoencoder(64, corruption=Masking(0.3))``. When to use which:
# :doc:`/how/corruption`.
