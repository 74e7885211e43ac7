"""
Maps that keep neighbours together
==================================

The digits on maps of two numbers: by PCA, by a stack with the defaults, and by a stack whose last layer has a
``NeighborEmbedding`` penalty, which gives images that are near one another similar codes. The stacks were fitted to
1,200 images, and the maps show the other 597. Above each is the share of these whose digit their five nearest training
images on the map have. Labels are used only for that, and for the colours.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from stackae import Autoencoder, NeighborEmbedding, StackedAutoencoder, Training

X, y = load_digits(return_X_y=True)
X, X_new, y, y_new = train_test_split(X / 16, y, train_size=1200, random_state=0)
near = Autoencoder(2, penalty=NeighborEmbedding())
maps = {
    "PCA": PCA(2),
    "StackedAutoencoder((256, 256, 2))": StackedAutoencoder(
        (256, 256, 2), random_state=0
    ),
    "NeighborEmbedding": StackedAutoencoder(
        (256, 256, near),
        finetune=Training(batch_size=256, updates=4000),
        random_state=0,
    ),
}

fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, (name, model) in zip(axes, maps.items(), strict=True):
    code, code_new = model.fit_transform(X), model.transform(X_new)
    right = KNeighborsClassifier(5).fit(code, y).score(code_new, y_new)
    ax.scatter(*code_new.T, c=y_new, s=8, cmap="tab10")
    ax.set_title(f"{name}: {right:.0%}", fontsize=9)
    ax.set_xticks([])
    ax.set_yticks([])

# %%
# t-SNE and UMAP draw such maps as well. Here the map is computed by an encoder, so new images are placed by
# ``transform``, and ``inverse_transform`` draws the image at any place of the map.
