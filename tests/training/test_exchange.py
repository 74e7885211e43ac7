"""How processes add up their gradients."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from torch import distributed as torch_distributed

from stackae.training import exchange
from stackae.training.exchange import ByMessages, InSharedMemory, exchange_of

CPU = torch.device("cpu")


@pytest.fixture
def group():
    """A group of this process alone."""
    torch_distributed.init_process_group("gloo", store=torch_distributed.HashStore(), rank=0, world_size=1)
    yield
    torch_distributed.destroy_process_group()


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_each_process_sums_a_part_for_all_of_them(size, monkeypatch):
    monkeypatch.setattr(torch_distributed, "barrier", lambda: None)
    memory = torch.full((size + 1, 5), torch.nan)
    each = [InSharedMemory(memory, rank) for rank in range(size)]
    for rank, own in enumerate(each):
        own.own.copy_(torch.arange(5.0) + 10 * rank)
    sums = [own.total() for own in each][-1]
    assert torch.equal(sums, size * torch.arange(5.0) + 10 * sum(range(size)))
    assert all(own.total().data_ptr() == sums.data_ptr() for own in each)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a system without memory in the guise of files")
def test_memory_is_shared_on_one_machine_and_leaves_no_file(group, monkeypatch, tmp_path):
    monkeypatch.setattr(exchange, "_SHARED_MEMORY", str(tmp_path))
    own = exchange_of(1000, CPU, 0, 1)
    assert isinstance(own, InSharedMemory)
    assert list(tmp_path.iterdir()) == []
    own.own.copy_(torch.arange(1000.0))
    assert torch.equal(own.total(), torch.arange(1000.0))


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "no space")


@pytest.mark.parametrize("what", ["nowhere", "full", "cannot reserve", "on another machine"])
def test_messages_are_sent_where_no_memory_can_be_shared(what, group, monkeypatch, tmp_path):
    place = tmp_path / "memory"
    if what != "nowhere":
        place.mkdir()
    monkeypatch.setattr(exchange, "_SHARED_MEMORY", str(place))
    if what == "full":
        monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    elif what == "cannot reserve":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif what == "on another machine":
        monkeypatch.setattr(exchange, "_begins_with", lambda *_: False)
    own = exchange_of(3, CPU, 0, 1)
    assert isinstance(own, ByMessages)
    assert not place.exists() or list(place.iterdir()) == []
    own.own.copy_(torch.arange(3.0))
    assert torch.equal(own.total(), torch.arange(3.0))
