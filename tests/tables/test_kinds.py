"""What columns are taken for."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stackae import TableEncoder
from stackae.exceptions import DataTypeError, StackaeWarning
from stackae.tables import holds_other_than_numbers

RNG = np.random.default_rng(0)
N = 2000
MANY = [f"value {k}" for k in range(1000)]

LOOKS = {
    "fractions": (RNG.normal(size=N), "number", ""),
    "few whole numbers": (RNG.integers(0, 5, N), "number", ""),
    "heavy tails": (RNG.lognormal(0, 2, N), "number", "through quantiles"),
    "0 and 1": (RNG.integers(0, 2, N), "binary", ""),
    "1 and 2": (RNG.integers(1, 3, N), "number", ""),
    "truth values": (RNG.random(N) > 0.5, "binary", ""),
    "two texts": (RNG.choice(["a", "b"], N), "binary", ""),
    "few texts": (RNG.choice(MANY[:100], N), "category", ""),
    "more texts": (RNG.choice(MANY[:101], N), "text", "not reconstructed"),
    "texts that mostly differ": ([*MANY, *["again"] * 3, *range(2000, 2997)], "text", "not reconstructed"),
    "categories": (pd.Categorical(RNG.choice(MANY[:50], N)), "category", ""),
    "too many categories": (pd.Categorical(RNG.choice(MANY, N)), "category", None),
    "dates": (pd.date_range("2020", periods=N), "date", ""),
    "ISO dates": (pd.date_range("2020", periods=N).astype(str), "date", ""),
    "some ISO dates": (
        [*pd.date_range("2020", periods=N - 4).astype(str), *["never"] * 4],
        "text",
        "not reconstructed",
    ),
    "durations": (pd.to_timedelta(RNG.integers(0, 999, N), unit="s"), "number", ""),
    "different texts": ([f"k{k}" for k in range(N)], "drop", "identifier, left out"),
    "different prose": ([f"a text of {k}" for k in range(N)], "text", "not reconstructed"),
    "whole numbers in steps": (RNG.permutation(N) * 10 + 3, "drop", "identifier, left out"),
    "fractions in steps": (np.arange(N) / 4, "number", ""),
    "one number": (np.full(N, 2.5), "drop", "constant, left out"),
    "one truth value": (np.ones(N, bool), "drop", "constant, left out"),
    "one text and gaps": (["a", None] * (N // 2), "drop", "constant, left out"),
    "one date": (pd.to_datetime(["2020-01-01"] * N), "drop", "constant, left out"),
    "gaps": ([None] * N, "drop", "all missing, left out"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_column_is_taken_for_what_it_looks_like(look):
    cells, kind, note = LOOKS[look]
    cells = list(map(str, cells)) if look == "texts that mostly differ" else cells
    info = TableEncoder().fit(pd.DataFrame({"x": cells, "y": RNG.normal(size=N)})).table_[0]
    assert info.kind == kind
    assert note is None or info.note == note


def test_few_whole_numbers_in_steps_are_numbers():
    assert TableEncoder().fit(pl.DataFrame({"year": [2001, 2002, 2003]})).table_[0].kind == "number"


def test_so_few_texts_are_categories_even_where_most_occur_once():
    assert TableEncoder().fit(pl.DataFrame({"x": ["a", "a", "b", "c"]})).table_[0].kind == "category"


def test_a_kind_that_is_told_wins():
    df = pd.DataFrame(
        {
            "id": np.arange(20),
            "code": [1, 2] * 10,
            "text": ["a", "b"] * 10,
            "word": [f"k{k}" for k in range(20)],
        }
    )
    told = {"id": "number", "code": "category", "text": "text", "word": "text"}
    encoder = TableEncoder(told, text_components=4).fit(df)
    assert [info.kind for info in encoder.table_] == list(told.values())
    assert [info.n_encoded for info in encoder.table_] == [1, 2, 2, 4]
    assert encoder.groups_ == ((1, 3),)


def test_at_most_so_many_categories_have_a_column_the_most_frequent_ones():
    cells = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2 + ["e"]
    df = pd.DataFrame({"x": pd.Categorical(cells)})
    names = TableEncoder(max_categories=4).fit(df).get_feature_names_out().tolist()
    assert names == ["x=a", "x=b", "x=c", "x: other"]
    assert len(TableEncoder(max_categories=5).fit(df).column_of_) == 5


def test_rare_categories_share_no_column_where_they_are_most_of_the_rows():
    df = pd.DataFrame({"x": pd.Categorical([f"k{k}" for k in range(50)] * 2)})
    encoder = TableEncoder(min_frequency=0.5).fit(df)
    assert len(encoder.column_of_) == 50
    assert "x: other" not in encoder.get_feature_names_out()


def test_like_texts_have_like_codes():
    cells = [f"{street} {k % 90} road {k}" for k in range(300) for street in ("maple", "willow")]
    df = pd.DataFrame({"x": cells})
    encoder = TableEncoder({"x": "text"}).fit(df)
    maple, maples, willow = encoder.transform(
        pd.DataFrame({"x": ["maple 7 road 1007", "maple 88 road 2088", "willow 7 road 1007"]})
    )
    assert np.linalg.norm(maple - maples) < np.linalg.norm(maple - willow)
    assert encoder.inverse_transform([maple])["x"].isna().all()


@pytest.mark.parametrize(
    ("cell", "kind", "of_numbers"),
    [
        (lambda k: k * 1.5, "number", True),
        (lambda k: dt.time(k % 24, k % 60), "date", False),
        (lambda k: k % 3 == 0, "binary", True),
        (lambda k: "abc"[k % 3], "category", False),
    ],
)
def test_objects_are_looked_at_beyond_a_hundred_gaps(cell, kind, of_numbers):
    frame = pd.DataFrame({"a": pd.Series([None] * 150 + [cell(k) for k in range(90)], dtype=object)})
    encoder = TableEncoder().fit(frame)
    assert encoder.table_[0].kind == kind
    assert holds_other_than_numbers(frame) != of_numbers
    back = encoder.inverse_transform(encoder.transform(frame))
    assert back.a[150:].tolist() == frame.a[150:].tolist()


def test_objects_of_another_type_beyond_a_hundred_texts_are_refused():
    frame = pd.DataFrame({"a": pd.Series(["x", "y"] * 75 + [1.5, 2.5], dtype=object)})
    with pytest.raises(DataTypeError, match=r"column 'a' holds values of several types \(float, str\)"):
        TableEncoder().fit(frame)


def test_whole_numbers_that_floats_round_are_warned_of_whatever_the_library():
    numbers = 2**60 + 7 * np.arange(50) ** 2
    frame = pd.DataFrame({"a": numbers, "b": ["x", "y"] * 25})
    for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        with pytest.warns(StackaeWarning, match=r"column 'a': whole numbers over 2\*\*53 are rounded"):
            encoded = TableEncoder().fit_transform(table)
        np.testing.assert_array_equal(encoded[:, 0], numbers.astype(float))


@pytest.mark.parametrize("fitted", [[True, False], ["yes", "no"], ["TRUE", "FALSE"], [1, 0]])
@pytest.mark.parametrize("given", [[True, False], ["Yes", "no"], ["true", "false"], [1, 0], [1.0, 0.0]])
def test_truth_values_are_known_however_they_are_written(fitted, given):
    frame = pd.DataFrame({"x": fitted * 6, "y": np.arange(12.0) ** 2})
    encoder = TableEncoder().fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoded = encoder.transform(frame.assign(x=given * 6))
    np.testing.assert_array_equal(encoded, encoder.transform(frame))


def test_two_words_that_are_no_truth_values_are_not_mistaken_for_such():
    encoder = TableEncoder().fit(pd.DataFrame({"x": ["a", "yes"] * 6, "y": np.arange(12.0) ** 2}))
    with pytest.warns(StackaeWarning, match="'x': 1 cells hold values that fit has not seen, such as 'true'"):
        assert np.isnan(encoder.transform(pd.DataFrame({"x": ["true"], "y": [1.0]}))[0, 0])


def test_a_stray_text_among_numbers_is_said_with_its_row():
    frame = pd.DataFrame({"x": ["3750.5", *map(str, range(40)), "heavy"], "y": np.arange(42.0) ** 2})
    message = r"column 'x': 1 of 42 cells are no numbers, such as 'heavy' in row 41"
    with pytest.warns(StackaeWarning, match=message):
        TableEncoder().fit(frame)
    numbers = frame.assign(x=np.arange(42.0) ** 3)
    with pytest.raises(DataTypeError, match="column 'x': numbers are needed, got text 'heavy' in row 41"):
        TableEncoder().fit(numbers).transform(frame)


def test_many_texts_among_numbers_are_no_mistake():
    cells = [f"{k}" if k % 3 else f"A{k}" for k in range(60)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableEncoder().fit(pd.DataFrame({"x": cells, "y": np.arange(60.0) ** 2}))
