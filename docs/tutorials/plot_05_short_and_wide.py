"""
Spectra and omics: few rows of many columns
===========================================

Spectra and omics data often have far more columns than rows: here 90 spectra of 1,000 wavelengths. 90 rows span at most
90 dimensions, so stackae rotates the data into these dimensions, trains there, which is much faster, and maps the
weights back to the original columns. Distances between rows do not change.
"""

# %%
# We simulate mixtures of three compounds, each with its own peaks, on a sloping baseline and with noise. The task is to
# predict the amount of the first compound. (With your own data, ``X`` is an array of spectra, one in each row, and
# ``amounts[:, 0]`` what you want to predict.)

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import StackedAutoencoder
from stackae.plotting import ReconstructionDisplay

rng = np.random.default_rng(0)
axis = np.linspace(0, 1, 1000)


def peaks(*places):
    return sum(np.exp(-(((axis - place) / width) ** 2)) for place, width in places)


compounds = np.stack(
    [
        peaks((0.2, 0.02), (0.55, 0.04)),
        peaks((0.25, 0.03), (0.8, 0.02)),
        peaks((0.5, 0.05), (0.9, 0.03)),
    ]
)
amounts = rng.gamma(2.0, 0.5, (90, 3))
X = 1 - np.exp(-amounts @ compounds)  # strong absorption saturates
X += (
    rng.normal(0, 0.2, (90, 1))
    + rng.normal(0, 0.3, (90, 1)) * axis
    + 0.02 * rng.normal(size=X.shape)
)

# %%
# ``plan`` shows what ``fit`` would do, without doing it. The training is on 90 coordinates instead of 1,000 columns:

stack = StackedAutoencoder((64, 6), scale="standard", random_state=0)
print(stack.plan(X))

# %%
stack.fit(X)
display = ReconstructionDisplay.from_estimator(stack, X, sequence_shape=(1000,))

# %%
# Is it better than PCA? We compare by three-fold cross-validation: the R² of a ridge regression that predicts the
# amount of the first compound, its mean and standard deviation over the folds. The features, too, are fitted to the
# training rows of each fold only.

folds = KFold(3, shuffle=True, random_state=0)
ways = {
    "stack, 6 numbers": make_pipeline(stack, RidgeCV()),
    "PCA, 6 numbers": make_pipeline(StandardScaler(), PCA(6), RidgeCV()),
    "all 1,000 columns": make_pipeline(
        StandardScaler(), RidgeCV(np.logspace(-2, 5, 15))
    ),
}
for name, way in ways.items():
    r2 = cross_val_score(way, X, amounts[:, 0], cv=folds)
    print(f"{name:20}R² {r2.mean():.3f} ± {r2.std():.3f}")

# %%
# On real data sets of this kind, which were not used to choose the defaults, the stack was rarely significantly better
# or worse than PCA (:doc:`/against_pca`, kinds *spectra* and *omics*). So compare both on your own data.
#
# For single-cell data in ``.h5ad`` files: ``stackae pretrain cells.h5ad:layers/counts --labels cell_type``. Sparse
# matrices stay sparse; only one batch at a time is made dense.
