"""
Filling missing pixels
======================

A third of the pixels is missing, in the training images, too: the model never sees a complete digit. Above, images with
missing pixels in orange; in the middle, filled by ``impute``; below, the originals.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from stackae import StackedAutoencoder

X = load_digits().data / 16
hidden = np.random.default_rng(0).random(X.shape) < 1 / 3
holes = np.where(hidden, np.nan, X)
model = StackedAutoencoder((128, 32), missing_values=np.nan, random_state=0).fit(holes)
filled = model.impute(holes)

mean = np.broadcast_to(np.nanmean(holes, axis=0), X.shape)
for name, guess in {"stack": filled, "mean of the pixel": mean}.items():
    print(
        f"{name:20}root mean squared error {np.sqrt(np.mean((guess - X)[hidden] ** 2)):.3f}"
    )

fig, axes = plt.subplots(3, 10, figsize=(8, 2.6))
for row, images in zip(axes, (holes, filled, X), strict=True):
    for ax, image in zip(row, images, strict=False):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_facecolor("#c2571a")
        ax.set(xticks=[], yticks=[])
