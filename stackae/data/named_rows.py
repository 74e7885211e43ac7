"""An array with column names, where pandas, an extra, may not be there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stackae.data.mapped import MappedRows


class NamedRows:
    """Rows with column names, which stackae's estimators take as they take a data frame.

    Parameters
    ----------
    rows : ndarray or MappedRows of shape (n_rows, n_columns)
    names : sequence of str
        One a column.
    """

    def __init__(self, rows: npt.NDArray[np.floating] | MappedRows, names: Sequence[str]) -> None:
        self.rows = rows
        self.names = list(names)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> NamedRows:
        return NamedRows(self.rows[rows], self.names)
