"""Sparse matrices in files stay sparse, and lie to nobody."""

from __future__ import annotations

import numpy as np
import pytest
from array_files import refused, two_kinds, write_sparse
from scipy import sparse

from stackae import StackedAutoencoder, Training
from stackae.data import SparseMatrix, fingerprint, load_data, read_table

X, KINDS = two_kinds()


@pytest.mark.parametrize(
    "layout", [sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, np.bool_])
def test_a_sparse_matrix_is_read_as_scipy_saved_it(tmp_path, layout, dtype):
    sparse.save_npz(tmp_path / "t.npz", layout(X.astype(dtype)))
    data = load_data(tmp_path / "t.npz")
    assert isinstance(data.X, SparseMatrix)
    assert data.X.dtype == (np.float64 if dtype in (np.float64, np.int64) else np.float32)
    np.testing.assert_array_equal(np.asarray(data.X), X.astype(dtype))


def test_a_sparse_matrix_without_values_is_read(tmp_path):
    sparse.save_npz(tmp_path / "t.npz", sparse.csr_matrix((3, 2), dtype=np.int64))
    np.testing.assert_array_equal(np.asarray(read_table(tmp_path / "t.npz").X), np.zeros((3, 2)))


def test_places_that_occur_twice_are_summed_and_stored_zeros_left_out(tmp_path):
    matrix = sparse.coo_matrix(([200, 100, 0], ([0, 0, 1], [1, 1, 0])), (2, 2), dtype=np.uint8)
    write_sparse(tmp_path / "t.npz", matrix)
    found = read_table(tmp_path / "t.npz").X.matrix
    assert found.nnz == 1
    np.testing.assert_array_equal(found.toarray(), [[0, 300], [0, 0]])


def test_labels_and_ids_may_lie_beside_a_sparse_matrix(tmp_path):
    write_sparse(tmp_path / "t.npz", sparse.csr_matrix(X), y=KINDS, name=np.arange(60))
    table = read_table(tmp_path / "t.npz", labels="y", ids="name")
    np.testing.assert_array_equal(table.y, KINDS)
    np.testing.assert_array_equal(table.ids, np.arange(60))


def test_a_data_set_of_sparse_rows_counts_takes_and_is_told_apart(tmp_path):
    with_gaps = X.copy()
    with_gaps[3:5, 2] = np.nan
    paths = [tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "gaps.npz"]
    for path, matrix in zip(paths, (sparse.csr_matrix(X), sparse.coo_matrix(X), with_gaps), strict=True):
        sparse.save_npz(path, sparse.csr_matrix(matrix))
    a, b, gaps = map(load_data, paths)
    assert len(a.X) == 60
    np.testing.assert_array_equal(a.gaps, np.zeros(8))
    np.testing.assert_array_equal(gaps.gaps, [0, 0, 2, 0, 0, 0, 0, 0])
    taken = a.take(np.array([5, 1]))
    assert isinstance(taken.X, SparseMatrix)
    np.testing.assert_array_equal(np.asarray(taken.X), X[[5, 1]])
    assert fingerprint(a.X) == fingerprint(b.X) != fingerprint(gaps.X)
    moved = sparse.csr_matrix((a.X.matrix.data, (a.X.matrix.indices + 1) % 8, a.X.matrix.indptr), (60, 8))
    assert fingerprint(SparseMatrix(moved)) != fingerprint(a.X)


def test_an_estimator_takes_sparse_rows_as_they_were_loaded(tmp_path):
    sparse.save_npz(tmp_path / "t.npz", sparse.csr_matrix(X))
    data = load_data(tmp_path / "t.npz")
    brief = Training(max_epochs=1)
    model = StackedAutoencoder([4], pretrain=brief, finetune=brief, random_state=0).fit(data.named_samples)
    np.testing.assert_array_equal(model.transform(data.X), model.transform(data.X.matrix))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"indices": np.full(3, 99)}, "damaged, or not a sparse matrix"),
        ({"indices": np.array([0, -1, 1])}, "damaged, or not a sparse matrix"),
        ({"indptr": np.array([0, 2, 1, 3])}, "damaged, or not a sparse matrix"),
        ({"indptr": np.array([0, 1, 2, 2**40])}, "damaged, or not a sparse matrix"),
        ({"indices": np.array([0.0, 1.0, 0.0])}, "damaged: the parts of a sparse matrix are"),
        ({"indptr": np.zeros((4, 1), int)}, "damaged: the parts of a sparse matrix are"),
        ({"data": np.array([1j, 1, 1])}, "numbers or booleans, not complex128"),
        ({"shape": np.array([3, 2**60])}, "a sparse matrix of 1,152,921,504,606,846,976 columns"),
        ({"shape": np.array([2**60, 2])}, "damaged, or not a sparse matrix"),
        ({"shape": np.array([3, 2, 1])}, "its shape is no pair of whole numbers"),
        ({"shape": np.array([3, 0])}, "the table has 3 rows and 0 columns"),
        (
            {"format": np.array(b"dia")},
            "the layout 'dia' is not read (a sparse matrix); save it as X.tocsr()",
        ),
        ({"format": np.array(7)}, "the layout 'of its own' is not read"),
        ({"indptr": None}, "no array 'indptr'"),
        ({"indptr": np.array([None, {}, 1])}, "pickled Python objects, which are never loaded"),
    ],
)
def test_a_sparse_matrix_that_contradicts_itself_is_refused(tmp_path, others, said):
    write_sparse(tmp_path / "t.npz", sparse.csr_matrix(np.array([[1.0, 0], [0, 2], [3, 0]])), **others)
    refused(tmp_path / "t.npz", said)


def test_rows_that_no_value_bears_out_are_refused_before_memory_is_taken(tmp_path):
    shape = np.array([2**60, 2])
    write_sparse(tmp_path / "t.npz", sparse.coo_matrix(np.eye(2)), shape=shape)
    refused(tmp_path / "t.npz", "damaged: 1,152,921,504,606,846,976 rows of 2 values")


def test_a_name_behind_the_file_chooses_the_array(tmp_path):
    np.savez(tmp_path / "t.npz", X=X, Z=X[:, :2])
    assert load_data(f"{tmp_path}/t.npz:Z").X.shape == (60, 2)
    assert load_data(f"{tmp_path}/t.npz:Z").name == "t.npz:Z"
    refused(f"{tmp_path}/t.npz:W", "no array 'W' for the table; it holds 'X'", file=tmp_path / "t.npz")


def test_a_file_whose_whole_name_has_the_colon_wins(tmp_path):
    np.savez(tmp_path / "t.npz", X=X, Z=X[:, :2])
    np.save(tmp_path / "t.npz:Z.npy", X[:7])
    assert load_data(f"{tmp_path}/t.npz:Z.npy").X.shape == (7, 8)
    (tmp_path / "b.npz:c.npz").write_bytes((tmp_path / "t.npz").read_bytes())
    assert load_data(f"{tmp_path}/b.npz:c.npz:Z").X.shape == (60, 2)


def test_an_array_that_is_dropped_is_not_the_table(tmp_path):
    np.savez(tmp_path / "t.npz", rows=X, others=X)
    np.testing.assert_array_equal(read_table(tmp_path / "t.npz", drop=["others"]).X, X)


def test_a_single_column_is_not_taken_for_the_table(tmp_path):
    np.savez(tmp_path / "t.npz", rows=X, kinds=KINDS[:, None])
    np.testing.assert_array_equal(read_table(tmp_path / "t.npz").X, X)
