"""The simple models that judge features: each is fitted on training rows and asked about test rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

Correct = npt.NDArray[np.bool_]


def linear_probe(train: Any, y_train: Any, test: Any, y_test: Any) -> Correct:
    """Which test rows a logistic regression on the standardised features gets right."""
    scaler = StandardScaler().fit(train)
    return _logistic(scaler.transform(train), y_train, scaler.transform(test), y_test)


def _logistic(train: Any, y_train: Any, test: Any, y_test: Any) -> Correct:
    # A thousand iterations are enough to compare features, whether or not the last digits have settled.
    probe = LogisticRegression(max_iter=1000).fit(train, y_train)
    correct: Correct = probe.predict(test) == np.asarray(y_test)
    return correct


def neighbour_probe(train: Any, y_train: Any, test: Any, y_test: Any) -> Correct:
    """Which test rows their five nearest training rows (Euclidean, features as they are) get right."""
    probe = KNeighborsClassifier(n_neighbors=min(5, len(train))).fit(train, y_train)
    correct: Correct = probe.predict(test) == np.asarray(y_test)
    return correct


def few_labels_probe(
    train: Any, y_train: Any, test: Any, y_test: Any, n_labels: int, n_draws: int, seed: int
) -> float | None:
    """A logistic regression's accuracy where ``n_labels`` training rows have labels, the mean over draws.

    Each class has as many of them as any other, or one more, as long as it has rows. All features are divided
    by one number, their common standard deviation over the training rows: to standardise each would blow up
    PCA's last ones, which few labels cannot tell from noise. None where there are fewer labels than classes,
    or no more rows than labels.
    """
    y_train = np.asarray(y_train)
    classes = np.unique(y_train)
    if not len(classes) <= n_labels < len(y_train):
        return None
    spread = float(np.sqrt(np.var(train, 0, dtype=np.float64).mean())) or 1.0
    train, test = train / spread, test / spread
    accuracies = []
    for draw in range(n_draws):
        rng = np.random.default_rng([seed, draw])
        drawn = _drawn_evenly(y_train, classes, n_labels, rng)
        accuracies.append(_logistic(train[drawn], y_train[drawn], test, y_test).mean())
    return float(np.mean(accuracies))


def _drawn_evenly(
    y: npt.NDArray[Any], classes: npt.NDArray[Any], n: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """The numbers of ``n`` rows, of every class in turn, the order of classes and rows drawn."""
    order = rng.permutation(len(y))
    turn = np.empty(len(y), np.intp)  # how many rows of its class are before a row
    for of_class in (y[order] == c for c in rng.permutation(classes)):
        turn[of_class] = np.arange(of_class.sum())
    drawn: npt.NDArray[np.intp] = order[np.argsort(turn, kind="stable")[:n]]
    return drawn


def clustering_accuracy(train: Any, test: Any, y_test: Any, n_classes: int, seed: int) -> float:
    """The share of test rows whose k-means cluster, found on training rows without labels, is their class's.

    There are as many clusters as classes, and the assignment of one to the other is the best (Yang et al.
    2010, Image clustering using local discriminant models and global integration).
    """
    clusters = KMeans(n_classes, n_init=10, random_state=seed).fit(train).predict(test)
    _, labels = np.unique(y_test, return_inverse=True)
    together = np.zeros((n_classes, int(labels.max()) + 1), np.intp)
    np.add.at(together, (clusters, labels), 1)
    of_cluster, of_class = linear_sum_assignment(together, maximize=True)
    return float(together[of_cluster, of_class].sum() / len(labels))
