"""What a fitted model says of each row, as columns with names: the methods that run on every engine.

A method is one function and one line in ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stackae.exceptions import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

    from stackae.estimators import BaseEncoder

__all__ = ["METHODS", "Named", "method_of"]


class Named(NamedTuple):
    """What was computed of rows.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_columns) or (n_samples,), or pyarrow.Table
    names : sequence of str
        One a column.
    """

    values: np.ndarray | pa.Table
    names: Sequence[str]

    @property
    def columns(self) -> list[Any]:
        """Each column as an array of Arrow."""
        import pyarrow as pa

        if not isinstance(self.values, np.ndarray):
            return [column.combine_chunks() for column in self.values.columns]
        table = self.values.reshape(len(self.values), -1)
        return [pa.array(column) for column in np.ascontiguousarray(table.T)]


def _transposed(table: np.ndarray) -> np.ndarray:
    """Columns as rows; by torch, which goes through wide ones in tiles, five times as fast."""
    if table.dtype.kind != "f":
        return np.ascontiguousarray(table.T)
    import torch

    columns: np.ndarray = torch.from_numpy(table).t().contiguous().numpy()
    return columns


def codes(model: Any, X: Any) -> Named:
    """The codes of rows."""
    return Named(model.transform(X), [str(name) for name in model.get_feature_names_out()])


def predictions(model: Any, X: Any) -> Named:
    """What is predicted: classes, numbers, or -1 for outliers and 1 for the others."""
    found = model.predict(X)
    found = found.astype(str) if found.dtype.kind in "OM" else found
    n_columns = 1 if found.ndim == 1 else found.shape[1]
    return Named(found, ["prediction"] if n_columns == 1 else [f"prediction{k}" for k in range(n_columns)])


def probabilities(model: Any, X: Any) -> Named:
    """The probability of each class."""
    return Named(model.predict_proba(X), list(map(str, model.classes_)))


def scores(model: Any, X: Any) -> Named:
    """Each row's squared error and, of a detector, whether it is an outlier (1)."""
    errors = -model.score_samples(X)
    columns = {"squared_error": errors}
    if hasattr(model, "offset_"):
        columns["outlier"] = errors > -model.offset_
    return Named(np.column_stack(list(columns.values())), list(columns))


def reconstructions(model: Any, X: Any) -> Named:
    """What the model makes of rows, in their own units."""
    return _as_given(model.reconstruct(X))


def imputations(model: Any, X: Any) -> Named:
    """The rows with their missing cells filled."""
    return _as_given(model.impute(X))


def _as_given(found: Any) -> Named:
    """Columns of the rows themselves, which know their names where they are a table's."""
    if isinstance(found, np.ndarray):
        return Named(found, [])
    import narwhals.stable.v2 as nw

    return Named(nw.from_native(found).to_arrow(), [])


class Method(NamedTuple):
    """A method, what a model must have for it, and whether its columns are those of the rows."""

    function: Callable[[Any, Any], Named]
    needs: str
    of_columns: bool = False

    def compute(self, model: BaseEncoder, X: Any, features: Sequence[str]) -> Named:
        """What it gives for rows with these columns."""
        found = self.function(model, X)
        return Named(found.values, features) if self.of_columns else found


METHODS: dict[str, Method] = {
    "transform": Method(codes, "transform"),
    "predict": Method(predictions, "predict"),
    "predict_proba": Method(probabilities, "predict_proba"),
    "score": Method(scores, "score_samples"),
    "impute": Method(imputations, "impute", of_columns=True),
    "reconstruct": Method(reconstructions, "reconstruct", of_columns=True),
}


def method_of(model: BaseEncoder, name: str) -> Method:
    """The method of that name.

    Raises
    ------
    ParameterError
        There is none, or the model lacks it.
    """
    if name not in METHODS:
        raise ParameterError(f"method must be one of {', '.join(METHODS)}, got {name!r}")
    if not hasattr(model, METHODS[name].needs):
        raise ParameterError(f"a {type(model).__name__} has no {METHODS[name].needs}, which {name!r} needs")
    return METHODS[name]
