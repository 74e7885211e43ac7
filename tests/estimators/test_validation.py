"""Samples that are refused: what, where, how to mend it; and samples that are not."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import small_autoencoder, small_stack
from scipy.sparse import csr_array

from stackae import Autoencoder, Training
from stackae.data.mapped import MappedMatrix
from stackae.estimators._validation import refuse_other_names
from stackae.exceptions import DataError, DataTypeError, DivergedError, ParameterError, StackaeWarning
from stackae.fitting import planner


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(30, 4))


def refuse(X, match, error=ValueError):
    with pytest.raises(error, match=match) as raised:
        small_autoencoder().fit(X)
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (np.nan, "NaN"),
        (np.inf, "inf"),
        (-np.inf, "-inf"),
        (1e39, r"1e\+39, over 1.7e\+38, half of float32's range"),
        (1e300, "1e\\+300"),
    ],
)
def test_a_value_that_is_not_finite_is_named_with_row_and_column(X, value, what):
    X[17, 2] = value
    refuse(X, f"contains {what}.* in row 17, column 2", DataError)
    refuse(pd.DataFrame(X, columns=list("abcd")), f"contains {what}.* in row 17, column 'c'", DataError)


def test_missing_values_are_refused_at_transform_too(X):
    model = small_autoencoder().fit(X)
    X[3, 1] = np.nan
    with pytest.raises(DataError, match="NaN in row 3, column 1"):
        model.transform(X)


def test_pandas_na_is_refused_with_row_and_column(X):
    frame = pd.DataFrame(X, columns=list("abcd")).astype("Float64")
    frame.loc[5, "b"] = pd.NA
    refuse(frame, "NaN in row 5, column 'b'", DataError)


@pytest.mark.parametrize("shape", [(0, 4), (5, 0)])
def test_no_samples_or_no_features_are_refused(shape):
    refuse(np.empty(shape), "0 (sample|feature)")


@pytest.mark.parametrize("shape", [(5,), (5, 2, 2)])
def test_arrays_that_are_no_table_are_refused(shape):
    refuse(np.ones(shape), "[Ee]xpected (2D array|a 2-dimensional)|X.reshape")


def test_complex_values_are_refused(X):
    refuse(X + 1j, "[Cc]omplex")


@pytest.mark.parametrize("convert", [lambda X: X.astype(str), lambda X: X.astype(str).astype(object)])
def test_numeric_strings_are_refused_and_not_converted(X, convert):
    refuse(convert(X), "must be numeric", TypeError)


def test_dates_are_refused(X):
    refuse(X.astype("datetime64[s]"), "must be numeric, got datetime64", TypeError)


def test_masked_arrays_are_refused(X):
    refuse(np.ma.masked_greater(X, 1), "masked", TypeError)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["x"] * 30),
        pd.Series(["1.5"] * 30, dtype=object),
        pd.Series(["1"] * 30, dtype="category"),
        pd.Series(pd.date_range("2020", periods=30)),
        pd.Series(pd.to_timedelta(range(30), unit="s")),
        pd.Series([[1.0, 2.0]] * 30),
        pd.Series([1.0, pd.NA] * 15, dtype=object),
    ],
    ids=["text", "numeric text", "category", "dates", "durations", "lists", "objects"],
)
def test_a_column_that_is_not_numeric_is_named_where_numbers_were_fitted(X, column):
    numbers = pd.DataFrame(X, columns=list("abcd")).assign(odd=1.0)
    model = small_autoencoder().fit(numbers)
    with pytest.raises(TypeError, match="'odd'"):
        model.transform(numbers.assign(odd=column))


@pytest.mark.parametrize(
    "column",
    [
        pl.lit("x"),
        pl.lit("x").cast(pl.Categorical),
        pl.lit(dt.date(2020, 1, 1)),
        pl.lit(dt.timedelta(1)),
        pl.concat_list("a", "b"),
        pl.struct("a", "b"),
    ],
    ids=["text", "category", "dates", "durations", "lists", "structures"],
)
def test_a_column_of_a_polars_frame_that_is_not_numeric_is_named_where_numbers_were_fitted(column, X):
    frame = pl.DataFrame(X, schema=list("abcd"))
    model = small_autoencoder().fit(frame.with_columns(odd=1.0))
    with pytest.raises(TypeError, match="'odd'"):
        model.transform(frame.with_columns(column.alias("odd")))


@pytest.mark.parametrize("cells", [[[1.0, 2.0]] * 30, [{"a": 1}] * 30], ids=["lists", "structures"])
def test_what_no_table_holds_is_named(X, cells):
    refuse(pd.DataFrame(X, columns=list("abcd")).assign(odd=cells), "'odd'")
    refuse(pl.DataFrame(X, schema=list("abcd")).with_columns(odd=pl.Series(cells)), "'odd'")


@pytest.mark.parametrize(
    "cells",
    [pd.array([1, None] * 15, "Int64"), pd.array([True, None] * 15, "boolean"), pl.Series([1, None] * 15)],
    ids=["pandas Int64", "pandas boolean", "polars"],
)
def test_missing_cells_of_frames_are_named_or_taken(cells, X):
    frame = pd.DataFrame(X, columns=list("abcd")).assign(odd=cells)
    if isinstance(cells, pl.Series):
        frame = pl.DataFrame(X, schema=list("abcd")).with_columns(odd=cells)
    refuse(frame, "contains NaN in row 1, column 'odd'; impute the column, or set missing_values")
    codes = small_autoencoder(missing_values=np.nan).fit_transform(frame)
    assert np.isfinite(codes).all()


def test_a_lazy_frame_is_refused(X):
    refuse(pl.DataFrame(X, schema=list("abcd")).lazy(), r"give what collect\(\) makes of it", TypeError)


def test_another_width_at_transform_is_refused_with_both_widths(X):
    with pytest.raises(ValueError, match=r"3 features.*4 features"):
        small_autoencoder().fit(X).transform(X[:, :3])


def test_another_width_of_codes_is_refused(X):
    with pytest.raises(ValueError, match=r"3 features.*4 features"):
        small_autoencoder(4).fit(X).inverse_transform(X[:, :3])


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("stacked", [False, True])
def test_codes_with_the_column_names_that_transform_gave_are_decoded_without_a_warning(output, stacked, X):
    model = small_stack(output="all") if stacked else small_autoencoder()
    expected = model.fit(X).reconstruct(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codes = model.set_output(transform=output).fit(X).transform(X)
        np.testing.assert_allclose(model.inverse_transform(codes), expected, rtol=1e-6)
        np.testing.assert_allclose(
            model.inverse_transform(pd.DataFrame(np.asarray(codes))), expected, rtol=1e-6
        )


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("3 1 2 0", "they are in another order, 'autoencoder3' where 'autoencoder0' should be"),
        ("0 1 2 9", "missing 'autoencoder3'; unexpected 'autoencoder9'"),
        ("0 1 2", "missing 'autoencoder3'"),
    ],
)
def test_codes_with_other_column_names_are_refused(columns, said, X):
    model = small_autoencoder(4).fit(X)
    names = [f"autoencoder{k}" for k in columns.split()]
    for frame in (pd.DataFrame, pl.DataFrame):
        codes = frame(dict(zip(names, X.T, strict=False)))
        rule = r"^the codes' columns should be those of get_feature_names_out\(\), in the same order: "
        with pytest.raises(DataError, match=f"{rule}{said}$"):
            model.inverse_transform(codes)


def test_what_is_refused_of_codes_names_the_estimator(X):
    with pytest.raises(DataError, match=r"0 sample.*Autoencoder\."):
        small_autoencoder(4).fit(X).inverse_transform(np.empty((0, 4)))


@pytest.mark.parametrize("columns", [list("abdc"), list("abcx"), list("abc")])
def test_other_column_names_at_transform_are_refused(X, columns):
    model = small_autoencoder().fit(pd.DataFrame(X, columns=list("abcd")))
    with pytest.raises(ValueError, match="feature names"):
        model.transform(pd.DataFrame(X[:, : len(columns)], columns=columns))


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.ndarray.tolist,
        pd.DataFrame,
        lambda X: pd.DataFrame(X, dtype="Int64"),
        pl.DataFrame,
        lambda X: X.astype(object),
        csr_array,
        lambda X: MappedMatrix([X]),
    ],
    ids=["array", "list", "pandas", "pandas Int64", "polars", "objects", "sparse", "mapped"],
)
def test_integers_that_lose_digits_are_warned_of(convert, recwarn):
    integers = np.array([[2**60, 1], [3, 4]])
    with pytest.warns(StackaeWarning, match=r"integers over 2\*\*53 are rounded, got 1152921504606846976"):
        small_autoencoder().fit(convert(integers))
    recwarn.clear()
    small_autoencoder().fit(convert(integers // 2**10))
    assert not [w for w in recwarn if issubclass(w.category, StackaeWarning)]


def test_what_is_no_number_in_an_array_of_objects_is_named():
    for value in (pd.NA, dt.date(2024, 1, 1), {}, "1"):
        objects = np.array([[1, 2], [3, value]], dtype=object)
        with pytest.raises(DataTypeError, match="in row 1, column 1"):
            small_autoencoder().fit(objects)


def test_extreme_but_legal_values_are_fitted(X):
    X[:, 0] *= 1e30
    X[:, 1] = 5
    model = small_autoencoder().fit(X)
    assert np.isfinite(model.reconstruct(X)).all()


def test_lists_and_numeric_frames_are_accepted(X):
    expected = small_autoencoder().fit_transform(X)
    for same in (
        X.tolist(),
        pd.DataFrame(X, columns=list("abcd")),
        pl.DataFrame(X, schema=list("abcd")),
        X.astype(object),
    ):
        np.testing.assert_array_equal(np.asarray(small_autoencoder().fit_transform(same)), expected)


@pytest.mark.slow
def test_very_many_columns_end_in_a_result_or_a_refusal(monkeypatch):
    monkeypatch.setattr(planner, "machine_memory", lambda: 2**34)
    X = np.random.default_rng(0).random((12, 200_000), dtype=np.float32)
    codes = Autoencoder(3, training=Training(2), random_state=0).fit_transform(X)
    assert codes.shape == (12, 3)
    assert np.isfinite(codes).all()
    for model in (
        Autoencoder(100_000),
        Autoencoder(3, network="pca"),
        Autoencoder(3, network="marginalised"),
    ):
        with pytest.raises(ParameterError, match=r"up to the 1\. take [0-9,]+ GB .*; make them narrower"):
            model.fit(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [slice(0, 1), slice(None)], ids=["one column", "all"])
@pytest.mark.parametrize("scale", ["auto", None])
def test_values_of_1e30_end_in_a_result_or_a_refusal(dtype, columns, scale, X):
    X = X.astype(dtype)
    X[:, columns] *= 1e30
    model = small_autoencoder(scale=scale)
    if scale is None:
        with pytest.raises((DivergedError, DataError)):
            model.fit(X)
    else:
        assert np.isfinite(model.fit_transform(X)).all()


def test_column_names_that_repeat_are_refused(X):
    refuse(
        pd.DataFrame(X, columns=list("abab")),
        "column names must differ, got 'a' more than once",
        DataError,
    )


def test_column_names_of_several_types_are_refused(X):
    refuse(pd.DataFrame(X, columns=["a", 1, "c", 2]), "have string names", DataTypeError)


def test_a_complex_column_is_named(X):
    refuse(pd.DataFrame({"a": X[:, 0], "b": X[:, 1] + 1j}), "column 'b' must be numeric, got complex128")


def test_names_of_very_many_columns_are_compared_in_no_time():
    names = [f"column {k}" for k in range(100_000)]
    with pytest.raises(DataError, match="in another order, 'column 99999' where 'column 0' should be"):
        refuse_other_names(names[::-1], names)
