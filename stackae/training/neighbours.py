"""Samples in pairs: each drawn sample is followed by one of those that are nearest to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

#: Neighbours are looked for among so many samples, and so many values, at most: all distances are computed.
_MOST_SAMPLES, _MOST_VALUES = 2**16, 2**28
#: Distances at once.
_DISTANCES = 2**26


def neighbours_of(gather: Callable[[Tensor], Tensor], order: Tensor, n_all: int, n_neighbors: int) -> Tensor:
    """The nearest others of each sample in ``order``, by their numbers (n_all × n_neighbors; others: 0).

    ``gather`` gives the samples of some numbers. Of many they are looked for in parts of the order.
    """
    n_neighbors = max(1, min(n_neighbors, len(order) - 1))
    found = order.new_zeros(n_all, n_neighbors)
    for part in torch.tensor_split(order, -(-len(order) // _most(gather, order))):
        rows = gather(part)
        near = part[nearest(rows, rows, n_neighbors, are_others=False)]
        # A part of very few samples has fewer others: they come again.
        found[part] = near[:, torch.arange(n_neighbors, device=order.device) % near.shape[1]]
    return found


def neighbours_among(
    rows: Tensor, gather: Callable[[Tensor], Tensor], order: Tensor, n_neighbors: int
) -> Tensor:
    """For each row the number of one of its nearest samples in ``order``, or in a first part of many."""
    part = order[: _most(gather, order)]
    near = nearest(rows, gather(part), n_neighbors, are_others=True)
    places = torch.arange(len(rows), device=rows.device)
    return part[near[places, places % near.shape[1]]]


def _most(gather: Callable[[Tensor], Tensor], order: Tensor) -> int:
    """Among how many samples neighbours are looked for at once."""
    return max(2, min(_MOST_SAMPLES, _MOST_VALUES // gather(order[:1]).shape[1]))


def nearest(rows: Tensor, among: Tensor, n_neighbors: int, *, are_others: bool) -> Tensor:
    """The places of those nearest to each row by Euclidean distance (rows × neighbours), the nearest first.

    There are as many as there are, if that is fewer. Unless they are others, they are the rows themselves, of
    which none is its own neighbour unless it is alone.
    """
    n_there = len(among) if are_others else len(among) - 1
    if n_there == 0:
        return torch.zeros(len(rows), 1, dtype=torch.int64, device=rows.device)
    mean = among.mean(0)
    rows, among = rows - mean, among - mean  # squares of what is far from 0 would round away what is near
    squares = among.square().sum(1)
    at_once = max(1, _DISTANCES // len(among))
    found = []
    for start in range(0, len(rows), at_once):
        block = rows[start : start + at_once]
        distances = torch.addmm(squares, block, among.t(), alpha=-2)  # but for a number of each row
        if not are_others:
            distances[:, start : start + at_once].fill_diagonal_(float("inf"))
        found.append(distances.topk(min(n_neighbors, n_there), largest=False).indices)
    return torch.cat(found)


def in_pairs(order: Tensor, neighbours: Tensor, generator: Generator) -> Tensor:
    """Half of an order, each sample followed by one of its neighbours, which is drawn."""
    first = order[: -(-len(order) // 2)]
    drawn = torch.randint(neighbours.shape[1], (len(first),), generator=generator, device=order.device)
    return alternating(first, neighbours[first, drawn])


def alternating(rows: Tensor, partners: Tensor) -> Tensor:
    """Each followed by its partner."""
    return torch.stack([rows, partners], 1).flatten(0, 1)
