"""Dates on circles, and the nearest date to a point beside them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stackae import TableEncoder
from stackae.exceptions import DataTypeError


def fitted(dates):
    return TableEncoder({"when": "date"}).fit(pd.DataFrame({"when": dates}))


def test_days_are_counted_from_the_midnight_before_the_first_date():
    encoder = fitted(pd.to_datetime(["2020-01-01 12:00", "2020-01-03 18:00"]))
    assert encoder.transform(pd.DataFrame({"when": pd.to_datetime(["2020-01-02 06:00"])}))[0, 0] == 1.25


@pytest.mark.parametrize(
    ("dates", "circles"),
    [
        (pd.date_range("2020-01-01", "2022-01-01"), ["month", "weekday"]),
        (pd.date_range("2020-01-06", "2022-01-01", freq="7D"), ["month"]),
        (pd.date_range("2020-01-01", "2020-01-31"), ["weekday"]),
        (pd.date_range("2020-01-06", periods=20, freq="h"), ["hour"]),
        (pd.date_range("2020-01-06", periods=20, freq="min"), []),
    ],
)
def test_circles_are_those_on_which_dates_vary(dates, circles):
    names = fitted(dates).get_feature_names_out().tolist()
    assert names == ["when: days", *(f"when: {c} {part}" for c in circles for part in ("sin", "cos"))]


def test_days_of_the_same_weekday_and_season_stand_at_the_same_place():
    encoder = fitted(pd.date_range("2020-01-01", "2024-01-01"))
    names = encoder.get_feature_names_out().tolist()
    dates = pd.to_datetime(["2021-03-01", "2021-03-08", "2022-03-01"])
    monday, next_monday, next_year = encoder.transform(pd.DataFrame({"when": dates}))
    week, year = names.index("when: weekday sin"), names.index("when: month sin")
    np.testing.assert_allclose(monday[week : week + 2], next_monday[week : week + 2], atol=1e-9)
    np.testing.assert_allclose(monday[year : year + 2], next_year[year : year + 2], atol=0.01)


def test_circles_correct_days_that_are_uncertain():
    dates = pd.date_range("2020-01-01", "2024-01-01", freq="6h")
    encoder, sample = fitted(dates), pd.DataFrame({"when": pd.to_datetime(["2022-05-17 18:00"])})
    codes = encoder.transform(sample)
    codes[0, 0] += 100
    assert encoder.inverse_transform(codes)["when"].equals(sample["when"])
    codes[0, 0] -= 150
    assert encoder.inverse_transform(codes)["when"].equals(sample["when"])


def test_a_point_near_a_circles_centre_says_nothing():
    encoder = fitted(pd.date_range("2020-01-01", "2022-01-01"))
    codes = encoder.transform(pd.DataFrame({"when": pd.to_datetime(["2021-02-03"])}))
    codes[:, 1:] *= -0.01
    assert str(encoder.inverse_transform(codes)["when"][0])[:10] == "2021-02-03"


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("D", "2020-01-02 00:00:00"),
        ("h", "2020-01-01 15:00:00"),
        ("min", "2020-01-01 15:26:00"),
        ("s", "2020-01-01 15:26:24"),
    ],
)
def test_dates_are_rounded_to_what_all_fitted_ones_are_whole_numbers_of(freq, expected):
    encoder = fitted(pd.date_range("2020-01-01", periods=3, freq=freq))
    codes = np.zeros((1, len(encoder.column_of_)))
    codes[0, 0] = 0.6433333
    assert str(encoder.inverse_transform(codes)["when"][0]) == expected


def test_later_dates_than_were_fitted_come_back():
    encoder = fitted(pd.date_range("2020-01-01", "2021-01-01"))
    later = pd.DataFrame({"when": pd.to_datetime(["2031-07-05", "1999-12-31"]).astype("datetime64[us]")})
    back = encoder.inverse_transform(encoder.transform(later))
    assert back["when"].astype("datetime64[us]").equals(later["when"])


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_what_no_unit_can_hold_is_the_last_date_that_one_can(unit):
    encoder = fitted(pd.date_range("2020-01-01", "2021-01-01").astype(f"datetime64[{unit}]"))
    codes = np.zeros((2, len(encoder.column_of_)))
    codes[:, 0] = [1e30, -1e30]
    assert encoder.inverse_transform(codes)["when"].dt.year.tolist() == [2262, 1677]


def test_times_of_day_are_one_circle():
    times = pl.DataFrame({"when": [dt.time(0), dt.time(6), dt.time(23, 30), None]})
    encoder = TableEncoder().fit(times)
    assert encoder.get_feature_names_out().tolist() == ["when: hour sin", "when: hour cos"]
    codes = encoder.transform(times)
    np.testing.assert_allclose(codes[:2], [[0, 1], [1, 0]], atol=1e-12)
    assert encoder.inverse_transform(0.1 * codes).equals(times)
    assert encoder.inverse_transform([[-1e-9, 1]])["when"].to_list() == [dt.time(0)]


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-31",
        "2020-01-31 23:59",
        "2020-01-31T23:59:58",
        "2020-01-31 23:59:58.123",
        "2020-01-31T23:59:58.123456",
    ],
)
def test_iso_texts_come_back_as_they_were_written(text):
    df = pl.DataFrame({"when": [text, None, text.replace("31", "17"), text.replace("2020", "2023")]})
    encoder = TableEncoder().fit(df)
    assert encoder.table_[0].kind == "date"
    assert encoder.inverse_transform(encoder.transform(df)).equals(df)


def test_texts_that_are_written_in_several_ways_are_no_dates():
    assert (
        TableEncoder()
        .fit(pl.DataFrame({"x": ["2020-01-31", "2020-01-31 10:00", "2021-01-31", "2020-01-31"]}))
        .table_[0]
        .kind
        == "category"
    )


@pytest.mark.parametrize("zone", ["Z", "+02:00", "-0330", ""])
@pytest.mark.parametrize("between", ["T", " "])
def test_texts_of_dates_with_a_zone_are_dates_and_come_back_as_written(zone, between):
    days = pd.date_range("2024-02-27 05:30", periods=40, freq="31h")
    texts = [day.strftime(f"%Y-%m-%d{between}%H:%M:%S") + zone for day in days]
    table = pd.DataFrame({"at": texts, "x": np.arange(40.0) ** 2})
    encoder = TableEncoder().fit(table)
    assert encoder.table_[0].kind == "date"
    assert encoder.inverse_transform(encoder.transform(table))["at"].tolist() == texts
    utc = pd.to_datetime(pd.Series(texts), utc=True)
    np.testing.assert_allclose(encoder.transform(table.assign(at=utc)), encoder.transform(table), atol=1e-9)


def test_the_first_text_that_is_no_date_is_named():
    table = pd.DataFrame({"at": ["2024-01-01", "2024-01-02", "2024-03-01"] * 5, "x": np.arange(15.0) ** 2})
    encoder = TableEncoder().fit(table)
    other = table.assign(at=["2024-01-01", "soon", *["2024-01-01"] * 12, "later"])
    with pytest.raises(DataTypeError, match="got the text 'soon' in row 1"):
        encoder.transform(other)
