"""What a classifier or regressor is worth: its score on samples held out, beside what is simpler."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae.evaluation.splits import as_rows

#: What the fine-tuned model is called in results.
OURS = "fine-tuned"
#: The linear model of the columns learns from so many samples at most: more hardly change it.
_MOST_SAMPLES = 20_000
#: Fewer labelled samples are all needed for learning.
LEAST_LABELLED = 20


def hold_out(
    y: npt.NDArray[Any], share: float, seed: int, *, classes: bool
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None:
    """Split labelled samples at random into training and test samples, stratified if classes are large
    enough.

    Parameters
    ----------
    y : array of shape (n_labelled,)
        Without missing labels.
    share : float
        Fraction of test samples, in (0, 1).
    seed : int
    classes : bool
        Whether ``y`` holds classes. The split is stratified if each has two samples or more.

    Returns
    -------
    (train, test) or None
        Indices. None if fewer than 20 samples are labelled, or the training samples have one class only.
    """
    if len(y) < LEAST_LABELLED:
        return None
    counts = np.unique(y, return_counts=True)[1] if classes else np.zeros(0)
    can_stratify = len(counts) > 0 and counts.min() >= 2 and round(len(y) * share) >= len(counts)
    train, test = train_test_split(
        np.arange(len(y)), test_size=share, random_state=seed, stratify=y if can_stratify else None
    )
    return None if classes and len(np.unique(y[train])) < 2 else (train, test)


def beside_baselines(model: Any, train: Any, y_train: Any, test: Any, y_test: Any) -> dict[str, float]:
    """Score a fitted predictor and simple baselines on held-out samples.

    Parameters
    ----------
    model : fitted StackedAutoencoderClassifier or StackedAutoencoderRegressor
        Or any other predictor; it is given ``test`` as it is.
    train : array, NamedMatrix or table of shape (n_train, n_features)
        Labelled samples for the baselines, missing cells NaN. A table is encoded for them as by the model.
    y_train : array of shape (n_train,)
    test : array, NamedMatrix or table of shape (n_test, n_features)
        Held-out samples: neither in ``train`` nor used to fit the model.
    y_test : array of shape (n_test,)

    Returns
    -------
    dict of str to float
        Accuracy of a classifier, R² of a regressor: of the model, of logistic (ridge) regression on the
        standardised columns, and of the most frequent class (the mean).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from stackae.evaluation import beside_baselines
    >>> X, y = load_iris(return_X_y=True)
    >>> model = KNeighborsClassifier().fit(X[::2], y[::2])
    >>> list(beside_baselines(model, X[::2], y[::2], X[1::2], y[1::2]))
    ['fine-tuned', 'logistic regression on the columns', 'most frequent class']
    """
    linear: Any
    if is_classifier(model):
        linear, simplest = LogisticRegression(max_iter=500), DummyClassifier()
        names = "logistic regression on the columns", "most frequent class"
    else:
        linear, simplest = RidgeCV(np.logspace(-3, 3, 13)), DummyRegressor()
        names = "ridge regression on the columns", "mean"
    few = np.unique(np.linspace(0, len(y_train) - 1, _MOST_SAMPLES).astype(np.intp))
    baseline = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), linear)
    scores = {OURS: float(model.score(test, y_test))}
    encoder = getattr(model, "table_encoder_", None)
    train, test = (np.asarray(as_rows(X, encoder)) for X in (train, test))
    for name, other in zip(names, (baseline, simplest), strict=True):
        scores[name] = float(other.fit(train[few], y_train[few]).score(test, y_test))
    return scores
