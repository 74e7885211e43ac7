"""What an estimator that was fitted on a table knows of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from stackae.data.matrix import is_encoded
from stackae.tables import TableEncoder, TableInfo

Floats = npt.NDArray[np.floating]


class OnTables:
    """An estimator whose samples may be tables: it keeps the encoder, and answers with tables."""

    #: The encoder of the table that was fitted; None: it was numbers.
    _table: TableEncoder | None = None
    #: The variance of each encoded column in the fit, in the units in which the model works, by which errors
    #: are made comparable; None where it was numbers.
    _variances: npt.NDArray[np.float64] | None = None
    #: The mean of each column in the fit, of a table of each encoded one; None where it is not known.
    _means: npt.NDArray[np.float64] | None = None
    n_features_in_: int

    def _set_table(self, table: TableEncoder | None, variances: Any, means: Any) -> None:
        """Keep what was learned of the columns that were fitted; no table: they were numbers."""
        self._table, self._variances, self._means = table, None, means
        if table is not None:
            self.n_features_in_ = table.n_features_in_
            self._variances = np.asarray(variances, np.float64)
            if self._variances.shape != table.column_of_.shape:
                raise ValueError(f"a table of {len(table.column_of_)} encoded columns has as many variances")

    @property
    def table_encoder_(self) -> TableEncoder:
        """The fitted :class:`~stackae.TableEncoder`, only if the model was fitted on a table."""
        check_is_fitted(self)
        if self._table is None:
            raise AttributeError(f"this {type(self).__name__} was fitted on numbers, and encodes no table")
        return self._table

    @property
    def table_(self) -> TableInfo:
        """How each column was encoded, only if the model was fitted on a table."""
        check_is_fitted(self)
        if self._table is None:
            raise AttributeError(f"this {type(self).__name__} was fitted on numbers, and has no table_")
        return self._table.table_

    def _sums(self, encoded: Tensor) -> Tensor:
        """Over the encoded columns of each column of the table that has any (... × columns); NaN for gaps."""
        assert self._table is not None
        _, sizes = np.unique(self._table.column_of_, return_counts=True)
        parts: Sequence[Tensor] = torch.split(encoded, sizes.tolist(), -1)
        return torch.stack([own.sum(-1) for own in parts], -1)

    def _in_variances(self, squared_errors: Tensor) -> Tensor:
        """Squared errors of encoded columns, each column's of the table as a share of its variance."""
        assert self._variances is not None
        variances = self._sums(torch.from_numpy(self._variances).to(squared_errors.device))
        shares: Tensor = self._sums(squared_errors) / torch.where(variances > 0, variances, 1.0)
        return shares.to(squared_errors.dtype)

    def _with_those_left_out(self, values: Floats) -> Floats:
        """A column for each of the table's, 0 for those that were left out (samples × columns)."""
        assert self._table is not None
        every = np.zeros((len(values), self.n_features_in_), values.dtype)
        every[:, np.unique(self._table.column_of_)] = values
        return every

    def _as_given(self, encoded: Any, X: Any = None) -> Any:
        """What was computed for each encoded column as a table like the one that was fitted; as it is where
        ``X``, of which it was computed, was an encoded table."""
        if self._table is None or is_encoded(X):
            return encoded
        return self._table.inverse_transform(encoded)


def are_the_same(one: TableEncoder, other: TableEncoder) -> bool:
    """Whether two fitted encoders make the same of every table."""
    if one is other:
        return True
    (values, arrays), (other_values, other_arrays) = one.to_json(), other.to_json()
    told, other_told = (json.dumps(own, sort_keys=True) for own in (values, other_values))
    return (
        told == other_told
        and arrays.keys() == other_arrays.keys()
        and all(np.array_equal(array, other_arrays[name]) for name, array in arrays.items())
    )
