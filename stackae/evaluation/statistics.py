"""How sure a mean and a difference are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

#: Of fewer values no interval is told: with one degree of freedom it is 13 standard errors wide to each side.
FEWEST = 3
#: Differences beyond chance are those that a paired test calls so at this level.
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Difference:
    """A difference (ours minus theirs), the half-width of its 95 % interval, and the p-value of a paired
    test.

    ``half_width`` is NaN for fewer than three values, ``p_value`` is 1 for one.
    """

    mean: float
    half_width: float
    p_value: float

    @property
    def sign(self) -> int:
        """1 or -1 if the difference is significant, otherwise 0."""
        return 0 if self.p_value >= SIGNIFICANCE else int(np.sign(self.mean))


class Interval(NamedTuple):
    """A mean with its 95 % interval: its half-width and ends.

    For fewer than three values ``half_width`` is NaN, and ``low`` and ``high`` are their range.
    """

    mean: float
    half_width: float
    low: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """The mean and its 95 % interval (Student's t), or the range of fewer than three values.

    Examples
    --------
    >>> from stackae.evaluation.statistics import interval
    >>> mean, half_width, low, high = interval([1.0, 2.0, 3.0])
    >>> round(mean, 2), round(half_width, 2), round(low, 2), round(high, 2)
    (2.0, 2.48, -0.48, 4.48)
    """
    n, mean = len(values), float(np.mean(values))
    if n < FEWEST:
        return Interval(mean, float("nan"), float(min(values)), float(max(values)))
    half = float(stats.t.ppf(0.975, n - 1)) * float(np.std(values, ddof=1)) / sqrt(n)
    return Interval(mean, half, mean - half, mean + half)


def of_share(share: float, n: int) -> Interval:
    """A share of n rows and its 95 % interval (Wilson's), which does not lie around it.

    Examples
    --------
    >>> from stackae.evaluation.statistics import of_share
    >>> share, _, low, high = of_share(0.75, 12)
    >>> share, round(low, 3), round(high, 3)
    (0.75, 0.468, 0.911)
    """
    low, high = stats.binomtest(round(share * n), n).proportion_ci(0.95, method="wilson")
    return Interval(share, float(high - low) / 2, float(low), float(high))


def over_splits(ours: npt.ArrayLike, theirs: npt.ArrayLike, test_share: float) -> Difference:
    """The corrected resampled t-test of two methods judged on the same splits.

    Parameters
    ----------
    ours, theirs : sequence of float
        One value a split.
    test_share : float
        Test rows of a split by its training rows. Training rows are shared between splits, so that the
        variance of a mean over n of them is not 1/n of one's but (1/n + ``test_share``) of it. 0 where splits
        share no rows: then this is the paired t-test.

    References
    ----------
    Nadeau & Bengio (2003), Inference for the generalization error, Machine Learning 52.

    Examples
    --------
    >>> from stackae.evaluation.statistics import over_splits
    >>> difference = over_splits([0.95, 0.96, 0.94, 0.96], [0.93, 0.93, 0.92, 0.94], 0.25)
    >>> difference.sign, round(difference.mean, 4)
    (1, 0.0225)
    """
    differences = np.subtract(ours, theirs)
    n, mean = len(differences), float(differences.mean())
    if n < 2:
        return Difference(mean, float("nan"), 1.0)
    error = sqrt((1 / n + test_share) * differences.var(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * error if n >= FEWEST else float("nan")
    if error <= 1e-12:  # the same difference in every split: as sure as splits can make it
        return Difference(mean, half, 1.0 if abs(mean) <= 1e-12 else 0.0)
    return Difference(mean, half, float(2 * stats.t.sf(abs(mean) / error, n - 1)))


def over_samples(ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_]) -> Difference:
    """McNemar's exact test of which rows two methods got right, on one split.

    Examples
    --------
    >>> import numpy as np
    >>> from stackae.evaluation.statistics import over_samples
    >>> ours, theirs = np.array([True] * 9 + [False]), np.array([False] * 9 + [True])
    >>> round(over_samples(ours, theirs).p_value, 3)  # 2 (1 + 10) / 1024
    0.021
    """
    wins, losses, n = int((ours & ~theirs).sum()), int((~ours & theirs).sum()), len(ours)
    mean = (wins - losses) / n
    spread = sqrt(max(0.0, wins + losses - (wins - losses) ** 2 / n)) / n
    p = float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return Difference(mean, 1.96 * spread, p)


def over_squared_errors(ours: npt.NDArray[np.floating], theirs: npt.NDArray[np.floating]) -> Difference:
    """The paired t-test of the squared errors of two regressions on the same rows of one split, in R².

    R² is a mean over rows, so what is tested is a mean. A test of ranks (Wilcoxon) would ask who is nearer in
    most rows, and could favour the lower R²; few rows with large errors make this one careful, not rash.

    Parameters
    ----------
    ours, theirs : array of shape (n_samples,)
        Squared errors as shares of the targets' variance: R² is 1 less their mean.

    Examples
    --------
    >>> import numpy as np
    >>> from stackae.evaluation.statistics import over_squared_errors
    >>> ours, theirs = np.array([0.1, 0.2, 0.3, 0.0]), np.array([0.3, 0.3, 0.6, 0.2])
    >>> difference = over_squared_errors(ours, theirs)
    >>> difference.sign, round(difference.mean, 2), round(difference.p_value, 3)
    (1, 0.2, 0.016)
    """
    return over_splits(-ours, -theirs, 0.0)
