"""What an estimator that was fitted on a table knows of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from stackae.tables import TableEncoder, TableInfo

Floats = npt.NDArray[np.floating]


class OnTables:
    """An estimator whose samples may be tables: it keeps the encoder, and answers with tables."""

    #: The encoder of the table that was fitted; None: it was numbers.
    _table: TableEncoder | None = None
    n_features_in_: int

    def _set_table(self, table: TableEncoder | None) -> None:
        """Keep the encoder of the table that was fitted; None: it was numbers."""
        self._table = table
        if table is not None:
            self.n_features_in_ = table.n_features_in_

    @property
    def table_(self) -> TableInfo:
        """What each column of the table became that was fitted; only where it held other than numbers."""
        check_is_fitted(self)
        if self._table is None:
            raise AttributeError(f"this {type(self).__name__} was fitted on numbers, and has no table_")
        return self._table.table_

    def _by_column(self, encoded: Floats) -> Floats:
        """The sums over the encoded columns of each column of the table (samples × columns); NaN for gaps."""
        assert self._table is not None
        sums = np.zeros((len(encoded), self.n_features_in_), encoded.dtype)
        np.add.at(sums.T, self._table.column_of_, encoded.T)
        return sums

    def _as_given(self, encoded: Any) -> Any:
        """What was computed for each encoded column as a table like the one that was fitted."""
        return encoded if self._table is None else self._table.inverse_transform(encoded)
