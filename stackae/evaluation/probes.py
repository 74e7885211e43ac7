"""The simple models that judge features: each is fitted on training rows and asked about test rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Correct = npt.NDArray[np.bool_]


def linear_probe(train: Any, y_train: Any, test: Any, y_test: Any) -> Correct:
    """Which test rows a logistic regression on the standardised features gets right."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with warnings.catch_warnings():
        # A thousand iterations are enough to compare features, whether or not the last digits have settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train, y_train)
    correct: Correct = probe.predict(test) == np.asarray(y_test)
    return correct


def neighbour_probe(train: Any, y_train: Any, test: Any, y_test: Any) -> Correct:
    """Which test rows their five nearest training rows (Euclidean, features as they are) get right."""
    probe = KNeighborsClassifier(n_neighbors=min(5, len(train))).fit(train, y_train)
    correct: Correct = probe.predict(test) == np.asarray(y_test)
    return correct
