"""What the encoder says of a table, what it takes at transform, and what it refuses, column by column."""

from __future__ import annotations

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

from stackae import TableEncoder
from stackae.exceptions import DataError, DataTypeError, ParameterError, StackaeWarning

N = 60


def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(50, 10, N),
            "color": rng.choice(["red", "green", "blue"], N),
            "smoker": rng.choice(["yes", "no"], N),
            "when": pd.date_range("2020-01-01", periods=N, freq="53h"),
            "zip": rng.integers(1, 5, N),
            "id": [f"k{place}" for place in range(N)],
            "flag": rng.integers(0, 2, N).astype(bool),
        }
    )


@pytest.fixture
def encoder():
    return TableEncoder({"zip": "category"}).fit(table())


def test_names_of_encoded_columns_tell_the_column_and_what_of_it(encoder):
    assert encoder.get_feature_names_out().tolist() == [
        "age",
        "color=blue",
        "color=green",
        "color=red",
        "smoker=yes",
        "when: days",
        "when: month sin",
        "when: month cos",
        "when: weekday sin",
        "when: weekday cos",
        "when: hour sin",
        "when: hour cos",
        "zip=1",
        "zip=2",
        "zip=3",
        "zip=4",
        "flag",
    ]


def test_names_differ_where_a_column_is_called_like_a_category():
    df = pd.DataFrame({"c": list("aabbccaabb"), "c=a": np.arange(10) ** 2.0})
    names = TableEncoder().fit(df).get_feature_names_out().tolist()
    assert names == ["c=a", "c=b", "c=c", "c=a (2)"]


def test_columns_may_be_numbered():
    df = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)))
    encoder = TableEncoder().fit(df)
    assert encoder.get_feature_names_out().tolist() == ["0", "1"]
    assert encoder.n_features_in_ == 2
    assert not hasattr(encoder, "feature_names_in_")
    assert encoder.inverse_transform(encoder.transform(df)).equals(df)


def test_groups_binary_columns_and_origins_are_told(encoder):
    assert encoder.groups_ == ((1, 4), (12, 16))
    assert encoder.binary_ == (4, 16)
    assert encoder.column_of_.tolist() == [0, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 6]
    assert encoder.n_features_in_ == 7
    assert encoder.feature_names_in_.tolist() == list(table().columns)


def test_a_refit_without_names_forgets_those_of_before(encoder):
    encoder.set_params(columns=None).fit(np.arange(12.0).reshape(4, 3))
    assert not hasattr(encoder, "feature_names_in_")
    assert encoder.n_features_in_ == 3


def test_the_summary_has_one_line_a_column_of_at_most_80_characters():
    df = table().assign(**{"a name that is much too long to be shown\nwhole": [0.5, None] * (N // 2)})
    told = TableEncoder().fit(df).table_
    assert [info.kind for info in told] == [
        "number",
        "category",
        "binary",
        "date",
        "number",
        "drop",
        "binary",
        "drop",
    ]
    assert told[-1].n_missing == N // 2
    assert told[5].note == "identifier, left out"
    lines = repr(told).splitlines()
    assert len(lines) == 9
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["color", "str", "category", "3", "-"]


def test_the_summary_of_many_columns_ends_with_their_number():
    told = TableEncoder().fit(np.random.default_rng(0).normal(size=(5, 100))).table_
    assert repr(told).splitlines()[-1] == "... and 40 more"


def test_a_name_in_the_summary_does_not_speak_to_the_terminal():
    df = pd.DataFrame({"\x1b[31mred\x07\nish": [0.5, 1.5, 2.0]})
    assert repr(TableEncoder().fit(df).table_).splitlines()[1].startswith(r"\x1b[31mred\x07 ish  float64")


def test_clones_and_pickles_work(encoder):
    assert clone(encoder).get_params() == encoder.get_params()
    again = pickle.loads(pickle.dumps(encoder))
    assert again.transform(table()).tobytes() == encoder.transform(table()).tobytes()


def test_an_array_passes_to_the_bit():
    X = np.random.default_rng(0).lognormal(3, 4, (40, 3))
    X[::3, 1] = np.nan
    X[:, 2] = 7
    encoder = TableEncoder().fit(X)
    assert encoder.transform(X) is X
    assert encoder.inverse_transform(X).tobytes() == X.tobytes()
    assert encoder.transform(X.astype(np.float32)).dtype == np.float32
    assert encoder.groups_ == ()


def test_an_array_goes_through_quantiles_where_that_is_told():
    X = np.random.default_rng(0).lognormal(0, 3, (200, 2)) * [1, 0] + [0, 1]
    encoder = TableEncoder(numeric="quantile").fit(X)
    codes = encoder.transform(X)
    assert abs(codes[:, 0].std() - 1) < 0.05
    assert (codes[:, 1] == 1).all()
    np.testing.assert_allclose(encoder.inverse_transform(codes), X, rtol=1e-9)


@pytest.mark.parametrize("library", [pd, pl])
def test_a_table_of_text_is_refused_where_an_array_was_fitted(library):
    encoder = TableEncoder().fit([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(DataTypeError, match="column 'b': numbers are needed, got text '4' in row 0"):
        encoder.transform(library.DataFrame({"a": [3], "b": ["4"]}))


def test_a_row_has_the_same_code_alone_and_in_any_company():
    df = table().assign(text=[f"number {place} of {N}" for place in range(N)])
    encoder = TableEncoder({"zip": "category"}, numeric="quantile").fit(df)
    codes = encoder.transform(df)
    assert encoder.transform(df[7:8]).tobytes() == codes[7:8].tobytes()
    shuffled = df.sample(frac=1, random_state=0)
    again = TableEncoder({"zip": "category"}, numeric="quantile").fit(shuffled)
    assert again.transform(df).tobytes() == codes.tobytes()


def test_plain_float32_columns_stay_float32():
    df = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32), columns=["a", "b"])
    assert TableEncoder().fit_transform(df).dtype == np.float32
    assert TableEncoder().fit_transform(df.assign(c=[0, 1, 1] * 3)).dtype == np.float64


def test_gaps_are_nan_in_all_columns_of_the_cell(encoder):
    df = table()
    df.loc[3, ["age", "color", "smoker", "when"]] = None
    codes = encoder.transform(df)
    assert np.isnan(codes[3, :12]).all()
    assert not np.isnan(codes[3, 12:]).any()
    assert not np.isnan(np.delete(codes, 3, axis=0)).any()
    back = encoder.inverse_transform(codes)
    assert back.loc[3, ["age", "color", "smoker", "when"]].isna().all()


def test_other_orders_and_further_columns_make_no_difference(encoder):
    df = table()
    other = df[df.columns[::-1]].assign(more="x")
    assert encoder.transform(other).tobytes() == encoder.transform(df).tobytes()


def test_another_library_makes_no_difference(encoder):
    df = table()
    codes = encoder.transform(df).tobytes()
    assert encoder.transform(pl.from_pandas(df)).tobytes() == codes
    assert encoder.transform(pa.Table.from_pandas(df)).tobytes() == codes
    assert isinstance(encoder.inverse_transform(encoder.transform(pl.from_pandas(df))), pd.DataFrame)


def test_missing_columns_are_named(encoder):
    with pytest.raises(
        DataError, match="the table has no column 'age', 'zip', which the encoder was fitted with"
    ):
        encoder.transform(table().drop(columns=["age", "zip"]))


def test_columns_without_a_value_are_gaps_whatever_their_type(encoder):
    df = table().assign(**dict.fromkeys(("age", "color", "smoker", "when", "zip")))
    codes = encoder.transform(df)
    assert np.isnan(codes[:, :16]).all()
    assert not np.isnan(codes[:, 16]).any()


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        (
            "age",
            ["x"] * N,
            "column 'age': numbers are needed, got text 'x' in row 0; convert the column first",
        ),
        (
            "age",
            [None, None] + ["1.5"] * (N - 2),
            "column 'age': numbers are needed, got text '1.5' in row 2",
        ),
        ("age", pd.date_range("2020", periods=N), "column 'age': numbers are needed, got dates in row 0"),
        (
            "age",
            [1.0, np.inf] * (N // 2),
            "column 'age' holds inf in row 1; make it a gap, or drop such rows",
        ),
        ("when", np.arange(N), "column 'when': dates are needed, got numbers in row 0"),
        (
            "when",
            ["2020-01-01", "2020-02-31"] * (N // 2),
            "column 'when' must hold dates, got the text '2020-02-31' in row 1",
        ),
        (
            "color",
            pd.date_range("2020", periods=N),
            "column 'color': text, numbers or truth values are needed, got dates",
        ),
        (
            "flag",
            pd.date_range("2020", periods=N),
            "column 'flag': text, numbers or truth values are needed, got dates",
        ),
    ],
)
def test_cells_of_another_type_are_refused_with_row_and_column(encoder, column, cells, message):
    with pytest.raises(DataError, match=message):
        encoder.transform(table().assign(**{column: cells}))


@pytest.mark.parametrize("change", [str, float, lambda value: f"{value}", np.int8])
def test_categories_are_compared_as_text(encoder, change):
    df = table()
    other = df.assign(zip=[change(value) for value in df["zip"]], flag=df["flag"].astype(int))
    assert encoder.transform(other).tobytes() == encoder.transform(df).tobytes()


def test_dates_may_come_as_iso_text_and_in_another_zone(encoder):
    df = table()
    codes = encoder.transform(df).tobytes()
    assert encoder.transform(df.assign(when=df["when"].astype(str))).tobytes() == codes
    zoned = df["when"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    assert encoder.transform(df.assign(when=zoned)).tobytes() == codes


def test_truth_values_are_numbers_where_numbers_are_needed(encoder):
    assert encoder.transform(table().assign(age=True))[:, 0].tolist() == [1] * N


def test_an_unknown_category_is_a_gap_and_said_where_there_is_no_column_for_others(encoder):
    with pytest.warns(
        StackaeWarning, match="column 'color': 60 cells hold values that fit has not seen, such as 'x'"
    ):
        codes = encoder.transform(table().assign(color="x"))
    assert np.isnan(codes[:, 1:4]).all()


def test_an_unknown_value_of_a_binary_column_is_a_gap_and_said(encoder):
    with pytest.warns(
        StackaeWarning, match="column 'smoker': 30 cells hold values that fit has not seen, such as '\\?'"
    ):
        codes = encoder.transform(table().assign(smoker=["?", "no"] * (N // 2)))
    assert np.isnan(codes[::2, 4]).all()
    assert (codes[1::2, 4] == 0).all()


def test_rare_categories_share_a_column_with_unknown_ones_and_come_back_missing():
    df = pd.DataFrame({"c": ["a"] * 3000 + ["b"] * 2000 + ["x", "y", "z"]})
    encoder = TableEncoder().fit(df)
    assert encoder.get_feature_names_out().tolist() == ["c=a", "c=b", "c: other"]
    assert encoder.table_[0].note == "3 rare ones are 'other'"
    codes = encoder.transform(pd.DataFrame({"c": ["b", "y", "never", None]}))
    assert codes[:3].tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert encoder.inverse_transform(codes)["c"].tolist()[0] == "b"
    assert encoder.inverse_transform(codes)["c"].isna().tolist() == [False, True, True, True]


def test_a_single_rare_category_keeps_a_column_of_its_own():
    df = pd.DataFrame({"c": ["a"] * 3000 + ["b"] * 2000 + ["x"]})
    assert TableEncoder().fit(df).get_feature_names_out().tolist() == ["c=a", "c=b", "c=x"]


def test_what_is_left_out_is_not_looked_at_again(encoder):
    df = table().assign(id=[[1]] * N)
    assert encoder.transform(df).tobytes() == encoder.transform(table()).tobytes()


def test_constants_come_back_and_identifiers_are_missing():
    df = table().assign(place="here", left=pd.Categorical(["a", "b"] * (N // 2)))
    encoder = TableEncoder({"left": "drop"}).fit(df)
    back = encoder.inverse_transform(encoder.transform(df))
    assert back["place"].tolist() == ["here"] * N
    assert back["id"].isna().all()
    assert back["left"].isna().all()
    assert back["left"].dtype == df["left"].dtype


def test_numbers_come_back_within_their_range_whole_where_they_were():
    df = pd.DataFrame({"count": [1, 2, 3, 5, 9] * 3, "x": [0.5, 1.5, 2.25, 4.0, 8.0] * 3})
    back = TableEncoder().fit(df).inverse_transform([[2.4, 2.4], [-7, 1e9], [np.nan, np.nan]])
    assert back["count"].tolist()[:2] == [2, 1]
    assert back["x"].tolist()[:2] == [2.4, 8.0]
    assert back.isna().iloc[2].all()


def test_a_type_that_cannot_hold_gaps_gives_way():
    df = pd.DataFrame({"count": [1, 2, 3], "flag": [True, False, True]})
    back = TableEncoder().fit(df).inverse_transform([[1, 0], [np.nan, np.nan]])
    assert back["count"].dtype == np.float64
    assert back["flag"].tolist() == [False, None]


def test_set_output_gives_frames(encoder):
    frame = encoder.set_output(transform="pandas").transform(table().set_index("id", drop=False))
    assert list(frame.columns) == encoder.get_feature_names_out().tolist()
    assert frame.index.tolist() == table()["id"].tolist()
    assert encoder.inverse_transform(frame)["color"].tolist() == table()["color"].tolist()


def test_the_table_given_is_not_written():
    df = table()
    TableEncoder().fit_transform(df)
    pd.testing.assert_frame_equal(df, table())


REFUSED = {
    "several types": (
        pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)}),
        "column 'a' holds values of several types \\(int, str\\)",
    ),
    "categories of several types": (
        pd.DataFrame({"a": pd.Categorical([1, "x"])}),
        "column 'a' has categories of several types",
    ),
    "lists": (pd.DataFrame({"a": [[1], [2]]}), "column 'a' holds list objects"),
    "polars lists": (pl.DataFrame({"a": [[1], [2]]}), "column 'a' is of the type List\\(Int64\\)"),
    "structs": (pl.DataFrame({"a": [{"x": 1}]}), "column 'a' is of the type Struct"),
    "pyarrow structs": (pa.table({"a": [{"x": 1}]}), "column 'a' is of the type struct"),
    "bytes": (pa.table({"a": [b"x"]}), "column 'a' is of the type binary"),
    "complex": (
        pd.DataFrame({"a": [1j, 2]}),
        "column 'a' is of the type complex128, which has no code; convert or drop it",
    ),
    "infinite": (pl.DataFrame({"a": [1.0, 2.0, -np.inf]}), "column 'a' holds -inf in row 2"),
    "twice the same name": (
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        "column names must differ, got 'a' more than once",
    ),
    "pyarrow names": (
        pa.table([[1], [2]], names=["a", "a"]),
        "column names must differ, got 'a' more than once",
    ),
    "two levels of names": (
        pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
        "names must be text or whole numbers",
    ),
    "lazy": (pl.LazyFrame({"a": [1]}), "lazy frames are not accepted; give what collect\\(\\) makes of it"),
    "no rows": (pl.DataFrame({"a": []}), "the table has 0 rows and 1 columns"),
    "no columns": (pd.DataFrame(index=[1]), "the table has 1 rows and 0 columns"),
    "nothing left": (pd.DataFrame({"a": [1, 1]}), "no column is left to encode: 'a' is constant, left out"),
    "text in an array": (np.array([["1", "2"]]), "an array must hold numbers, got text or dates"),
    "masked": (np.ma.masked_array([[1.0, 2.0]], [[0, 1]]), "masked arrays are not accepted"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_encoded_is_refused_in_a_sentence(what):
    X, message = REFUSED[what]
    with pytest.raises(DataError, match=message) as caught:
        TableEncoder().fit(X)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_encoded_can_be_dropped():
    df = pl.DataFrame({"lists": [[1], [2], [3]], "x": [0.5, 1.5, 4.0]})
    encoder = TableEncoder({"lists": "drop"}).fit(df)
    assert encoder.transform(df).tolist() == [[0.5], [1.5], [4.0]]
    assert encoder.inverse_transform(encoder.transform(df)).columns == ["lists", "x"]


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        (
            {"agee": "number"},
            ParameterError,
            "columns: the table has no column 'agee'; it has 'age', 'color'",
        ),
        (
            {"age": "float"},
            ParameterError,
            "columns: a kind is one of 'number', 'binary', .* got 'float' for 'age'",
        ),
        ({"color": "number"}, DataTypeError, "column 'color': numbers are needed, got text"),
        ({"color": "date"}, DataTypeError, "column 'color' must hold dates, got the text"),
        ({"color": "binary"}, DataError, "column 'color' is told to be 'binary' and has 3 values"),
        (
            {"when": "category"},
            DataTypeError,
            "column 'when': text, numbers or truth values are needed, got dates",
        ),
        ({"age": "text"}, DataTypeError, "column 'age': text is needed, got numbers"),
    ],
)
def test_a_kind_that_a_column_cannot_have_is_refused(told, error, message):
    with pytest.raises(error, match=message):
        TableEncoder(told).fit(table())


def test_an_array_has_no_names_that_kinds_could_be_told_for():
    with pytest.raises(ParameterError, match="an array has no names; give a data frame"):
        TableEncoder({0: "category"}).fit([[1.0, 2.0], [3.0, 4.0]])


def test_another_number_of_encoded_columns_is_refused(encoder):
    with pytest.raises(DataError, match="X must have 17 encoded columns, got 2"):
        encoder.inverse_transform([[1, 2]])


def test_whole_numbers_that_floats_round_are_warned_of():
    with pytest.warns(
        StackaeWarning, match=r"column 'a': whole numbers over 2\*\*53 are rounded, got 1152921504606846976"
    ):
        TableEncoder().fit(pd.DataFrame({"a": [2**60, 1, 5, 7]}))


def test_no_rows_give_no_rows(encoder):
    assert encoder.transform(table()[:0]).shape == (0, 17)
    back = encoder.inverse_transform(np.empty((0, 17)))
    assert (len(back), list(back.columns)) == (0, list(table().columns))


def test_one_value_that_is_told_to_be_a_category_is_no_group():
    df = pd.DataFrame({"zip": [10115, 10115, None], "x": [0.5, 1.5, 4.0]})
    encoder = TableEncoder({"zip": "category"}).fit(df)
    assert (encoder.table_[0].kind, encoder.table_[0].n_encoded, encoder.groups_) == ("category", 1, ())
    assert encoder.inverse_transform(encoder.transform(df)).equals(df)


def test_objects_of_python_are_read_by_what_they_are():
    times = [dt.time(3, 4, 5), None, dt.time(23, 59, 59, 999999)]
    df = pd.DataFrame(
        {
            "numbers": pd.Series([1, 2.5, pd.NA], dtype=object),
            "flags": pd.Series([True, None, False], dtype=object),
            "times": pd.Series(times, dtype=object),
            "days": pd.Series([dt.date(2020, 1, 1), dt.date(2020, 3, 1), None], dtype=object),
        }
    )
    encoder = TableEncoder({"numbers": "number", "days": "date"}).fit(df)
    assert [info.kind for info in encoder.table_] == ["number", "binary", "date", "date"]
    back = encoder.inverse_transform(encoder.transform(df))
    assert back["times"].tolist() == times
    assert back["days"].tolist() == df["days"].tolist()
    assert back["flags"].tolist() == [True, None, False]
    assert back["numbers"].tolist()[:2] == [1, 2.5]


def test_dictionaries_of_arrow_in_a_pandas_frame_are_categories():
    dtype = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
    df = pd.DataFrame({"a": pd.Series(["x", "y", None, "z", "x"], dtype=dtype)})
    encoder = TableEncoder().fit(df)
    assert encoder.groups_ == ((0, 3),)
    back = encoder.inverse_transform(encoder.transform(df))["a"]
    assert back.fillna("-").tolist() == ["x", "y", "-", "z", "x"]


def test_sparse_columns_are_read():
    df = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0, 2.5, 0.0])})
    assert TableEncoder().fit_transform(df)[:, 0].tolist() == [0, 1, 2.5, 0]
