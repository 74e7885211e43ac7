"""Tables that are encoded a block of rows at a time, into a file."""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from helpers import small_stack

from stackae import TableEncoder
from stackae.data.dialects import stream_any
from stackae.exceptions import DataError, DataTypeError, StackaeWarning
from stackae.tables import _streaming, encode_stream

N = 500


class Batches:
    """A table as a stream, which counts how often it is read."""

    def __init__(self, table, size=64):
        self.table, self.schema, self.size, self.n_reads = table, table.schema, size, 0

    def __iter__(self):
        self.n_reads += 1
        for batch in self.table.to_batches(max_chunksize=self.size):
            # Each with dictionaries of its own, as readers make them.
            columns = [
                column.dictionary_decode().dictionary_encode()
                if pa.types.is_dictionary(column.type)
                else column
                for column in batch.columns
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)


def made(n=N, seed=0):
    rng = np.random.default_rng(seed)

    def holed(values, kind):
        cells = [None if hole else value for value, hole in zip(values, rng.random(n) < 0.1, strict=True)]
        return pa.array([None] * 100 + cells[100:], kind)  # the first batch has nothing else

    seconds = rng.integers(0, 10**8, n).tolist()
    moments = [dt.datetime(2020, 1, 1) + dt.timedelta(seconds=s) for s in seconds]
    return pa.table(
        {
            "whole": holed(rng.integers(-(10**12), 10**12, n).tolist(), pa.int64()),
            "short": holed(rng.integers(0, 200, n).tolist(), pa.uint8()),
            "float": holed(rng.normal(size=n).tolist(), pa.float32()),
            "heavy": holed(rng.lognormal(0, 4, n).tolist(), pa.float64()),
            "truth": holed((rng.random(n) < 0.4).tolist(), pa.bool_()),
            "kind": holed(rng.choice(list("abcd"), n).tolist(), pa.string()),
            "coded": holed(rng.choice(["x", "y", "z"], n).tolist(), pa.string()).dictionary_encode(),
            "day": holed([moment.date() for moment in moments], pa.date32()),
            "when": holed(moments, pa.timestamp("us", "Europe/Rome")),
            "time": holed([moment.time() for moment in moments], pa.time64("us")),
            "span": holed([dt.timedelta(seconds=s) for s in seconds], pa.duration("ms")),
            "iso": holed([moment.isoformat(" ") for moment in moments], pa.string()),
            "words": holed([f"word {s % 300} and {s}" for s in seconds], pa.string()),
            "nothing": pa.nulls(n),
        }
    )


@pytest.mark.parametrize("size", [1, 64, 10_000])
@pytest.mark.parametrize("of", ["pyarrow", "pandas"])
def test_a_stream_is_encoded_as_the_whole_table_in_memory(of, size):
    table = made()
    encoder = TableEncoder().fit(table if of == "pyarrow" else table.to_pandas())
    assert {info.kind for info in encoder.table_} == {"number", "binary", "category", "date", "text", "drop"}
    X = encode_stream(Batches(table, size), encoder=encoder)
    assert (X.is_mapped, X.table, X.dtype) == (True, encoder, np.float64)
    np.testing.assert_array_equal(X[:], encoder.transform(table))


def test_kinds_are_learned_from_all_rows_where_there_is_room_which_are_read_once():
    table, stream = made(), Batches(made())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X = encode_stream(stream)
    assert stream.n_reads == 1
    expected = TableEncoder().fit(table)
    assert X.table.to_json()[0] == expected.to_json()[0]
    np.testing.assert_array_equal(X[:], expected.transform(table))


def test_an_encoder_that_is_not_fitted_tells_the_parameters():
    given = TableEncoder({"short": "category"}, text_components=3)
    X = encode_stream(Batches(made()), encoder=given)
    assert X.table.table_[1].kind == "category"
    assert not hasattr(given, "table_")


@pytest.fixture
def long():
    """Rows that need more than is there for learning: 1 MiB of 16. The categories change in the middle, and
    two rows have their own."""
    n = 100_000
    kinds = np.where(np.arange(n) < n // 2, "early", "late").astype(object)
    kinds[::3] = "any"
    kinds[[4, 5]] = "rare", "rarer"  # which are not drawn
    return pa.table({"place": np.arange(n) + np.random.default_rng(0).random(n), "kind": kinds})


def test_where_there_is_less_room_kinds_are_learned_from_rows_out_of_the_whole(long):
    with pytest.warns(StackaeWarning) as told:
        X = encode_stream(Batches(long, 3000), max_memory="16MiB")
    (warning,) = told
    words = str(warning.message)
    assert words.startswith("the kinds of columns were learned from ")
    assert "of 100,000 rows; cells hold values that fit has not seen, and are missing: 2 in 'kind'" in words
    assert warning.filename == __file__
    n_learned = int(words.split("from ")[1].split(" of")[0].replace(",", ""))
    assert 10_000 < n_learned < 60_000
    assert X.table.get_feature_names_out().tolist() == ["place", "kind=any", "kind=early", "kind=late"]
    column = X.table._fitted.columns[0]
    assert column.low < 100
    assert column.high > 99_900
    assert np.isnan(X[:][[4, 5], 1:]).all()
    assert np.isnan(X[:]).sum() == 6


def test_the_rows_that_are_learned_from_do_not_depend_on_the_cut_into_batches(long):
    with pytest.warns(StackaeWarning):
        encoders = [encode_stream(Batches(long, s), max_memory="16MiB").table for s in (100, 7000)]
    assert encoders[0].to_json()[0] == encoders[1].to_json()[0]


def test_of_a_file_rows_that_are_not_learned_from_are_typed_once(tmp_path, monkeypatch):
    path = tmp_path / "long.csv"
    path.write_text("place,kind\n" + "".join(f"{k}.5,{'xyz'[k % 3]}\n" for k in range(60_000)))
    stream = stream_any(path, max_memory=2**20)
    n_typed = []

    def typed(cells):
        n_typed.append(len(cells))
        return stream.typed(cells)

    counting = replace(stream, typed=typed)
    monkeypatch.setattr(_streaming, "_FOR_LEARNING", 64)
    with pytest.warns(StackaeWarning, match="were learned from") as told:
        X = encode_stream(counting, max_memory="16MiB")
    n_learned = int(str(told[0].message).split("from ")[1].split(" of")[0].replace(",", ""))
    assert n_learned < 30_000
    assert sum(n_typed) == n_learned + 60_000
    assert X.shape == (60_000, 4)


def test_what_a_given_encoder_has_not_seen_is_told_once():
    table = made()
    encoder = TableEncoder().fit(table)
    kinds = pa.array(["a", "new", None, "newer", "d"] * (N // 5))
    codes = pa.array(["x", "new", None, "newer", "d"] * (N // 5)).dictionary_encode()
    other = table.set_column(5, "kind", kinds).set_column(6, "coded", codes)
    with pytest.warns(StackaeWarning) as told:
        X = encode_stream(Batches(other, 50), encoder=encoder)
    (warning,) = told
    words = "cells hold values that fit has not seen, and are missing: 200 in 'kind', 300 in 'coded'"
    assert str(warning.message) == words
    with pytest.warns(StackaeWarning):
        np.testing.assert_array_equal(X[:], encoder.transform(other))


def test_another_warning_is_given_once_too():
    table = pa.table({"number": pa.array(2**60 + 7 * np.arange(N) ** 2), "kind": ["a", "b"] * (N // 2)})
    with pytest.warns(StackaeWarning):
        encoder = TableEncoder().fit(table)
    with pytest.warns(StackaeWarning, match=r"column 'number': whole numbers over 2\*\*53") as told:
        encode_stream(Batches(table, 50), encoder=encoder)
    assert len(told) == 1


def test_blocks_are_as_small_as_the_memory_asks(long, monkeypatch):
    sizes, whole = [], TableEncoder.encode

    def watched(self, X, first_row=0):
        sizes.append((X.nbytes, len(X)))
        return whole(self, X, first_row)

    monkeypatch.setattr(TableEncoder, "encode", watched)
    encoder = TableEncoder().fit(long)
    X = encode_stream(Batches(long, 100_000), encoder=encoder, max_memory="16MiB")
    assert sum(n for _, n in sizes) == len(X) == 100_000
    room = 2**24 // _streaming._FOR_A_BLOCK
    for n_bytes, n in sizes[:-1]:
        assert room / 2 < _streaming._GROWTH * n_bytes + 16 * n * X.shape[1] <= 1.1 * room


def test_a_file_is_encoded_and_fitted_as_its_table(tmp_path):
    path = tmp_path / "table.csv"
    made(200).drop_columns(["span", "nothing", "words"]).to_pandas().to_csv(path, index=False)
    stream = stream_any(path, max_memory=2**24)
    X = encode_stream(stream, max_memory="64MiB", cache_folder=tmp_path)
    table = pa.Table.from_batches(stream)
    model, other = small_stack().fit(X), small_stack().fit(table)
    np.testing.assert_array_equal(model.transform(X), other.transform(table))
    again = encode_stream(stream, encoder=X.table)
    np.testing.assert_array_equal(again[:], X[:])
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_a_cell_that_cannot_be_encoded_is_named_by_its_row_in_the_whole():
    table = made()
    encoder = TableEncoder().fit(table)
    numbers = [1.0] * 333 + [np.inf] * (N - 333)
    dates = [None] * 411 + ["2024-12-31 24:00:00"] + [None] * (N - 412)
    for place, name, cells, words in (
        (3, "heavy", numbers, "holds inf in row 333"),
        (11, "iso", dates, "got the text '2024-12-31 24:00:00' in row 411"),
        (0, "whole", pa.array([None] * 200 + ["some"] * 300), "got text 'some' in row 200"),
    ):
        other = table.set_column(place, name, pa.array(cells))
        with pytest.raises(DataError, match=words):
            encode_stream(Batches(other), encoder=encoder)


def test_streams_that_cannot_be_read_twice_or_change_and_encoders_of_arrays_are_refused():
    table = made()
    encoder = TableEncoder().fit(table)
    for once in (iter(Batches(table)), pa.RecordBatchReader.from_batches(table.schema, Batches(table))):
        with pytest.raises(DataTypeError, match="read more than once; give an iterable, not an iterator"):
            encode_stream(once)
    with pytest.raises(DataTypeError, match="encoder= was fitted on an array"):
        encode_stream(Batches(table), encoder=TableEncoder().fit(np.eye(3)))
    for given in (None, encoder):
        with pytest.raises(DataError, match=r"0 rows|no rows; give at least one"):
            encode_stream(Batches(table[:0]), encoder=given)

    class Growing(Batches):
        def __iter__(self):
            yield from super().__iter__()
            yield from self.table.to_batches(max_chunksize=100)[: 2 * (self.n_reads - 1)]

    class Shrinking(Batches):
        def __iter__(self):
            yield from list(super().__iter__())[: -1 if self.n_reads > 1 else None]

    for kind, n_rows in ((Growing, 700), (Shrinking, 448)):
        with pytest.raises(DataError, match=f"had 500 rows, and then {n_rows}; let it stay"):
            encode_stream(kind(table), encoder=encoder)


def test_gaps_in_pandas_tables_are_those_of_streams():
    frame = pd.DataFrame({"a": [1.5, None, 3.0] * 9, "b": ["x", "y", None] * 9})
    encoder = TableEncoder().fit(frame)
    X = encode_stream(Batches(pa.Table.from_pandas(frame)), encoder=encoder)
    np.testing.assert_array_equal(X[:], encoder.transform(frame))
