"""HDF5: arrays by their paths, in blocks, and never out of another file."""

from __future__ import annotations

import os
import sys

import h5py
import numpy as np
import pytest
from array_files import refused, two_kinds

from stackae.data import MappedMatrix, _blocks, load_data, read_table
from stackae.exceptions import StackaeWarning

X, KINDS = two_kinds()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.h5"


@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", np.bool_, np.uint8, np.int64])
def test_the_only_table_of_numbers_is_read(tmp_path, ending, dtype):
    with h5py.File(tmp_path / f"t{ending}", "w") as file:
        file["deep/rows"] = X.astype(dtype)
        file["deep/kinds"] = KINDS
        file["names"] = ["a"] * 60
        file["cube"] = np.zeros((2, 2, 2))
        file["type"] = np.dtype("f8")
    table = read_table(tmp_path / f"t{ending}")
    assert table.X.dtype == (np.float64 if np.dtype(dtype).itemsize == 8 else np.float32)
    np.testing.assert_array_equal(table.X, X.astype(dtype))


def test_x_wins_and_others_are_had_by_their_paths(path):
    with h5py.File(path, "w") as file:
        file["X"], file["layers/counts"] = X, X[:, :3]
    assert load_data(path).X.shape == (60, 8)
    for name in ("layers/counts", "/layers/counts", "layers//counts"):
        assert load_data(f"{path}:{name}").X.shape == (60, 3)
    refused(f"{path}:layers/other", "no 'layers/other' in it (/layers holds 'counts')", file=path)
    refused(f"{path}:X/more", "no 'X/more' in it", file=path)
    refused(f"{path}:layers", "a group, not an array", file=path)


@pytest.mark.parametrize(
    "labels",
    [
        KINDS,
        KINDS[:, None],
        KINDS[None],
        KINDS.astype(float),
        np.array([b"ant", b"bee"] * 30),
        ["ant", "bée"] * 30,
    ],
)
def test_labels_and_ids_are_data_sets_of_the_file(path, labels):
    with h5py.File(path, "w") as file:
        file["rows"], file["obs/kind"], file["obs/name"] = X, labels, np.arange(60)
    data = load_data(path, labels="obs/kind", ids="/obs/name")
    wanted = [x.decode() if isinstance(x, bytes) else x for x in np.ravel(labels).tolist()]
    assert data.y.tolist() == wanted
    assert data.ids.tolist() == list(range(60))
    assert load_data(path, drop=["obs/kind"]).y is None


def test_labels_that_do_not_fit_are_refused(path):
    with h5py.File(path, "w") as file:
        file["rows"], file["few"], file["long"] = X, KINDS[:7], ["x" * 1001] * 60
        file["objects"] = np.array([file["few"].ref] * 60, dtype=h5py.ref_dtype)
        file["none"] = np.zeros(0)
    refused(path, "7 values for 60 rows (arrays 'few' and 'rows')", labels="few")
    refused(path, "a label of 1,001 characters", labels="long")
    refused(path, "numbers are wanted, not object", labels="objects")
    refused(path, "no labels in it", labels="none")
    refused(path, "no 'other' in it", labels="other")
    refused(path, "no 'other' in it", drop=["other"])
    refused(path, "no header", header=True)


@pytest.mark.parametrize("chunks", [None, (7, 8), (3000, 1), (1, 5), (64, 64)])
@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_blocks_put_the_table_together(path, monkeypatch, chunks, compression):
    monkeypatch.setattr(_blocks, "_BLOCK", 2**13)
    rows = np.random.default_rng(0).normal(size=(3000, 70))
    with h5py.File(path, "w") as file:
        packed = None if chunks is None else compression
        file.create_dataset("rows", data=rows, chunks=chunks, compression=packed)
    np.testing.assert_array_equal(load_data(path).X, rows)


def test_what_exceeds_the_memory_goes_to_the_disk(path, tmp_path):
    rows = np.random.default_rng(0).normal(size=(3000, 800))
    with h5py.File(path, "w") as file:
        file["rows"], file["y"] = rows, np.arange(3000) % 2
    data = load_data(path, labels="y", max_memory="16MiB", cache_folder=tmp_path)
    assert isinstance(data.X, MappedMatrix)
    np.testing.assert_array_equal(np.asarray(data.X), rows)
    assert [*tmp_path.iterdir()] == [path]


def test_a_matlab_matrix_in_any_hdf5_file_is_turned_back(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", data=X.T).attrs["MATLAB_class"] = np.bytes_("single")
    np.testing.assert_array_equal(load_data(path).X, X)


def test_large_integers_warn(path):
    with h5py.File(path, "w") as file:
        file["rows"] = np.full((2, 2), 2**53 + 1)
    with pytest.warns(StackaeWarning, match="over 2"):
        load_data(path)


@pytest.fixture
def secret(tmp_path):
    """A file that no other file is to read; to open it would take for ever."""
    os.mkfifo(tmp_path / "secret.h5")
    return tmp_path / "secret.h5"


def test_an_external_link_is_not_followed(path, secret):
    with h5py.File(path, "w") as file:
        file["rows"] = X
        file["out"] = h5py.ExternalLink(str(secret), "/rows")
        file["around"] = h5py.SoftLink("/out")
        file["group"] = h5py.ExternalLink(str(secret), "/")
    assert load_data(path).X.shape == (60, 8)
    for name in ("out", "around", "group/rows", "around/rows"):
        refused(f"{path}:{name}", "a link into another file, which is not followed", file=path)
        refused(path, "a link into another file, which is not followed", labels=name)


def test_soft_links_within_the_file_are_followed_as_far_as_they_lead(path):
    with h5py.File(path, "w") as file:
        file["a/rows"] = X
        file["a/near"], file["far"] = h5py.SoftLink("rows"), h5py.SoftLink("/a/near")
        file["nowhere"], file["loop"] = h5py.SoftLink("/none"), h5py.SoftLink("loop")
    assert load_data(f"{path}:far").X.shape == (60, 8)
    refused(f"{path}:nowhere", "no 'nowhere' in it", file=path)
    refused(f"{path}:loop", "a link that leads nowhere", file=path)


def test_a_virtual_data_set_is_not_read(path, secret):
    layout = h5py.VirtualLayout((60, 8), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "rows", (60, 8))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("rows", layout)
    refused(path, "it points into other files, which are not read (array 'rows')")


def test_numbers_in_a_raw_file_beside_it_are_not_read(path, tmp_path):
    (tmp_path / "secret.raw").write_bytes(X.tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", X.shape, X.dtype, external=[(str(tmp_path / "secret.raw"), 0, X.nbytes)])
        file.create_dataset("y", (60,), "i4", external=[(str(tmp_path / "secret.raw"), 0, 240)])
        file["others"] = X
    refused(f"{path}:rows", "it points into other files", file=path)
    refused(f"{path}:others", "it points into other files", file=path, labels="y")


def test_a_filter_that_needs_a_plugin_is_not_loaded(path):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((60, 8))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((60, 8))
        h5py.h5d.create(file.id, b"rows", h5py.h5t.NATIVE_FLOAT, space, plist)
    refused(path, "packed by the HDF5 filter 32015, which needs a plugin", "write it again with gzip")


def test_a_claim_beyond_the_file_is_refused_before_memory_is_taken(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", (2**40, 2**20), "f8", chunks=(64, 64))
        file.create_dataset("wide", (2**20, 2**10), "f8", chunks=(2**18, 2**10))
        file["y"] = KINDS
    refused(f"{path}:rows", "refused as a decompression bomb", file=path)
    refused(f"{path}:wide", "its chunks of (262144, 1024) are too large", file=path)


def test_a_small_table_of_what_was_never_written_is_zeros(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", (100, 20), "f8", chunks=(10, 10))
    np.testing.assert_array_equal(load_data(path).X, np.zeros((100, 20)))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.ones((2, 2)) * 1j, "numbers or booleans, not complex128"),
        (np.ones((2, 2, 2)), "the array is 3-dimensional, shape (2, 2, 2)"),
        (np.ones((0, 2)), "the table has 0 rows and 2 columns"),
        (np.zeros((2, 2), [("a", "f4")]), "numbers or booleans"),
        ([["a", "b"]], "numbers or booleans, not object"),
        (h5py.Empty("f4"), "the array is 0-dimensional"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(path, array, said):
    with h5py.File(path, "w") as file:
        file["A"], file["rows"] = array, X
    refused(f"{path}:A", said, "array 'A'", file=path)


def test_groups_in_a_circle_come_to_an_end(path):
    with h5py.File(path, "w") as file:
        file["a/rows"] = X
        file["a/b/up"] = file["a"]
    assert load_data(path).X.shape == (60, 8)


def test_damaged_files_are_refused_or_read(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", data=X, chunks=(16, 8), compression="gzip", fletcher32=True)
    content = path.read_bytes()
    for length in (0, 3, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refused(path)
    path.write_bytes(b"no HDF5 at all")
    refused(path, "damaged, or not an HDF5 file")


def test_a_damaged_heap_of_texts_is_refused_where_the_library_would_never_end(path):
    with h5py.File(path, "w") as file:
        file["rows"], file["y"] = X, ["ant", "bee"] * 30
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    size = int.from_bytes(content[heap + 8 : heap + 16], "little")
    free = heap + 16 + 60 * 24  # behind the texts
    assert content[free : free + 16] == bytes(8) + (heap + size - free).to_bytes(8, "little")
    content[free + 8 : free + 16] = bytes(8)
    path.write_bytes(content)
    refused(path, f"damaged: the heap of texts at byte {heap:,} contradicts itself", labels="y")
    path.write_bytes(content[: heap + 12])
    refused(path)


def test_without_h5py_a_sentence_says_how_to_have_it(path, monkeypatch):
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    refused(path, "reading HDF5 needs h5py; install it: pip install 'stackae[omics]'")
