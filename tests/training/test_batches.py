"""The samples of an epoch, in batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from stackae.data.matrix import DenseMatrix, SparseMatrix
from stackae.modules.scaling import Scaling, fit_scaling
from stackae.training import batches
from stackae.training.batches import SamplesInMemory, SparseSamples

CPU = torch.device("cpu")
X = np.arange(60.0).reshape(20, 3) * (np.arange(60).reshape(20, 3) % 4 > 0)


def numbered(n_samples, generator):
    tensor = torch.arange(n_samples * 3.0).view(n_samples, 3)
    return SamplesInMemory(tensor, torch.randperm(n_samples, generator=generator))


def in_order(z):
    return z[z[:, 0].argsort()]


@pytest.mark.parametrize(
    ("n_samples", "size", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (1, 4, [1]), (5, 4, [4, 1])]
)
def test_every_sample_comes_once_an_epoch_in_random_order(n_samples, size, sizes, generator):
    samples = numbered(n_samples, generator)
    got = list(samples.shuffled(size, generator))
    assert [len(piece) for piece in got] == sizes
    torch.testing.assert_close(in_order(torch.cat(got)), samples.tensor)


def test_epochs_differ_and_a_seed_gives_its_pieces_again():
    samples = numbered(100, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.cat(list(samples.shuffled(10, generator))) for _ in range(2))
    assert not torch.equal(first, second)
    again = torch.cat(list(samples.shuffled(10, torch.Generator().manual_seed(1))))
    assert torch.equal(again, first)


def test_samples_held_out_are_in_no_epoch_and_are_the_same_for_the_codes_that_follow(generator):
    samples = numbered(20, generator)
    held_out, others = samples.hold_out(5)
    assert (len(held_out), len(others)) == (5, 15)
    both = torch.cat([held_out, *others.shuffled(4, generator)])
    torch.testing.assert_close(in_order(both), samples.tensor)
    codes = samples.map(lambda z: 2 * z, 3)
    following = samples.followed_by(codes, Scaling.identity(3))
    torch.testing.assert_close(following.hold_out(5)[0], 2 * held_out)


@pytest.mark.parametrize("weights", [None, np.arange(20) % 3 + 0.5])
def test_sparse_samples_are_the_dense_ones(weights, generator, monkeypatch):
    monkeypatch.setattr(batches, "_DENSE_AT_ONCE", 24)  # eight samples
    scaling = fit_scaling("spread", DenseMatrix(X))
    given = []
    for matrix in (DenseMatrix(X), SparseMatrix(csr_array(X))):
        draws = torch.Generator().manual_seed(3)
        samples = SamplesInMemory.drawn(matrix, scaling, CPU, draws, weights)
        held_out, others = samples.hold_out(5)
        epoch = torch.cat(list(others.shuffled(4, draws)))
        codes = samples.map(lambda z: z[:, :2], 2)
        given.append((samples, [held_out, epoch, torch.cat(list(samples.blocks())), codes.tensor]))
    (dense, first), (sparse, second) = given
    assert type(sparse) is SparseSamples
    assert type(sparse.followed_by(codes, Scaling.identity(2))) is SamplesInMemory
    assert len(dense) == len(sparse)
    assert [len(block) for block in sparse.blocks()] == [8, 8, 4]
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b)
    assert len(sparse.hold_out(15)[0]) == 8  # what is held out is dense


def test_an_epoch_visits_each_sample_as_often_as_its_weight_says(generator):
    tensor = torch.arange(4.0)[:, None]
    samples = SamplesInMemory(tensor, torch.randperm(4), torch.tensor([1.0, 2.0, 3.0, 0.5]).double())
    assert len(samples) == 6
    counts = torch.zeros(4)
    for _ in range(400):
        epoch = torch.cat(list(samples.shuffled(4, generator)))[:, 0].long()
        assert len(epoch) == 6
        counts += torch.bincount(epoch, minlength=4)
    torch.testing.assert_close(counts / 400, 6 / 6.5 * torch.tensor([1.0, 2.0, 3.0, 0.5]), atol=0.1, rtol=0)


def test_held_out_samples_have_a_share_of_every_class_and_never_all_of_one(generator):
    classes = torch.tensor([0.0] * 50 + [1.0] * 48 + [2.0] * 2)
    samples = SamplesInMemory(torch.arange(100.0)[:, None], torch.randperm(100, generator=generator))
    samples.stratify(classes)
    held_out, _ = samples.hold_out(20)
    counts = torch.bincount(classes[held_out[:, 0].long()].long(), minlength=3).tolist()
    assert counts[0] in (9, 10, 11)
    assert counts[1] in (9, 10, 11)
    assert counts[2] <= 1
    held_out, _ = samples.hold_out(97)  # nearly all
    assert set(range(100)) - set(held_out[:, 0].int().tolist()) >= {int(samples.order[-1])}
    assert len({int(classes[k]) for k in samples.order[97:]}) == 3
