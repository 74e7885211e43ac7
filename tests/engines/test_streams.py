"""Pieces that an engine hands over teach what the same pieces from memory do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackae import StackedAutoencoder


def test_partial_fit_on_the_partitions_of_dask_leaves_the_weights_of_the_same_pieces():
    """One of the partitions is empty, and Dask computes what is in the others."""
    pandas = pytest.importorskip("pandas", reason="needs the extra pandas")
    frames = pytest.importorskip("dask.dataframe", reason="needs the extra dask")
    rows = pandas.DataFrame(np.random.default_rng(0).normal(size=(120, 6)), columns=list("abcdef"))
    rows["kind"] = np.where(rows["a"] > 0, "plant", "stone")
    frame = frames.from_pandas(rows.assign(a=rows["a"] - 1, key=range(120)), npartitions=4)
    frame = frame.assign(a=frame["a"] + 1)
    frame = frame[(frame["key"] < 30) | (frame["key"] >= 60)].drop(columns="key")
    streamed, local = (StackedAutoencoder((5, 2), random_state=0) for _ in range(2))
    for part in frame.partitions:
        piece = part.compute()
        if len(piece):
            streamed.partial_fit(piece)
    for start in (0, 60, 90):
        local.partial_fit(rows.assign(a=(rows["a"] - 1) + 1)[start : start + 30])
    for a, b in zip(streamed.module_.parameters(), local.module_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert streamed.n_iter_ == local.n_iter_ == 3 * 3
