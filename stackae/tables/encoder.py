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
    """A table of pandas, polars or pyarrow as one array of floats, and back.

    What a column becomes depends on what it looks like; ``columns`` says otherwise, and ``table_`` what
    became of each:

    - ``"number"``: one column, as it is, or through quantiles (see ``numeric``); durations in seconds.
    - ``"binary"``: 0 or 1: truth values, and any column of exactly two numbers or texts.
    - ``"category"``: one column a category: categorical types, and text of at most ``max_categories`` values
      that have two rows each on the average (or are at most 10). Rare ones share a column (see
      ``min_frequency``).
    - ``"date"``: dates, and text that is all ISO dates written alike: days since the first one, and where in
      the year, the week and the day it is, on circles (sine and cosine), where that varies. Times of day: the
      last circle alone.
    - ``"text"``: text of more values: pieces of 3 and 4 characters, hashed, reduced by SVD.
    - ``"drop"``: nothing: constants; identifiers, which are single texts that all differ, or 10 or more whole
      numbers in equal steps; columns without a value.

    Gaps (None, NaN, NA, null) are NaN, in all columns that a cell has. An array of numbers, or anything else
    that is no such table, passes as it is, unless ``numeric="quantile"``.

    Parameters
    ----------
    columns : dict or None, default=None
        Kinds of columns by their names, such as ``{"zip": "category", "when": "drop"}``.
    numeric : {"auto", "standard", "quantile"}, default="auto"
        How numbers are encoded. ``"standard"``: as they are: to standardise them is the autoencoder's
        business. ``"quantile"``: as normal scores, by at most 1000 quantiles. ``"auto"``: so where they are
        heavy-tailed: where the middle 99.8 % spread over more than 10 times the range of the middle half, or
        all over more than 100 times.
    max_categories : int, default=100
        How many columns a category may have. Where there are more of them in a column of a categorical type,
        or in one told to be a category, the most frequent ones have a column each, and all others one.
    min_frequency : float, default=0.001
        Categories in a smaller share of the known rows are rare and share one column, if there are two or
        more, and they are not most of the rows.
    text_components : int, default=10
        How many numbers a text becomes.

    Attributes
    ----------
    table_ : tuple of ColumnInfo
        Of each column its name, type, kind, number of encoded columns, gaps at fit, and a note; ``repr``
        shows it as a table.
    groups_ : tuple of (int, int)
        First and past-the-last encoded column of every category.
    binary_ : tuple of int
        Encoded columns that are 0 or 1 each for itself.
    column_of_ : ndarray of shape (n_encoded,)
        From which of the table's columns each encoded one comes.
    n_features_in_ : int
        Columns of the table.
    feature_names_in_ : ndarray of str, only where all names are text

    Notes
    -----
    In ``transform`` columns are found by name: other orders and further columns make no difference. Values
    are compared as text, whole numbers without a point and truth values as 1 and 0, so that a category 1 is
    the same as 1.0 and "1". What a category has not seen goes to the column of rare ones; where there is
    none, or in a binary column, it becomes a gap, with a warning. Text where numbers or dates are needed is
    refused.

    ``inverse_transform`` gives categories by the largest of their columns, binary values from 0.5 on, numbers
    within the fitted range and whole where they all were, dates to the largest of day, hour, minute, second,
    millisecond and microsecond that all fitted dates had. Constants come back in every row; identifiers,
    texts, rare categories and what was dropped are missing.

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
        """Learn what each column is.

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
            A parameter breaks its rule, or ``columns`` names no column, or no kind.
        DataError
            A column cannot be encoded, or none is left; the message names it.
        """
        return self._fit(X)

    def fit_transform(self, X: Any, y: Any = None) -> Floats:
        """The same as :meth:`fit` and then :meth:`transform`, while a table is read once.

        Parameters
        ----------
        X : DataFrame, Table or array-like of shape (n_samples, n_features)
        y : ignored
        """
        return self.fit_encode(X)

    def fit_encode(self, X: Any) -> Floats:
        """The same, an array whatever ``set_output`` says."""
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
        """The table as an array.

        Parameters
        ----------
        X : DataFrame, Table or array-like of shape (n_samples, n_features)
            A table with at least the columns that were fitted, in any order.

        Returns
        -------
        ndarray of shape (n_samples, n_encoded), float64
            float32 where all encoded columns are plain float32 numbers.

        Raises
        ------
        DataError
            Columns are missing, or cells are of another type than was fitted, or infinite.
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
        """The nearest table to an array.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_encoded)

        Returns
        -------
        DataFrame, Table or ndarray
            Of the library that was fitted, with all columns in their order and, as far as can be, types.

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
        """What the encoded columns are called: ``age``, ``color=red``, ``color: other``, ``when: month sin``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            The table's names, or those of an array's columns, which else are x0, x1, ...

        Returns
        -------
        ndarray of str
            They all differ.

        Raises
        ------
        DataError
            Other names than were fitted, or another number of them.
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
        """All that was fitted, and the parameters.

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
        """The encoder that :meth:`to_json` has told of; nothing in it is executed.

        Parameters
        ----------
        values : dict
        arrays : dict of str to ndarray

        Raises
        ------
        KeyError, TypeError, ValueError
            They are not of an encoder.
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
