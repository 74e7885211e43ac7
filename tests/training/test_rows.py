"""The rows of an epoch."""

from __future__ import annotations

import pytest
import torch

from stackae.training.batches import RowsInMemory


def in_memory(n_rows, generator):
    tensor = torch.arange(n_rows * 3.0).view(n_rows, 3)
    return RowsInMemory(tensor, torch.randperm(n_rows, generator=generator))


@pytest.mark.parametrize(
    ("n_rows", "size", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (1, 4, [1]), (5, 4, [4, 1])]
)
def test_every_row_comes_once_an_epoch_in_random_order(n_rows, size, sizes, generator):
    rows = in_memory(n_rows, generator)
    got = list(rows.shuffled(size, generator))
    assert [len(piece) for piece in got] == sizes
    together = torch.cat(got)
    torch.testing.assert_close(together[together[:, 0].argsort()], rows.tensor)


def test_epochs_differ_and_a_seed_gives_its_pieces_again():
    rows = in_memory(100, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.cat(list(rows.shuffled(10, generator))) for _ in range(2))
    assert not torch.equal(first, second)
    again = torch.cat(list(rows.shuffled(10, torch.Generator().manual_seed(1))))
    assert torch.equal(again, first)


def test_rows_set_aside_are_in_no_epoch_and_are_the_same_for_the_rows_that_follow(generator):
    rows = in_memory(20, generator)
    aside, others = rows.set_aside(5)
    assert (len(aside), len(others)) == (5, 15)
    both = torch.cat([aside, *others.shuffled(4, generator)])
    torch.testing.assert_close(both[both[:, 0].argsort()], rows.tensor)
