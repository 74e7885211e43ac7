import csv
import os
import sys
import tempfile
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stackae.data import read_table
from stackae.data.writers import check_destination, write_table
from stackae.exceptions import ParameterError

ENDINGS = [".npy", ".csv", ".parquet"]
CODES = np.array([[0.1, 1e-30], [-2.5, 3e20], [1 / 3, 0]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=40)
@given(
    array=st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))
    )
)
def test_what_is_written_reads_back_as_the_same_bits(folder, ending, array):
    path = folder / f"codes{ending}"
    names = [f"code {position}" for position in range(array.shape[1])]
    write_table(path, array, names)
    back = read_table(path)
    np.testing.assert_array_equal(back.X.astype(array.dtype), array)
    if ending != ".csv":
        assert back.X.dtype == array.dtype
    if ending != ".npy":
        assert back.feature_names == names


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("change", [np.asfortranarray, lambda a: a[::-1], lambda a: a.astype(">f8")])
def test_the_layout_in_memory_does_not_matter(tmp_path, ending, change):
    write_table(tmp_path / f"t{ending}", change(CODES), ["a", "b"])
    np.testing.assert_array_equal(read_table(tmp_path / f"t{ending}").X, change(CODES))


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, np.float16])
@pytest.mark.parametrize("ending", ENDINGS)
def test_other_types_of_numbers_are_written(tmp_path, ending, dtype):
    array = np.array([[0, 1], [1, 1]], dtype)
    write_table(tmp_path / f"t{ending}", array, ["a", "b"])
    np.testing.assert_array_equal(read_table(tmp_path / f"t{ending}").X, array)


@pytest.mark.parametrize(
    ("dtype", "line"), [(np.float32, "0.100000001"), (np.float64, "0.10000000000000001"), (np.int64, "0")]
)
def test_csv_holds_as_many_digits_as_the_type_needs(tmp_path, dtype, line):
    write_table(tmp_path / "t.csv", np.array([[0.1]]).astype(dtype), ["a"])
    assert (tmp_path / "t.csv").read_text() == f"a\n{line}\n"


def test_csv_quotes_names_that_need_it(tmp_path):
    names = ["plain", "with, comma", 'with "quotes"', "with\nline end", "größe"]
    write_table(tmp_path / "t.csv", np.zeros((1, 5)), names)
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == names
    assert read_table(tmp_path / "t.csv").feature_names == names


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_dimension_is_one_column(tmp_path, ending):
    write_table(tmp_path / f"t{ending}", np.array([1.5, 2.5]), ["score"])
    if ending == ".npy":
        assert np.load(tmp_path / "t.npy").shape == (2,)
    else:
        table = read_table(tmp_path / f"t{ending}")
        assert table.feature_names == ["score"]
        assert table.X.tolist() == [[1.5], [2.5]]


def test_parquet_is_written_with_page_checksums(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, np.arange(1000.0)[:, np.newaxis], ["a"])
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


def test_the_ending_may_be_in_capitals(tmp_path):
    write_table(tmp_path / "T.CSV", np.ones((1, 1)), ["a"])
    assert (tmp_path / "T.CSV").read_text() == "a\n1\n"


TABLE = pa.table(
    {
        "text": ["a, b", None, 'say "x"'],
        "number": pa.array([0.1, None, float("nan")]),
        "single": pa.array([0.1, 2.0, None], pa.float32()),
        "count": pa.array([1, None, -3]),
        "truth": [True, False, None],
        "day": pa.array([date(2024, 5, 1), None, date(1999, 12, 31)]),
        "time": pa.array([datetime(2024, 5, 1, 7, 30), None, None]),
        "kind": pa.array(["x", "y", None]).dictionary_encode(),
    }
)


def test_tables_are_written_as_csv_with_empty_cells_for_gaps(tmp_path):
    write_table(tmp_path / "t.csv", TABLE, TABLE.column_names, ("id", np.array([7, 8, 9])))
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "id,text,number,single,count,truth,day,time,kind",
        '7,"a, b",0.1,0.1,1,true,2024-05-01,2024-05-01 07:30:00,x',
        "8,,,2.0,,false,,,y",
        '9,"say ""x""",,,-3,,1999-12-31,,',
    ]


def test_tables_are_written_as_parquet_as_they_are(tmp_path):
    write_table(tmp_path / "t.parquet", TABLE, TABLE.column_names, ("id", np.array([7, 8, 9])))
    read = pq.read_table(tmp_path / "t.parquet")
    assert read.column("id").to_pylist() == [7, 8, 9]
    assert read.drop_columns("id").schema == TABLE.schema
    assert str(read.drop_columns("id").to_pylist()) == str(TABLE.to_pylist())


def test_a_table_has_no_place_in_npy(tmp_path):
    with pytest.raises(ParameterError, match=r"\.npy holds numbers alone; give \.csv or \.parquet"):
        write_table(tmp_path / "t.npy", TABLE, TABLE.column_names)
    with pytest.raises(ParameterError, match=r"\.npy holds numbers alone"):
        check_destination(tmp_path / "t.npy", typed=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], ["a", "a"]])
def test_names_that_do_not_fit_the_columns_are_refused(tmp_path, names):
    with pytest.raises(ParameterError, match="2 columns need as many different names"):
        write_table(tmp_path / "t.npy", CODES, names)


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2)), np.array([[None]])])
def test_what_is_no_table_of_numbers_is_refused(tmp_path, array):
    with pytest.raises(ParameterError, match="1 or 2 dimensions of numbers"):
        write_table(tmp_path / "t.npy", array, ["a"])


@pytest.mark.parametrize("ending", [".npy", ".csv", ".parquet"])
def test_text_is_written_and_read_back(tmp_path, ending):
    path, words = tmp_path / f"t{ending}", np.array(["rose", 'a, "b"', ""])
    write_table(path, words, ["kind"])
    if ending == ".npy":
        again = np.load(path)
    else:
        read = pd.read_csv if ending == ".csv" else pd.read_parquet
        again = read(path)["kind"].fillna("")
    assert list(again) == list(words)


def test_an_error_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savetxt", full)
    with pytest.raises(OSError, match="No space left"):
        write_table(path, CODES, ["a", "b"])
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_free_destination_passes_and_nothing_is_left_in_its_folder(tmp_path, ending):
    check_destination(tmp_path / f"codes{ending}")
    assert not list(tmp_path.iterdir())


def test_a_bare_file_name_means_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_destination("codes.npy")
    write_table("codes.npy", CODES, ["a", "b"])
    assert (tmp_path / "codes.npy").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_an_existing_destination_is_refused_saying_how_to_go_on(tmp_path, kind):
    path = tmp_path / "codes.npy"
    if kind == "file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nothing")
    with pytest.raises(FileExistsError, match=r"codes\.npy exists; choose another --out or remove it"):
        check_destination(path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; create it first"):
        check_destination(tmp_path / "missing" / "codes.npy")


def test_a_folder_that_refuses_new_files_is_found_before_the_work(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(PermissionError, match=r"cannot write to the folder .* \(Permission denied\)"):
        check_destination(tmp_path / "codes.npy")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_found_before_the_work(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            check_destination(tmp_path / "codes.npy")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("ids", [np.array(["007", 'a "b", c', ""]), np.array([3, 1, 2])])
@pytest.mark.parametrize(
    "array", [CODES, CODES.astype(np.float32), np.array(["x", "y, z", "w"]), np.arange(3)]
)
def test_ids_stand_before_the_columns_and_change_none_of_them(tmp_path, ending, ids, array):
    columns = array.reshape(3, -1).shape[1]
    names, path = [f"c{k}" for k in range(columns)], tmp_path / f"t{ending}"
    write_table(path, array, names, ids=("who", ids))
    back = (
        pd.read_csv(path, dtype={"who": str if ids.dtype.kind == "U" else int}, keep_default_na=False)
        if ending == ".csv"
        else pd.read_parquet(path)
    )
    assert back.columns.tolist() == ["who", *names]
    assert back.who.tolist() == ids.tolist()
    np.testing.assert_array_equal(back[names].to_numpy().astype(array.dtype), array.reshape(3, -1))


def test_ids_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="no place for ids"):
        check_destination(tmp_path / "t.npy", ids=True)
    with pytest.raises(ParameterError, match="no place for ids"):
        write_table(tmp_path / "t.npy", CODES, ["a", "b"], ids=("who", np.arange(3)))
    with pytest.raises(ParameterError, match="the ids' column 'a' is called as one of the columns"):
        write_table(tmp_path / "t.csv", CODES, ["a", "b"], ids=("a", np.arange(3)))
    assert not list(tmp_path.iterdir())


def test_a_dash_is_standard_output_and_gets_csv(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_destination("-")
    write_table("-", CODES, ["größe", "b,c"])
    out, err = capfd.readouterr()
    assert (out.splitlines()[:2], err) == (['größe,"b,c"', "0.10000000000000001,1.0000000000000001e-30"], "")
    assert list(tmp_path.iterdir()) == []


def test_a_standard_output_that_is_closed_is_refused_beforehand(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OSError, match="standard output is closed"):
        check_destination("-")
