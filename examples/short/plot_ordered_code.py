"""
One code, every width
=====================

In an ordered code, the first k numbers are a good code by themselves, for every k, as with principal components. The
plot shows the R² of the reconstruction from the first k of 12 numbers: of an ordered code, of an ordinary one that is
cut in the same way, and of PCA.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from stackae import StackedAutoencoder, Training

X = load_digits().data / 16
brief = Training(updates=1000)
plain = StackedAutoencoder((64, 12), finetune=brief, random_state=0).fit(X)
ordered = StackedAutoencoder((64, 12), ordered=True, finetune=brief, random_state=0)
ordered.fit(X)

codes, r2 = plain.transform(X), []
for k in range(1, 13):
    cut = np.where(np.arange(12) < k, codes, codes.mean(axis=0))
    r2.append(
        1
        - np.square(X - plain.inverse_transform(cut)).sum()
        / np.square(X - X.mean(0)).sum()
    )

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(range(1, 13), ordered.prefix_r2_, "o-", color="#c2571a", label="ordered=True")
ax.plot(
    range(1, 13), r2, "o-", color="#777777", label="not ordered, the rest at its mean"
)
ax.plot(
    range(1, 13),
    PCA(12).fit(X).explained_variance_ratio_.cumsum(),
    "o-",
    color="#2f6db5",
    label="PCA",
)
ax.set(xlabel="numbers kept", ylabel="R²")
ax.legend(frameon=False)
