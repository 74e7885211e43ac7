"""Every kind of matrix reads as the array that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from stackae.data import matrix as module
from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import DenseMatrix, SparseMatrix, full_block
from stackae.training.batches import TensorMatrix

X = np.where(np.arange(120).reshape(30, 4) % 3, np.arange(120).reshape(30, 4), 0).astype(np.float32)
KINDS = {
    "dense": DenseMatrix,
    "sparse": lambda array: SparseMatrix(csr_array(array)),
    "mapped": lambda array: MappedMatrix([array[:7], array[7:]]),
    "a tensor": lambda array: TensorMatrix(torch.from_numpy(array)),
}


@pytest.fixture(params=KINDS)
def matrix(request):
    return KINDS[request.param](X)


def test_it_has_the_arrays_shape_values_and_size(matrix):
    assert (len(matrix), matrix.shape, matrix.ndim, matrix.dtype) == (30, (30, 4), 2, np.float32)
    assert matrix.nbytes == X.nbytes
    np.testing.assert_array_equal(np.asarray(matrix), X)
    np.testing.assert_array_equal(matrix[5:9], X[5:9])


def test_samples_are_gathered_in_any_order_as_an_array_or_as_a_matrix(matrix):
    index = np.array([29, 0, 8, 8, 3])
    np.testing.assert_array_equal(matrix.gather(index), X[index])
    taken = matrix.take(index)
    assert taken.shape == (5, 4)
    assert taken.is_sparse == matrix.is_sparse
    np.testing.assert_array_equal(taken[:], X[index])


def test_samples_are_read_into_memory_that_is_given(matrix):
    out = np.empty((6, 4), np.float32)
    matrix.read(4, out)
    np.testing.assert_array_equal(out, X[4:10])


def test_blocks_are_the_whole_in_the_type_asked_for_and_fit_for_torch(matrix, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 28)  # 7 samples a block
    for dtype, expected in ((None, np.float32), (np.float64, np.float64)):
        blocks = list(matrix.blocks(dtype))
        assert [len(block) for block in blocks] == [7, 7, 7, 7, 2]
        assert all(block.dtype == expected and block.flags.carray for block in blocks)
        np.testing.assert_array_equal(np.vstack(blocks), X)


def test_more_columns_stand_behind_and_more_behind_these(matrix):
    one, two = np.arange(30.0)[:, None], -np.ones((30, 2))
    wider = matrix.beside(one).beside(two)
    assert (wider.shape, wider.dtype) == ((30, 7), np.float32)
    np.testing.assert_array_equal(wider[:], np.hstack([X, one, two]))
    np.testing.assert_array_equal(matrix[:], X)


def test_a_stored_value_is_found_by_its_number(matrix):
    for values, before in matrix.stored():
        for k in (0, 17, len(values) - 1):
            assert values[k] == X[matrix.place(before + k)]
    assert sum(len(values) for values, _ in matrix.stored()) == (
        np.count_nonzero(X) if matrix.is_sparse else X.size
    )


def test_read_only_memory_is_copied_for_torch_and_not_written():
    array = X.copy()
    array.flags.writeable = False
    for block in DenseMatrix(array).blocks(dtype=None):
        block[:] = 0
    np.testing.assert_array_equal(array, X)


def test_taken_samples_are_of_the_same_table_and_more_columns_are_of_none(matrix):
    encoded = matrix.of_table("an encoder")
    assert (encoded.take(np.array([3, 1])).table, matrix.table) == ("an encoder", None)
    np.testing.assert_array_equal(encoded[:], X)
    assert encoded.beside(X).table is None


def test_a_last_block_of_few_samples_begins_with_some_of_the_one_before():
    X = np.arange(30.0).reshape(10, 3)
    matrix = DenseMatrix(X)
    assert [block.tolist() for block in matrix.blocks(at_least=4)] == [X.tolist()]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("stackae.data.matrix._BLOCK", 12)
        found = [block[:, 0].tolist() for block in matrix.blocks(at_least=4)]
        assert found == [X[:4, 0].tolist(), X[4:8, 0].tolist(), X[6:, 0].tolist()]
        assert full_block(3) == 4
    assert (full_block(100), full_block(2**19), full_block(2**21)) == (1024, 2, 1)
