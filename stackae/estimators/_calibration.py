"""Probabilities that mean what they say: a temperature, found on labels that a fit has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold

from stackae.training.callbacks.progress import say_between

if TYPE_CHECKING:
    from stackae.estimators._fitting import BaseAutoencoder
    from stackae.fitting.unlabelled import Labelled

Floats = npt.NDArray[np.float64]

#: Logits are divided by no less, and no more.
_LOWEST, _HIGHEST = 0.05, 20.0


def temperature(logits: Floats, labels: npt.NDArray[np.intp], weights: Floats | None = None) -> float:
    """The number by which logits are divided, so that the labels are likeliest.

    One label more, of every class alike, is counted in: where few labels are all predicted right, nothing
    else would keep the probabilities from 1.

    Parameters
    ----------
    logits : array of shape (n_samples, n_classes)
        Of samples that the model was not fitted to.
    labels : array of shape (n_samples,)
        From 0.
    weights : array of shape (n_samples,) or None, default=None

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from stackae.estimators._calibration import temperature
    >>> sure = np.tile([np.log(3.0), 0.0], (4000, 1))  # three of four are of the first class
    >>> round(temperature(5 * sure, np.tile([0, 0, 0, 1], 1000)), 1)
    5.0
    """

    n_samples = len(labels)
    total = n_samples if weights is None else float(weights.sum())

    def cost(log_temperature: float) -> float:
        likely = log_softmax(logits / np.exp(log_temperature), axis=1)
        own = np.average(likely[np.arange(n_samples), labels], weights=weights)
        return -float(total * own + likely.mean())

    bounds = float(np.log(_LOWEST)), float(np.log(_HIGHEST))
    return float(np.exp(minimize_scalar(cost, bounds=bounds, options={"xatol": 1e-6}).x))


def cross_fitted(model: Any, encoder: BaseAutoencoder, data: Labelled, n_folds: int, seed: int) -> float:
    """The temperature by predictions of each label from the others, in so many folds.

    The encoder's pretraining, which saw no label, is shared. The model is an unfitted classifier of the
    targets' numbers, and no class has a single label.
    """
    places = np.flatnonzero(data.known)
    labels = data.targets[places, 0].astype(np.intp)
    rarest = int(np.bincount(labels).min())
    folds = StratifiedKFold(min(n_folds, rarest), shuffle=True, random_state=seed)
    logits = np.empty((len(places), len(np.unique(labels))))
    for k, (_, hidden) in enumerate(folds.split(places, labels), 1):
        say_between(f"calibration: fold {k} of {folds.n_splits}", model.verbose)
        targets = data.targets[:, 0].copy()
        targets[places[hidden]] = np.nan
        fold = clone(model).set_params(encoder=FrozenEstimator(encoder), random_state=seed)
        fold.fit(data.X, targets, data.weights)
        outputs = fold._apply(data.X.take(places[hidden]), lambda module, x: module(x), logits.shape[1])
        logits[hidden] = outputs
    return temperature(logits, labels, None if data.weights is None else data.weights[places])


@torch.no_grad()
def soften(head: torch.nn.Linear, divisor: float) -> None:
    """Divide all logits of a head."""
    head.weight.div_(divisor)
    head.bias.div_(divisor)
