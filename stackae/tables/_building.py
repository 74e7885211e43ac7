"""Cells as a table of pandas, polars or pyarrow again, in the types that were fitted, as far as can be."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from stackae.tables._cells import SECOND, Cells
from stackae.tables._reading import Dtype, Library

_UNITS = {"instants": "datetime64[us]", "times": "datetime64[us]", "durations": "timedelta64[us]"}
#: What holds values of several Python types, by the first that is among them.
_TYPES: dict[type, Any] = {str: nw.String, float: nw.Float64, int: nw.Int64, bool: nw.Boolean}


def build(library: Library, columns: Sequence[Cells], dtypes: Sequence[Dtype]) -> Any:
    """A table of a library's own, with a column for each of ``columns``.

    Where a column has gaps that its type cannot hold, it is of the nearest type that can: floats for
    pandas' ``int64``, objects for its ``bool``.
    """
    if library == "pandas":
        pandas: Any = import_module("pandas")
        made = {
            cells.name: _pandas(pandas, cells, dtype) for cells, dtype in zip(columns, dtypes, strict=True)
        }
        return pandas.DataFrame(made)
    made = {}
    for cells, dtype in zip(columns, dtypes, strict=True):
        series = _other(library, cells, dtype)
        made[cells.name] = series.to_native() if library == "polars" else _arrow(series, dtype)
    module: Any = import_module(library)
    return module.DataFrame(made) if library == "polars" else module.table(made)


def _moments(cells: Cells) -> np.ndarray:
    """Dates, times (of the first day of 1970) and durations as NumPy has them, NaT for gaps."""
    factor = SECOND if cells.form == "durations" else 1
    whole = np.round(np.where(cells.gaps, 0, cells.values) * factor).astype(np.int64)
    moments = whole.astype(_UNITS[cells.form])
    moments[cells.gaps] = "NaT"
    return moments


def _pandas(pandas: Any, cells: Cells, dtype: Dtype) -> Any:
    if cells.form == "levels":
        values = np.array([*cells.levels, None], dtype=object)[cells.values]
        series = pandas.Series(values, dtype=object)
    elif cells.form in _UNITS:
        series = pandas.Series(_moments(cells))
        if cells.form == "times":
            series = series.dt.time.astype(object).where(~cells.gaps, None)
        if dtype.get("zone"):
            series = series.dt.tz_localize("UTC").dt.tz_convert(dtype["zone"])
        if dtype["name"] == "Object" and cells.form == "instants":
            series = series.dt.date.astype(object).where(~cells.gaps, None)
    else:
        series = pandas.Series(cells.values)
    if "categories" in dtype:
        return series.astype(pandas.CategoricalDtype(dtype["categories"], dtype["ordered"]))
    wanted = dtype["native"]
    if cells.gaps.any() and wanted in ("bool", "object"):
        return series.astype(object).where(~cells.gaps, None)
    try:
        return series.astype(wanted)
    except (TypeError, ValueError, NotImplementedError):  # gaps, or a type that no text names
        return series if cells.form != "levels" else series.infer_objects()


def _other(library: Library, cells: Cells, dtype: Dtype) -> Any:
    wanted = _narwhals_dtype(dtype)
    if wanted is None or cells.form == "nothing":
        series = nw.new_series("", [None] * len(cells.values), backend=library)
        return series if wanted is None else series.cast(wanted)
    if cells.form in _UNITS:
        series = nw.new_series("", _moments(cells), backend=library)
        if dtype.get("zone"):
            series = series.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype["zone"])
    elif cells.form == "levels":
        kinds = {type(level) for level in cells.levels}
        own = next((own for kind, own in _TYPES.items() if kind in kinds), nw.String)
        series = nw.new_series("", [*cells.levels, None], own, backend=library)
        series = series[np.where(cells.values < 0, len(cells.levels), cells.values)]
    else:
        values: Any = cells.values
        if cells.gaps.any():
            values = values.astype(object)
            values[cells.gaps] = None  # NaN would not be null
            values = values.tolist()
        series = nw.new_series("", values, nw.Float64, backend=library)
    if library == "pyarrow" and isinstance(wanted, nw.Categorical):
        return series  # its categories may be numbers, which narwhals knows nothing of
    return series.cast(wanted)


def _arrow(series: nw.Series[Any], dtype: Dtype) -> Any:
    """A column in the very type of pyarrow's that was fitted, if its name says all of it."""
    pyarrow: Any = import_module("pyarrow")
    native = series.to_native()
    if dtype["name"] == "Categorical":
        return native.dictionary_encode()
    try:
        return native.cast(pyarrow.type_for_alias(dtype["native"]))
    except ValueError:  # ArrowInvalid is one, too
        return native


def _narwhals_dtype(dtype: Dtype) -> Any:
    name = dtype["name"]
    if name == "Datetime":
        return nw.Datetime(dtype["unit"], dtype["zone"])
    if name == "Duration":
        return nw.Duration(dtype["unit"])
    if name == "Decimal":
        return nw.Decimal(dtype["precision"], dtype["scale"])
    if name == "Enum":
        return nw.Enum(dtype["categories"])
    return None if name in ("Unknown", "Object", "List", "Array", "Struct") else getattr(nw, name)()
