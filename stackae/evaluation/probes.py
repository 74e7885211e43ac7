"""The simple models that judge features: each is fitted on training rows and asked about test rows.

Where labels are classes they classify, and what is told is the accuracy; where they are targets, R².
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from stackae._utils.threads import one_thread_for
from stackae.data.labels import CLASSIFY
from stackae.exceptions import DataError

#: Of each test row: whether it was right, or the squared error as a share of the targets' variance.
Outcomes = npt.NDArray[np.bool_] | npt.NDArray[np.float64]
#: Penalties of the ridge regression, as shares of the number of training rows. Few rows cannot tell that the
#: least are best; where they seem to, the guesses are wild.
_PENALTIES, _PENALTIES_OF_FEW = np.logspace(-6, 2, 17), np.logspace(-2, 2, 9)


def linear_probe(train: Any, y_train: Any, test: Any, y_test: Any, task: str = CLASSIFY) -> Outcomes:
    """What a logistic or a ridge regression on the standardised features makes of the test rows."""
    scaler = StandardScaler().fit(train)
    return _linear(scaler.transform(train), y_train, scaler.transform(test), y_test, task)


def _linear(
    train: Any, y_train: Any, test: Any, y_test: Any, task: str, penalties: Any = _PENALTIES
) -> Outcomes:
    # A thousand iterations are enough to compare features, whether or not the last digits have settled.
    # The penalty of the ridge is chosen by leaving out one training row after the other.
    probe = LogisticRegression(max_iter=1000) if task == CLASSIFY else RidgeCV(penalties * len(train))
    with one_thread_for(_step(train, y_train, task)):
        return outcomes(probe.fit(train, y_train).predict(test), y_test, task)


def _step(train: Any, y_train: Any, task: str) -> int:
    """The multiplications of a step of fitting: each row by the weights of every class, or by itself."""
    return int(train.size) * (len(np.unique(y_train)) if task == CLASSIFY else min(train.shape))


def neighbour_probe(train: Any, y_train: Any, test: Any, y_test: Any, task: str = CLASSIFY) -> Outcomes:
    """What their five nearest training rows (Euclidean, features as they are) make of the test rows."""
    kind = KNeighborsClassifier if task == CLASSIFY else KNeighborsRegressor
    probe = kind(n_neighbors=min(5, len(train))).fit(train, y_train)
    with one_thread_for(train.size * len(test)):
        return outcomes(probe.predict(test), y_test, task)


def outcomes(predictions: Any, y_test: Any, task: str) -> Outcomes:
    """Of each test row, what predictions are worth.

    Raises
    ------
    DataError
        The targets of all test rows are the same: there is no R².
    """
    y_test = np.asarray(y_test)
    if task == CLASSIFY:
        correct: npt.NDArray[np.bool_] = predictions == y_test
        return correct
    variance = float(np.var(y_test, dtype=np.float64))
    if variance == 0:
        raise DataError(f"targets must differ among the {len(y_test)} test rows; take more of them")
    errors: npt.NDArray[np.float64] = np.square(predictions - y_test) / variance
    return errors


def score(found: Outcomes) -> float:
    """The accuracy or, of squared errors, R²."""
    return float(found.mean()) if found.dtype == bool else 1 - float(found.mean())


def few_labels_probe(
    train: Any,
    y_train: Any,
    test: Any,
    y_test: Any,
    n_labels: int,
    n_draws: int,
    seed: int,
    task: str = CLASSIFY,
) -> float | None:
    """The linear probe's accuracy (R²) where ``n_labels`` training rows have labels, over several draws.

    It is the mean of accuracies, and the median of R², which has no lower bound.

    Each class has as many of them as any other, or one more, as long as it has rows. All features are divided
    by one number, their common standard deviation over the training rows: to standardise each would blow up
    PCA's last ones, which few labels cannot tell from noise. They are centred, which changes no answer and
    brings the regression to it in a fraction of the steps. None where there are fewer labels than classes,
    or no more rows than labels.
    """
    y_train = np.asarray(y_train)
    # Targets are drawn as if all were of one class; it takes two of them to fit a line.
    groups = y_train if task == CLASSIFY else np.zeros(len(y_train), np.intp)
    classes = np.unique(groups)
    if not max(2, len(classes)) <= n_labels < len(y_train):
        return None
    spread = float(np.sqrt(np.var(train, 0, dtype=np.float64).mean())) or 1.0
    centre = train.mean(0)
    train, test = (train - centre) / spread, (test - centre) / spread
    scores = []
    for draw in range(n_draws):
        drawn = _drawn_evenly(groups, classes, n_labels, np.random.default_rng([seed, draw]))
        found = _linear(train[drawn], y_train[drawn], test, y_test, task, _PENALTIES_OF_FEW)
        scores.append(score(found))
    return float(np.mean(scores) if task == CLASSIFY else np.median(scores))


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
    with one_thread_for(train.size * n_classes):
        clusters = KMeans(n_classes, n_init=10, random_state=seed).fit(train).predict(test)
    return matched(clusters, y_test, n_classes)


def matched(clusters: npt.NDArray[np.integer[Any]], y: Any, n_clusters: int) -> float:
    """The share of rows whose cluster is their class's, by the best assignment of clusters to classes."""
    _, labels = np.unique(y, return_inverse=True)
    together = np.zeros((n_clusters, int(labels.max()) + 1), np.intp)
    np.add.at(together, (clusters, labels), 1)
    of_cluster, of_class = linear_sum_assignment(together, maximize=True)
    return float(together[of_cluster, of_class].sum() / len(labels))
