"""
Anomalies, and which columns make them
======================================

The sensors of a machine depend on each other. If one of them is broken, each value may still be usual by itself; only
the combination is not. A detector learns how columns depend on each other, finds rows that do not fit, and says which
column is to blame.
"""

# %%
# We simulate twelve sensors that depend, partly nonlinearly, on three hidden states of a machine. ``usual`` holds rows
# of the intact machine. In 30 of the 1,500 rows of ``later``, one sensor shows a value from another row. (With your own
# data, ``usual`` and ``later`` are arrays or data frames with the same columns.)

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
# The detector is fitted to usual rows and calls a row an outlier if its reconstruction error exceeds a threshold.
# ``contamination`` sets the threshold: the share of the fitted rows that lie above it, and so roughly the share of
# false alarms to expect. The code must be narrow, here 3 numbers for 12 columns, or broken rows are reconstructed as
# well as usual ones. ``shortcut=None`` leaves out the linear autoencoder that by default runs beside the layers.

stack = StackedAutoencoder((64, 3), shortcut=None, random_state=0)
detector = StackedAutoencoderDetector(stack, contamination=0.02, random_state=0).fit(
    usual
)
strange = detector.predict(later) == -1
is_broken = np.isin(np.arange(1500), broken)
print(
    f"{strange.sum()} rows called outliers, among them {np.sum(strange & is_broken)} of the 30 broken ones"
)

# %%
# Whatever the threshold: how well does the error separate broken rows from the others? The area under the ROC curve is
# the probability that a broken row has a larger error than an intact one. For comparison: the reconstruction error of
# PCA with as many numbers, and an isolation forest with its default parameters.

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
# ``explain`` gives the squared reconstruction error of every cell. How often does the broken sensor have the largest one?

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
# A wrong cell also spoils the reconstruction of the other cells, so sometimes the broken sensor comes only second. The
# rows with the largest errors, cell by cell, and their reconstructions:

display = ReconstructionDisplay.from_estimator(detector, later, samples="worst")

# %%
# On the command line, where ``RUN`` is the folder of a ``stackae pretrain``:
# ``stackae detect RUN usual.csv --out DETECTOR``, then
# ``stackae score DETECTOR later.csv --top 10``.
