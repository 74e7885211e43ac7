"""Ranges (start, stop) of columns that are one category each, a column for each of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from stackae.exceptions import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

#: From the first column of each category to behind its last.
Groups = Sequence[tuple[int, int]]


def settled_groups(groups: Iterable[Sequence[int]], n_features: int) -> tuple[tuple[int, int], ...]:
    """The ranges in the order of their columns.

    Raises
    ------
    ParameterError
        One ends behind the columns, has fewer than two, or shares some with another.
    """
    settled = sorted((int(start), int(stop)) for start, stop in groups)
    for start, stop in settled:
        if stop - start < 2 or start < 0 or stop > n_features:
            raise ParameterError(
                f"groups must be ranges (start, stop) of 2 columns or more, stop at most {n_features}, the"
                f" number of columns, got ({start}, {stop})"
            )
    for one, other in pairwise(settled):
        if one[1] > other[0]:
            raise ParameterError(f"groups must have no column in common, got {one} and {other}")
    return tuple(settled)


def columns_in(groups: Groups) -> list[int]:
    """All columns of the ranges."""
    return [column for start, stop in groups for column in range(start, stop)]


def numbered_columns(groups: Groups, n_features: int) -> Tensor:
    """Of each column the number of what it belongs to: a category or itself (n_features,), int64.

    Numbers count up from 0, left to right. The tensor is on the processor, whatever the default device.

    Examples
    --------
    >>> from stackae._utils.groups import numbered_columns
    >>> numbered_columns([(1, 4)], 6).tolist()
    [0, 1, 1, 1, 2, 3]
    """
    import torch

    begins = torch.ones(n_features, dtype=torch.int64, device="cpu")
    for start, stop in groups:
        begins[start + 1 : stop] = 0
    return begins.cumsum(0) - 1
