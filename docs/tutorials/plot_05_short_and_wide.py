"""
Spectra and omics: few rows of many columns
===========================================

Ninety spectra of a thousand wavelengths: more columns than rows by far. The stack is then trained on the rows' coordinates
along as many axes as they span, which changes no distance and is soon done; its weights are mapped back to the wavelengths.
"""

# %%
# Three compounds with peaks of their own, mixed in unknown amounts, on a sloping ground and with noise. What we want to read
# off is the amount of the first compound.

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
# ``plan`` shows beforehand what would be done: of 1,000 columns 90 coordinates are trained on.

stack = StackedAutoencoder((64, 6), scale="standard", random_state=0)
print(stack.plan(X))

# %%
stack.fit(X)
display = ReconstructionDisplay.from_estimator(stack, X, sequence_shape=(1000,))

# %%
# Is it worth it? With so few rows PCA is strong, and cross-validation is the judge: R² of a ridge regression of the first
# compound's amount, mean of three folds. The features are fitted within each fold, too.

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
# On data sets of this kind that had no part in the choice of the defaults the stack was rarely told from PCA
# (:doc:`/against_pca`, kinds *spectra* and *omics*). Ask before you build on either.
#
# Genes by cells, ``.h5ad`` files: ``stackae pretrain cells.h5ad:layers/counts --labels cell_type``; sparse matrices stay
# sparse, and are made dense a batch at a time.
