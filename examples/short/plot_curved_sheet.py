"""
Where rows lie on a bent sheet
==============================

A sheet in space, bent like an S: two numbers are enough to say where a row lies, but no plane holds them. Colour is the place
along the sheet.
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
    "(64, 64, 2), nothing hidden": (deep.transform(X), deep.score(X)),
}
for place, (name, (codes, r2)) in enumerate(maps.items(), 2):
    ax = fig.add_subplot(1, 4, place)
    ax.scatter(*codes.T, c=along, s=4)
    ax.set_title(f"{name}: R² {r2:.3f}", fontsize=8)

# %%
# The defaults are made for more columns than three: they hide half of the cells while they fine-tune, and of three cells that
# leaves too little to tell where a row lies. Two layers below the code, no shortcut, and clean fine-tuning hold more of the
# sheet than any plane; the map has creases, since relu layers are linear in pieces.
