"""Batches of rows that are one tensor: gathered by a permuted index, never copied row by row."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

#: Up to this many bytes an epoch is gathered at once, and its batches are views of it.
_GATHER_AT_ONCE = 2**26


def shuffled_batches(rows: Tensor, batch_size: int, generator: Generator) -> Iterator[Tensor]:
    """One epoch: every row once, in random order; the last batch may be smaller."""
    order = torch.randperm(len(rows), generator=generator, device=rows.device)
    if rows.nbytes <= _GATHER_AT_ONCE:
        yield from torch.split(rows.index_select(0, order), batch_size)
    else:
        for index in torch.split(order, batch_size):
            yield rows.index_select(0, index)
