"""Heavy-tailed numbers as a normal shape, through few quantiles, and back."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from stackae.tables._cells import Floats

_MOST_KNOTS = 1000
_FEWEST = 20
#: How far the outermost thousandths, and the extremes, lie apart, in ranges of the middle half. Of a million
#: normal numbers: 4.6 and 7; Laplace's: 9 and 20; lognormal ones: 15 and 80.
_MOST_OF_THE_TAILS, _MOST_OF_THE_EXTREMES = 10.0, 100.0
#: The middle half's share of the range of other middles, where the numbers are normal.
_SHARES = ((0.25, 0.75, 1.0), (0.05, 0.95, 0.41), (0.01, 0.99, 0.29))


def is_heavy_tailed(ordered: Floats) -> bool:
    """Whether few numbers, far out, would press the others together if they were standardised.

    Parameters
    ----------
    ordered : ndarray of shape (n_known,)
        Sorted, without gaps. Fewer than 20 tell nothing.
    """
    if len(ordered) < _FEWEST:
        return False
    for low, high, share in _SHARES:
        least, greatest = np.quantile(ordered, [low, high])
        middle = share * (greatest - least)
        if middle > 0:
            least, greatest = np.quantile(ordered, [0.001, 0.999])
            is_heavy = greatest - least > _MOST_OF_THE_TAILS * middle
            return bool(is_heavy or ordered[-1] - ordered[0] > _MOST_OF_THE_EXTREMES * middle)
    return False  # nearly constant


def normal_shape(ordered: Floats) -> tuple[Floats, Floats]:
    """Knots of a map from numbers to normal scores, and the scores: at most 1000, strictly increasing.

    ``np.interp`` maps forth, and back with the two exchanged. Equal numbers have the score of their mean
    rank. The outermost knots lie as far out again as the numbers reach, on lines as flat as the last piece
    or, where that is flatter, the whole: what was not seen is neither lost nor thrown far out.
    """
    places = np.round(np.linspace(0, len(ordered) - 1, _MOST_KNOTS - 2)).astype(np.int64)
    knots = np.unique(ordered[places])
    ranks = np.searchsorted(ordered, knots, "left") + np.searchsorted(ordered, knots, "right")
    scores = ndtri(ranks / (2 * len(ordered)))
    width, height = np.ptp(knots), np.ptp(scores)
    with np.errstate(over="ignore"):  # neighbours that hardly differ
        steep = width / np.diff(knots)[[0, -1]] * np.diff(scores)[[0, -1]]
    below, above = np.minimum(height, steep)
    return (
        np.array([knots[0] - width, *knots, knots[-1] + width]),
        np.array([scores[0] - below, *scores, scores[-1] + above]),
    )
