"""Files of MATLAB, old and new."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from array_files import refused, two_kinds, write_matlab_73
from scipy import sparse
from scipy.io import savemat

from stackae.data import MappedMatrix, SparseMatrix, _arrays, load_data, read_table
from stackae.exceptions import DataFileError

X, KINDS = two_kinds()


def write(path, version, **arrays):
    if version == "7.3":
        write_matlab_73(path, **arrays)
    else:
        savemat(path, arrays, do_compression=version == "7")


every_version = pytest.mark.parametrize("version", ["6", "7", "7.3"])


@every_version
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, np.int32, np.bool_])
def test_the_only_matrix_is_the_table_whatever_the_version(tmp_path, version, dtype):
    write(tmp_path / "t.mat", version, rows=X.astype(dtype), kinds=KINDS[:, None], note=np.zeros((1, 1)))
    table = read_table(tmp_path / "t.mat")
    assert table.X.flags.c_contiguous
    np.testing.assert_array_equal(table.X, X.astype(dtype))


@every_version
def test_x_wins_and_another_is_had_by_its_name(tmp_path, version):
    write(tmp_path / "t.mat", version, X=X, Z=X[:, :3])
    np.testing.assert_array_equal(load_data(tmp_path / "t.mat").X, X)
    np.testing.assert_array_equal(load_data(f"{tmp_path}/t.mat:Z").X, X[:, :3])
    refused(f"{tmp_path}/t.mat:W", "'W'", file=tmp_path / "t.mat")


@every_version
@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)])
def test_labels_lie_in_a_row_or_a_column(tmp_path, version, shape):
    write(tmp_path / "t.mat", version, rows=X, y=KINDS.astype(float).reshape(shape))
    np.testing.assert_array_equal(load_data(tmp_path / "t.mat", labels="y").y, KINDS)
    refused(tmp_path / "t.mat", "'missing'", labels="missing")


def test_labels_may_be_a_matrix_of_characters(tmp_path):
    savemat(tmp_path / "t.mat", {"rows": X, "y": np.array(["ant", "wasp"] * 30)})
    assert load_data(tmp_path / "t.mat", labels="y").y[:2].tolist() == ["ant", "wasp"]


@every_version
def test_labels_of_another_length_are_refused(tmp_path, version):
    write(tmp_path / "t.mat", version, rows=X, y=np.arange(7.0)[:, None])
    refused(tmp_path / "t.mat", "7 values for 60 rows", labels="y")


@every_version
def test_a_sparse_matrix_stays_sparse(tmp_path, version):
    write(tmp_path / "t.mat", version, rows=sparse.csc_matrix(X.astype(np.float64)), y=KINDS[:, None] + 0.0)
    data = load_data(tmp_path / "t.mat", labels="y")
    assert isinstance(data.X, SparseMatrix)
    np.testing.assert_array_equal(np.asarray(data.X), X)


def test_a_sparse_matrix_without_values_is_read_of_version_7_3(tmp_path):
    write_matlab_73(tmp_path / "t.mat", X=sparse.csc_matrix((4, 3)))
    np.testing.assert_array_equal(np.asarray(load_data(tmp_path / "t.mat").X), np.zeros((4, 3)))


@pytest.mark.parametrize("version", ["7", "7.3"])
def test_version_7_3_alone_goes_to_the_disk_where_it_exceeds_the_memory(tmp_path, version):
    large = np.random.default_rng(0).normal(size=(3000, 800))
    write(tmp_path / "t.mat", version, X=large)
    if version == "7":
        refused(tmp_path / "t.mat", "19,200,000 bytes", "-v7.3", max_memory="16MiB")
        return
    data = load_data(tmp_path / "t.mat", max_memory="16MiB", cache_folder=tmp_path)
    assert isinstance(data.X, MappedMatrix)
    np.testing.assert_array_equal(np.asarray(data.X), large)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.array([[1, "a"]], dtype=object), "a cell array, which is not read"),
        ({"a": 1}, "a struct array, which is not read"),
        (np.array(["ab", "cd"]), "a char array, which is not read"),
        (np.ones((2, 2)) * 1j, "a complex double array, which is not read"),
        (np.ones((2, 2, 2)), "the array is 3-dimensional, shape (2, 2, 2)"),
        (np.ones((0, 2)), "the table has 0 rows and 2 columns"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path, array, said):
    savemat(tmp_path / "t.mat", {"A": array, "rows": X})
    refused(f"{tmp_path}/t.mat:A", said, "array 'A'", file=tmp_path / "t.mat")
    assert load_data(tmp_path / "t.mat", drop=["A"]).X.shape == (60, 8)


def test_an_empty_matrix_is_not_taken_for_the_table(tmp_path):
    savemat(tmp_path / "t.mat", {"A": np.ones((0, 2)), "rows": X})
    assert load_data(tmp_path / "t.mat").X.shape == (60, 8)


def test_labels_in_cells_are_refused(tmp_path):
    savemat(tmp_path / "t.mat", {"rows": X, "y": np.array(["a", 1] * 30, dtype=object)})
    refused(tmp_path / "t.mat", "a cell array", "cell2mat", labels="y")
    assert load_data(tmp_path / "t.mat", drop=["y"]).X.shape == (60, 8)


def test_several_matrices_without_a_name_are_refused_with_theirs(tmp_path):
    savemat(tmp_path / "t.mat", {"A": X, "B": X})
    refused(tmp_path / "t.mat", "which array is the table?", "'A' of shape (60, 8)", "FILE:NAME")


def _element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def _matrix(n_rows, n_columns, data):
    """A matrix of doubles called X that says to have this shape."""
    flags = _element(6, struct.pack("<II", 6, 0))
    return flags + _element(5, struct.pack("<ii", n_rows, n_columns)) + _element(1, b"X") + data


def _packed(element):
    content = zlib.compress(element)
    return struct.pack("<II", 15, len(content)) + content


def _file(element):
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + element


def _claiming(n_rows, n_columns, data, *, packed=False):
    element = _element(14, _matrix(n_rows, n_columns, data))
    return _file(_packed(element) if packed else element)


@pytest.mark.parametrize("packed", [False, True])
def test_a_claim_beyond_the_file_is_refused_before_memory_is_taken(tmp_path, packed):
    data = _element(9, bytes(16))
    (tmp_path / "t.mat").write_bytes(_claiming(1, 2, data, packed=packed))
    np.testing.assert_array_equal(load_data(tmp_path / "t.mat").X, np.zeros((1, 2)))
    (tmp_path / "t.mat").write_bytes(_claiming(2**30, 2**30, data, packed=packed))
    refused(tmp_path / "t.mat", "2 numbers for the shape (1073741824, 1073741824)", max_memory=2**63)


def test_an_element_that_is_longer_than_the_file_is_refused(tmp_path):
    (tmp_path / "t.mat").write_bytes(_claiming(1, 2, struct.pack("<II", 9, 2**31 - 16) + bytes(16)))
    refused(tmp_path / "t.mat", "an element of 2,147,483,632 bytes where 16 follow")


def test_a_packed_element_that_claims_more_than_it_holds_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(_arrays, "BOMB_SIZE", 2**20)
    matrix = struct.pack("<II", 14, 2**32 - 8) + _matrix(1, 2, _element(9, bytes(16)))
    (tmp_path / "t.mat").write_bytes(_file(_packed(matrix)))
    refused(tmp_path / "t.mat", "truncated: it declares 4,294,967,288 bytes, packed to")
    savemat(tmp_path / "t.mat", {"X": np.zeros((5000, 1000))}, do_compression=True)
    refused(tmp_path / "t.mat", "refused as a decompression bomb")
    monkeypatch.undo()
    assert load_data(tmp_path / "t.mat").X.shape == (5000, 1000)


def test_files_of_the_other_byte_order_are_read(tmp_path):
    parts = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 2)
    parts += (
        struct.pack(">HH4s", 1, 1, b"X") + struct.pack(">II", 9, 16) + np.array([1.5, 2], ">f8").tobytes()
    )
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    (tmp_path / "t.mat").write_bytes(header + struct.pack(">II", 14, len(parts)) + parts)
    np.testing.assert_array_equal(load_data(tmp_path / "t.mat").X, [[1.5, 2]])


def test_numbers_that_matlab_stored_in_fewer_bytes_are_of_their_class(tmp_path):
    (tmp_path / "t.mat").write_bytes(_file(_element(14, _matrix(1, 2, _element(2, b"\x07\x09")))))
    X = load_data(tmp_path / "t.mat").X
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X, [[7, 9]])


def test_truth_values_may_be_sparse(tmp_path):
    savemat(tmp_path / "t.mat", {"X": sparse.csc_matrix(X > 0)})
    np.testing.assert_array_equal(np.asarray(load_data(tmp_path / "t.mat").X), X > 0)


def test_version_4_is_refused(tmp_path):
    savemat(tmp_path / "t.mat", {"X": X}, format="4")
    refused(tmp_path / "t.mat", "version 4")


def test_no_changed_byte_harms(tmp_path):
    rows, rng = sparse.csc_matrix(np.eye(3)), np.random.default_rng(0)
    for packed in (False, True):
        savemat(
            tmp_path / "t.mat", {"rows": np.eye(3), "X": rows, "y": ["a", "bc", "d"]}, do_compression=packed
        )
        content = (tmp_path / "t.mat").read_bytes()
        for _ in range(300):
            changed = bytearray(content)
            changed[rng.integers(128, len(content))] = rng.integers(256)
            (tmp_path / "t.mat").write_bytes(changed)
            for name in ("rows", "X"):
                with suppress(DataFileError):
                    assert len(load_data(f"{tmp_path}/t.mat:{name}", labels="y").X) == 3


@every_version
def test_a_truncated_file_is_refused(tmp_path, version):
    write(tmp_path / "t.mat", version, X=X)
    content = (tmp_path / "t.mat").read_bytes()
    for length in (0, 3, 100, 300, len(content) // 2, len(content) - 9):
        (tmp_path / "t.mat").write_bytes(content[:length])
        refused(tmp_path / "t.mat")


def test_indices_of_a_sparse_matrix_that_lead_out_of_it_are_refused(tmp_path):
    matrix = sparse.csc_matrix(np.eye(3))
    matrix.indices = matrix.indices + 7
    savemat(tmp_path / "t.mat", {"X": matrix})
    refused(tmp_path / "t.mat", "damaged, or not a sparse matrix")


def test_columns_have_no_names_and_no_header(tmp_path):
    savemat(tmp_path / "t.mat", {"X": X})
    refused(tmp_path / "t.mat", "no column names", drop=["a"])
    refused(tmp_path / "t.mat", "no header", header=True)
