"""Tables that are not what they should be: each is answered in a sentence of our own, or taken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from helpers import small_stack
from scipy.sparse import csr_matrix

from stackae import StackedAutoencoderDetector
from stackae.exceptions import DataError, DataTypeError, StackaeWarning

LIBRARIES = {"pandas": lambda frame: frame, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}
N = 120
RNG = np.random.default_rng(0)


def whole():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(size=N),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], N),
            "member": rng.random(N) < 0.3,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), "D"),
        }
    )


def with_gaps():
    return whole().assign(city=whole().city.where(np.arange(N) % 7 > 0, None))


@pytest.fixture(params=LIBRARIES)
def library(request):
    return LIBRARIES[request.param]


@pytest.fixture
def model(library):
    return small_stack().fit(library(whole()))


TO_TRANSFORM = {
    "other columns": (
        pd.DataFrame({"a": [1.0], "b": ["x"]}),
        DataError,
        r"the table has no column 'age', 'city', 'member', 'when', which",
    ),
    "numbers alone": (whole()[["age"]], DataError, "the table has no column 'city', 'member', 'when', which"),
    "text for numbers": (
        whole().assign(age=["x"] * N),
        DataTypeError,
        "column 'age': numbers are needed, got text 'x' in row 0",
    ),
    "numbers for dates": (
        whole().assign(when=np.arange(N)),
        DataTypeError,
        "column 'when': dates are needed, got numbers in row 0",
    ),
    "infinite": (whole().assign(age=-np.inf), DataError, "column 'age' holds -inf in row 0"),
    "beyond float32": (whole().assign(age=1e300), DataError, r"1e\+300, over .* in row 0, column 'age'"),
}


@pytest.mark.parametrize("what", TO_TRANSFORM)
def test_a_table_that_is_not_like_the_fitted_one_is_refused(what, model, library):
    frame, error, message = TO_TRANSFORM[what]
    for ask in (model.transform, model.reconstruct, model.score_samples, model.score):
        with pytest.raises(error, match=message) as caught:
            ask(library(frame))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "cells"),
    [("city", np.arange(N)), ("city", RNG.random(N)), ("member", RNG.random(N)), ("member", ["x"] * N)],
)
@pytest.mark.parametrize("fitted", [whole, with_gaps])
def test_values_that_were_not_fitted_are_gaps(column, cells, fitted, library):
    frame = library(whole().assign(**{column: cells}))
    model = small_stack().fit(library(fitted()))
    with pytest.warns(
        StackaeWarning, match=f"column '{column}': 120 cells hold values that fit has not seen"
    ):
        codes = model.transform(frame)
    as_gaps = library(whole().assign(**{column: [None] * N}))
    np.testing.assert_array_equal(codes, model.transform(as_gaps))


def test_a_model_of_numbers_refuses_a_table_of_others(library):
    model = small_stack().fit(library(whole()[["age"]].assign(more=RNG.normal(size=N))))
    for cells in (["1.5"] * N, whole().when):
        with pytest.raises(DataTypeError):
            model.transform(library(whole()[["age"]].assign(more=cells)))


@pytest.mark.parametrize(
    "X", [np.ones((3, 5)), [[1.0, 2.0]], np.ones(3), csr_matrix((3, 4)), csr_matrix((3, 6)), torch.ones(3, 2)]
)
def test_a_model_of_a_table_refuses_an_array_of_other_columns(X, model):
    with pytest.raises(DataTypeError, match="the model was fitted on a table; give a data frame") as caught:
        model.transform(X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [["age", "city", "city"], ["age", "age", "city"]])
@pytest.mark.parametrize("kind", ["pandas", "pyarrow"])  # polars lets no name occur twice
def test_a_name_that_occurs_twice_is_refused(kind, names):
    frame = whole()
    twice = (
        frame[names] if kind == "pandas" else pa.table([frame[name].to_list() for name in names], names=names)
    )
    for ask in (small_stack().fit, small_stack().plan, small_stack().fit(frame).transform):
        with pytest.raises(DataError, match=r"column names must differ, got .* more than once"):
            ask(twice)


@pytest.mark.parametrize("cells", [[1, "x"], [b"x", "x"], [1.5, None, "x"], [True, 3, "x"]])
def test_objects_of_several_types_are_refused_by_name(cells):
    frame = whole().assign(city=pd.Series((cells * N)[:N], dtype=object))
    for ask in (small_stack().fit, small_stack().plan, small_stack().fit(whole()).transform):
        with pytest.raises(DataTypeError, match="column 'city' holds values of several types"):
            ask(frame)


def test_10_000_categories_share_at_most_100_columns(library):
    names = np.repeat([f"c{k:05d}" for k in range(10_000)], 2)
    frame = pd.DataFrame({"kind": pd.Categorical(names), "x": RNG.normal(size=20_000)})
    model = small_stack().fit(library(frame))
    info = model.table_[0]
    assert (info.kind, info.n_encoded, info.note) == ("category", 100, "9,901 rare ones are 'other'")
    assert np.isfinite(model.score_samples(library(frame[-100:]))).all()


@pytest.mark.parametrize("gap", [None, np.nan])
def test_a_column_without_a_value_is_left_out(gap, library):
    table = library(whole().assign(gone=[gap] * N))
    model = StackedAutoencoderDetector(small_stack()).fit(table)
    assert (model.table_[4].kind, model.table_[4].note) == ("drop", "all missing, left out")
    back = model.reconstruct(table)
    assert (back.to_pandas() if hasattr(back, "to_pandas") else back)["gone"].isna().all()
    np.testing.assert_array_equal(model.explain(table)[:, 4], 0)
    with pytest.raises(DataError, match="no column is left to encode: 'a' is all missing, left out; 'b' is"):
        small_stack().fit(library(pd.DataFrame({"a": [None] * 5, "b": [None] * 5})))


def test_one_row_says_nothing_and_is_transformed_alone(model, library):
    with pytest.raises(
        DataError, match="no column is left to encode: 'age' is constant, left out; 'city' is"
    ):
        small_stack().fit(library(whole()[:1]))
    told = {"age": "number", "city": "category", "when": "date", "member": "binary"}
    alone = small_stack(columns=told).fit(library(whole()[:1]))
    assert np.isfinite(alone.transform(library(whole()[:1]))).all()
    one, all_of_them = (model.transform(library(frame)) for frame in (whole()[:1], whole()))
    np.testing.assert_allclose(one, all_of_them[:1], rtol=1e-6)


def test_no_row_is_refused_by_a_fit_and_gives_none_back(model, library):
    none = library(whole()[:0])
    with pytest.raises(DataError, match="the table has 0 rows and 4 columns"):
        small_stack().fit(none)
    assert model.transform(none).shape == (0, 3)
    assert model.reconstruct(none).shape == (0, 4)
    assert model.score_samples(none).shape == (0,)
