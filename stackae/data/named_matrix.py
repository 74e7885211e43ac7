"""An array with column names, where pandas, an extra, may not be there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stackae.data.mapped import MappedMatrix
from stackae.data.matrix import SparseMatrix


class NamedMatrix:
    """A matrix with column names, which stackae's estimators take like a data frame, without pandas.

    Parameters
    ----------
    X : ndarray, MappedMatrix or SparseMatrix of shape (n_samples, n_columns)
    names : sequence of str
        One per column.

    Examples
    --------
    >>> import numpy as np
    >>> from stackae import Autoencoder, Training
    >>> from stackae.data import NamedMatrix
    >>> X = NamedMatrix(np.arange(20.0).reshape(10, 2), ["height", "width"])
    >>> Autoencoder(1, training=Training(max_epochs=1)).fit(X).feature_names_in_.tolist()
    ['height', 'width']
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
