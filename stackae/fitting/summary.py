"""What a plan must know of the data, and no more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stackae.data.matrix import Matrix
from stackae.data.statistics import binary_columns, column_moments, column_range, two_valuedness
from stackae.fitting.parameters import StackParameters

Floats = npt.NDArray[np.float64]

#: So many values, at most, say how near data are to having two values only.
_VALUES_LOOKED_AT = 2**23
#: Standard deviations of columns that somebody has scaled: long tails onto [0, 1], or to 1 and a little more.
_OF_SCALED_COLUMNS = 0.02, 2.0


@dataclass(frozen=True)
class Summary:
    """What is known of the data."""

    n_samples: int
    n_features: int
    #: Samples that an epoch visits: with weights, their sum.
    n_visits: int
    #: Least and greatest value of each column (n_features,).
    low: Floats
    high: Floats
    #: Which columns hold nothing but zeros and ones, and both (n_features,); None where nothing asks.
    binary: npt.NDArray[np.bool_] | None = None
    #: Whether there are such columns, and all others vary about as much: somebody has scaled them.
    is_scaled: bool = False
    #: How near data in [0, 1] are to having two values only; None for others, and where nothing asks.
    two_valuedness: float | None = None
    #: Columns of 0 and 1, and ranges (start, stop) of columns that are one category each, of a table; None
    #: and none where it was numbers.
    of_table: tuple[int, ...] | None = None
    groups: tuple[tuple[int, int], ...] = ()
    is_sparse: bool = False
    is_weighted: bool = False


def summarise(X: Matrix, weights: Floats | None = None, parameters: StackParameters | None = None) -> Summary:
    """Look at a matrix once, and again where the parameters ask what only another look tells."""
    low, high = column_range(X)
    summary = replace(counted(X, weights), low=low, high=high)
    if X.table is not None:
        summary = replace(summary, of_table=X.table.binary_, groups=X.table.groups_)
    in_unit_interval = bool(low.min() >= 0 and high.max() <= 1)
    if parameters is not None and parameters.asks_for_binary(in_unit_interval=in_unit_interval):
        binary = binary_columns(X, low, high)
        is_scaled = not in_unit_interval and _vary_as_binary_columns(X, weights, binary)
        summary = replace(summary, binary=binary, is_scaled=is_scaled)
    if parameters is not None and parameters.of_widths and not parameters.missing:
        summary = replace(summary, two_valuedness=_two_valuedness(X, parameters.scale))
    return summary


def counted(X: Matrix, weights: Floats | None = None) -> Summary:
    """What is known without a look at the values."""
    n_visits = len(X) if weights is None else max(1, round(float(weights.sum())))
    unknown = np.full(X.shape[1], np.nan)
    return Summary(
        *X.shape, n_visits, unknown, unknown, is_sparse=X.is_sparse, is_weighted=weights is not None
    )


def _vary_as_binary_columns(X: Matrix, weights: Floats | None, binary: npt.NDArray[np.bool_]) -> bool:
    """Whether all columns beside zeros and ones have standard deviations such as min-max or standard scaling
    leaves, so that none need be scaled to count beside them."""
    if not binary.any():
        return False
    spreads = np.sqrt(column_moments(X, weights)[1][~binary])
    least, greatest = _OF_SCALED_COLUMNS
    return bool(((spreads == 0) | ((least <= spreads) & (spreads <= greatest))).all())


def _two_valuedness(X: Matrix, scale: str | None) -> float | None:
    n_samples = min(len(X), max(1, _VALUES_LOOKED_AT // X.shape[1]))
    z = np.asarray(X.gather(np.linspace(0, len(X) - 1, n_samples).astype(np.intp)), np.float64)
    if scale == "minmax":
        z = (z - z.min(0)) / np.where(np.ptp(z, 0) > 0, np.ptp(z, 0), 1)
    in_unit_interval = scale not in ("standard", "pareto") and z.min() >= 0 and z.max() <= 1
    return two_valuedness(z) if in_unit_interval else None
