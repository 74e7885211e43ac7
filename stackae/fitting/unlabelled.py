"""What fine-tuning makes of samples without a target: labels that are spread to them, and how often they are
visited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stackae.data.matrix import Matrix
from stackae.exceptions import DataError
from stackae.semi.base import LabelSpread, SemiSupervised, UnlabelledCost

Floats = npt.NDArray[np.float64]


class Labelled(NamedTuple):
    """Samples that count, how often, and their targets (samples × targets), NaN where there is none."""

    X: Matrix
    weights: Floats | None
    targets: Floats

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which have a target."""
        return np.asarray(~np.isnan(self.targets).all(1))

    def taken(self, which: npt.NDArray[np.bool_]) -> Labelled:
        """Some of them."""
        if which.all():
            return self
        places = np.flatnonzero(which)
        weights = None if self.weights is None else self.weights[places]
        return Labelled(self.X.take(places), weights, self.targets[places])

    def only_labelled(self) -> Labelled:
        """Those that have a target.

        Raises
        ------
        DataError
            None has.
        """
        if not self.known.any():
            raise DataError(
                f"y must have a target for some row, got none among {len(self.X)} rows; to learn without"
                " targets use StackedAutoencoder"
            )
        return self.taken(self.known)


def learned_from(
    data: Labelled, parts: Sequence[SemiSupervised], codes: Callable[[], Any], n_classes: int | None
) -> Labelled:
    """The samples that a predictor is fine-tuned on, as often as they are to be visited.

    Without a part those that have a target. Samples that are given a label count by its certainty, and those
    that are not sure enough to get one are left to the other parts' costs. Where samples are only to be
    predicted alike, those with a target are visited as often as all the others together.

    Parameters
    ----------
    data : Labelled
        All samples.
    parts : sequence of SemiSupervised
    codes : callable
        Gives the codes of all samples.
    n_classes : int or None
        None: targets are numbers, and no part spreads labels.
    """
    known = data.known
    spreads = [part for part in parts if isinstance(part, LabelSpread)]
    if not parts or known.all() or not known.any():
        return data.only_labelled()
    visits = np.ones(len(data.X)) if data.weights is None else data.weights.copy()
    targets = data.targets
    if spreads:
        assert n_classes is not None
        labels = np.where(known, np.nan_to_num(targets[:, 0], nan=-1), -1).astype(np.intp)
        spread = np.mean(
            [part.spread(np.asarray(codes(), np.float64), labels, n_classes) for part in spreads], 0
        )
        weight, share = np.mean([(part.weight, part.surest) for part in spreads], 0).tolist()
        classes, sureness = spread.argmax(1), certainty(spread)
        sure = ~known
        sure[~known] = surest(classes[~known], sureness[~known], share)
        visits[~known] *= weight
        visits[sure] *= sureness[sure]
        if not costs_of(parts):  # samples without a label are of no use
            visits[~known & ~sure] = 0
        targets = np.where(sure[:, np.newaxis], classes[:, np.newaxis], targets)
    else:
        total = visits[known].sum()
        visits[known] *= max(1.0, visits[~known].sum() / total) if total > 0 else 1.0
    kept = Labelled(data.X, visits, targets).taken(visits > 0)
    assert kept.weights is not None
    return kept._replace(weights=kept.weights / kept.weights.mean())


def certainty(shares: Floats) -> Floats:
    """How far the largest share is above chance, from 0 to 1, for each sample (samples × classes)."""
    chance = 1 / shares.shape[1]
    found: Floats = np.maximum(shares.max(1) - chance, 0) / (1 - chance)
    return found


def surest(classes: npt.NDArray[np.intp], sureness: Floats, share: float) -> npt.NDArray[np.bool_]:
    """Which samples are the surest, such a share of each class, of those of which anything is known.

    Of each class: else one whose samples are less sure than others' would lose its labels, and be taken for
    another (Zou et al. 2018).
    """
    chosen = sureness > 0
    for own in np.unique(classes[chosen]):
        members = chosen & (classes == own)
        chosen[members] = sureness[members] >= np.quantile(sureness[members], 1 - share)
    return chosen


def costs_of(parts: Sequence[SemiSupervised]) -> list[UnlabelledCost]:
    """Those of the parts that add a cost."""
    return [part for part in parts if isinstance(part, UnlabelledCost)]
