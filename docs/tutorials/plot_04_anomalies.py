"""
Anomalies, and which columns make them
======================================

Sensors of a machine move together. A row in which one of them does not is strange, though each value for itself is usual. A
detector learns how columns go together, and says of a strange row which column is out of step.
"""

# %%
# Twelve sensors follow three states of a machine, not all of them linearly. In a fiftieth of the later rows one sensor shows
# a value from another moment: usual for itself, wrong in company.

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from stackae import StackedAutoencoder, StackedAutoencoderDetector
from stackae.plotting import ReconstructionDisplay

rng = np.random.default_rng(0)


def sensors(n):
    state = rng.uniform(-1, 1, (n, 3))
    curved = np.column_stack(
        [state, state**2, np.sin(2 * state), state[:, :1] * state[:, 1:2]]
    )
    return curved @ mixing + 0.05 * rng.normal(size=(n, 12))


mixing = rng.normal(size=(10, 12))
usual, later = sensors(1500), sensors(1500)
broken = rng.choice(1500, 30, replace=False)
culprit = rng.integers(0, 12, 30)
later[broken, culprit] = later[rng.permutation(1500)[:30], culprit]

# %%
# Fit to rows as they usually are. ``contamination`` is the share of them that may exceed the threshold.

stack = StackedAutoencoder((64, 3), shortcut=None, random_state=0)
detector = StackedAutoencoderDetector(stack, contamination=0.02, random_state=0).fit(
    usual
)
strange = detector.predict(later) == -1
is_broken = np.isin(np.arange(1500), broken)
print(
    f"{strange.sum()} rows called outliers, of which {np.sum(strange & is_broken)} of the 30 broken ones"
)

# %%
# Threshold aside: how well does the error rank rows? The area under the ROC curve is the chance that a broken row scores
# stranger than a usual one. PCA gets as many numbers as the stack, and the isolation forest its defaults.

scaler = StandardScaler().fit(usual)
pca = PCA(3).fit(scaler.transform(usual))
Z = scaler.transform(later)
errors = {
    "stack": -detector.score_samples(later),
    "PCA": np.square(Z - pca.inverse_transform(pca.transform(Z))).sum(axis=1),
    "isolation forest": -IsolationForest(random_state=0)
    .fit(usual)
    .score_samples(later),
}
for name, error in errors.items():
    print(f"{name:18}{roc_auc_score(is_broken, error):.3f}")

# %%
# ``explain`` gives the squared error of every cell. How often is the broken sensor the one with the largest?

cells = detector.explain(later)[broken]
ranked = (-cells).argsort(axis=1)
print(
    f"the culprit has the largest error in {np.mean(ranked[:, 0] == culprit):.0%} of the broken rows, ",
    end="",
)
print(
    f"one of the two largest in {np.mean((ranked[:, :2] == culprit[:, None]).any(axis=1)):.0%}"
)

# %%
# One cell far off spoils what is made of its neighbours, too, so that the culprit may stand second. The worst rows, cell by
# cell, as they are and as the model would have them:

display = ReconstructionDisplay.from_estimator(detector, later, samples="worst")

# %%
# On the command line: ``stackae detect RUN usual.csv --out DETECTOR``, then ``stackae score DETECTOR later.csv --top 10``.
