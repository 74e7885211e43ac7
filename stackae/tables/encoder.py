"""The encoder of tables: any table to one array of floats, and back."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted

from stackae._utils.constraints import Constrained, Integral, Interval, Real, StrOptions
from stackae.exceptions import DataError, ParameterError
from stackae.tables._arrays import as_array, fit_array, mapped
from stackae.tables._cells import Cells, as_numbers
from stackae.tables._column import Options
from stackae.tables._fitted import FittedTable
from stackae.tables._fitting import fit_table
from stackae.tables._reading import as_table, columns_of, read

Floats = npt.NDArray[np.floating]


class TableEncoder(TransformerMixin, Constrained):
    """Encode a table of pandas, polars or pyarrow as one array of floats, and decode it.

    Estimators encode tables themselves; use this class to change how, or to see the encoded columns. Each
    column is encoded by its kind, which is inferred unless ``columns`` names it; ``table_`` lists the kinds:

    - ``"number"``: one column, unchanged or by quantiles (see ``numeric``); durations in seconds.
    - ``"binary"``: 0 or 1. Booleans, zeros and ones, and categories or text with exactly two values.
    - ``"category"``: one-hot. Categorical types, and text with at most ``max_categories`` different values
      and at least two rows per value on average (or at most 10 values). Rare ones share a column (see
      ``min_frequency``).
    - ``"date"``: days since the first date, and the time of year, week and day as sine and cosine, if they
      vary. Dates, and text that is all ISO dates in one format. Times of day: the time of day alone.
    - ``"text"``: hashed character 3- and 4-grams, reduced by SVD. Text with more values.
    - ``"drop"``: nothing. Constants; identifiers (texts that all differ, of under three words on average, or
      10 or more whole numbers in equal steps); empty columns.

    Gaps (None, NaN, NA, null) are NaN in all encoded columns of a cell. An array of numbers, or anything else
    that is not a table, is passed through, unless ``numeric="quantile"``.

    Parameters
    ----------
    columns : dict or None, default=None
        From column names to kinds, such as ``{"zip": "category", "when": "drop"}``. None: all are inferred.
    numeric : {"auto", "standard", "quantile"}, default="auto"
        How numbers are encoded. ``"standard"``: unchanged, since the autoencoder standardises them.
        ``"quantile"``: as normal scores, by at most 1000 quantiles. ``"auto"``: ``"quantile"`` for
        heavy-tailed columns, where the middle 99.8 % span more than 10 interquartile ranges, or all values
        more than 100; otherwise ``"standard"``.
    max_categories : int, default=100
        Maximum number of categories with a column of their own. If a categorical type, or a column named in
        ``columns``, has more, all but the most frequent share one.
    min_frequency : float, default=0.001
        Categories in a smaller fraction of the non-missing rows are rare and share a column, if there are at
        least two of them and they are not most of the rows.
    text_components : int, default=10
        Number of encoded columns per text.

    Attributes
    ----------
    table_ : tuple of ColumnInfo
        Name, type, kind, number of encoded columns, gaps in the fit, and a note of each column; printed, a
        table.
    groups_ : tuple of (int, int)
        Start and stop of the encoded columns of every category.
    binary_ : tuple of int
        Encoded columns of binary columns.
    column_of_ : ndarray of shape (n_encoded,)
        The table's column that each encoded one comes from.
    n_features_in_ : int
        Columns of the table.
    feature_names_in_ : ndarray of str, only if all names are text

    Notes
    -----
    ``transform`` finds columns by name: their order does not matter, and further ones are ignored. Values are
    compared as text, whole numbers without a point and booleans as 1 and 0, so that the categories 1, 1.0 and
    "1" are the same. An unseen category goes to the column of rare ones; without one, or in a binary column,
    it becomes a gap, with a warning. Text in columns of numbers or dates is refused.

    ``inverse_transform`` takes a category's largest column, rounds binary values at 0.5, clips numbers to the
    range of the fit and rounds them if all were whole, and rounds dates to the unit (day to microsecond) of
    those fitted. Constants come back in every row; identifiers, texts, rare categories and dropped columns
    come back missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from stackae import TableEncoder
    >>> df = pd.DataFrame({"age": [31, 58, 44], "sex": ["f", None, "m"], "city": ["Rome", "Oslo", "Bonn"]})
    >>> encoder = TableEncoder(columns={"city": "category"}).fit(df)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'sex=m', 'city=Bonn', 'city=Oslo', 'city=Rome']
    >>> encoder.transform(df)
    array([[31.,  0.,  0.,  0.,  1.],
           [58., nan,  0.,  1.,  0.],
           [44.,  1.,  1.,  0.,  0.]])
    >>> encoder.inverse_transform(encoder.transform(df)).equals(df)
    True
    """

    feature_names_in_: npt.NDArray[np.object_]
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "columns": [dict, None],
        "numeric": [StrOptions({"auto", "standard", "quantile"})],
        "max_categories": [Interval(Integral, 2, None, closed="left")],
        "min_frequency": [Interval(Real, 0, 1, closed="left")],
        "text_components": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        columns: dict[Any, str] | None = None,
        *,
        numeric: str = "auto",
        max_categories: int = 100,
        min_frequency: float = 0.001,
        text_components: int = 10,
    ) -> None:
        self.columns = columns
        self.numeric = numeric
        self.max_categories = max_categories
        self.min_frequency = min_frequency
        self.text_components = text_components

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn how to encode each column.

        Parameters
        ----------
        X : DataFrame, Table or array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError, ParameterError
            A parameter is invalid, or ``columns`` names an unknown column or kind.
        DataError
            A column cannot be encoded (the message names it), or none is left.
        """
        return self._fit(X)

    def fit_transform(self, X: Any, y: Any = None) -> Floats:
        """Like :meth:`fit` and then :meth:`transform`, but the table is read only once.

        Parameters
        ----------
        X : DataFrame, Table or array-like of shape (n_samples, n_features)
        y : ignored
        """
        return self.fit_encode(X)

    def fit_encode(self, X: Any) -> Floats:
        """Like :meth:`fit_transform`, but an array whatever ``set_output`` says."""
        cells: list[Cells] = []
        self._fit(X, cells)
        return self._fitted.encode(len(cells[0].values), cells.__getitem__) if cells else self.encode(X)

    def _fit(self, X: Any, cells: list[Cells] | None = None) -> Self:
        self.check_parameters()
        table = as_table(X)
        if table is None:
            if self.columns:
                raise ParameterError(
                    "columns= speaks of a table, and an array has no names; give a data frame"
                )
            return self._set(fit_array(as_array(self, X, reset=True), self.numeric))
        options = Options(self.numeric, self.max_categories, self.min_frequency, self.text_components)
        return self._set(fit_table(table, self.columns or {}, options, cells))

    def _set(self, fitted: FittedTable) -> Self:
        """Set all attributes together; names of an array were looked at by scikit-learn."""
        self._fitted = fitted
        self.table_ = fitted.told
        self.groups_, self.binary_, self.column_of_ = fitted.groups, fitted.binary, fitted.column_of
        if fitted.library:
            self.n_features_in_ = len(fitted.names)
            if all(isinstance(name, str) for name in fitted.names):
                self.feature_names_in_ = np.array(fitted.names, dtype=object)
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        return self

    def transform(self, X: Any) -> Floats:
        """Encode a table.

        Parameters
        ----------
        X : DataFrame, Table or array-like of shape (n_samples, n_features)
            A table with at least the fitted columns, in any order.

        Returns
        -------
        ndarray of shape (n_samples, n_encoded)
            float64, or float32 if all encoded columns are unchanged float32 numbers.

        Raises
        ------
        DataError
            Columns are missing, or cells have another type than in the fit, or are infinite.
        """
        return self.encode(X)

    def encode(self, X: Any, first_row: int = 0) -> Floats:
        """The same, an array whatever ``set_output`` says, of the rows from one on, for messages."""
        check_is_fitted(self)
        table, fitted = as_table(X), self._fitted
        if table is not None and fitted.library:
            return fitted.encode_table(table, first_row)
        for name, series in () if table is None else columns_of(table):
            as_numbers(read(name, series))  # or refused by name
        array = as_array(self, X, reset=False)
        if fitted.library:

            def column_of(place: int) -> Cells:
                return Cells(fitted.names[place], "numbers", array[:, place].astype(np.float64))

            return fitted.encode(len(array), column_of)
        return mapped(array, fitted, back=False)

    def inverse_transform(self, X: Any) -> Any:
        """Decode an array to a table.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_encoded)

        Returns
        -------
        DataFrame, Table or ndarray
            Of the fitted library, with all columns in their order and, as far as possible, their types.

        Raises
        ------
        DataError
            The array has another number of columns.
        """
        check_is_fitted(self)
        encoded = check_array(
            X,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            ensure_min_samples=0,
            input_name="X",
        )
        fitted = self._fitted
        if encoded.shape[1] != fitted.n_encoded:
            raise DataError(f"X must have {fitted.n_encoded} encoded columns, got {encoded.shape[1]}")
        return fitted.build(encoded) if fitted.library else mapped(encoded, fitted, back=True)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the encoded columns: ``age``, ``color=red``, ``color: other``, ``when: month sin``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            The table's column names. None: those, or x0, x1, ... for an array.

        Returns
        -------
        ndarray of str
            All different.

        Raises
        ------
        DataError
            Other names than in the fit, or another number of them.
        """
        check_is_fitted(self)
        places = [f"x{place}" for place in range(self.n_features_in_)]
        own = list(getattr(self, "feature_names_in_", self._fitted.names if self._fitted.library else places))
        if input_features is None:
            return np.array(self._fitted.encoded_names(own), dtype=object)
        given = list(input_features)
        if hasattr(self, "feature_names_in_") and given != own:
            raise DataError("input_features is not equal to feature_names_in_")
        if len(given) != len(own):
            raise DataError(f"input_features should have length equal to {len(own)}, got {len(given)}")
        return np.array(self._fitted.encoded_names(given), dtype=object)

    def to_json(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The fitted state and the parameters, for a file.

        Returns
        -------
        dict, dict
            JSON values, and arrays by name; :meth:`from_json` takes both.
        """
        check_is_fitted(self)
        values, arrays = self._fitted.to_json()
        names = getattr(self, "feature_names_in_", None)
        kinds = self.columns and [[_plain(name), str(kind)] for name, kind in self.columns.items()]
        params = {name: _plain(value) for name, value in self.get_params().items()} | {"columns": kinds}
        return {"params": params, "feature_names": None if names is None else list(names), **values}, arrays

    @classmethod
    def from_json(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Rebuild an encoder from :meth:`to_json`; nothing in it is executed.

        Parameters
        ----------
        values : dict
        arrays : dict of str to ndarray

        Raises
        ------
        KeyError, TypeError, ValueError
            They do not describe an encoder.
        """
        params = dict(values["params"])
        params["columns"] = params["columns"] and dict(params["columns"])
        encoder = cls(**params)
        encoder.check_parameters()
        encoder._set(FittedTable.from_json(values, arrays))
        encoder.n_features_in_ = len(values["names"])
        if values["feature_names"] is not None:
            encoder.feature_names_in_ = np.array(values["feature_names"], dtype=object)
        return encoder

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _plain(value: Any) -> Any:
    """A parameter as JSON has it."""
    return value.item() if isinstance(value, np.generic) else value
