"""An epoch's batches."""

from __future__ import annotations

import pytest
import torch

from stackae.training import batches
from stackae.training.batches import shuffled_batches


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (1, 4, [1]), (5, 4, [4, 1])]
)
def test_every_row_comes_once_an_epoch_in_random_order(
    at_once, n_rows, batch_size, sizes, generator, monkeypatch
):
    monkeypatch.setattr(batches, "_GATHER_AT_ONCE", 2**26 if at_once else 0)
    rows = torch.arange(n_rows * 3.0).view(n_rows, 3)
    got = list(shuffled_batches(rows, batch_size, generator))
    assert [len(batch) for batch in got] == sizes
    together = torch.cat(got)
    torch.testing.assert_close(together[together[:, 0].argsort()], rows)


def test_epochs_differ_and_both_ways_of_gathering_give_the_same_batches(monkeypatch):
    rows = torch.arange(300.0).view(100, 3)
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.cat(list(shuffled_batches(rows, 10, generator))) for _ in range(2))
    assert not torch.equal(first, second)
    monkeypatch.setattr(batches, "_GATHER_AT_ONCE", 0)
    again = torch.cat(list(shuffled_batches(rows, 10, torch.Generator().manual_seed(1))))
    assert torch.equal(again, first)
