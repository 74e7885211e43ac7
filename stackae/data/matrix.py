"""The one matrix that everything reads: samples × features, in memory, sparse, or on the disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Index = npt.NDArray[np.integer]

#: A block has about this many values: few enough to stay in a processor's cache.
_BLOCK = 2**20
#: Products of so many samples give each of them the same bits, whatever the others are and however many.
_FULL = 1024


def full_block(n_features: int) -> int:
    """How many samples a block must have so that what is computed of each does not depend on the others."""
    return min(_FULL, max(1, _BLOCK // max(1, n_features)))


class Matrix(ABC):
    """The base of matrices in memory, sparse or on disk: floats, read in blocks, never written to."""

    ndim = 2
    #: Whether only some of the values are stored, and a block is made dense when it is read.
    is_sparse: ClassVar[bool] = False
    #: Whether it lies in files, and is not to be loaded whole.
    is_mapped: ClassVar[bool] = False
    #: Whether some are integers that a float may round.
    of_long_integers: bool = False
    #: The encoder of the table of which these are the encoded columns; None where it was numbers.
    table: Any = None

    shape: tuple[int, int]
    #: float32 or float64.
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes of all samples as a dense array."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @abstractmethod
    def __getitem__(self, samples: slice) -> Floats:
        """Consecutive samples, as an array."""

    @abstractmethod
    def gather(self, index: Index) -> Floats:
        """The samples with these indices, in any order, as an array."""

    def take(self, index: Index) -> Matrix:
        """The samples with these indices, as a matrix; those on disk are read."""
        return DenseMatrix(self.gather(index)).of_table(self.table)

    def of_table(self, table: Any) -> Self:
        """The same values, marked as encoded from a table by this encoder."""
        same = copy(self)
        same.table = table
        return same

    def read(self, start: int, out: Floats) -> None:
        """Fill ``out`` with consecutive samples from ``start``."""
        out[:] = self[start : start + len(out)]

    @abstractmethod
    def beside(self, columns: Floats) -> Matrix:
        """The same samples with further columns on the right, no longer encoded columns of a table."""

    def blocks(self, dtype: npt.DTypeLike | None = np.float64, *, at_least: int = 1) -> Iterator[Floats]:
        """All samples, in contiguous, writable blocks of ``dtype`` (None: their own).

        If the last block would have fewer than ``at_least`` samples, it repeats some of the one before.
        """
        size = max(1, _BLOCK // max(1, self.shape[1]))
        for start in range(0, len(self), size):
            first = max(0, min(start, len(self) - at_least))
            values = np.ascontiguousarray(self[first : start + size], dtype=dtype)
            yield values if values.flags.writeable else values.copy()

    def stored(self) -> Iterator[tuple[Floats, int]]:
        """The stored values in blocks, each with the number of those before it."""
        start = 0
        for block in self.blocks(dtype=None):
            yield block.reshape(-1), start
            start += block.size

    def place(self, number: int) -> tuple[int, int]:
        """Row and column of the stored value with this number."""
        return divmod(number, self.shape[1])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Floats:
        return np.asarray(self[:], dtype)


class DenseMatrix(Matrix):
    """An array in memory.

    Parameters
    ----------
    array : ndarray of shape (n_samples, n_features), float32 or float64
    """

    def __init__(self, array: Floats) -> None:
        self.array = array
        self.shape = array.shape[0], array.shape[1]
        self.dtype = array.dtype

    def __getitem__(self, samples: slice) -> Floats:
        return self.array[samples]

    def gather(self, index: Index) -> Floats:
        return self.array[index]

    def beside(self, columns: Floats) -> DenseMatrix:
        return DenseMatrix(np.hstack([self.array, columns.astype(self.dtype)]))


class SparseMatrix(Matrix):
    """A sparse matrix, as data files give it; blocks become dense when they are read.

    Estimators take scipy's own sparse matrices as well.

    Parameters
    ----------
    matrix : scipy.sparse CSR matrix or array of shape (n_samples, n_features), float32 or float64
    """

    is_sparse = True

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape = matrix.shape
        self.dtype = matrix.dtype

    def __getitem__(self, samples: slice) -> Floats:
        block: Floats = self.matrix[samples].toarray()
        return block

    def gather(self, index: Index) -> Floats:
        block: Floats = self.matrix[index].toarray()
        return block

    def take(self, index: Index) -> SparseMatrix:
        return SparseMatrix(self.matrix[index]).of_table(self.table)

    def beside(self, columns: Floats) -> SparseMatrix:
        from scipy.sparse import csr_array, hstack

        return SparseMatrix(hstack([self.matrix, csr_array(columns.astype(self.dtype))], format="csr"))

    def stored(self) -> Iterator[tuple[Floats, int]]:
        if self.matrix.data.size:
            yield self.matrix.data, 0

    def place(self, number: int) -> tuple[int, int]:
        row = int(np.searchsorted(self.matrix.indptr, number, side="right")) - 1
        return row, int(self.matrix.indices[number])


def is_encoded(X: Any) -> bool:
    """Whether these are the encoded columns of a table, or codes of them."""
    return isinstance(X, Matrix) and X.table is not None
