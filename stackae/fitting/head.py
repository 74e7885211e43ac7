"""The linear model of the codes that a head begins as."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from stackae.modules.scaling import Scaling

Floats = npt.NDArray[np.float64]

#: How strongly it is regularised is chosen by cross-validation of so many samples at most; of more it hardly
#: matters.
_MOST_SAMPLES, _N_FOLDS = 500, 5
#: Choices of logistic regression's C for codes of one unit (the more units, the less each may weigh), and of
#: ridge regression's alpha; and those that are taken where nothing is held out.
_C, _ALPHA = (1.0, 10.0, 100.0, 1000.0), (0.1, 1.0, 10.0, 100.0, 1000.0)
_USUAL_C, _USUAL_ALPHA = 10.0, 1.0
#: Units of the code count as varying by this share of the common standard deviation at least.
_LEAST_SPREAD = 0.3


class Linear(NamedTuple):
    """A fitted linear model, and what it cost on samples that it was not fitted to.

    ``classes`` are those that it knows, None of numbers; ``losses`` has one entry a fold, or a sample, none
    where nothing was held out.
    """

    coef: Floats
    intercept: Floats
    classes: npt.NDArray[np.float64] | None
    losses: Floats

    def predict(self, codes: Floats) -> Floats:
        """The likeliest class of each sample."""
        assert self.classes is not None
        outputs = codes @ self.coef.T + self.intercept
        places = outputs.argmax(1) if len(self.coef) > 1 else (outputs[:, 0] > 0).astype(np.intp)
        found: Floats = self.classes[places]
        return found


def scalings(standard: Scaling, n_samples: int) -> Sequence[Scaling]:
    """The scalings of codes among which is chosen, the preferred one first; of many samples there is one.

    A common factor leaves units of the code their share of its variance, which is what few labels can be
    learned from; where each unit is standardised those of little variance count as much as the others, though
    without much magnification of those that hardly vary: what is noise to them stays small.
    """
    spread = standard.factor.square().mean().sqrt()
    common = Scaling(standard.shift, spread.expand_as(standard.factor).clone())
    floor = _LEAST_SPREAD * spread
    evened = Scaling(standard.shift, (standard.factor.square() + floor.square()).sqrt())
    return (common, evened) if n_samples <= _MOST_SAMPLES else (evened,)


def best_start(
    fit: Callable[[Floats], Linear | None], codes: Tensor, choices: Sequence[Scaling]
) -> tuple[Scaling, Linear | None]:
    """The best scaling of codes (samples × units), and the linear model that is fitted to them."""
    best: Linear | None = None
    for scaling in choices:
        model = fit(scaling(codes).double().numpy()) if len(codes) else None
        if best is None or model is None or better(best, model):
            chosen, best = scaling, model
    return chosen, best


def better(first: Linear, second: Linear) -> bool:
    """Whether the second is better by more than a standard error of the difference of their losses; where
    nothing is known of it, it is."""
    gain = first.losses - second.losses
    return len(gain) < 2 or bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def fit_logistic(codes: Floats, labels: Floats, weights: Floats | None) -> Linear | None:
    """Logistic regression (samples × units, one label each); None where there is one class only."""
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:  # the others are too rare to be among them
        return None
    own = np.ones(len(codes)) if weights is None else weights
    chosen, losses = _USUAL_C, np.empty(0)
    n_folds = min(_N_FOLDS, int(counts.min()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if len(codes) <= _MOST_SAMPLES and n_folds > 1:
            folds = StratifiedKFold(n_folds, shuffle=True, random_state=0).split(codes, labels)
            of_choices = np.array([_held_out_losses(codes, labels, own, *fold) for fold in folds])
            best = of_choices.mean(0).argmin()
            chosen, losses = _C[best], of_choices[:, best]
        model = LogisticRegression(C=chosen / codes.shape[1]).fit(codes, labels, sample_weight=weights)
    return Linear(model.coef_, model.intercept_, model.classes_, losses)


def _held_out_losses(
    codes: Floats, labels: Floats, weights: Floats, fitted: Any, held_out: Any
) -> list[float]:
    """The mean log loss of the samples held out, for each choice of C."""
    model = LogisticRegression(warm_start=True)
    found = []
    places = np.searchsorted(np.unique(labels), labels[held_out])
    for choice in _C:
        model.set_params(C=choice / codes.shape[1])
        model.fit(codes[fitted], labels[fitted], sample_weight=weights[fitted])
        logits = model.decision_function(codes[held_out])
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], 1)
        likely = log_softmax(logits, axis=1)[np.arange(len(held_out)), places]
        found.append(-float(np.average(likely, weights=weights[held_out])))
    return found


def fit_ridge(codes: Floats, targets: Floats, weights: Floats | None) -> Linear:
    """Ridge regression (samples × units, samples × targets)."""
    model: Any
    if 2 < len(codes) <= _MOST_SAMPLES:
        model = RidgeCV(_ALPHA, store_cv_results=True).fit(codes, targets, sample_weight=weights)
        losses = model.cv_results_.reshape(len(codes), -1, len(_ALPHA)).mean(1)
        losses = losses[:, losses.mean(0).argmin()]
    else:
        model, losses = Ridge(_USUAL_ALPHA).fit(codes, targets, sample_weight=weights), np.empty(0)
    return Linear(np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_), None, losses)
