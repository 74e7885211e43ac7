"""What an estimator is given: refused with row and column, or returned as a matrix of floats."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import validate_data

from stackae.data.mapped import MappedMatrix, lies_in_a_file, release
from stackae.data.matrix import DenseMatrix, Matrix, SparseMatrix, is_encoded
from stackae.data.named_matrix import NamedMatrix
from stackae.estimators._conversions import listed, refuse_silent_conversions, warn_of_rounding
from stackae.estimators._tables import are_the_same
from stackae.exceptions import DataError, DataTypeError, ParameterError
from stackae.tables import TableEncoder, as_table, holds_other_than_numbers

#: Half of float32's range, so that differences stay within it.
_LARGEST = float(np.finfo(np.float32).max) / 2
#: Up to so many samples, weights counted in, a fit does not depend on their order.
_FEW = 200

Floats = npt.NDArray[np.float64]


Names = npt.NDArray[np.object_]


class Checked(NamedTuple):
    """What was checked, and the columns' names where they have some."""

    X: Matrix
    names: Names | None


def check_X(  # noqa: N802
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    missing_values: float | None = None,
    table: TableEncoder | None = None,
    columns: dict[Any, str] | TableEncoder | None = None,
) -> Checked:
    """Validate ``X`` as scikit-learn does, and refuse what scikit-learn would silently convert.

    Parameters
    ----------
    estimator : BaseEstimator
        It is not written; its ``n_features_in_`` and ``feature_names_in_`` are compared (``reset=False``).
    X : array-like, sparse matrix, Matrix or NamedMatrix of shape (n_samples, n_features)
        A matrix with a ``table`` holds the encoded columns of one; its encoder is taken for that of the fit.
    reset : bool
        Whether it is for a new fit.
    missing_values : float or None, default=None
        What stands for a missing cell; NaN where it is another number, too. None: no cell may be missing, but
        in tables for a new fit.
    table : TableEncoder or None, default=None
        Of the fit, where that was on a table. A new fit on a table of other than numbers makes one, and one
        on an encoded table has its own: it is ``table`` of the matrix.
    columns : dict, TableEncoder or None, default=None
        For a new fit: the kinds of a table's columns, or the encoder, unfitted. Only a table will do then.

    Returns
    -------
    Checked
        float32 or float64, the user's own memory where it was of that type already; never to be written.
        Missing cells are NaN. Memory maps are not loaded, sparse matrices stay sparse.

    Raises
    ------
    DataTypeError
        Text, dates, categories or masked cells; a table that was encoded otherwise than in the fit.
    DataError
        Values that are infinite, missing, or over half of float32's range, with row and column; and whatever
        else scikit-learn refuses: shapes, complex values, other column names.
    ParameterError
        ``columns`` names no column, or no kind, or ``X`` is no table.
    """
    names = X.names if isinstance(X, NamedMatrix) else None
    if names is not None and not columns:
        X = X.X
        if not reset:
            refuse_other_names(names, getattr(estimator, "feature_names_in_", names))
    if reset:
        estimator = _blank(estimator)
    X = X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X
    if is_encoded(X):
        encoded = _as_of_the_fit(X, table, columns, reset=reset)
        return _checked_table(encoded, reset=reset, missing_values=missing_values)
    X = X.matrix if isinstance(X, SparseMatrix) else X
    if table is not None or columns or (reset and holds_other_than_numbers(X)):
        if table is not None and isinstance(X, NamedMatrix):
            raise DataTypeError("the model was fitted on a table; give a data frame")
        encoded = _encoded(X, columns) if table is None else _encoded_as_in_the_fit(X, table)
        return _checked_table(encoded, reset=reset, missing_values=missing_values)
    if hasattr(X, "column_names") and holds_other_than_numbers(X):  # pyarrow's text may be read as numbers
        raise DataTypeError(
            "the model was fitted on numbers, got a table of other types; encode or drop them"
        )
    refuse_silent_conversions(X)
    if getattr(X, "ndim", 2) > 2:
        raise DataError(
            f"X must have rows and columns, got an array of shape {tuple(X.shape)}; make each item one row:"
            " X.reshape(len(X), -1)"
        )
    if hasattr(X, "sparse") and any(dtype.fill_value != 0 for dtype in X.dtypes):
        X = X.sparse.to_dense()  # a sparse matrix leaves out zeros only
    if lies_in_a_file(X) and X.ndim == 2 and X.size and X.dtype.kind in "biuf":
        release(X)
        X = MappedMatrix([X])
    matrix = _as_matrix(estimator, X, reset=reset, names_are_known=names is not None)
    own = getattr(estimator, "feature_names_in_", None) if names is None else np.asarray(names, dtype=object)
    if missing_values is not None and not np.isnan(missing_values):
        matrix = _with_gaps(matrix, missing_values)
    _refuse_non_finite(matrix, own, may_be_nan=missing_values is not None)
    return Checked(matrix, own)


def _encoded(X: Any, columns: dict[Any, str] | TableEncoder | None) -> Matrix:
    """A table by a new encoder, as it was asked for."""
    if as_table(X) is None:
        raise ParameterError(
            f"columns= speaks of a table, got {type(X).__name__}; give a data frame of pandas, polars or"
            " pyarrow"
        )
    encoder = _asked_for(columns)
    return DenseMatrix(encoder.fit_encode(X)).of_table(encoder)


def _encoded_as_in_the_fit(X: Any, table: TableEncoder) -> Matrix:
    """A table by the encoder of the fit; or an array, with a number for each of the table's columns."""
    shape = np.shape(X)
    if as_table(X) is None and (issparse(X) or shape[1:] != (table.n_features_in_,)):
        raise DataTypeError(
            f"the model was fitted on a table; give a data frame with its {table.n_features_in_} columns, got"
            f" {type(X).__name__} of shape {shape}"
        )
    return DenseMatrix(table.encode(X)).of_table(table)


def _asked_for(columns: dict[Any, str] | TableEncoder | None) -> TableEncoder:
    encoder: TableEncoder = clone(columns) if isinstance(columns, TableEncoder) else TableEncoder(columns)
    return encoder


def _as_of_the_fit(
    X: Matrix, table: TableEncoder | None, columns: dict[Any, str] | TableEncoder | None, *, reset: bool
) -> Matrix:
    """A table that was encoded, with the encoder of the fit, which must be its own."""
    if table is None:
        if not reset:
            raise DataTypeError("the model was fitted on numbers, and X is an encoded table; give X[:]")
        if columns and X.table.get_params() != _asked_for(columns).get_params():
            raise ParameterError("X was encoded in another way than columns= says; give the table itself")
        return X
    if not are_the_same(X.table, table):
        raise DataTypeError(
            "X was encoded by another TableEncoder than the table that the model was fitted on; give the"
            " table itself"
        )
    return X if X.table is table else X.of_table(table)


def _checked_table(encoded: Matrix, *, reset: bool, missing_values: float | None) -> Checked:
    """An encoded table, and the names of the table's columns."""
    table = encoded.table
    if reset and not len(encoded):
        raise DataError("the table has no rows; give at least one")
    if len(table.column_of_) != encoded.shape[1]:
        raise DataError(
            f"X must have the {len(table.column_of_)} columns of its encoder, got {encoded.shape[1]}"
        )
    names = [str(table.table_[column].name) for column in table.column_of_]  # the user's own
    _refuse_non_finite(encoded, np.array(names, dtype=object), may_be_nan=reset or missing_values is not None)
    return Checked(encoded, getattr(table, "feature_names_in_", None))


def _blank(estimator: BaseEstimator) -> BaseEstimator:
    """The estimator as if it had never been fitted: its parameters alone."""
    blank: BaseEstimator = object.__new__(type(estimator))
    vars(blank).update({k: v for k, v in vars(estimator).items() if not (k[0] == "_" or k[-1] == "_")})
    return blank


def _as_matrix(estimator: BaseEstimator, X: Any, *, reset: bool, names_are_known: bool) -> Matrix:
    """What scikit-learn lets pass."""
    try:
        with warnings.catch_warnings():
            if names_are_known:  # they have been compared
                warnings.filterwarnings("ignore", message="X does not have valid feature names")
            valid: Any = validate_data(
                estimator,
                X[:1] if isinstance(X, MappedMatrix) else X,
                reset=reset,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                ensure_all_finite=False,
            )
    except TypeError as error:
        raise DataTypeError(str(error)) from None
    except ValueError as error:
        raise DataError(str(error)) from None
    if isinstance(X, MappedMatrix):
        return X
    if issparse(valid):
        return SparseMatrix(valid if valid.dtype.kind == "f" else valid.astype(np.float64))
    return DenseMatrix(valid)


def _with_gaps(X: Matrix, missing_values: float) -> Matrix:
    """The matrix with NaN where a number stood for a missing cell."""
    if X.is_sparse or X.is_mapped:
        raise DataError(
            f"only np.nan can stand for missing values in rows that are sparse or on the disk, got"
            f" {missing_values:g}; load them, or replace it"
        )
    array = X[:]
    number, nan = (array.dtype.type(value) for value in (missing_values, np.nan))
    return DenseMatrix(np.where(array == number, nan, array))


def refuse_other_names(
    given: Iterable[str],
    fitted: Iterable[str],
    rule: str = "the feature names should match those that were fitted",
) -> None:
    """As scikit-learn does where data frames are given."""
    given, fitted = list(given), list(fitted)
    if fitted == given:
        return
    known, wanted = set(given), set(fitted)
    missing = [name for name in fitted if name not in known]
    unexpected = [name for name in given if name not in wanted]
    differences = [
        f"{word} {listed(names)}"
        for word, names in (("missing", missing), ("unexpected", unexpected))
        if names
    ]
    pairs = zip(given, fitted, strict=False)
    first = next((f", {here!r} where {there!r} should be" for here, there in pairs if here != there), "")
    raise DataError(
        f"{rule}, in the same order: {'; '.join(differences) or f'they are in another order{first}'}"
    )


def _refuse_non_finite(X: Matrix, names: Names | None, *, may_be_nan: bool) -> None:
    largest = 0
    for values, before in X.stored():
        # A NaN makes both NaN, and that compares false. What torch may not write it warns of.
        can_be_shared = values.flags.writeable
        low, high = torch.aminmax(torch.from_numpy(values)) if can_be_shared else (values.min(), values.max())
        if not (low >= -_LARGEST and high <= _LARGEST):
            bad = ~(np.abs(values) <= _LARGEST)
            if may_be_nan:
                bad &= ~np.isnan(values)
            if bad.any():
                place = int(np.argmax(bad))
                row, column = X.place(before + place)
                label = repr(str(names[column])) if names is not None else str(column)
                raise _non_finite(float(values[place]), row, label)
        elif X.of_long_integers:
            largest = max(largest, -int(low), int(high))
    warn_of_rounding(0, largest)


def _non_finite(value: float, row: int, column: str) -> DataError:
    what = (
        "NaN"
        if np.isnan(value)
        else f"{value:g}"
        if np.isinf(value)
        else f"{value:g}, over {_LARGEST:.1e}, half of float32's range"
    )
    mend = "drop such rows, or impute or rescale the column"
    if np.isnan(value):
        mend = "impute the column, or set missing_values=np.nan"
    return DataError(f"Input X contains {what} in row {row}, column {column}; {mend}")


def apply_sample_weight(
    X: Matrix, sample_weight: Any, targets: Floats | None = None
) -> tuple[Matrix, Floats | None, Floats | None]:
    """The samples that count, how often an epoch visits each, and their targets.

    Whole numbers are counts: a sample of weight 2 is the same as the sample twice. Other weights are
    relative; they are divided by their mean over the samples that count. Where there are few samples they are
    put into an order of their own and repeated, so that whole weights and repeated samples give the same
    bits; where there are many they give the same expectation.

    Parameters
    ----------
    X : Matrix of shape (n_samples, n_features)
    sample_weight : array-like of shape (n_samples,) or None
    targets : array of shape (n_samples, n_targets) or None, default=None

    Returns
    -------
    X, weights, targets
        ``weights`` is None where each sample counts once.

    Raises
    ------
    DataError
        Weights of another length, negative, not finite, or all zero.
    """
    weights = None if sample_weight is None else check_weights(sample_weight, len(X))
    if weights is not None and not weights.all():
        keep = np.flatnonzero(weights)
        X, weights = X.take(keep), weights[keep]
        targets = None if targets is None else targets[keep]
    if weights is not None and not (weights == np.round(weights)).all():
        weights = weights / weights.mean()
    elif (len(X) if weights is None else weights.sum()) <= _FEW:
        keys = X[:] if targets is None else np.hstack([X[:], targets])
        order = np.lexsort(keys.T[::-1])
        if weights is not None:
            order = np.repeat(order, weights[order].astype(np.int64))
        X, targets = X.take(order), None if targets is None else targets[order]
        weights = None
    elif weights is not None and (weights == 1).all():
        weights = None
    return X, weights, targets


def check_weights(sample_weight: Any, n_samples: int) -> Floats:
    """Weights as floats, one a sample, or refused with row and value."""
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "biuf":
        weights = weights.astype(np.float64)
    if weights.ndim == 0:
        weights = np.full(n_samples, weights)
    if weights.shape != (n_samples,):
        raise DataError(f"sample_weight must have one number a row, {n_samples}, got shape {weights.shape}")
    weights = weights.astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        row = int(np.argmin(np.isfinite(weights) & (weights >= 0)))
        raise DataError(f"sample_weight must be finite and at least 0, got {weights[row]:g} in row {row}")
    if not weights.any():
        raise DataError("sample_weight must be above 0 for some row, got zeros only")
    return weights
