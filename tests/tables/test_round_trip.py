"""Tables come back from their codes: every kind of column, in each library, from a file's JSON too."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackae import TableEncoder

N = 400


def with_gaps(values, first):
    return [
        None if place >= first and (place - first) % 17 == 0 else value for place, value in enumerate(values)
    ]


def columns():
    rng = np.random.default_rng(0)
    base = {
        "number": rng.normal(size=N).tolist(),
        "heavy": np.exp(3 * rng.normal(size=N)).tolist(),
        "count": rng.integers(0, 50, N).tolist(),
        "flag": (rng.random(N) > 0.3).tolist(),
        "zero_one": rng.integers(0, 2, N).tolist(),
        "yes": rng.choice(["yes", "no"], N).tolist(),
        "color": rng.choice(["red", "green", "blue", ""], N).tolist(),
        "iso": [str(dt.date(2020, 1, 1) + dt.timedelta(days=int(d))) for d in rng.integers(0, 900, N)],
        "stamp": [
            f"2021-03-{d:02}T{h:02}:00"
            for d, h in zip(rng.integers(1, 31, N), rng.integers(0, 24, N), strict=True)
        ],
        "when": [dt.datetime(2020, 1, 1) + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 10**8, N)],
        "length": [dt.timedelta(microseconds=int(t)) for t in rng.integers(0, 10**10, N)],
    }
    return {name: with_gaps(values, place) for place, (name, values) in enumerate(base.items())} | {
        "whole": rng.integers(-5, 50, N).tolist(),
        "truth": (rng.random(N) > 0.5).tolist(),
        "same": [3] * N,
        "identifier": list(range(5, N + 5)),
    }


def pandas_table():
    df = pd.DataFrame(columns())
    df["category"] = pd.Categorical(df["color"], ordered=True)
    df["numbers"] = pd.Categorical(with_gaps(df["whole"].tolist(), 3))
    df["Int64"] = df["count"].astype("Int64")
    df["boolean"] = df["flag"].astype("boolean")
    df["string"] = df["color"].astype("string")
    df["object"] = df["color"].astype(object)
    df["zoned"] = df["when"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    df["nanoseconds"] = df["when"].astype("datetime64[ns]")
    df["day"], df["time"] = df["when"].dt.date, df["when"].dt.time
    df["float32"] = df["number"].astype("float32")
    df["arrow"] = df["Int64"].astype("int64[pyarrow]")
    df["arrow_text"] = df["color"].astype("string[pyarrow]")
    df["arrow_zoned"] = df["zoned"].astype(pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin")))
    df["arrow_time"] = df["when"].astype("timestamp[us][pyarrow]")
    df["arrow_date"] = df["arrow_time"].astype("date32[day][pyarrow]")
    df["nothing"] = pd.Series([None] * N, dtype=object)
    return df


def polars_table():
    return pl.DataFrame(columns()).with_columns(
        category=pl.col("color").cast(pl.Categorical),
        enum=pl.col("color").cast(pl.Enum(["", "blue", "red", "green", "never"])),
        day=pl.col("when").cast(pl.Date),
        time=pl.col("when").cast(pl.Time),
        zoned=pl.col("when").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
        nanoseconds=pl.col("when").cast(pl.Datetime("ns")),
        int8=pl.col("count").cast(pl.Int8),
        decimal=pl.col("number").cast(pl.Decimal(12, 6)),
        float32=pl.col("number").cast(pl.Float32),
        nothing=pl.lit(None),
    )


def pyarrow_table():
    table = polars_table().drop("category", "enum").to_arrow()
    texts = pa.chunked_array([with_gaps(["a", "b", "c", "d"] * (N // 4), 5)]).dictionary_encode()
    numbers = pa.chunked_array([with_gaps([7, 8, 9, 1] * (N // 4), 5)]).dictionary_encode()
    return table.append_column("category", texts).append_column("numbers", numbers)


TABLES = {"pandas": pandas_table, "polars": polars_table, "pyarrow": pyarrow_table}


def parts(table):
    """Names, types and cells, whatever the library."""
    if isinstance(table, pa.Table):
        return table.column_names, table.schema.types, [c.to_pylist() for c in table.columns]
    return list(table.columns), list(table.dtypes), [table[name].to_list() for name in table.columns]


def is_gap(cell):
    return cell is None or cell is pd.NA or cell is pd.NaT or cell != cell


def differ(cell, back):
    if is_gap(cell) or is_gap(back):
        return is_gap(cell) != is_gap(back)
    if isinstance(cell, float):
        return abs(cell - back) > 1e-6 * max(1, abs(cell))
    return cell != back


@pytest.mark.parametrize("library", TABLES)
def test_a_table_comes_back_in_its_own_library_names_types_and_cells(library):
    table = TABLES[library]()
    encoder = TableEncoder().fit(table)
    back = encoder.inverse_transform(encoder.transform(table))
    assert type(back) is type(table)
    names, types, cells = parts(table)
    names_back, types_back, cells_back = parts(back)
    assert names_back == names
    for name, dtype, dtype_back, column, column_back in zip(
        names, types, types_back, cells, cells_back, strict=True
    ):
        if name == "identifier":
            assert all(map(is_gap, column_back))
            continue
        assert dtype_back == dtype, name
        wrong = [pair for pair in zip(column, column_back, strict=True) if differ(*pair)]
        assert not wrong, (name, wrong[:3])


@pytest.mark.parametrize("library", TABLES)
def test_the_state_as_json_and_arrays_makes_the_same_encoder(library):
    table = TABLES[library]()
    told = {"whole": "category", "color": "text", "yes": "drop"}
    encoder = TableEncoder(told, numeric="quantile", max_categories=9).fit(table)
    values, arrays = encoder.to_json()
    assert all(array.dtype == np.float64 for array in arrays.values())
    again = TableEncoder.from_json(json.loads(json.dumps(values, allow_nan=False)), arrays)
    assert again.get_params() == encoder.get_params()
    codes = encoder.transform(table)
    assert again.transform(table).tobytes() == codes.tobytes()
    assert again.inverse_transform(codes).equals(encoder.inverse_transform(codes))
    assert repr(again.table_) == repr(encoder.table_)
    for name in ("groups_", "binary_", "n_features_in_"):
        assert getattr(again, name) == getattr(encoder, name)
    for names in ("column_of_", "feature_names_in_"):
        assert getattr(again, names).tolist() == getattr(encoder, names).tolist()
    assert again.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()


@pytest.mark.parametrize("numeric", ["auto", "quantile"])
def test_the_state_of_an_array_is_kept_too(numeric):
    X = np.random.default_rng(0).lognormal(size=(50, 3))
    encoder = TableEncoder(numeric=numeric).fit(X)
    again = TableEncoder.from_json(*encoder.to_json())
    codes = encoder.transform(X)
    assert again.transform(X).tobytes() == codes.tobytes()
    assert again.inverse_transform(codes).tobytes() == encoder.inverse_transform(codes).tobytes()
    assert again.n_features_in_ == 3
    assert not hasattr(again, "feature_names_in_")


def rows_of(cells):
    return st.lists(st.none() | cells, min_size=3, max_size=40)


MOMENTS = st.datetimes(dt.datetime(1960, 1, 1), dt.datetime(2039, 12, 31))
DRAWN = {
    "numbers": (rows_of(st.floats(-1e9, 1e9)), pl.Float64),
    "whole numbers": (rows_of(st.integers(-(2**50), 2**50)), pl.Int64),
    "texts": (rows_of(st.text(max_size=3)), pl.String),
    "truth values": (rows_of(st.booleans()), pl.Boolean),
    "dates": (rows_of(st.dates(dt.date(1700, 1, 1), dt.date(2250, 1, 1))), pl.Date),
    "moments": (rows_of(MOMENTS), pl.Datetime("us")),
    "times": (rows_of(st.times()), pl.Time),
}
KINDS = {"texts": "category", "truth values": "binary", "dates": "date", "moments": "date", "times": "date"}


@pytest.mark.parametrize("content", DRAWN)
@pytest.mark.parametrize("library", TABLES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_cells_come_back(library, content, data):
    drawn, dtype = DRAWN[content]
    cells = data.draw(drawn)
    made = pl.DataFrame({"x": pl.Series(cells, dtype=dtype), "y": [0.5, 1.5] + [3.0] * (len(cells) - 2)})
    table = {"pandas": made.to_pandas, "polars": lambda: made, "pyarrow": made.to_arrow}[library]()
    quantile = data.draw(st.sampled_from(["standard", "quantile"]))
    kind = "drop" if all(cell is None for cell in cells) else KINDS.get(content, "number")
    encoder = TableEncoder({"x": kind, "y": "number"}, numeric=quantile).fit(table)
    back = encoder.inverse_transform(encoder.transform(table))
    _, _, (column, y) = parts(table)
    _, _, (column_back, y_back) = parts(back)
    width = np.ptp([cell for cell in cells if cell is not None]) if kind == "number" else 0
    for cell, cell_back in zip(column, column_back, strict=True):
        if kind == "number" and not is_gap(cell):
            assert abs(cell - cell_back) <= 1e-6 * max(1, abs(cell), width)
        else:
            assert not differ(cell, cell_back), (cell, cell_back)
    np.testing.assert_allclose(y, y_back, rtol=1e-6)
