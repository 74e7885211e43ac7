"""
Few labels, many rows
=====================

Three labels of each digit, and a thousand images without one. The stack learns what images look like from all of them; the labels only
have to say which is which. ``semi=`` lets rows without a label take part in fine-tuning, too.
"""

# %%
# Rows without a label have NaN (or None, or an empty text). A third of the digits is kept aside to judge.

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
# One pretraining serves them all: a fitted stack in ``FrozenEstimator`` is used as it is. ``shortcut=None`` leaves out the
# linear way beside the layers, as predictors given by their widths do, too.

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
# Beside them: logistic regression on the labelled rows, on the pixels and on PCA of all rows, and scikit-learn's
# ``LabelSpreading``, which uses the rows without a label as well.

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
    list(accuracy), list(accuracy.values()), color=["#c2571a"] * 4 + ["#2f6db5"] * 3
)
ax.invert_yaxis()
ax.set(xlabel="accuracy on the test rows", xlim=(0.5, 1))

# %%
# One draw of 30 labels is one draw: another seed moves every figure by a few points. What ten draws say, on MNIST, is in
# :doc:`/reference/results`. Judge on your own labels with ``cross_val_score``, which leaves rows without one out:
# ``score`` does so, too.
#
# On the command line: ``stackae finetune RUN data.csv --semi propagation,vat --out RUN``. When to use which way:
# :doc:`/how/semi`.
