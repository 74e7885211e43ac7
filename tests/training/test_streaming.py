"""Rows that are read whenever they are needed."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest
import torch

from stackae import Autoencoder, Masking, StackedAutoencoder, Training
from stackae.data import MappedRows
from stackae.exceptions import ParameterError
from stackae.modules.scaling import Scaling, fit_scaling
from stackae.training import loop, streaming
from stackae.training.batches import RowsInMemory
from stackae.training.streaming import Room, StreamedRows

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 7, 1000])
def room(request, monkeypatch):
    """Pools of about so many rows of three columns, in small blocks."""
    monkeypatch.setattr(streaming, "_LEAST_BLOCK", 24)
    monkeypatch.setattr(streaming, "_BLOCKS_IN_A_POOL", 3)
    monkeypatch.setattr(streaming, "_ASIDE_SHARE", 1)
    return Room(request.param * 8 * 12)


def streamed(n_rows, room, generator):
    matrix = np.arange(n_rows * 3.0, dtype=np.float32).reshape(n_rows, 3)
    rows = StreamedRows.drawn(MappedRows([matrix]), Scaling.identity(3), CPU, room, generator)
    return torch.from_numpy(matrix), rows


def in_order(rows):
    return rows[rows[:, 0].argsort()]


@pytest.mark.parametrize(("n_rows", "size"), [(10, 4), (8, 4), (1, 4), (5, 4), (100, 7), (100, 100)])
def test_every_row_comes_once_an_epoch_in_full_pieces_but_the_last(n_rows, size, room, generator):
    matrix, rows = streamed(n_rows, room, generator)
    pieces = list(rows.shuffled(size, generator))
    assert [len(piece) for piece in pieces] == [size] * (n_rows // size) + [n_rows % size] * (
        n_rows % size > 0
    )
    torch.testing.assert_close(in_order(torch.cat(pieces)), matrix)


def test_rows_set_aside_are_in_no_epoch_and_are_the_same_for_the_rows_that_follow(room, generator):
    matrix, rows = streamed(60, room, generator)
    aside, others = rows.set_aside(5)
    assert len(others) == 60 - len(aside)
    torch.testing.assert_close(in_order(torch.cat([aside, *others.shuffled(4, generator)])), matrix)
    doubled = rows.followed_by(rows.map(lambda x: 2 * x, 3), Scaling.identity(3))
    torch.testing.assert_close(doubled.set_aside(5)[0], 2 * aside)


def test_one_seed_gives_one_order_and_epochs_differ(generator):
    _, rows = streamed(500, Room(2**24), generator)
    draws = [torch.cat(list(rows.shuffled(64, torch.Generator().manual_seed(s)))) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_pool_mixes_rows_from_far_apart(generator):
    """Sorted rows: the classes of a batch are those of all the data, as near as its size allows."""
    matrix = np.repeat(np.arange(10, dtype=np.float32), 5000)[:, None] * np.ones(64, np.float32)
    rows = StreamedRows.drawn(MappedRows([matrix]), Scaling.identity(64), CPU, Room(2**24), generator)
    batch = next(iter(rows.shuffled(500, generator)))[:, 0]
    counts = torch.bincount(batch.long(), minlength=10)
    assert counts.max() < 3 * 50
    assert (counts > 0).sum() >= 9


def test_scaling_is_done_in_the_precision_of_the_rows(tmp_path, generator):
    """Time stamps: in float32 their differences are lost."""
    stamps = 1.7e9 + np.arange(300.0)[:, None] * np.ones(2)
    scaling = fit_scaling("standard", stamps)
    rows = StreamedRows.drawn(MappedRows([stamps]), scaling, CPU, Room(2**24), generator)
    together = torch.cat(list(rows.shuffled(32, generator)))
    known = RowsInMemory.scaled(stamps, scaling, CPU, generator).tensor
    torch.testing.assert_close(in_order(together), in_order(known))
    assert len(together[:, 0].unique()) == 300


def test_codes_that_would_not_fit_are_kept_in_a_nameless_file(tmp_path, generator):
    matrix = np.random.default_rng(0).normal(size=(20_000, 8)).astype(np.float32)
    rows = StreamedRows.drawn(
        MappedRows([matrix]), Scaling.identity(8), CPU, Room(2**21, tmp_path), generator
    )
    codes = rows.map(lambda x: torch.cat([x, -x], 1), 16)
    assert isinstance(codes._pieces[0], np.memmap)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(codes[:], np.hstack([matrix, -matrix]))
    small = rows.map(lambda x: x[:, :1], 1)
    assert not isinstance(small._pieces[0], np.memmap)


def test_no_thread_is_left_behind_when_an_epoch_is_broken_off(room, generator):
    _, rows = streamed(200, room, generator)
    epoch = rows.shuffled(4, generator)
    next(epoch)
    epoch.close()
    assert not [thread for thread in threading.enumerate() if "read-ahead" in thread.name]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """24 MB in three files, of which 8 hidden factors make 48 columns."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(120_000, 8)) @ rng.normal(size=(8, 48))).astype(np.float32)
    folder = tmp_path_factory.mktemp("shards")
    for k in range(3):
        np.save(folder / f"part{k}.npy", X[k * 40_000 : (k + 1) * 40_000])
    return X, folder


def stack(**parameters):
    training = Training(max_epochs=2, batch_size=256)
    layers = [Autoencoder(32, corruption=Masking(0.1)), 8]
    return StackedAutoencoder(layers, pretrain=training, finetune=training, random_state=0, **parameters)


def test_training_from_the_disk_reaches_what_training_in_memory_reaches(large, tmp_path):
    X, folder = large
    maps = MappedRows([np.load(path, mmap_mode="r") for path in sorted(folder.iterdir())])
    from_disk = stack(max_memory="17MB", cache_folder=tmp_path).fit(maps)
    in_memory = stack().fit(X)
    r2 = [model.score(X[:5000]) for model in (from_disk, in_memory)]
    assert min(r2) > 0.98
    assert r2[0] == pytest.approx(r2[1], abs=0.01)
    assert list(tmp_path.iterdir()) == []


def test_a_memory_map_and_the_same_rows_in_parts_give_the_same_bits(large, tmp_path):
    X, folder = large
    np.save(tmp_path / "whole.npy", X)
    whole = stack(max_memory="17MB").fit(np.load(tmp_path / "whole.npy", mmap_mode="r"))
    parts = stack(max_memory="17MB").fit(
        MappedRows([np.load(path, mmap_mode="r") for path in sorted(folder.iterdir())])
    )
    assert all(
        torch.equal(a, b) for a, b in zip(whole.module_.parameters(), parts.module_.parameters(), strict=True)
    )


def test_rows_on_the_disk_that_fit_are_trained_on_as_rows_in_memory_are(large):
    X, folder = large
    maps = MappedRows([np.load(path, mmap_mode="r") for path in sorted(folder.iterdir())])
    models = [stack().fit(rows) for rows in (maps, X)]
    assert all(torch.equal(a, b) for a, b in zip(*(m.module_.parameters() for m in models), strict=True))
    np.testing.assert_array_equal(models[0].transform(maps), models[1].transform(X))


def test_partial_fit_takes_pieces_from_the_disk(large):
    X, folder = large
    model = stack(max_memory="17MB")
    for path in sorted(folder.iterdir()):
        model.partial_fit(np.load(path, mmap_mode="r"))
    assert model.score(X[:5000]) > 0.95


def test_a_disk_without_room_for_the_codes_is_told_before_anything_is_trained(large, tmp_path, monkeypatch):
    X, _ = large
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=4 * len(X) * 32 - 1))
    monkeypatch.setattr(loop, "fit", lambda run: pytest.fail("trained"))
    with pytest.raises(OSError, match=r"no room for 15,360,000 bytes .*; choose another cache_folder"):
        stack(max_memory="17MB", cache_folder=tmp_path).fit(X)


def test_a_cache_folder_that_is_not_there_is_refused(large):
    with pytest.raises(ParameterError, match="cache_folder must be a folder that exists, got '/nowhere'"):
        stack(cache_folder="/nowhere").fit(large[0])
