"""Sparse rows, made dense a block at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


class SparseRows:
    """A sparse matrix as one matrix of floats that is read in blocks; only the block is dense.

    Parameters
    ----------
    matrix : scipy.sparse CSR matrix or array of shape (n_rows, n_columns), float32 or float64
        It is not written.
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape: tuple[int, int] = matrix.shape
        self.dtype: np.dtype[Any] = matrix.dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take, dense."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @property
    def stored(self) -> Floats:
        """The values that are stored; the others are zero."""
        values: Floats = self.matrix.data
        return values

    def __getitem__(self, rows: slice) -> Floats:
        block: Floats = self.matrix[rows].toarray()
        return block

    def read(self, start: int, out: Floats) -> None:
        """Fill ``out`` with the rows from one on."""
        out[:] = self[start : start + len(out)]

    def take(self, rows: npt.NDArray[np.integer]) -> Floats:
        """The rows of these numbers, in any order."""
        block: Floats = self.matrix[rows].toarray()
        return block

    def chosen(self, rows: npt.NDArray[np.integer]) -> SparseRows:
        """The rows of these numbers, in any order, still sparse."""
        return SparseRows(self.matrix[rows])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Floats:
        return np.asarray(self[:], dtype)
