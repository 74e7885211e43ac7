"""The rows that a report looks at: at most so many, evenly spaced, whatever holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from stackae.data.matrix import Matrix, SparseMatrix, is_encoded
from stackae.data.named_matrix import NamedMatrix
from stackae.tables import as_table

#: So many rows, and cells, are looked at, but so many rows at least.
MOST_ROWS, _MOST_CELLS, _LEAST_ROWS = 2_000, 20_000_000, 200


def evenly_spaced(n_rows: int, n_columns: int) -> npt.NDArray[np.intp]:
    """The numbers of the rows that are looked at."""
    most = min(MOST_ROWS, max(_LEAST_ROWS, _MOST_CELLS // max(1, n_columns)))
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, most)).round().astype(np.intp))


def n_rows_of(X: Any) -> int:
    """How many there are."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def take(X: Any, index: npt.NDArray[np.intp]) -> Any:
    """Some rows, in memory, as estimators take them."""
    if isinstance(X, NamedMatrix):
        return NamedMatrix(take(X.X, index), X.names)
    if isinstance(X, Matrix):
        return X.take(index) if is_encoded(X) or isinstance(X, SparseMatrix) else X.gather(index)
    if issparse(X):
        return X.tocsr()[index]
    table = as_table(X)
    return np.asarray(X)[index] if table is None else table[index.tolist()].to_native()
