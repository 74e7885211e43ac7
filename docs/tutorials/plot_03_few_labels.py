"""
Few labels, many rows
=====================

Often there are many rows, but few of them are labelled: here three images of each digit, and more than a thousand
images without a label. A stack is pretrained on all images; then a classifier is trained on its codes, with the labels
(*fine-tuning*). With ``semi=``, rows without a label are used in fine-tuning as well.
"""

# %%
# A row without a label has NaN as its label (or None, or an empty string). A third of the digits is kept for testing.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading

from stackae import (
    Autoencoder,
    KMeansFilters,
    NeighborEmbedding,
    Propagation,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    VirtualAdversarial,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)
rng = np.random.default_rng(0)
labelled = np.concatenate(
    [
        rng.choice(np.flatnonzero(y_train == digit), 3, replace=False)
        for digit in range(10)
    ]
)
few = np.full(len(y_train), np.nan)
few[labelled] = y_train[labelled]
print(
    f"{len(X_train)} training rows, {np.isfinite(few).sum()} with a label; {len(X_test)} test rows"
)

# %%
# We train four classifiers on the same stack. ``FrozenEstimator`` (of scikit-learn) marks the stack as fitted, so that
# it is pretrained only once. By default a linear autoencoder, the *shortcut*, runs beside the layers; ``shortcut=None``
# leaves it out, as a classifier does that is given widths. ``Propagation`` gives unlabelled rows the labels of rows with
# similar codes; ``VirtualAdversarial`` asks that predictions stay the same if a row changes a little
# (:doc:`/how/semi`).

encoder = FrozenEstimator(
    StackedAutoencoder((128, 32), shortcut=None, random_state=0).fit(X_train)
)
ways = {
    "fine-tuned": None,
    "with Propagation": Propagation(),
    "with VirtualAdversarial": VirtualAdversarial(),
    "with both": [Propagation(), VirtualAdversarial()],
}
accuracy = {}
for name, semi in ways.items():
    model = StackedAutoencoderClassifier(encoder, semi=semi, random_state=0).fit(
        X_train, few
    )
    accuracy[name] = model.score(X_test, y_test)

# %%
# These four do not know which pixels are adjacent. For images there is a better way: filters that k-means finds among
# small patches (:class:`~stackae.KMeansFilters`), principal components of their codes (a marginalised layer without
# corruption is PCA), and layers above them whose codes keep neighbours together (:class:`~stackae.NeighborEmbedding`).
# Fine-tuning leaves filters and components as they are, since they are *frozen*. ``scale="pareto"`` lets the last
# components count, but less than the first. Of the rows that are assigned to each digit only the surer half is trained
# with it; the rest takes part in virtual adversarial training alone.

filters = Autoencoder(64, network=KMeansFilters(kernel_size=3, pool=4), frozen=True)
components = Autoencoder(
    100, network="marginalised", activation="identity", frozen=True
)
first = Autoencoder(256, scale="pareto", corruption="gaussian", tied_weights=True)
code = Autoencoder(10, penalty=NeighborEmbedding(300))
stack = StackedAutoencoder([filters, components, first, 256, code], random_state=0)
semi = [Propagation(surest=0.5), VirtualAdversarial()]
model = StackedAutoencoderClassifier(stack, semi=semi, random_state=0)
accuracy["images, with both"] = model.fit(X_train, few).score(X_test, y_test)

# %%
# For comparison: a logistic regression on the pixels, one on principal components, and scikit-learn's
# ``LabelSpreading``, which also uses the rows without a label.

plain = LogisticRegression(max_iter=2000).fit(X_train[labelled], y_train[labelled])
accuracy["logistic regression"] = plain.score(X_test, y_test)
pca = PCA(32).fit(X_train)
linear = make_pipeline(FrozenEstimator(pca), LogisticRegression(max_iter=2000))
accuracy["PCA, logistic regression"] = linear.fit(
    X_train[labelled], y_train[labelled]
).score(X_test, y_test)
spreading = LabelSpreading(kernel="knn", n_neighbors=7)
accuracy["LabelSpreading"] = spreading.fit(
    X_train, np.where(np.isnan(few), -1, few).astype(int)
).score(X_test, y_test)
for name, share in accuracy.items():
    print(f"{name:26}{share:.1%}")

# %%
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.barh(
    list(accuracy), list(accuracy.values()), color=["#c2571a"] * 5 + ["#2f6db5"] * 3
)
ax.invert_yaxis()
ax.set(xlabel="accuracy on the test rows", xlim=(0.5, 1))

# %%
# This is one random choice of 30 labels; with another, every accuracy changes by a few percentage points. The results
# of ten such choices on MNIST are in :doc:`/reference/results`. To compare the methods on your own labels, use
# ``cross_val_score(model, X, few, cv=KFold(5, shuffle=True))``, without ``scoring=``: rows without a label do not count
# in ``score``. With 30 labels each fold tests six, so that differences of several points are chance.
#
# On the command line: ``stackae finetune RUN data.csv --semi propagation,vat --out CLASSIFIER``. Which method to use when:
# :doc:`/how/semi`.
