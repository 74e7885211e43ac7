"""A table of pandas, polars or pyarrow, column by column; what no column may hold is refused by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from numbers import Number
from typing import Any, Literal, cast, get_args

import narwhals.stable.v2 as nw
import numpy as np

from stackae._utils.threads import tell
from stackae.exceptions import DataError, DataTypeError, StackaeWarning
from stackae.tables._arrow_texts import ArrowTexts
from stackae.tables._cells import GAP, SECOND, Cells, Codes, Form, Level, Name, missing

#: What is needed to make a column of the same type again, as JSON values.
Dtype = dict[str, Any]
Library = Literal["pandas", "polars", "pyarrow"]

_MOST_NAMES = 10
_LARGEST_EXACT = 2**53
#: More different texts are hardly categories, and stay in the order in which they occur.
_MOST_SORTED = 10_000
#: What pandas calls the content of a column of objects, and what it is read as.
_OBJECTS = {
    "string": "text",
    "boolean": "text",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "integer-na": "numbers",
    "decimal": "numbers",
    "date": "instants",
    "datetime": "instants",
    "datetime64": "instants",
    "timedelta": "durations",
    "timedelta64": "durations",
    "time": "times",
}


def as_table(X: Any) -> nw.DataFrame[Any] | None:
    """Wrap a table of pandas, polars or pyarrow for reading.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    narwhals.DataFrame or None
        None if ``X`` is not a table.

    Raises
    ------
    DataTypeError, DataError
        A lazy frame, a table of another library, or column names that repeat or are neither text nor whole
        numbers.
    """
    if type(X).__name__ == "LazyFrame":
        raise DataTypeError("lazy frames are not accepted; give what collect() makes of it")
    if nw.dependencies.is_into_dataframe(X):
        names: Any = X.column_names if nw.dependencies.is_pyarrow_table(X) else X.columns
        refuse_names(list(names))
    table = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(table, nw.DataFrame):
        return None
    library = table.implementation.value
    if library not in get_args(Library):
        raise DataTypeError(f"tables are of pandas, polars or pyarrow, got one of {library}; convert it")
    return table


def holds_other_than_numbers(X: Any) -> bool:
    """Whether something is a table with non-numeric columns: text, categories, dates or the like.

    Estimators encode such tables. Object columns of numbers and gaps are numeric; numeric text is not.

    Parameters
    ----------
    X : object
        Anything; False if it is not a table.
    """
    is_lazy = type(X).__name__ == "LazyFrame"  # which asks for its columns with a warning
    table = None if is_lazy or not (hasattr(X, "columns") or hasattr(X, "column_names")) else as_table(X)
    return table is not None and not all(_is_numeric(table.get_column(name)) for name in table.columns)


def fill_gaps(table: Any, other: Any) -> Any:
    """Fill the missing cells of a table with those of another one.

    Parameters
    ----------
    table, other : DataFrame or Table of pandas, polars or pyarrow
        With the same rows, and of the same library. Only the columns of ``other`` are filled.
    """
    own, source = as_table(table), as_table(other)
    if own is None or source is None:
        raise DataTypeError("gaps are filled in a table; give a data frame")
    filled = []
    for name in source.columns:
        column = own.get_column(name)
        missing = column.is_null()
        if column.dtype.is_float():
            missing = missing | column.is_nan()
        filled.append(column.zip_with(~missing, source.get_column(name)) if missing.any() else column)
    return own.with_columns(*filled).to_native()


def _is_na(cell: Any) -> bool:
    return type(cell).__name__ == "NAType"


def _is_numeric(column: nw.Series[Any]) -> bool:
    if _dtype(column) == nw.Object:
        return all(cell is None or isinstance(cell, Number) or _is_na(cell) for cell in column.to_list())
    if column.dtype == nw.Unknown:  # as sparse columns of pandas, and complex ones
        dtype = getattr(column.to_native(), "dtype", None)
        return getattr(getattr(dtype, "subtype", dtype), "kind", "O") in "biufc"
    return bool(column.dtype.is_numeric()) or column.dtype == nw.Boolean


def _dtype(column: nw.Series[Any]) -> Any:
    """A column's type. Of pandas' objects narwhals looks at the first hundred: gaps alone are text to it."""
    if column.dtype == nw.String and column.implementation.is_pandas():
        native = column.to_native()
        pandas = column.implementation.to_native_namespace()
        if native.dtype == object and pandas.api.types.infer_dtype(native) not in ("string", "empty"):
            return nw.Object()
    return column.dtype


def refuse_names(names: list[Any]) -> None:
    """Refuse names that occur twice, and such as are neither text nor whole numbers."""
    for name in names:
        if isinstance(name, bool) or not isinstance(name, (str, int, np.integer)):
            raise DataTypeError(f"column names must be text or whole numbers, got {name!r}; rename it")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"column names must differ, got {repeated[0]!r} more than once; rename one of them")


def listed(names: list[Name]) -> str:
    """Names for a message, shortened where they are many."""
    more = f", ... ({len(names):,} in all)" if len(names) > _MOST_NAMES else ""
    return ", ".join(map(repr, names[:_MOST_NAMES])) + more


def library_of(table: nw.DataFrame[Any]) -> Library:
    """The library that a table is of."""
    return cast("Library", table.implementation.value)


def columns_of(table: nw.DataFrame[Any]) -> Iterator[tuple[Name, nw.Series[Any]]]:
    """Names and columns."""
    for name, series in zip(table.columns, table.iter_columns(), strict=True):
        yield (name if isinstance(name, str) else int(name)), series  # type: ignore[misc]


def dtype_of(series: nw.Series[Any]) -> Dtype:
    """What is needed to make a column of the same type again."""
    dtype = _dtype(series)
    found: Dtype = {"name": type(dtype).__name__, "native": _called(series)}
    if isinstance(dtype, (nw.Datetime, nw.Duration)):
        found["unit"] = dtype.time_unit
    if isinstance(dtype, nw.Datetime):
        found["zone"] = dtype.time_zone
    if isinstance(dtype, nw.Decimal):
        found |= {"precision": dtype.precision, "scale": dtype.scale}
    if isinstance(dtype, nw.Enum) or found["native"] == "category":  # others need no list
        found["categories"] = list(map(_plain, series.cat.get_categories().to_list()))
        found["ordered"] = bool(getattr(getattr(series.to_native(), "cat", None), "ordered", False))
    return found


def read(name: Name, series: nw.Series[Any]) -> Cells:
    """A column's cells.

    Raises
    ------
    DataTypeError
        Lists, structs, bytes, complex numbers, or values of several types.
    """
    cells = _read(name, series)
    return missing(name, len(series)) if cells.gaps.all() else cells


def _read(name: Name, series: nw.Series[Any]) -> Cells:
    dtype = _dtype(series)
    if dtype == nw.Object and series.implementation.is_pandas():
        return _of_objects(name, series.to_native())
    if _called(series).startswith("Sparse"):
        series = nw.from_native(series.to_native().sparse.to_dense(), series_only=True)
        dtype = series.dtype
    if isinstance(dtype, (nw.Categorical, nw.Enum)):
        return Cells(name, "levels", *_of_categories(name, series))
    if dtype == nw.String:
        return Cells(name, "levels", *_different(series))
    if dtype == nw.Boolean:
        return _truth_values(name, _floats(series))
    if dtype.is_numeric():
        _warn_of_rounding(name, series)
        return Cells(name, "numbers", _floats(series))
    if dtype in (nw.Date, nw.Datetime):
        return Cells(name, "instants", _floats(series.dt.timestamp("us")))
    if dtype == nw.Duration:
        spans = np.asarray(series.cast(nw.Duration("us")).to_numpy(), "timedelta64[us]")
        return Cells(name, "durations", np.where(np.isnat(spans), np.nan, spans.astype(np.int64) / SECOND))
    if dtype == nw.Time:
        return Cells(name, "times", _microseconds(series))
    if series.is_null().all():  # of a type of its own
        return missing(name, len(series))
    raise DataTypeError(
        f"column {name!r} is of the type {_called(series)}, which has no code; convert or drop it"
    )


def _called(series: nw.Series[Any]) -> str:
    native = series.to_native()
    return str(getattr(native, "dtype", None) or native.type)


def _floats(series: nw.Series[Any]) -> Any:
    """Numbers or truth values as float64, NaN for gaps."""
    if series.implementation.is_pyarrow():  # which refuses what a float rounds
        return np.asarray(series.to_native().cast("float64", safe=False), np.float64)
    return np.asarray(series.cast(nw.Float64).to_numpy(), np.float64)


def _microseconds(series: nw.Series[Any]) -> Any:
    """Times of day, which libraries count in several units."""
    counted = _floats(series.cast(nw.Int64))
    unit = re.search(r"\[(s|ms|us)\]", _called(series))
    return counted * {"s": SECOND, "ms": 1000, "us": 1}[unit[1]] if unit else counted / 1000  # polars: ns


def _truth_values(name: Name, floats: Any) -> Cells:
    codes = np.where(np.isnan(floats), GAP, floats).astype(np.int64)
    return Cells(name, "levels", codes, (False, True))


def _different(series: nw.Series[Any]) -> tuple[Codes, Sequence[Level]]:
    """Texts as places in the list of those that differ, sorted where they may be categories."""
    if series.implementation.is_pandas():
        codes, found = series.to_native().factorize()
        texts: Sequence[str] = [str(text) for text in found]
    elif series.implementation.is_pyarrow():
        codes, texts = _of_arrow(series.to_native())
    else:
        texts = series.drop_nulls().unique(maintain_order=True).to_list()
        codes = _places(series, texts)
    if len(texts) > _MOST_SORTED:
        return codes.astype(np.int64), texts
    texts = list(texts)
    order = np.array(sorted(range(len(texts)), key=texts.__getitem__), np.int64)
    rank = np.empty(len(texts) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(texts)), GAP
    return rank[codes], tuple(texts[place] for place in order)


def _of_arrow(column: Any) -> tuple[Codes, ArrowTexts]:
    """Texts of Arrow's as places in the list of those that differ, in the order in which they occur."""
    import pyarrow as pa
    from pyarrow import compute

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    encoded = whole.dictionary_encode()
    return compute.fill_null(encoded.indices, GAP).to_numpy(), ArrowTexts(encoded.dictionary)


def _places(series: nw.Series[Any], texts: list[str]) -> Codes:
    if not texts:
        return np.full(len(series), GAP, np.int64)
    found = series.replace_strict(texts, list(range(len(texts))), return_dtype=nw.Float64)
    places: Codes = np.nan_to_num(_floats(found), nan=GAP).astype(np.int64)
    return places


def _of_categories(name: Name, series: nw.Series[Any]) -> tuple[Codes, tuple[Level, ...]]:
    if series.implementation.is_pandas() and _called(series) != "category":  # a dictionary of Arrow's
        codes, found = series.to_native().factorize()
        return codes.astype(np.int64), tuple(map(_plain, found.tolist()))
    categories = list(map(_plain, series.cat.get_categories().to_list()))
    if 0 < sum(isinstance(category, str) for category in categories) < len(categories):
        raise DataTypeError(f"column {name!r} has categories of several types; make all of them text")
    if series.implementation.is_pandas():
        return series.to_native().cat.codes.to_numpy().astype(np.int64), tuple(categories)
    return _places(series.cast(nw.String), list(map(str, categories))), tuple(categories)


def _plain(category: Any) -> Level:
    """A category as JSON has it; intervals, dates and the like as text."""
    value = category.item() if isinstance(category, np.generic) else category
    return value if isinstance(value, (str, bool, int, float)) else str(value)


def _of_objects(name: Name, native: Any) -> Cells:
    """A pandas column of Python objects, by what all of them are."""
    pandas = nw.from_native(native, series_only=True).implementation.to_native_namespace()
    content = pandas.api.types.infer_dtype(native.dropna())
    if content == "empty":
        return missing(name, len(native))
    form = _OBJECTS.get(content)
    if form is None:
        types = sorted({type(cell).__name__ for cell in native[native.notna()]})
        what = f"values of several types ({', '.join(types)})" if len(types) > 1 else f"{types[0]} objects"
        raise DataTypeError(f"column {name!r} holds {what}; make all of them text, or all numbers")
    if form == "text":
        return read(
            name, nw.from_native(native.astype("str" if content == "string" else "boolean"), series_only=True)
        )
    gaps = native.isna().to_numpy()
    values = np.full(len(native), np.nan)
    known = native[~gaps]
    if form == "numbers":
        values[~gaps] = known.astype(float)
    elif form == "instants":
        values[~gaps] = _instants(name, known, pandas)
    else:
        spans = pandas.to_timedelta(known.astype(str) if form == "times" else known)
        microseconds = spans.dt.total_seconds().to_numpy() * SECOND
        values[~gaps] = np.round(microseconds) / (1 if form == "times" else SECOND)
    found: Form = form  # type: ignore[assignment]
    return Cells(name, found, values)


def _instants(name: Name, known: Any, pandas: Any) -> Any:
    try:
        return pandas.to_datetime(known, utc=True).astype("datetime64[us, UTC]").astype(np.int64).to_numpy()
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataTypeError(f"column {name!r} holds dates that pandas does not read ({reason})") from None


def _warn_of_rounding(name: Name, series: nw.Series[Any]) -> None:
    if not series.dtype.is_integer() or not len(series) or series.is_null().all():
        return
    largest = max(int(series.max()), -int(series.min()))
    if largest > _LARGEST_EXACT:
        tell(
            StackaeWarning(
                f"column {name!r}: whole numbers over 2**53 are rounded, got {largest}; give identifiers as"
                " text"
            )
        )
