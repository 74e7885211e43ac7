"""``layers="auto"``: how many layers are worth having."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Memory
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from stackae.data.labels import CLASSIFY, as_cells, as_labels, as_targets, task_of
from stackae.data.matrix import Matrix
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._validation import Floats
from stackae.exceptions import DataError
from stackae.training.callbacks.progress import say_between

#: Units of the code, and of every layer below it.
_CODE, _BELOW = 64, 256
_DEEPEST = 5
#: Share of the rows on which depths are compared, and the least number of them.
_HELD_OUT, _LEAST_HELD_OUT = 0.1, 20


def choose_layers(
    stack: BaseAutoencoder,
    X: Matrix,
    weights: Floats | None,
    targets: Floats | None,
    *,
    classes: bool,
    tol: float,
) -> tuple[tuple[int, ...], list[float]]:
    """Widths of the shallowest stack that another layer would not improve, and the score of each depth tried.

    A stack of depth d has d - 1 layers of 256 units and a code of 64. Depths 1, 2, ... are fitted to nine
    tenths of the rows until one is no better, by ``tol``, on the others: in R² of the reconstruction or,
    where there are targets, in a linear probe of the codes (accuracy, or R² of the targets). Layers that
    depths have in common are fitted once.

    Parameters
    ----------
    stack : StackedAutoencoder
        Its other parameters hold for every depth.
    X : Matrix of shape (n_samples, n_features)
    weights : array of shape (n_samples,) or None
    targets : array of shape (n_samples, n_targets) or None
        NaN where a row has none.
    classes : bool
        Whether the targets are classes.
    """
    order = check_random_state(stack.random_state).permutation(len(X))
    n_held_out = min(max(int(_HELD_OUT * len(X)), _LEAST_HELD_OUT), len(X) // 2)
    if n_held_out == 0:
        return (_CODE,), []
    held_out, others = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
    pieces = X.take(others), X.take(held_out)
    own = None if weights is None else weights[others]
    probed = targets is not None and _can_be_probed(targets[others], targets[held_out], classes)
    scores: list[float] = []
    chosen: tuple[int, ...] = (_CODE,)
    with TemporaryDirectory() as folder:
        memory = Memory(folder, verbose=0) if stack.memory is None else stack.memory
        for depth in range(1, _DEEPEST + 1):
            layers = (_BELOW,) * (depth - 1) + (_CODE,)
            say_between(f"layers='auto': depth {depth}, {in_words(layers)}", stack.verbose)
            candidate = clone(stack).set_params(layers=layers, memory=memory)
            candidate._analytic = stack._analytic
            candidate._callbacks = stack._told
            candidate._fit_matrix(pieces[0], own)
            if probed and targets is not None:
                codes = [_codes(candidate, piece) for piece in pieces]
                score = _probe(codes, [targets[others], targets[held_out]], classes)
                gains = not scores or score > scores[-1] + tol
            else:
                score = candidate._r2(pieces[1])
                gains = not scores or 1 - score < (1 - scores[-1]) * (1 - tol)
            scores.append(score)
            if not gains:
                break
            chosen = layers
    measure = "R²" if not probed else "accuracy" if classes else "R² of the targets"
    told = ", ".join(f"{score:.3f}" for score in scores)
    say_between(f"layers='auto': {in_words(chosen)} is taken; {measure} by depth {told}", stack.verbose)
    return chosen, scores


def in_words(widths: Sequence[int]) -> str:
    """Widths as they are told: 256-64."""
    return "-".join(map(str, widths))


def _codes(stack: BaseAutoencoder, X: Matrix) -> npt.NDArray[np.floating]:
    return stack._apply(X, stack._features, stack._n_features_out)


def _can_be_probed(train: Floats, held_out: Floats, classes: bool) -> bool:
    """Whether there are targets on both sides, and two classes to tell apart."""
    known = train[~np.isnan(train).any(1)]
    return bool(len(known) and (~np.isnan(held_out).any(1)).any()) and (
        not classes or len(np.unique(known)) > 1
    )


def _probe(codes: Sequence[Any], targets: Sequence[Floats], classes: bool) -> float:
    """What a linear model makes of the codes: accuracy, or R², on the rows held out."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000) if classes else Ridge())
    known = [~np.isnan(y).any(1) for y in targets]
    train, test = (
        (x[k], y[k].ravel() if y.shape[1] == 1 else y[k])
        for x, y, k in zip(codes, targets, known, strict=True)
    )
    return float(model.fit(*train).score(*test))


def as_numbers(y: Any, n_samples: int) -> tuple[Floats, bool]:
    """Labels or targets as numbers (samples × targets), NaN for none; and whether they are labels."""
    targets = as_targets(y)
    if len(targets) != n_samples:
        raise DataError(f"y must have one target a row, {n_samples}, got {len(targets)}")
    if targets.ndim == 2 and targets.shape[1] > 1:
        return targets.astype(np.float64), False
    cells = as_cells(y).ravel()
    if task_of(as_labels(cells, unlabelled=None)).task != CLASSIFY:
        return targets.astype(np.float64).reshape(n_samples, -1), False
    labels, known = as_labels(cells)
    places = np.full((n_samples, 1), np.nan)
    places[known, 0] = np.unique(labels, return_inverse=True)[1]
    return places, True
