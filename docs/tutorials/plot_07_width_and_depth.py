"""
Choose width and depth
======================

How many numbers does a code need, and how many layers? Three ways: one ordered code that is cut afterwards, ``"auto"``, and a
grid search that keeps the layers it has fitted.
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
# With ``ordered=True`` the first k numbers of the code are a code of k, as principal components are. ``prefix_r2_`` says how
# much each prefix reconstructs, and the scree plot draws it beside PCA.

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
# ``truncated`` cuts, without another fit:

narrow = wide.truncated(8)
print(narrow.transform(X_test).shape, f"R² {narrow.score(X_test):.3f}")

# %%
# An order costs a little: a code of 8 that was fitted as such may reconstruct better.

own = StackedAutoencoder((128, 8), finetune=brief, random_state=0).fit(X_train)
print(f"R² of a code of 8 of its own: {own.score(X_test):.3f}")

# %%
# Width and depth left to the fit
# -------------------------------
# ``layers=(128, "auto")`` fits an ordered code of at most 32 numbers, and keeps the fewest whose R² is within 0.01 of that of all
# of them; ``layers="auto"`` adds layers while that lowers the error on held-out rows by ``tol``.

chosen = StackedAutoencoder((128, "auto"), finetune=brief, random_state=0).fit(X_train)
print("numbers chosen:", chosen.transform(X_test).shape[1])

deep = StackedAutoencoder("auto", finetune=brief, random_state=0).fit(X_train)
print("layers chosen:", [layer.n_components for layer in deep.layers_])

# %%
# By the label
# ------------
# Where labels are there, they are the better judge. ``memory`` keeps pretrained layers, so that a search over the last layer
# fits the first once a fold.

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
# More numbers serve a linear model better as a rule; a narrow code is for what must be narrow: maps, neighbours, storage. What
# each choice in the defaults gains: :doc:`/defaults`.
