"""An array with column names, where pandas, an extra, may not be there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import SparseMatrix


class NamedMatrix:
    """Samples with column names, which stackae's estimators take as they take a data frame.

    Parameters
    ----------
    X : ndarray, MappedMatrix or SparseMatrix of shape (n_samples, n_columns)
    names : sequence of str
        One a column.
    """

    def __init__(
        self, X: npt.NDArray[np.floating] | MappedMatrix | SparseMatrix, names: Sequence[str]
    ) -> None:
        self.X = X
        self.names = list(names)

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, samples: slice) -> NamedMatrix:
        return NamedMatrix(self.X[samples], self.names)
