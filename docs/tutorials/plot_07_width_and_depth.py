"""
Choose width and depth
======================

How many numbers should a code have, and how many layers the stack? This page shows three ways to choose: an ordered
code that is cut after the fit, ``layers="auto"``, and a grid search, if there are labels.
"""

# %%

import tempfile

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from stackae import StackedAutoencoder, Training
from stackae.plotting import ScreeDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, stratify=y, random_state=0
)

# %%
# Width: one fit, all widths
# --------------------------
# With ``ordered=True``, the first k numbers of the code are a good code of width k, for every k, as with principal
# components. ``prefix_r2_`` holds the R² of the reconstruction from the first k numbers, and ``ScreeDisplay`` plots it,
# with PCA's for comparison.

brief = Training(updates=800)  # a short fine-tuning, to keep this page quick
wide = StackedAutoencoder((128, 16), ordered=True, finetune=brief, random_state=0).fit(
    X_train
)
pca = PCA(16).fit(X_train)
for k in (2, 4, 8, 16):
    pca_r2 = pca.explained_variance_ratio_[:k].sum()
    print(f"{k:3} numbers: R² {wide.prefix_r2_[k - 1]:.3f}, PCA {pca_r2:.3f}")

# %%
display = ScreeDisplay.from_estimator(wide, X_train)

# %%
# ``truncated`` returns the stack with a narrower code, without another fit:

narrow = wide.truncated(8)
print(narrow.transform(X_test).shape, f"R² {narrow.score(X_test):.3f}")

# %%
# A code that was fitted with 8 numbers from the start may reconstruct a little better:

own = StackedAutoencoder((128, 8), finetune=brief, random_state=0).fit(X_train)
print(f"R² of a code fitted at width 8: {own.score(X_test):.3f}")

# %%
# Width and depth chosen by the fit
# ---------------------------------
# ``(128, "auto")`` chooses the width: it fits an ordered code of at most 32 numbers, and keeps the smallest width whose
# R² is within 0.01 of the full one's. ``"auto"`` alone chooses the depth: it adds layers as long as each lowers the
# error on held-out rows by at least the share ``tol``.

chosen = StackedAutoencoder((128, "auto"), finetune=brief, random_state=0).fit(X_train)
print("numbers chosen:", chosen.transform(X_test).shape[1])

deep = StackedAutoencoder("auto", finetune=brief, random_state=0).fit(X_train)
print("layers chosen:", [layer.n_components for layer in deep.layers_])

# %%
# By labels: a grid search
# ------------------------
# If you have labels, choose what predicts them best. ``memory`` is a folder that caches pretrained layers: the two
# stacks below differ only in their last layer, so the first is pretrained only once in each fold.

with tempfile.TemporaryDirectory() as folder:
    search = GridSearchCV(
        make_pipeline(
            StackedAutoencoder((128, 8), finetune=brief, memory=folder, random_state=0),
            LogisticRegression(max_iter=2000),
        ),
        {"stackedautoencoder__layers": [(128, 4), (128, 16)]},
        cv=3,
    ).fit(X_train, y_train)
for layers, accuracy in zip(
    search.cv_results_["param_stackedautoencoder__layers"],
    search.cv_results_["mean_test_score"],
    strict=True,
):
    print(layers, f"{accuracy:.1%}")

# %%
# Linear models usually do better with wider codes. Narrow codes are for plots, nearest neighbours and storage. What
# each of the defaults gains: :doc:`/defaults`.
