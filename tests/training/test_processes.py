"""What each of several processes has of the samples, the draws and the memory, told without starting any."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackae import (
    Autoencoder,
    Dropout,
    GaussianNoise,
    KLSparsity,
    Masking,
    SaltAndPepper,
    StackedAutoencoder,
    Swap,
    TopK,
)
from stackae._utils.draws import Share, drawing_for
from stackae._utils.memory import MemoryBudget
from stackae.data.mapped import MappedMatrix
from stackae.exceptions import ParameterError
from stackae.modules.autoencoder import GreedyAutoencoder
from stackae.modules.scaling import Scaling
from stackae.training import streaming
from stackae.training.batches import SamplesInMemory
from stackae.training.distributed import Processes
from stackae.training.processes import Draws, Group
from stackae.training.streaming import StreamedSamples

CPU = torch.device("cpu")


def draws():
    own = Draws("cpu")
    own.manual_seed(3)
    return own


def rows_of(n_samples):
    return np.arange(n_samples * 3.0, dtype=np.float32).reshape(n_samples, 3)


class Watched(MappedMatrix):
    """Remembers which rows were read."""

    def __init__(self, matrix):
        super().__init__([matrix])
        self.n_read = 0

    def read(self, start, out):
        self.n_read += len(out)
        super().read(start, out)


def in_memory(n_samples):
    return SamplesInMemory(torch.from_numpy(rows_of(n_samples)), torch.randperm(n_samples, generator=draws()))


@pytest.fixture(params=[1, 7, 1000])
def streamed(request, monkeypatch):
    """Makes samples that are read in pools of about so many, in small blocks; some are held out."""
    monkeypatch.setattr(streaming, "_LEAST_BLOCK", 24)
    monkeypatch.setattr(streaming, "_BLOCKS_IN_A_POOL", 3)
    monkeypatch.setattr(streaming, "_HELD_OUT_SHARE", 1)
    memory = MemoryBudget(request.param * 8 * 12)

    def make(n_samples):
        own = StreamedSamples.drawn(Watched(rows_of(n_samples)), Scaling.identity(3), CPU, memory, draws())
        return own.hold_out(n_samples // 9)[1]

    return make


def check_shares(make, n_samples, size, n_processes):
    """The pieces of all processes are those of one, each row at its place; return the samples of each."""
    whole = list(make(n_samples).shuffled(size, draws()))
    each = [make(n_samples).divided_among(Group(CPU, rank, n_processes)) for rank in range(n_processes)]
    for piece, *shares in zip(whole, *(own.shares(size, draws()) for own in each), strict=True):
        joined = torch.full_like(piece, torch.nan)
        for rows, share in shares:
            assert share.n_samples == len(piece)
            assert joined[share.places].isnan().all()  # nobody else's
            joined[share.places] = rows
        assert torch.equal(joined, piece)
    return each


@pytest.mark.parametrize("n_processes", [1, 2, 3])
@pytest.mark.parametrize(("n_samples", "size"), [(1, 4), (10, 4), (5, 8), (100, 7)])
def test_the_shares_of_a_batch_are_the_batch(n_samples, size, n_processes, streamed):
    check_shares(in_memory, n_samples, size, n_processes)
    check_shares(streamed, n_samples, size, n_processes)


def test_each_process_reads_its_part_of_the_rows_on_the_disk(streamed):
    each = check_shares(streamed, 600, 50, 3)
    n_read = [own.source.n_read for own in each]
    assert sum(n_read) == 600
    assert all(180 <= n <= 220 for n in n_read)


@pytest.mark.parametrize("n_processes", [2, 3, 4])
def test_processes_have_equal_shares_of_batches_from_the_disk(n_processes):
    """Of pools of 682 rows, of which one in nine is held out, three make a batch; the last is smaller."""
    rows = np.arange(6000.0, dtype=np.float32).reshape(2000, 3)
    for rank in range(n_processes):
        own = StreamedSamples.drawn(
            MappedMatrix([rows]), Scaling.identity(3), CPU, MemoryBudget(2**16), draws()
        )
        own = own.hold_out(200)[1].divided_among(Group(CPU, rank, n_processes))
        sizes = [len(part) / share.n_samples for part, share in own.shares(240, draws())]
        assert len(sizes) == 8
        assert all(abs(240 * size - 240 / n_processes) <= 8 for size in sizes[:-1])


def test_a_share_is_split_into_those_of_its_batches():
    share = Share(10, torch.tensor([0, 3, 4, 9]))
    parts = [(rows, part.n_samples, part.places.tolist()) for rows, part in share.split(4)]
    assert parts == [(slice(0, 2), 4, [0, 3]), (slice(2, 3), 4, [0]), (slice(3, 4), 2, [1])]


@pytest.mark.parametrize(
    "part",
    [Masking(0.3), Masking(0.25), GaussianNoise(0.5), Dropout(0.4, on="input")],
    ids=["masking", "bytes", "gaussian", "dropout"],
)
def test_what_is_drawn_for_a_row_depends_on_its_place_and_not_on_who_has_it(part):
    z, whole, own = torch.randn(11, 5, generator=draws()), draws(), draws()
    share = Share(11, torch.tensor([0, 4, 5, 10]))
    corrupted = part(z, whole)
    with drawing_for(own, share):
        assert torch.equal(part(z[share.places], own), corrupted[share.places])
    assert torch.equal(own.get_state(), whole.get_state())  # and so does what is drawn next
    assert own.share is None


class Own(Masking):
    """A part from outside: nobody knows how it draws."""


@pytest.mark.parametrize(
    ("parts", "divided"),
    [
        ({"corruption": Masking()}, True),
        ({"code": "variational"}, True),
        ({"penalty": KLSparsity(), "activation": "sigmoid"}, True),
        ({"corruption": Swap()}, False),
        ({"corruption": SaltAndPepper()}, False),
        ({"corruption": Own()}, False),
        ({"code": TopK(2)}, False),
    ],
)
def test_a_batch_is_divided_where_no_row_depends_on_another(parts, divided):
    layer = Autoencoder(4, **parts).partial_fit(rows_of(30)).module_[0]
    assert Group(CPU, 0, 2).divides(GreedyAutoencoder(layer)) is divided
    assert not Group(CPU).divides(GreedyAutoencoder(layer))


def test_the_processes_of_a_machine_share_its_memory(monkeypatch):
    assert MemoryBudget.of("64MiB") == (2**26, None, 2**26)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    budget = MemoryBudget.of("64MiB")
    assert (budget.n_bytes, budget.of_all) == (2**24, 2**26)
    # The pools, of which each process holds its part, are those of one process.
    samples = StreamedSamples.drawn(MappedMatrix([rows_of(9)]), Scaling.identity(3), CPU, budget, draws())
    assert samples._pool_rows == 2**26 // 8 // 12


def test_layers_are_not_kept_for_several_processes(tmp_path):
    model = StackedAutoencoder((4,), memory=str(tmp_path)).set_callbacks(Processes(CPU, 0, 2))
    with pytest.raises(ParameterError, match="memory= keeps the layers of one process"):
        model.fit(rows_of(20))
