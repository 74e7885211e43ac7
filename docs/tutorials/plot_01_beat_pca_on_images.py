"""
Beat PCA on images, where it can be beaten
==========================================

You have images, few numbers to spare for each of them, and write ``PCA`` today. This page fits a stack of the same
width, asks whether it is better, and gets two answers: yes for narrow codes, no for wide ones.
"""

# %%
# The 8 × 8 digits that scikit-learn brings, within [0, 1], three quarters to fit and a quarter to judge:

from textwrap import fill

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from stackae import StackedAutoencoder, Training
from stackae.evaluation import compare, resplit
from stackae.plotting import CodesDisplay, ComparisonDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, stratify=y, random_state=0
)

# %%
# Both methods see the training images, without their labels, and have 8 numbers for each. ``score`` of a stack is R²
# of the reconstruction: the share of the variance that comes back, as one asks it of PCA.

stack = StackedAutoencoder(8, random_state=0).fit(X_train)
pca = PCA(8).fit(X_train)
pca_back = pca.inverse_transform(pca.transform(X_test))
pca_r2 = r2_score(X_test, pca_back, multioutput="variance_weighted")
print(f"R² of test images: stack {stack.score(X_test):.3f}, PCA {pca_r2:.3f}")

# %%
# The difference can be seen. Above the images, in the middle what PCA makes of 8 numbers, below what the stack makes:

fig, axes = plt.subplots(3, 10, figsize=(8, 2.6))
for row, images in zip(
    axes, (X_test, pca_back, stack.reconstruct(X_test)), strict=True
):
    for ax, image in zip(row, images, strict=False):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()

# %%
# A map of the codes, in the plane of their two first principal components, coloured by the digit:

display = CodesDisplay.from_estimator(stack, X_test, y_test)

# %%
# A better reconstruction is not yet a better feature. :func:`stackae.evaluation.compare` asks what simple models make of
# the features: a logistic regression (the linear probe) and five nearest neighbours, on several random splits, with
# intervals that allow for the rows that splits share. The last layer of the stack takes the widths that are asked for. (A short
# fine-tuning keeps this page quick.)

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
# Read the verdicts as they stand. Where they say *within chance*, nobody has won, and PCA, which is fitted in a moment, is
# the better choice. On the command line the same question is ``stackae evaluate digits --width 8``.
#
# What to try next:
#
# - data of your own, with ``compare(stack, resplit(X, y))``;
# - a code whose width is chosen afterwards: :doc:`plot_07_width_and_depth`;
# - what 33 data sets say, wins and losses: :doc:`/against_pca`.
