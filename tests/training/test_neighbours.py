"""Samples in pairs, each with one of its nearest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors

from stackae.data.matrix import DenseMatrix, SparseMatrix
from stackae.modules.scaling import Scaling
from stackae.training import neighbours
from stackae.training.batches import SamplesInMemory
from stackae.training.neighbours import nearest, neighbours_among, neighbours_of

CPU = torch.device("cpu")


def rows_of(n, generator, width=4):
    return torch.randn(n, width, generator=generator)


def numbers_of(rows, pieces):
    """Which of the rows, all different, each row of some pieces is."""
    return torch.cdist(torch.cat(list(pieces)), rows).argmin(1)


@pytest.mark.parametrize("far", [0.0, 1e4])
@pytest.mark.parametrize("distances", [2**26, 100])  # all rows at once, and two
def test_the_nearest_are_those_of_scikit_learn(distances, far, generator, monkeypatch):
    monkeypatch.setattr(neighbours, "_DISTANCES", distances)
    rows, others = rows_of(40, generator) + far, rows_of(30, generator) + far
    index = NearestNeighbors(n_neighbors=6).fit(rows)
    np.testing.assert_array_equal(nearest(rows, rows, 6, are_others=False), index.kneighbors()[1])
    np.testing.assert_array_equal(nearest(others, rows, 6, are_others=True), index.kneighbors(others)[1])


def test_there_are_no_more_neighbours_than_others(generator):
    rows = rows_of(3, generator)
    assert nearest(rows, rows, 9, are_others=False).shape == (3, 2)
    assert nearest(rows, rows[:2], 9, are_others=True).shape == (3, 2)
    assert nearest(rows[:1], rows[:1], 9, are_others=False).tolist() == [[0]]


def test_a_copy_of_a_row_is_its_neighbour_and_it_is_not_its_own():
    rows = torch.tensor([[1.0], [1.0], [1.0], [9.0]])
    assert (nearest(rows, rows, 1, are_others=False)[:, 0] != torch.arange(4)).all()


def test_neighbours_are_others_of_the_order(generator):
    rows = rows_of(20, generator)
    order = torch.randperm(20, generator=generator)[:15]
    found = neighbours_of(lambda index: rows[index], order, 20, 3)
    expected = NearestNeighbors(n_neighbors=3).fit(rows[order]).kneighbors()[1]
    np.testing.assert_array_equal(found[order], order.numpy()[expected])


def test_of_many_samples_neighbours_are_looked_for_in_parts(generator, monkeypatch):
    monkeypatch.setattr(neighbours, "_MOST_SAMPLES", 8)
    rows, order = rows_of(20, generator), torch.randperm(20, generator=generator)
    found = neighbours_of(lambda index: rows[index], order, 20, 6)
    for part in torch.tensor_split(order, 3):  # of seven, seven and six: five others are one fewer
        for number in part.tolist():
            assert set(found[number].tolist()) == set(part.tolist()) - {number} or len(part) == 7
            assert set(found[number].tolist()) <= set(part.tolist()) - {number}
    among = neighbours_among(rows, lambda index: rows[index], order, 2)
    assert set(among.tolist()) <= set(order[:8].tolist())


@pytest.mark.parametrize("weights", [None, torch.arange(21.0, dtype=torch.float64) % 3])
def test_an_epoch_is_half_drawn_and_half_their_neighbours(weights, generator):
    rows = rows_of(21, generator)
    held_out, others = SamplesInMemory(rows, torch.randperm(21, generator=generator), weights).hold_out(4)
    watched, paired = others.in_pairs(held_out, lambda z: z, 3)
    pieces = list(paired.shuffled(6, generator))
    numbers = numbers_of(rows, pieces)
    assert len(numbers) == len(paired) == len(others) + len(others) % 2
    assert all(len(piece) % 2 == 0 for piece in pieces)
    first, second = numbers[::2], numbers[1::2]
    assert (paired.neighbours[first] == second[:, None]).any(1).all()
    if weights is None:
        assert len(first.unique()) == len(first)
    else:
        assert (weights[first] > 0).all()
    # Of those held out, each is followed by one of its nearest among the others.
    torch.testing.assert_close(watched[::2], held_out)
    own = numbers_of(rows, [watched[1::2]])
    near = NearestNeighbors(n_neighbors=3).fit(rows[others.order]).kneighbors(held_out)[1]
    assert (own[:, None] == others.order[near]).any(1).all()
    assert others.neighbours is None


def test_neighbours_differ_between_epochs_and_a_seed_gives_them_again(generator):
    rows = rows_of(40, generator)
    _, paired = SamplesInMemory(rows, torch.arange(40)).in_pairs(None, lambda z: z, 5)
    epochs = [torch.cat(list(paired.shuffled(8, generator))) for _ in range(2)]
    assert not torch.equal(*epochs)
    first, again = (torch.cat(list(paired.shuffled(8, torch.Generator().manual_seed(3)))) for _ in range(2))
    assert torch.equal(first, again)


def test_pairs_of_sparse_samples_are_those_of_dense_ones(generator):
    X = torch.randn(30, 6, generator=generator).relu().numpy()
    both = []
    for matrix in (DenseMatrix(X), SparseMatrix(csr_array(X))):
        same = torch.Generator().manual_seed(1)
        samples = SamplesInMemory.drawn(matrix, Scaling.identity(6), CPU, same)
        held_out, others = samples.hold_out(5)
        watched, paired = others.in_pairs(held_out, lambda z: z, 4)
        both.append(torch.cat([watched, *paired.shuffled(10, same)]))
    torch.testing.assert_close(*both)


def test_rows_are_near_by_what_the_network_is_given(generator):
    rows = torch.tensor([[0.0, 0.0], [0.1, 9.0], [5.0, 0.1], [5.1, 9.1]])
    _, paired = SamplesInMemory(rows, torch.arange(4)).in_pairs(None, lambda z: z[:, :1], 1)
    assert paired.neighbours[:, 0].tolist() == [1, 0, 3, 2]
