"""Sparse matrices out of files: their indices are checked before anything follows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stackae.data._table import StrPath, as_floats, check_shape, decoding, refusal
from stackae.data.matrix import SparseMatrix

#: The arrays that each layout consists of.
PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "coo": ("data", "row", "col"),
}
_MOST_COLUMNS = 2**24
# Empty rows cost a file nothing. Some millions of them do no harm; more are a claim without evidence.
_FREE_ROWS, _ROWS_A_VALUE = 2**22, 1000


def as_csr(
    path: StrPath, layout: str, shape: Sequence[int], parts: Mapping[str, np.ndarray], where: str = ""
) -> SparseMatrix:
    """A sparse matrix of floats, in rows, without stored zeros, from the arrays that a file holds of it.

    Parameters
    ----------
    path : path-like
    layout : {"csr", "csc", "coo"}
    shape : (n_samples, n_columns)
        As the file claims.
    parts : mapping
        The arrays of ``PARTS[layout]``.
    where : str, default=""
        For messages.
    """
    from scipy import sparse

    check_shape(path, shape, where)
    data, *indices = (np.asarray(parts[name]) for name in PARTS[layout])
    if data.dtype.kind not in "biuf":
        raise refusal(path, f"a table holds numbers or booleans, not {data.dtype}", where)
    if any(part.ndim != 1 for part in (data, *indices)) or any(
        part.dtype.kind not in "iu" for part in indices
    ):
        raise refusal(path, "damaged: the parts of a sparse matrix are lists of numbers and of places", where)
    n_samples, n_columns = map(int, shape)
    if n_columns > _MOST_COLUMNS:
        raise refusal(path, f"a sparse matrix of {n_columns:,} columns", where, f"at most {_MOST_COLUMNS:,}")
    if layout != "csr" and n_samples > max(_FREE_ROWS, _ROWS_A_VALUE * len(data)):
        raise refusal(path, f"damaged: {n_samples:,} rows of {len(data):,} values", where)
    data = as_floats(path, data) if len(data) else data.astype(np.float32)
    with decoding(path, "a sparse matrix"):
        if layout == "coo":
            matrix = sparse.coo_array((data, tuple(indices)), (n_samples, n_columns))
        else:
            of_layout = sparse.csr_array if layout == "csr" else sparse.csc_array
            matrix = of_layout((data, *indices), (n_samples, n_columns))
            matrix.check_format(full_check=True)
        rows = matrix.tocsr(copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return SparseMatrix(rows)
