"""Samples that stay on the disk, and tables in several files."""

from __future__ import annotations

import mmap
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stackae import StackedAutoencoder
from stackae.data import MappedMatrix, fingerprint, load_data, mapped
from stackae.data._table import TableSpec
from stackae.data.mapped import ScratchRows, lies_in_a_file, scratch_array
from stackae.data.shards import read_shards, shards_of
from stackae.exceptions import DataError, DataFileError, ParameterError

X = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)


def resident():
    """Bytes of this process in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def saved(folder, *pieces):
    for k, piece in enumerate(pieces):
        np.save(folder / f"part{k}.npy", piece)
    return folder


@pytest.mark.parametrize("cut", [0, 1, 250, 499])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pieces_read_as_the_whole(cut, order, tmp_path):
    saved(tmp_path, *(np.asarray(piece, order=order) for piece in (X[:cut], X[cut:])))
    matrix = MappedMatrix([np.load(tmp_path / f"part{k}.npy", mmap_mode="r") for k in range(2)])
    assert (len(matrix), matrix.shape, matrix.dtype, matrix.nbytes) == (500, (500, 6), np.float32, X.nbytes)
    for part in (slice(None), slice(100, 300), slice(-5, None), slice(490, 600), slice(3, 3)):
        np.testing.assert_array_equal(matrix[part], X[part])
    chosen = np.array([499, 0, 250, 3, 3])
    np.testing.assert_array_equal(matrix.gather(chosen), X[chosen])
    np.testing.assert_array_equal(matrix.take(chosen)[:], X[chosen])
    np.testing.assert_array_equal(np.asarray(matrix), X)
    assert fingerprint(matrix) == fingerprint(X)


@pytest.mark.parametrize(
    ("dtype", "read_as"),
    [(np.uint8, np.float32), (np.int16, np.float32), (np.float16, np.float32), (">f4", np.float32),
     (np.int32, np.float64), (np.float64, np.float64), (bool, np.float32)],
)  # fmt: skip
def test_numbers_are_read_as_the_floats_that_hold_them(dtype, read_as, tmp_path):
    numbers = (X * 10).astype(dtype)
    matrix = MappedMatrix([numbers[:100], numbers[100:]])
    assert matrix.dtype == matrix[:1].dtype == read_as
    np.testing.assert_array_equal(matrix[:], numbers.astype(read_as))


def test_what_is_no_table_is_refused():
    with pytest.raises(DataError, match=r"one width, got widths \[5, 6\]"):
        MappedMatrix([X, X[:, 1:]])
    with pytest.raises(DataError, match="numbers"):
        MappedMatrix([np.array([["a"]])])


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc to see its own memory")
def test_reading_leaves_no_page_in_memory(tmp_path, monkeypatch):
    path = tmp_path / "large.npy"
    large = np.lib.format.open_memmap(path, "w+", np.float32, (200_000, 64))
    large[:] = 1
    del large
    matrix = MappedMatrix([np.load(path, mmap_mode="r")])
    before = resident()
    for start in range(0, len(matrix), 10_000):
        matrix[start : start + 10_000]
    assert resident() - before < 20e6 < matrix.nbytes
    taken = []
    release = mapped.release
    monkeypatch.setattr(mapped, "release", lambda part: (taken.append(resident()), release(part)))
    matrix.gather(np.arange(0, 200_000, 40))
    assert max(taken) - before < 20e6


def test_a_private_map_keeps_what_was_written_to_it(tmp_path):
    saved(tmp_path, X)
    private = np.load(tmp_path / "part0.npy", mmap_mode="c")
    private[:] = 7
    assert not lies_in_a_file(private)
    MappedMatrix([private])[:]
    assert (private == 7).all()


@pytest.mark.skipif(not hasattr(mmap, "MAP_PRIVATE"), reason="this system has no private maps")
def test_memory_that_no_file_holds_keeps_what_was_written_to_it():
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    array = np.ndarray(X.shape, np.float32, buffer=mmap.mmap(-1, X.nbytes, flags=flags))
    array[:] = X
    assert not lies_in_a_file(array)
    np.testing.assert_array_equal(MappedMatrix([array])[:], X)
    np.testing.assert_array_equal(array, X)


def test_a_scratch_array_has_no_name_and_a_full_disk_is_told_before_anything_is_written(tmp_path):
    array = scratch_array((10, 3), np.float32, tmp_path)
    array[:] = 1
    assert array.sum() == 30
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match=r"no room for .* bytes of rows .*; choose another cache_folder"):
        scratch_array((2**48, 1024), np.float32, tmp_path)


def test_scratch_rows_are_a_matrix_on_the_disk_when_all_are_written(tmp_path):
    rows = ScratchRows(X.shape, np.float32, tmp_path)
    for start in range(0, len(X), 70):
        rows.append(np.asfortranarray(X[start : start + 70], np.float64))
    assert rows.n_written == len(X)
    matrix = rows.matrix()
    assert matrix.is_mapped
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[:], X)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_rows", [8, 12])
def test_scratch_rows_that_are_too_few_or_too_many_are_refused_with_their_number(n_rows, tmp_path):
    rows = ScratchRows((10, 3), np.float32, tmp_path)
    for _ in range(n_rows // 4):
        rows.append(np.zeros((4, 3)))
    with pytest.raises(DataError, match=f"had 10 rows, and then {n_rows}"):
        rows.matrix()


def test_scratch_rows_tell_of_a_full_disk_before_anything_is_written(tmp_path):
    with pytest.raises(OSError, match=r"no room for .* bytes of rows .*; choose another cache_folder"):
        ScratchRows((2**48, 1024), np.float32, tmp_path)


# Tables in several files


def parquet(folder, *pieces, names="abcdef"):
    for k, piece in enumerate(pieces):
        pq.write_table(pa.table(dict(zip(names, piece.T, strict=True))), folder / f"part{k}.parquet")
    return folder


@pytest.mark.parametrize("memory", [None, "16MiB"])
@pytest.mark.parametrize("kind", [saved, parquet])
def test_a_folder_of_shards_is_one_table(kind, memory, tmp_path):
    folder = kind(tmp_path, X[:200], X[200:201], X[201:])
    (folder / "_SUCCESS").touch()
    for source in (folder, sorted(folder.glob("part*"))):
        data = load_data(source, max_memory=memory)
        np.testing.assert_array_equal(np.asarray(data.X), X)
        assert data.feature_names == (None if kind is saved else list("abcdef"))
        assert data.name == (folder.name if source is folder else source[0].name)


@pytest.mark.slow
def test_a_large_parquet_file_is_copied_to_the_disk_once(tmp_path):
    wide = np.random.default_rng(1).normal(size=(40_000, 60))
    pq.write_table(
        pa.table({f"c{j}": wide[:, j] for j in range(60)}), tmp_path / "wide.parquet", row_group_size=7000
    )
    data = load_data(tmp_path / "wide.parquet", max_memory="17MB", drop=["c3"], cache_folder=tmp_path)
    assert isinstance(data.X, MappedMatrix)
    np.testing.assert_array_equal(data.X[:], np.delete(wide, 3, axis=1))
    assert [path.name for path in tmp_path.iterdir()] == ["wide.parquet"]
    model = StackedAutoencoder((4,), max_memory="17MB", random_state=0).fit(data.named_samples)
    assert model.feature_names_in_[3] == "c4"


def test_a_large_file_of_bytes_is_not_turned_into_floats_as_a_whole(tmp_path):
    saved(tmp_path, np.full((400_000, 12), 3, np.uint8))
    data = load_data(tmp_path / "part0.npy", max_memory="17MB")
    assert isinstance(data.X, MappedMatrix)
    assert (data.X[:5] == 3).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, r"without \.npy or \.parquet files"),
        (lambda folder: saved(folder, X, X[:, 1:]), r"part1\.npy: 5 columns, where .*part0\.npy has 6"),
        (lambda folder: (saved(folder, X), parquet(folder, X)), r"must all be \.npy or all \.parquet"),
        (lambda folder: saved(folder, X[:, 0]), r"1-dimensional"),
        (lambda folder: (folder / "broken.npy").write_bytes(b"no"), r"broken\.npy"),
    ],
)  # fmt: skip
def test_shards_that_make_no_table_are_refused_in_one_line(make, message, tmp_path):
    make(tmp_path)
    with pytest.raises(DataFileError, match=message) as caught:
        load_data(tmp_path)
    assert "\n" not in str(caught.value)


def test_shards_with_other_columns_are_refused(tmp_path):
    parquet(tmp_path, X)
    pq.write_table(pa.table(dict(zip("abcdeg", X.T, strict=True))), tmp_path / "part1.parquet")
    with pytest.raises(DataFileError, match=r"part1\.parquet: other columns than .*, such as '[fg]'"):
        load_data(tmp_path)


def test_a_missing_value_in_a_shard_is_nan(tmp_path):
    column = pa.array([1.0] * 20_000 + [None])
    pq.write_table(pa.table({"a": column}), tmp_path / "a.parquet")
    assert np.flatnonzero(np.isnan(load_data([tmp_path / "a.parquet"]).X[:, 0])).tolist() == [20_000]


def test_no_shards_are_refused():
    with pytest.raises(ParameterError, match="at least one file"):
        load_data([])


def test_a_value_that_is_not_finite_is_refused_with_its_row(tmp_path):
    bad = X.copy()
    bad[450, 2] = np.nan
    saved(tmp_path, bad[:200], bad[200:])
    with pytest.raises(DataError, match="contains NaN in row 450, column 2"):
        StackedAutoencoder((2,)).fit(load_data(tmp_path).named_samples)


def labelled_shards(tmp_path, *labels):
    """Two rows a file: a number, a label and the row's name."""
    for k, own in enumerate(labels):
        table = pa.table({"a": [1.0 + 2 * k, 2.0 + 2 * k], "y": own, "n": [f"r{2 * k}", f"r{2 * k + 1}"]})
        pq.write_table(table, tmp_path / f"{k}.parquet")
    return tmp_path


@pytest.mark.parametrize("memory", [2**30, 1])
@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ((["ant", None], ["bee", "wasps"]), ["ant", "", "bee", "wasps"]),
        (([1, 2], [3, None]), [1, 2, 3, np.nan]),
        (([True, False], [False, False]), [True, False, False, False]),
    ],
)
def test_labels_and_ids_are_columns_of_parquet_shards(tmp_path, labels, found, memory):
    paths = shards_of(labelled_shards(tmp_path, *labels))
    data = read_shards(paths, TableSpec(labels="y", ids="n"), memory, tmp_path)
    np.testing.assert_array_equal(data.y, found)
    assert data.ids.tolist() == ["r0", "r1", "r2", "r3"]
    assert (data.feature_names, np.asarray(data.X[:]).ravel().tolist()) == (["a"], [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize("memory", [2**30, 1])
def test_shards_of_typed_columns_have_labels_too(tmp_path, memory):
    paths = shards_of(labelled_shards(tmp_path, [1, 2], [3, 4]))
    data = read_shards(paths, TableSpec(labels="y"), memory, tmp_path)
    assert data.y.tolist() == [1, 2, 3, 4]
    assert list(data.feature_names) == ["a", "n"]


def test_labels_that_are_text_in_one_shard_and_numbers_in_another_are_refused(tmp_path):
    folder = labelled_shards(tmp_path, ["1", "2"], [3, 4])
    with pytest.raises(DataFileError, match=r"1\.parquet: labels or ids are numbers, where they are text in"):
        load_data(folder, labels="y", drop=["n"])


def test_a_shard_without_rows_has_no_labels(tmp_path):
    folder = labelled_shards(tmp_path, ["ant", "bee"])
    pq.write_table(pq.read_table(folder / "0.parquet").slice(0, 0), folder / "1.parquet")
    assert load_data(folder, labels="y", ids="n").y.tolist() == ["ant", "bee"]


@pytest.mark.parametrize("asked", [{"labels": "1"}, {"ids": "1"}])
def test_labels_and_ids_of_shards_without_columns_are_refused(tmp_path, asked):
    np.save(tmp_path / "0.npy", np.ones((4, 2)))
    with pytest.raises(DataFileError, match="has no column names, so '1' cannot be found"):
        load_data(tmp_path, **asked)
