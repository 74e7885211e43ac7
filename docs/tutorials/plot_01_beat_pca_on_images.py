"""
Beat PCA on images, where it can be beaten
==========================================

PCA describes each image by a few numbers. A stack of autoencoders does the same, but is not limited to linear functions of the
pixels. This page fits both to small images, with equally many numbers, and tests which numbers are the better features: here
the stack's if there are few of them, neither if there are many.
"""

# %%
# The 8 × 8 digits that come with scikit-learn, with pixels scaled to [0, 1]. A quarter of them is kept for testing:

from textwrap import fill

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import Autoencoder, KMeansFilters, StackedAutoencoder, Training
from stackae.evaluation import compare, resplit
from stackae.plotting import CodesDisplay, ComparisonDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, stratify=y, random_state=0
)

# %%
# Both methods are fitted to the training images, without their labels, and compute 8 numbers for each image: its
# *code*. From the code, both can compute the image again, approximately: its *reconstruction*. ``score`` is the R² of
# the reconstructions, the share of the variance that they explain, so it can be compared with PCA's.

stack = StackedAutoencoder(8, random_state=0).fit(X_train)
pca = PCA(8).fit(X_train)
pca_back = pca.inverse_transform(pca.transform(X_test))
pca_r2 = r2_score(X_test, pca_back, multioutput="variance_weighted")
print(f"R² of test images: stack {stack.score(X_test):.3f}, PCA {pca_r2:.3f}")

# %%
# The difference is visible. Top row: test images; middle: their reconstructions by PCA; bottom: by the stack.

fig, axes = plt.subplots(3, 10, figsize=(8, 2.6))
for row, images in zip(
    axes, (X_test, pca_back, stack.reconstruct(X_test)), strict=True
):
    for ax, image in zip(row, images, strict=False):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()

# %%
# A map of the codes: their first two principal components, coloured by digit. For data of your own, replace ``X_test`` and
# ``y_test``.

display = CodesDisplay.from_estimator(stack, X_test, y_test)

# %%
# A better reconstruction does not make a better feature. :func:`stackae.evaluation.compare` tests how well simple
# classifiers, the *probes*, work on the features: a logistic regression (the linear probe) and five nearest neighbours
# (the k-NN probe). It does so on several random splits into training and test rows; the confidence intervals are
# corrected for the rows that splits have in common. The last number of ``(64, 1)`` is replaced by each of ``widths``.
# ``finetune=Training(updates=1000)`` trains for fewer steps than the default, to keep this page quick; leave it out for
# your own data.

comparison = compare(
    StackedAutoencoder((64, 1), finetune=Training(updates=1000)),
    resplit(X / 16, y),
    widths=(4, 32),
    methods=("stackae", "PCA", "raw rows"),
    n_splits=3,
    few_labels=(100,),
    clusters=False,
)
for verdict in comparison.verdicts():
    print(fill(verdict, 84))

# %%
display = ComparisonDisplay(comparison).plot()

# %%
# How to read the verdicts: for each width they give the stack's accuracy minus PCA's, in percentage points, with half
# of the 95 % confidence interval after the ±. *Within chance* means that the difference is not significant. Then use
# PCA, which is much faster.
#
# On the command line, ``stackae evaluate digits --width 8`` makes such a comparison.

# %%
# If you want to classify images, and not to compress them, the features may be many. :class:`~stackae.KMeansFilters` is
# a layer whose filters are centroids of small patches, found by k-means without labels and without training. A linear
# classifier makes far fewer mistakes on its codes, here 128 numbers for each image, than on the pixels. (Rare filters
# have small codes, so the codes are standardised before.)

network = KMeansFilters((8, 8), kernel_size=3)
filters = Autoencoder(16, network=network, random_state=0)
for name, features in {"pixels": "passthrough", "filters": filters}.items():
    model = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1))
    share = model.fit(X_train, y_train).score(X_test, y_test)
    print(f"{name}: {100 * share:.1f} % of the test images are classified right")

# %%
# What to try next:
#
# - your own data: ``compare(stack, resplit(X, y))``, see :doc:`/guide/worth_it`;
# - other networks than dense ones: :doc:`/how/networks`;
# - choosing the width after the fit: :doc:`plot_07_width_and_depth`;
# - the results on 33 data sets, wins and losses: :doc:`/against_pca`.
