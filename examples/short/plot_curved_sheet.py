"""
Where rows lie on a bent sheet
==============================

A sheet in space, bent like an S: two numbers are enough to say where a row lies, but no plane holds them. Colour is the place
along the sheet.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_s_curve
from sklearn.decomposition import PCA

from stackae import StackedAutoencoder

X, along = make_s_curve(1000, noise=0.05, random_state=0)
stack = StackedAutoencoder((64, 2), random_state=0).fit(X)
pca = PCA(2).fit(X)

fig = plt.figure(figsize=(9, 3), layout="constrained")
space = fig.add_subplot(1, 3, 1, projection="3d")
space.scatter(*X.T, c=along, s=4)
space.set_title("rows", fontsize=9)
for place, (name, codes, r2) in enumerate(
    (
        ("PCA", pca.transform(X), pca.explained_variance_ratio_.sum()),
        ("stack", stack.transform(X), stack.score(X)),
    ),
    2,
):
    ax = fig.add_subplot(1, 3, place)
    ax.scatter(*codes.T, c=along, s=4)
    ax.set_title(f"{name}, 2 numbers: R² {r2:.3f}", fontsize=9)
