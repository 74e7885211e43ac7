"""``semi="auto"``: whether labels are spread, by evidence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import StratifiedKFold

from stackae.data.matrix import DenseMatrix
from stackae.fitting.head import best_start, fit_logistic, scalings
from stackae.fitting.unlabelled import Labelled
from stackae.modules.scaling import fit_scaling
from stackae.semi.propagation import Propagation

Floats = npt.NDArray[np.float64]

#: Labels are predicted from the others in so many folds.
_N_FOLDS = 5
#: Which score is the largest needs no more of them.
_RTOL = 1e-3
#: Of more rows, whose neighbours take long to be found, nothing is asked.
MOST_ROWS = 100_000


def chosen_by_evidence(data: Labelled, codes: Callable[[], Any], n_classes: int) -> list[str]:
    """The names of the methods that samples without a label are worth.

    Labels that are held out are predicted from the others in two ways: by spreading, and by the linear model
    of the codes that fine-tuning begins as. Labels are spread where that is right more often, by more than a
    standard error of the difference.

    Parameters
    ----------
    data : Labelled
        All samples.
    codes : callable
        Gives the codes of all samples.
    n_classes : int
    """
    known = np.flatnonzero(data.known)
    labels = data.targets[known, 0]
    n_folds = min(_N_FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    if len(known) == len(data.X) or len(data.X) > MOST_ROWS or n_folds < 2:
        return []
    Z = np.asarray(codes(), np.float64)
    few = torch.from_numpy(Z[known])
    standard = fit_scaling("standard", DenseMatrix(Z), weights=data.weights)
    weights = None if data.weights is None else data.weights[known]
    spread = Propagation()
    graph = spread.graph(Z)
    gains = np.empty(len(known))
    for fitted, hidden in StratifiedKFold(n_folds, shuffle=True, random_state=0).split(known, labels):
        given = np.zeros((len(Z), n_classes))
        given[known[fitted], labels[fitted].astype(np.intp)] = 1
        by_neighbours = spread.scores(graph, given, _RTOL)[known[hidden]].argmax(1)
        own = None if weights is None else weights[fitted]
        fit = partial(fit_logistic, labels=labels[fitted], weights=own)
        scaling, model = best_start(fit, few[fitted], scalings(standard, len(fitted)))
        assert model is not None
        by_head = model.predict(scaling(few[hidden]).numpy())
        right = by_neighbours == labels[hidden], by_head == labels[hidden]
        gains[hidden] = right[0].astype(float) - right[1]
    return ["propagation"] if gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)) else []
