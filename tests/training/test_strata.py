"""A shuffle of which every stretch has equally many rows from each part of the blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackae.training.strata import N_STRATA, dealt, divisible, edge, strata_of


@pytest.mark.parametrize("n_parts", [1, 2, 3, 4, 5, 48, 100])
@pytest.mark.parametrize(("full", "n_rows"), [(1, 1), (19, 19), (19, 7), (96, 96), (1000, 1000)])
def test_parts_of_a_block_are_all_of_it_and_over_many_blocks_equal(n_parts, full, n_rows):
    counts = np.zeros(n_parts)
    for block in range(N_STRATA):
        edges = [edge(block, full, n_rows, part, n_parts) for part in range(n_parts + 1)]
        assert (edges[0], edges[-1]) == (0, n_rows)
        counts += np.diff(edges)
        assert np.diff(edges).max() <= -(-n_rows // n_parts)
    if n_parts <= N_STRATA and full == n_rows:
        assert counts.max() - counts.min() <= N_STRATA


@pytest.mark.parametrize("n_parts", [1, 2, 3, 4, 48])
def test_parts_are_made_of_strata(n_parts):
    for block, n_rows in ((0, 19), (5, 19), (7, 100)):
        strata = strata_of(block, n_rows, n_rows)
        assert len(strata) == n_rows
        for part in range(n_parts):
            own = strata[
                edge(block, n_rows, n_rows, part, n_parts) : edge(block, n_rows, n_rows, part + 1, n_parts)
            ]
            assert np.all(own // (N_STRATA // n_parts) == part)


def test_blocks_are_as_long_as_can_be_divided():
    assert [divisible(n) for n in (1, 5, 19, 47, 48, 95, 1000)] == [1, 4, 16, 24, 48, 48, 960]


def mixed(n_rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n_rows", [0, 1, 47, 960, 1001])
def test_every_row_comes_once(n_rows):
    strata = np.random.default_rng(0).integers(0, N_STRATA, n_rows).astype(np.uint8)
    assert torch.equal(dealt(mixed(n_rows), strata).sort().values, torch.arange(n_rows))


@pytest.mark.parametrize("n_parts", [2, 4, 8])
@pytest.mark.parametrize("full", [16, 96])
def test_every_batch_has_as_many_rows_of_each_part(n_parts, full):
    order = np.random.default_rng(1).permutation(200)[:60]
    strata = np.concatenate([strata_of(int(block), full, full) for block in order])
    parts = strata[dealt(mixed(len(strata)), strata).numpy()] // (N_STRATA // n_parts)
    for batch in np.split(parts[: len(parts) // 64 * 64], len(parts) // 64):
        assert np.all(np.bincount(batch, minlength=n_parts) == 64 // n_parts)


def test_where_some_strata_are_short_they_are_spread():
    """One in ten rows is missing at random: halves of a batch differ by a few rows, to the end."""
    strata = np.repeat(np.arange(N_STRATA, dtype=np.uint8), 200)
    strata = strata[np.random.default_rng(0).random(len(strata)) > 0.1]
    first = strata[dealt(mixed(len(strata)), strata).numpy()] < N_STRATA // 2
    counts = [batch.sum() for batch in np.split(first[: len(first) // 256 * 256], len(first) // 256)]
    assert max(abs(count - 128) for count in counts) <= 6


def test_within_a_stratum_the_order_is_random():
    strata = np.repeat(np.arange(N_STRATA, dtype=np.uint8), 400)
    one, other = (dealt(mixed(len(strata), seed), strata) for seed in (0, 1))
    assert not torch.equal(one, other)
    of_first = one[torch.from_numpy(strata)[one] == 0].double()
    assert abs(float(torch.corrcoef(torch.stack([of_first, torch.arange(400.0).double()]))[0, 1])) < 0.15
