"""
Flattening a curved sheet
=========================

The rows lie on a sheet in three dimensions that is bent like an S. Two numbers say where on the sheet a row lies, but no
flat projection, as PCA's, can show them. The colour is the position along the sheet.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_s_curve
from sklearn.decomposition import PCA

from stackae import StackedAutoencoder, Training

X, along = make_s_curve(1000, noise=0.05, random_state=0)
pca = PCA(2).fit(X)
clean = Training(corruption=None)
default = StackedAutoencoder((64, 2), random_state=0).fit(X)
deep = StackedAutoencoder((64, 64, 2), shortcut=None, finetune=clean, random_state=0)
deep.fit(X)

fig = plt.figure(figsize=(10, 2.8), layout="constrained")
space = fig.add_subplot(1, 4, 1, projection="3d")
space.scatter(*X.T, c=along, s=4)
space.set_title("rows", fontsize=9)
maps = {
    "PCA": (pca.transform(X), pca.explained_variance_ratio_.sum()),
    "(64, 2), defaults": (default.transform(X), default.score(X)),
    "(64, 64, 2), no corruption": (deep.transform(X), deep.score(X)),
}
for place, (name, (codes, r2)) in enumerate(maps.items(), 2):
    ax = fig.add_subplot(1, 4, place)
    ax.scatter(*codes.T, c=along, s=4)
    ax.set_title(f"{name}: R² {r2:.3f}", fontsize=8)

# %%
# The defaults are made for data with more columns: in fine-tuning they hide half of the cells, and with only three
# columns what is left does not tell where on the sheet a row lies. A deeper stack without corruption and without the
# shortcut (the linear autoencoder that by default runs beside the layers) reconstructs more of the sheet than any plane
# can. The map has creases because relu layers are piecewise linear.
