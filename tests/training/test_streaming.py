"""Samples that are read whenever they are needed."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest
import torch

from stackae import Autoencoder, Masking, StackedAutoencoder, Training
from stackae._utils.memory import MemoryBudget
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import DenseMatrix
from stackae.exceptions import ParameterError
from stackae.modules.scaling import Scaling, fit_scaling
from stackae.training import streaming
from stackae.training.batches import SamplesInMemory
from stackae.training.callbacks import Callback
from stackae.training.streaming import StreamedSamples

CPU = torch.device("cpu")
AMPLE = MemoryBudget(2**24)


@pytest.fixture(params=[1, 7, 1000])
def memory(request, monkeypatch):
    """Pools of about so many samples of three columns, in small blocks."""
    monkeypatch.setattr(streaming, "_LEAST_BLOCK", 24)
    monkeypatch.setattr(streaming, "_BLOCKS_IN_A_POOL", 3)
    monkeypatch.setattr(streaming, "_HELD_OUT_SHARE", 1)
    return MemoryBudget(request.param * 8 * 12)


def drawn(matrix, memory, generator, scaling=None):
    scaling = scaling or Scaling.identity(matrix.shape[1])
    return StreamedSamples.drawn(MappedMatrix([matrix]), scaling, CPU, memory, generator)


def streamed(n_samples, memory, generator):
    matrix = np.arange(n_samples * 3.0, dtype=np.float32).reshape(n_samples, 3)
    return torch.from_numpy(matrix), drawn(matrix, memory, generator)


def in_order(z):
    return z[z[:, 0].argsort()]


@pytest.mark.parametrize(("n_samples", "size"), [(10, 4), (8, 4), (1, 4), (5, 4), (100, 7), (100, 100)])
def test_every_sample_comes_once_an_epoch_in_full_pieces_but_the_last(n_samples, size, memory, generator):
    matrix, samples = streamed(n_samples, memory, generator)
    pieces = list(samples.shuffled(size, generator))
    rest = n_samples % size
    assert [len(piece) for piece in pieces] == [size] * (n_samples // size) + [rest] * (rest > 0)
    torch.testing.assert_close(in_order(torch.cat(pieces)), matrix)


def test_samples_held_out_are_in_no_epoch_and_are_the_same_for_the_codes_that_follow(memory, generator):
    matrix, samples = streamed(60, memory, generator)
    held_out, others = samples.hold_out(5)
    assert len(others) == 60 - len(held_out)
    torch.testing.assert_close(in_order(torch.cat([held_out, *others.shuffled(4, generator)])), matrix)
    doubled = samples.followed_by(samples.map(lambda z: 2 * z, 3), Scaling.identity(3))
    torch.testing.assert_close(doubled.hold_out(5)[0], 2 * held_out)


def test_one_seed_gives_one_order_and_epochs_differ(generator):
    _, samples = streamed(500, AMPLE, generator)
    draws = [torch.cat(list(samples.shuffled(64, torch.Generator().manual_seed(s)))) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_pool_mixes_samples_from_far_apart(generator):
    """Sorted samples: the classes of a batch are those of all the data, as near as its size allows."""
    matrix = np.repeat(np.arange(10, dtype=np.float32), 5000)[:, None] * np.ones(64, np.float32)
    samples = drawn(matrix, AMPLE, generator)
    batch = next(iter(samples.shuffled(500, generator)))[:, 0]
    counts = torch.bincount(batch.long(), minlength=10)
    assert counts.max() < 3 * 50
    assert (counts > 0).sum() >= 9


def test_scaling_is_done_in_the_precision_of_the_samples(generator):
    """Time stamps: in float32 their differences are lost."""
    stamps = 1.7e9 + np.arange(300.0)[:, None] * np.ones(2)
    scaling = fit_scaling("standard", DenseMatrix(stamps))
    samples = drawn(stamps, AMPLE, generator, scaling)
    together = torch.cat(list(samples.shuffled(32, generator)))
    known = SamplesInMemory.drawn(DenseMatrix(stamps), scaling, CPU, generator).tensor
    torch.testing.assert_close(in_order(together), in_order(known))
    assert len(together[:, 0].unique()) == 300


def test_codes_that_would_not_fit_are_kept_in_a_nameless_file(tmp_path, generator):
    matrix = np.random.default_rng(0).normal(size=(20_000, 8)).astype(np.float32)
    samples = drawn(matrix, MemoryBudget(2**21, tmp_path), generator)
    codes = samples.map(lambda z: torch.cat([z, -z], 1), 16)
    assert isinstance(codes._pieces[0], np.memmap)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(codes[:], np.hstack([matrix, -matrix]))
    small = samples.map(lambda z: z[:, :1], 1)
    assert not isinstance(small._pieces[0], np.memmap)


def test_no_thread_is_left_behind_when_an_epoch_is_broken_off(memory, generator):
    _, samples = streamed(200, memory, generator)
    epoch = samples.shuffled(4, generator)
    next(epoch)
    epoch.close()
    assert not [thread for thread in threading.enumerate() if "read-ahead" in thread.name]


# Fits --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """8 MB in three files, of which 8 hidden factors make 48 columns; with codes it is over 17 MB."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(42_000, 8)) @ rng.normal(size=(8, 48))).astype(np.float32)
    folder = tmp_path_factory.mktemp("shards")
    for k in range(3):
        np.save(folder / f"part{k}.npy", X[k * 14_000 : (k + 1) * 14_000])
    maps = [np.load(path, mmap_mode="r") for path in sorted(folder.iterdir())]
    return X, maps


def stack(**parameters):
    training = Training(max_epochs=2, batch_size=128)
    layers = [Autoencoder(32, corruption=Masking(0.1)), 8]
    return StackedAutoencoder(layers, pretrain=training, finetune=training, random_state=0, **parameters)


def equal(one, other):
    parameters = (model.module_.parameters() for model in (one, other))
    return all(torch.equal(a, b) for a, b in zip(*parameters, strict=True))


@pytest.mark.slow
def test_training_from_the_disk_reaches_what_training_in_memory_reaches(large, tmp_path):
    X, maps = large
    shards = MappedMatrix(maps)
    (tmp_path / "cache").mkdir()
    streaming = {"max_memory": "17MB", "cache_folder": tmp_path / "cache"}
    assert stack(**streaming).plan(shards).is_streamed
    from_disk = stack(**streaming).fit(shards)
    assert list((tmp_path / "cache").iterdir()) == []
    # Shards that fit are trained on as an array in memory is.
    in_memory, loaded = stack().fit(X), stack().fit(shards)
    assert equal(in_memory, loaded)
    np.testing.assert_array_equal(in_memory.transform(X), loaded.transform(shards))
    r2 = [model.score(X[:5000]) for model in (from_disk, in_memory)]
    assert min(r2) > 0.95
    assert r2[0] == pytest.approx(r2[1], abs=0.02)
    # How the files are cut does not matter.
    np.save(tmp_path / "whole.npy", X)
    whole = stack(max_memory="17MB").fit(np.load(tmp_path / "whole.npy", mmap_mode="r"))
    assert equal(whole, from_disk)


@pytest.mark.slow
def test_partial_fit_takes_pieces_from_the_disk(large):
    X, maps = large
    model = stack(max_memory="17MB")
    for piece in (MappedMatrix(maps), MappedMatrix(maps[::-1])):
        model.partial_fit(piece)
    assert model.score(X[:5000]) > 0.9


def test_a_disk_without_room_for_the_codes_is_told_before_anything_is_trained(large, tmp_path, monkeypatch):
    class Unwanted(Callback):
        def begin_phase(self, phase, run):
            pytest.fail("trained")

    X, _ = large
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=4 * len(X) * 32 - 1))
    model = stack(max_memory="17MB", cache_folder=tmp_path).set_callbacks(Unwanted())
    with pytest.raises(OSError, match=r"no room for 5,376,000 bytes .*; choose another cache_folder"):
        model.fit(X)


def test_a_cache_folder_that_is_not_there_is_refused(large):
    with pytest.raises(ParameterError, match="cache_folder must be a folder that exists, got '/nowhere'"):
        stack(cache_folder="/nowhere").fit(large[0])
