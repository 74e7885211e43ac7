"""Columns put side by side by their kind, so that what is the same for all of a kind is computed at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor

from stackae._utils.groups import columns_in


class Arrangement:
    """Numbers first, binary columns next, then categories: those of one size together, value by value.

    So a softmax runs over many categories at once, and not along the last axis, where torch is slow if it is
    short.

    Parameters
    ----------
    binary : tuple of int
    groups : tuple of (start, stop)
        The ranges of columns that are one category each.
    n_features : int
    device : torch.device
    """

    def __init__(
        self,
        binary: tuple[int, ...],
        groups: tuple[tuple[int, int], ...],
        n_features: int,
        device: torch.device,
    ) -> None:
        starts = defaultdict(list)
        for start, stop in groups:
            starts[stop - start].append(start)
        binary = tuple(dict.fromkeys(binary))  # which may name a column twice
        taken = {*binary, *columns_in(groups)}
        numbers = [column for column in range(n_features) if column not in taken]
        by_size = [[at + value for value in range(size) for at in own] for size, own in starts.items()]
        order = torch.tensor([*numbers, *binary, *(c for own in by_size for c in own)], dtype=torch.int64)
        self._order, self._back = order.to(device), order.argsort().to(device)
        self._widths = [len(numbers), len(binary), *map(len, by_size)]
        self._shapes = [(size, len(own)) if len(own) > 1 else (size,) for size, own in starts.items()]

    def split(self, rows: Tensor) -> list[Tensor]:
        """Numbers, binary columns and, of each size, categories: samples × values × categories, or samples ×
        values where there is one."""
        numbers, binary, *categories = torch.split(rows.index_select(1, self._order), self._widths, 1)
        shaped = zip(categories, self._shapes, strict=True)
        return [numbers, binary, *(own.view(-1, *shape) for own, shape in shaped)]

    def join(self, pieces: Iterable[Tensor]) -> Tensor:
        """Such pieces as columns in their places (samples × features)."""
        return torch.cat([piece.flatten(1) for piece in pieces], 1).index_select(1, self._back)


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept may be needed by autograd later
def arranged(
    binary: tuple[int, ...], groups: tuple[tuple[int, int], ...], n_features: int, device: torch.device
) -> Arrangement:
    """The arrangement, made once."""
    with torch.device("cpu"):
        return Arrangement(binary, groups, n_features, device)
