"""Samples and what is known of them: arrays, what lies on the disk, or tables of typed columns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import Matrix, SparseMatrix, is_encoded
from stackae.data.named_matrix import NamedMatrix
from stackae.data.statistics import are_numbered

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DataSet", "fingerprint"]

_CELLS_AT_ONCE = 2**22  # looked at for gaps
_ROWS_AT_ONCE = 2**14  # of a table, hashed
_BLOCK = 2**22  # bytes hashed at once
_PROBED = 100  # rows, before a column is looked at whole


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set, from :func:`load_data`: rows, labels and names.

    Attributes
    ----------
    X : ndarray, MappedMatrix, SparseMatrix (n_samples, n_features), float32 or float64; or pyarrow.Table
        The rows, as estimators take them. An array, perhaps a read-only memory map; a MappedMatrix if they
        come in shards or exceed memory; a SparseMatrix (its ``matrix`` is scipy's) if the file is sparse;
        ``np.asarray`` makes an array of either. A table if there are columns of text, dates or the like; a
        :class:`stackae.data.dialects.TableStream` if that exceeds memory.
    y : ndarray of shape (n_samples,) or None
        The labels.
    feature_names : list of str or None
    name : str
        The name of the data set, or of the file without its folder.
    ids : ndarray of shape (n_samples,) or None
        Identifiers of the rows.
    ignored : tuple of str
        Columns that are neither features, labels nor ids, and were not dropped by name.
    """

    X: np.ndarray | MappedMatrix | SparseMatrix | pa.Table
    y: np.ndarray | None
    feature_names: list[str] | None
    name: str
    ids: np.ndarray | None = None
    ignored: tuple[str, ...] = ()

    @property
    def named_samples(self) -> np.ndarray | MappedMatrix | SparseMatrix | NamedMatrix | pa.Table:
        """``X`` with the column names, if there are any: what to give an estimator."""
        if self.feature_names is None or is_typed(self.X) or is_encoded(self.X):
            return self.X
        return NamedMatrix(self.X, self.feature_names)

    @cached_property
    def gaps(self) -> npt.NDArray[np.intp]:
        """Number of missing cells in each column, of shape (n_features,)."""
        X: Any = self.X
        if hasattr(X, "dialect"):
            return np.array([X.dialect.gaps.get(name, 0) for name in X.schema.names])
        if is_typed(X):
            return np.array([_n_missing(column) for column in X.columns])
        if isinstance(X, SparseMatrix):
            stored = X.matrix
            return np.bincount(stored.indices[np.isnan(stored.data)], minlength=X.shape[1])
        counts = np.zeros(X.shape[1], np.intp)
        rows = max(1, _CELLS_AT_ONCE // X.shape[1])
        for start in range(0, len(X), rows):
            counts += np.isnan(X[start : start + rows]).sum(0)
        if not is_encoded(X):
            return counts
        of_columns = np.zeros(X.table.n_features_in_, np.intp)
        np.maximum.at(of_columns, X.table.column_of_, counts)
        return of_columns

    @property
    def numbered(self) -> list[str]:
        """Named columns of whole numbers in equal steps, which are probably identifiers."""
        X: Any = self.X
        if self.feature_names is None or is_typed(X) or isinstance(X, SparseMatrix) or is_encoded(X):
            return []
        first = np.sort(np.asarray(X[:_PROBED]), axis=0)
        likely = (first == np.round(first)).all(0) & (first[1:] > first[:-1]).all(0)
        rows = max(1, _CELLS_AT_ONCE // X.shape[1])
        starts = range(0, len(X), rows)
        wholes = {
            name: np.concatenate([X[start : start + rows][:, k].copy() for start in starts])
            for k, name in enumerate(self.feature_names)
            if likely[k]
        }
        return [name for name, values in wholes.items() if are_numbered(values)]

    def take(self, index: npt.NDArray[np.intp]) -> DataSet:
        """The samples with these indices, in memory."""
        X: Any = self.X
        if is_typed(X) or isinstance(X, SparseMatrix) or is_encoded(X):
            X = X.take(index)
        else:
            X = X.gather(index) if isinstance(X, Matrix) else np.asarray(X[index])
        y, ids = (None if values is None else values[index] for values in (self.y, self.ids))
        return replace(self, X=X, y=y, ids=ids)


def is_typed(X: Any) -> bool:
    """Whether rows are a table of typed columns, and no matrix."""
    return hasattr(X, "schema")


def _n_missing(column: Any) -> int:
    from pyarrow import compute, types

    missing = column.is_null(nan_is_null=types.is_floating(column.type))
    return int(compute.sum(missing).as_py())


def fingerprint(X: np.ndarray | Matrix | pa.Table) -> str:
    """Hash data with SHA-256: the dtype, shape and numbers of an array, or the columns of a table.

    The memory layout does not matter. A table is hashed by names, types and cells.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...), Matrix or pyarrow.Table
        Read in blocks of rows, so that a memory map need not fit in memory. A sparse matrix is hashed by its
        stored values, so that the same numbers in an array have another fingerprint.

    Returns
    -------
    digest : str
        64 hexadecimal digits.

    Examples
    --------
    >>> a = np.arange(6.0).reshape(2, 3)
    >>> fingerprint(a) == fingerprint(np.asfortranarray(a)) != fingerprint(a.reshape(3, 2))
    True
    """
    if is_typed(X):
        return _fingerprint_of_table(X)
    if isinstance(X, SparseMatrix):
        stored = X.matrix
        places = (array.astype(np.int64, copy=False) for array in (stored.indptr, stored.indices))
        parts = "".join(map(fingerprint, (stored.data, *places)))
        return hashlib.sha256(f"sparse {X.shape} {parts}".encode()).hexdigest()
    dtype = X.dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{dtype.str} {X.shape}".encode())
    rows = max(1, _BLOCK * len(X) // max(1, X.nbytes))
    for start in range(0, len(X), rows):
        digest.update(X[start : start + rows].astype(dtype, copy=False).tobytes())
    return digest.hexdigest()


def _fingerprint_of_table(table: pa.Table) -> str:
    import pyarrow as pa

    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name!r} {column.type} {len(column)}".encode())
        for start in range(0, len(column), _ROWS_AT_ONCE):  # blocks that do not depend on how it is chunked
            block = column.slice(start, _ROWS_AT_ONCE).combine_chunks()
            digest.update(pa.record_batch([block], [""]).serialize())
    return digest.hexdigest()
