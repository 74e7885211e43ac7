import gzip
import io
import itertools
import os
import struct
import time
import warnings
import zipfile
from contextlib import nullcontext, suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stackae.data import _arrays, _npy, load_data, read_labels, read_table
from stackae.data.labels import says_nothing
from stackae.exceptions import DataFileError, ParameterError, StackaeWarning

NUMBERS = np.array([[1.5, 2.0], [3.0, -4.25], [0.0, 1e30]])
DTYPES = [np.float16, np.float32, np.float64, np.bool_, np.int8, np.uint8, np.int32, np.int64, np.uint64]
tables = st.sampled_from([np.float32, np.float64, np.int32, np.uint8]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("read")


def refused(path, *parts, labels_file=False, **options):
    """Check that the file is refused in one line that begins with its path and has all the parts."""
    with pytest.raises(DataFileError) as caught:
        read_labels(path) if labels_file else read_table(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def npy_bytes(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode("latin1") + b"\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


# any format


@pytest.mark.parametrize("name", ["table.docx", "table", "npy", "t.npy.bak"])
@pytest.mark.parametrize("labels_file", [True, False])
def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path, name, labels_file):
    (tmp_path / name).write_text("1,2")
    known = [".npy, .npz, .csv, .tsv", ".parquet", ".xlsx", "-ubyte"]
    refused(tmp_path / name, *known, labels_file=labels_file)


@pytest.mark.parametrize("ending", [".tsv", ".csv.gz", ".parquet", ".feather", ".jsonl", ".xlsx"])
def test_labels_are_read_from_every_format_of_tables(tmp_path, ending):
    path, frame = tmp_path / f"y{ending}", pd.DataFrame({"y": ["rose", None, "lily", "rose"]})
    if ending in (".parquet", ".feather"):
        getattr(frame, f"to_{ending[1:]}")(path)
    elif ending == ".xlsx":
        frame.fillna("NA").to_excel(path, index=False)
    elif ending == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, na_rep="NA")
    labels = read_labels(path).tolist()
    assert [label for label in labels if label not in ("", "NA")] == ["rose", "lily", "rose"]
    assert len(labels) == 4


def test_the_ending_may_be_in_capitals(tmp_path):
    (tmp_path / "T.CSV").write_text("1,2")
    assert read_table(tmp_path / "T.CSV").X.tolist() == [[1, 2]]


@pytest.mark.parametrize("read", [read_table, read_labels])
@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".idx", ".parquet", ".unknown"])
def test_a_missing_file_is_an_os_error(tmp_path, read, ending):
    with pytest.raises(FileNotFoundError, match="missing"):
        read(tmp_path / f"missing{ending}")


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".idx", ".parquet"])
def test_a_folder_is_an_os_error(tmp_path, ending):
    (tmp_path / f"t{ending}").mkdir()
    with pytest.raises(IsADirectoryError, match="a folder, not a file"):
        read_table(tmp_path / f"t{ending}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything")
@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".idx", ".parquet"])
def test_a_file_without_read_permission_is_an_os_error(tmp_path, ending):
    (tmp_path / f"t{ending}").touch(0o000)
    with pytest.raises(PermissionError):
        read_table(tmp_path / f"t{ending}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    refused(tmp_path / "t.csv", "a pipe or a device")


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".idx", ".parquet"])
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused_or_read_but_nothing_else(folder, ending, content):
    path = folder / f"random{ending}"
    path.write_bytes(content)
    readers = [read_table] if ending == ".parquet" else [read_table, read_labels]
    for read in readers:
        with suppress(DataFileError):
            read(path)


@pytest.mark.parametrize("ending", [".npy", ".npz", ".idx", ".idx.gz", ".parquet"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_refused(tmp_path, ending, share):
    path = tmp_path / f"t{ending}"
    array = np.random.default_rng(0).integers(0, 255, (50, 20), np.uint8)
    if ending == ".npy":
        np.save(path, array)
    elif ending == ".npz":
        np.savez_compressed(path, X=array)
    elif ending == ".parquet":
        pd.DataFrame(array.astype(float)).rename(columns=str).to_parquet(path)
    else:
        path.write_bytes((gzip.compress if ending.endswith("gz") else bytes)(idx_bytes(array)))
    read_table(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


@pytest.mark.parametrize("options", [{"drop": ["a"]}, {"labels": "a"}])
@pytest.mark.parametrize("ending", [".npy", ".idx"])
def test_columns_cannot_be_named_where_there_are_no_names(tmp_path, ending, options):
    path = tmp_path / f"t{ending}"
    if ending == ".npy":
        np.save(path, NUMBERS)
    else:
        path.write_bytes(idx_bytes(np.ones((2, 2), np.uint8)))
    refused(path, "has no column names", "'a'", **options)


@pytest.mark.parametrize(("place", "label"), [("1", [1, 4]), ("3", [3, 6]), ("-1", [3, 6]), ("-3", [1, 4])])
def test_columns_are_called_by_their_place_too(tmp_path, place, label):
    path = tmp_path / "t.data"
    path.write_text("1,2,3\n4,5,6\n")
    assert read_table(path, labels=place).y.tolist() == label
    assert read_table(path, ids=place).ids.tolist() == list(map(str, label))
    assert read_table(path, drop=[place]).X.shape == (2, 2)
    refused(path, "no column '4'", "it has 'column_1'", labels="4")
    refused(path, "no column '0'", labels="0")
    refused(path, "did you mean 'column_1'?", labels="colum_1")
    path.write_text("-1,2,b\n4,5,6\n")
    assert read_table(path, labels="2").y.tolist() == [5]  # a name wins
    assert read_table(path, labels="-1").y.tolist() == [4]


# npy


@given(array=tables)
def test_npy_reads_what_numpy_saved(folder, array):
    np.save(folder / "t.npy", array)
    table = read_table(folder / "t.npy")
    np.testing.assert_array_equal(table.X, array)
    assert table.X.flags.c_contiguous
    assert table.feature_names is None
    assert table.y is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("save", [np.save, lambda path, array: np.savez(path, X=array)])
def test_arrays_become_float32_where_that_is_exact_for_their_type(tmp_path, save, dtype):
    path = tmp_path / ("t.npy" if save is np.save else "t.npz")
    save(path, np.array([[0, 1]], dtype))
    X = read_table(path).X
    assert X.dtype == (np.float32 if np.can_cast(dtype, np.float32) else np.float64)
    assert X.tolist() == [[0, 1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_npy_of_floats_is_a_read_only_memory_map(tmp_path, dtype):
    np.save(tmp_path / "t.npy", NUMBERS.astype(dtype))
    X = read_table(tmp_path / "t.npy").X
    assert isinstance(X, np.memmap)
    assert X.dtype == dtype
    assert not X.flags.writeable


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">u2"])
def test_npy_of_big_endian_numbers_is_converted(tmp_path, dtype):
    np.save(tmp_path / "t.npy", np.array([[1, 258]], dtype))
    X = read_table(tmp_path / "t.npy").X
    assert X.dtype.isnative
    assert X.tolist() == [[1, 258]]
    assert not isinstance(X, np.memmap)


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_fortran_order_is_turned_into_c_order(tmp_path, ending):
    array = np.asfortranarray(NUMBERS)
    np.save(tmp_path / "t.npy", array)
    np.savez(tmp_path / "t.npz", X=array)
    X = read_table(tmp_path / f"t{ending}").X
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X, NUMBERS)


def test_npy_of_the_second_format_version_is_read(tmp_path):
    with open(tmp_path / "t.npy", "wb") as file:
        np.lib.format.write_array(file, NUMBERS, version=(2, 0))
    np.testing.assert_array_equal(read_table(tmp_path / "t.npy").X, NUMBERS)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2, 2)), np.zeros(())])
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_of_other_than_2_dimensions_are_refused_with_a_hint_to_reshape(tmp_path, array, ending):
    np.save(tmp_path / "t.npy", array)
    np.savez(tmp_path / "t.npz", X=array)
    refused(tmp_path / f"t{ending}", f"{array.ndim}-dimensional", "reshape")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("ending", [".npy", ".npz", ".idx"])
def test_no_rows_or_no_columns_are_refused(tmp_path, shape, ending):
    array = np.zeros(shape, np.uint8)
    np.save(tmp_path / "t.npy", array)
    np.savez(tmp_path / "t.npz", X=array)
    (tmp_path / "t.idx").write_bytes(idx_bytes(array))
    refused(tmp_path / f"t{ending}", f"{shape[0]} rows and {shape[1]} columns")


@pytest.mark.parametrize("ending", [".npy", ".npz"])
@pytest.mark.parametrize(
    "array",
    [
        np.array([["a"]]),
        np.array([[b"a"]]),
        np.array([[1j]]),
        np.array([["2020-01-01"]], "M8[D]"),
        np.array([[1]], "m8[s]"),
        np.zeros((1, 1), [("a", float)]),
    ],
)
def test_arrays_of_anything_but_real_numbers_are_refused(tmp_path, ending, array):
    np.save(tmp_path / "t.npy", array)
    np.savez(tmp_path / "t.npz", X=array)
    refused(tmp_path / f"t{ending}", "a table holds numbers or booleans, not")


class Trap:
    """Notices being unpickled."""

    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_pickled_objects_are_refused_and_never_loaded(tmp_path, ending):
    array = np.empty((1, 1), object)
    array[0, 0] = Trap()
    np.save(tmp_path / "t.npy", array, allow_pickle=True)
    np.savez(tmp_path / "t.npz", X=array)
    path = tmp_path / f"t{ending}"
    refused(path, "pickled Python objects")
    refused(path, "labels", labels_file=True)
    assert not Trap.sprung


@pytest.mark.parametrize("shape", ["(1099511627776, 1)", "(1099511627776, 1099511627776)", "(2, 3)"])
@pytest.mark.parametrize("labels_file", [True, False])
def test_npy_claiming_more_than_the_file_holds_is_refused_before_memory_is_claimed(
    tmp_path, shape, labels_file
):
    if labels_file:
        shape = shape.split(",")[0] + ",)"
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"
    (tmp_path / "t.npy").write_bytes(npy_bytes(header, bytes(8)))
    refused(tmp_path / "t.npy", "truncated", "the file has 8", labels_file=labels_file)


def test_npy_with_trailing_bytes_is_refused(tmp_path):
    np.save(tmp_path / "t.npy", NUMBERS)
    with open(tmp_path / "t.npy", "ab") as file:
        file.write(b"more")
    refused(tmp_path / "t.npy", "longer than it says")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUM",
        b"PK\x03\x04 not an array",
        npy_bytes("{'descr': '<f8', 'fortran_order': False}"),
        npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -8)}", bytes(64)),
        npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1.5, 2)}"),
        npy_bytes("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1, 2)}"),
        npy_bytes("__import__('os').system('false')"),
        npy_bytes("(" * 5000),
        npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)}" + " " * 20_000, bytes(8)),
        npy_bytes("{}", version=(3, 0)),
        npy_bytes("{}", version=(9, 9)),
    ],
)
def test_npy_with_a_damaged_header_is_refused(tmp_path, content):
    (tmp_path / "t.npy").write_bytes(content)
    refused(tmp_path / "t.npy", "damaged")
    refused(tmp_path / "t.npy", "damaged", labels_file=True)


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1])
def test_integers_that_float64_rounds_are_warned_of(tmp_path, value):
    np.savez(tmp_path / "t.npz", X=np.array([[value]]))
    np.save(tmp_path / "t.npy", np.array([[value]]))
    pd.DataFrame({"a": [value]}).to_parquet(tmp_path / "t.parquet")
    for name in ("t.npy", "t.npz", "t.parquet"):
        with pytest.warns(StackaeWarning, match=rf"{name}: integers.* over 2\*\*53 are rounded"):
            read_table(tmp_path / name)
        with warnings.catch_warnings():  # where warnings are errors, no reader hides this one
            warnings.simplefilter("error")
            with pytest.raises(StackaeWarning):
                read_table(tmp_path / name)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_such_integers_among_gaps_are_warned_of_and_rounded(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    table = pa.table({"a": pa.array([2**53 + 3, None, 5])})
    pq.write_table(table, path) if ending == ".parquet" else path.write_text(f"a\n{2**53 + 3}\nNA\n5\n")
    with pytest.warns(StackaeWarning, match=r"integers of column 'a' over 2\*\*53 are rounded"):
        X = read_table(path).X
    np.testing.assert_array_equal(X, [[2.0**53 + 4], [np.nan], [5]])


def test_a_column_of_integers_that_are_all_missing_is_nan(tmp_path):
    pq.write_table(pa.table({"a": pa.array([None, None], pa.int64()), "b": [1, 2]}), tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet").X, [[np.nan, 1], [np.nan, 2]])


# npz


@given(array=tables, packed=st.booleans())
def test_npz_reads_what_numpy_saved(folder, array, packed):
    (np.savez_compressed if packed else np.savez)(folder / "t.npz", X=array)
    X = read_table(folder / "t.npz").X
    np.testing.assert_array_equal(X, array)
    assert X.flags.c_contiguous


def test_npz_takes_x_among_several_tables(tmp_path):
    np.savez(tmp_path / "t.npz", A=np.zeros((5, 5)), X=NUMBERS)
    np.testing.assert_array_equal(read_table(tmp_path / "t.npz").X, NUMBERS)


def test_npz_without_x_takes_the_only_table(tmp_path):
    np.savez(tmp_path / "t.npz", y=np.arange(3), rows=NUMBERS, cube=np.zeros((1, 1, 1)))
    np.testing.assert_array_equal(read_table(tmp_path / "t.npz").X, NUMBERS)


@pytest.mark.parametrize("arrays", [{"a": NUMBERS, "b": NUMBERS}, {"a": np.zeros(3), "b": np.zeros(3)}])
def test_npz_with_no_single_table_is_refused_with_the_names(tmp_path, arrays):
    np.savez(tmp_path / "t.npz", **arrays)
    refused(tmp_path / "t.npz", "which array is the table?", "'a' of shape", "'b' of shape")


def test_npz_without_arrays_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    refused(tmp_path / "t.npz", "it holds no arrays")


@pytest.mark.parametrize("y", [np.array([2, 0, 1]), np.array(["a", "b", "a"]), np.array([[0.5], [1], [2]])])
def test_npz_labels_are_the_array_of_that_name(tmp_path, y):
    np.savez(tmp_path / "t.npz", X=NUMBERS, y=y)
    table = read_table(tmp_path / "t.npz", labels="y")
    assert table.y.dtype == y.dtype
    assert table.y.tolist() == y.reshape(-1).tolist()


def test_npz_labels_in_one_column_are_not_taken_for_the_table(tmp_path):
    np.savez(tmp_path / "t.npz", y=np.zeros((3, 1)), rows=NUMBERS)
    np.testing.assert_array_equal(read_table(tmp_path / "t.npz", labels="y").X, NUMBERS)


def test_npz_labels_of_another_length_are_refused_with_both(tmp_path):
    np.savez(tmp_path / "t.npz", X=NUMBERS, y=np.arange(4))
    refused(tmp_path / "t.npz", "4 values for 3 rows", labels="y")


def test_npz_without_the_labels_asked_for_is_refused_with_the_names(tmp_path):
    np.savez(tmp_path / "t.npz", X=NUMBERS)
    refused(tmp_path / "t.npz", "no array 'y'", "'X' of shape (3, 2)", labels="y")


def test_npz_columns_cannot_be_dropped(tmp_path):
    np.savez(tmp_path / "t.npz", X=NUMBERS)
    refused(tmp_path / "t.npz", "no column names", drop=["a"])


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("position", [80, 400, 800])
def test_npz_with_a_changed_byte_is_refused(tmp_path, packing, position):
    saved = io.BytesIO()
    np.save(saved, np.random.default_rng(0).normal(size=(20, 10)))
    with zipfile.ZipFile(tmp_path / "t.npz", "w", packing) as archive:
        archive.writestr("X.npy", saved.getvalue())
    content = bytearray((tmp_path / "t.npz").read_bytes())
    content[position] ^= 0xFF
    (tmp_path / "t.npz").write_bytes(content)
    refused(tmp_path / "t.npz")


def test_npz_whose_header_claims_more_than_the_archive_is_refused(tmp_path):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1)}"
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("X.npy", npy_bytes(header, bytes(8)))
    refused(tmp_path / "t.npz", "damaged: the array declares 8,796,093,022,", "array 'X'")


def test_npz_with_trailing_bytes_in_an_array_is_refused(tmp_path):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)}"
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("X.npy", npy_bytes(header, bytes(16)))
    refused(tmp_path / "t.npz", "damaged")


@pytest.mark.parametrize("lie", [False, True])
def test_npz_that_expands_beyond_reason_is_refused_unread(tmp_path, monkeypatch, lie):
    monkeypatch.setattr(_arrays, "BOMB_SIZE", 2**20)
    np.savez_compressed(tmp_path / "t.npz", X=np.zeros((2000, 1000)))
    content = (tmp_path / "t.npz").read_bytes()
    if lie:  # the archive claims that the array is hardly compressed
        directory = content.index(b"PK\x01\x02")
        content = content[: directory + 20] + struct.pack("<I", 10**7) + content[directory + 24 :]
        (tmp_path / "t.npz").write_bytes(content)

    def unread(*_):
        raise AssertionError("the array was read")

    monkeypatch.setattr(_npy, "read_exactly", unread)
    # Later versions of Python see through it themselves.
    refused(tmp_path / "t.npz", *(["bomb"] if lie else ["decompression bomb", "expand to 16,000,128"]))


def test_npz_of_many_zeros_below_that_size_is_read(tmp_path):
    np.savez_compressed(tmp_path / "t.npz", X=np.zeros((2000, 1000)))
    assert read_table(tmp_path / "t.npz").X.shape == (2000, 1000)


def test_npz_whose_directory_points_before_the_file_is_refused(tmp_path):
    np.savez(tmp_path / "t.npz", X=NUMBERS)
    content = (tmp_path / "t.npz").read_bytes()
    end = content.index(b"PK\x05\x06")
    (offset,) = struct.unpack_from("<I", content, end + 16)
    content = content[: end + 16] + struct.pack("<I", offset + 1000) + content[end + 20 :]
    (tmp_path / "t.npz").write_bytes(content)
    refused(tmp_path / "t.npz", "damaged")


def test_an_error_of_the_disk_while_reading_is_an_os_error(tmp_path, monkeypatch):
    np.savez(tmp_path / "t.npz", X=NUMBERS)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(_npy, "read_exactly", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read_table(tmp_path / "t.npz")


def test_npz_that_is_encrypted_is_refused(tmp_path):
    np.savez(tmp_path / "t.npz", X=NUMBERS)
    content = bytearray((tmp_path / "t.npz").read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    (tmp_path / "t.npz").write_bytes(content)
    refused(tmp_path / "t.npz", "encrypted")


# CSV


def write(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


@given(
    array=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)),
    header=st.booleans(),
    ends=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    quote=st.booleans(),
)
def test_csv_reads_numbers_to_the_last_bit(folder, array, header, ends, mark, quote):
    names = [f"column {position}" for position in range(array.shape[1])]
    around = '"{}"' if quote else "{}"
    rows = [",".join(around.format(repr(float(cell))) for cell in row) for row in array]
    path = write(folder, mark + "".join(row + ends for row in [",".join(names)] * header + rows))
    table = read_table(path)
    np.testing.assert_array_equal(table.X, array)
    assert table.X.dtype == np.float64
    assert table.X.flags.c_contiguous
    assert table.feature_names == (names if header else None)


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("a,b\n1,2", ["a", "b"], [[1, 2]]),
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("1,b\n3,4\n", ["1", "b"], [[3, 4]]),
        ("\ufeffa,b\r\n1,2\r\n", ["a", "b"], [[1, 2]]),
        ("\ufeff1,2\n3,4", None, [[1, 2], [3, 4]]),
        ('"a, or b","say ""c"""\n1,2\n', ["a, or b", 'say "c"'], [[1, 2]]),
        ('"two\nlines",b\n1,2\n3,4\n', ["two\nlines", "b"], [[1, 2], [3, 4]]),
        ('a,b\n"1","2"\n3,4\n', ["a", "b"], [[1, 2], [3, 4]]),
        ('a,b\n"1\n",2\n3,4\n', ["a", "b"], [[1, 2], [3, 4]]),
        ("a,b\n1, 2 \n", ["a", "b"], [[1, 2]]),
        ("\n\na,b\n\n1,2\n\n\n3,4\n\n", ["a", "b"], [[1, 2], [3, 4]]),
        ("\n1,2\n", None, [[1, 2]]),
        ("größe,b\n1,2\n", ["größe", "b"], [[1, 2]]),
        ("a\n1\n2\n\n", ["a"], [[1], [2]]),
        ("1\n2", None, [[1], [2]]),
        ("+1,-2e3,.5,1E+2\n", None, [[1, -2000, 0.5, 100]]),
    ],
)
def test_csv_in_its_dialects_is_read(tmp_path, text, names, rows):
    table = read_table(write(tmp_path, text))
    assert table.feature_names == names
    assert table.X.tolist() == rows


@pytest.mark.parametrize("first", ["nan,1", "inf,-inf", "1e5,Infinity", "NaN,nan"])
def test_csv_whose_first_row_is_not_finite_has_no_header(tmp_path, first):
    table = read_table(write(tmp_path, f"{first}\n1,2\n"))
    assert table.feature_names is None
    assert table.X.shape == (2, 2)
    assert not np.isfinite(table.X[0]).all()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b\n1,2\n3\n", ["1 cell where the first row has 2", "line 3"]),
        ("a,b\n1,2\n3,4,5\n", ["3 cells", "line 3"]),
        ("1,2\n3,4\n5\n", ["1 cell", "line 3"]),
        ("a,b\n1,2,3,4\n4,5,6,7\n", ["4 cells", "line 2"]),
        ("", ["empty file"]),
        ("\ufeff", ["empty file"]),
        ("\n\n", ["empty file"]),
        ("a,b\n", ["a header and no rows"]),
        ("a,b\n\n\n", ["a header and no rows"]),
        ("a,b,a\n1,2,3\n", ["column name 'a' occurs more than once"]),
        ('a,b\n1,"2\n3,4\n', ["never ends", "line 2"]),
        ("a,b\n1,\0\n", ["zero bytes"]),
        ('a,b\n1,"' + "x" * 200_000, ["never ends", "line 2"]),
    ],
)
def test_csv_that_is_wrong_is_refused_with_line_and_column(tmp_path, text, parts):
    message = refused(write(tmp_path, text), *parts)
    assert len(message) < 500


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,\n", [[1, np.nan]]),
        ("a,b\n1,2\n ,3\n", [[1, 2], [np.nan, 3]]),
        ("1,2\n3,\n", [[1, 2], [3, np.nan]]),
        ("1,,3\n4,5,6\n", [[1, np.nan, 3], [4, 5, 6]]),
        ('a\n1\n""\n', [[1], [np.nan]]),
        ("a,b\n1,NA\nnan,2\n<NA>,null\n", [[1, np.nan], [np.nan, 2], [np.nan, np.nan]]),
        ("a,b\n1,\n1e300,2\n", [[1, np.nan], [1e300, 2]]),
    ],
)
def test_csv_cells_may_be_missing(tmp_path, text, rows):
    np.testing.assert_array_equal(read_table(write(tmp_path, text)).X, rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"a;b\n1,5;2\n;4\n"),
        ("t.csv", "a,b\n1.5,2\n,4\n".encode("utf-16")),
        ("t.tsv", b"a\tb\n1.5\t2\n\t4\n"),
        ("t.csv.gz", gzip.compress(b"a,b\n1.5,2\n,4\n", mtime=0)),
        ("t.jsonl", b'{"a": 1.5, "b": 2}\n{"b": 4}\n'),
    ],
)
def test_numbers_in_any_dialect_are_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    table = read_table(tmp_path / name)
    assert table.feature_names == ["a", "b"]
    np.testing.assert_array_equal(table.X, [[1.5, 2], [np.nan, 4]])


def test_columns_of_any_dialect_are_picked_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id;kind;a;b\nx1;rose;1,5;2\nx2;;2,5;3\n")
    table = read_table(path, features=["b", "a"], labels="kind", ids="id")
    assert (table.X.tolist(), table.y.tolist(), table.ids.tolist()) == (
        [[2, 1.5], [3, 2.5]],
        ["rose", ""],
        ["x1", "x2"],
    )
    refused(
        path,
        "column 'kind' holds text, such as 'rose' in row 0",
        "drop the column",
        drop=["id"],
        as_table=False,
    )
    (tmp_path / "t.data").write_text("1 2 3\n4 5 6\n")
    assert read_table(tmp_path / "t.data").feature_names is None
    refused(tmp_path / "t.data", "no column 'a'; it has 'column_1'", drop=["a"])


def test_csv_columns_can_be_dropped_whatever_they_hold(tmp_path):
    path = write(tmp_path, "id,a,note,b\nx1,1,,2\nx2,3,text,4\n")
    table = read_table(path, drop=["note", "id"])
    assert table.feature_names == ["a", "b"]
    assert table.X.tolist() == [[1, 2], [3, 4]]
    assert read_table(path, drop=("id", "note")).X.tolist() == table.X.tolist()


def test_csv_drops_one_column_given_as_a_text(tmp_path):
    assert read_table(write(tmp_path, "ab,a,b\nx,1,2\n"), drop="ab").feature_names == ["a", "b"]


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        (["rose", "lily"], "U", ["rose", "lily"]),
        (["2", "-1"], np.int64, [2, -1]),
        (["007", "1"], "U", ["007", "1"]),
        (["0", "-0.5"], np.float64, [0, -0.5]),
        (["0.5", "1"], np.float64, [0.5, 1]),
        (["1", "b"], "U", ["1", "b"]),
        (["1_0", "2"], "U", ["1_0", "2"]),
        (["9" * 20, "1"], "U", ["9" * 20, "1"]),
        (["größe", "ß"], "U", ["größe", "ß"]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_labels_are_integers_floats_or_text(tmp_path, quote, cells, dtype, expected, end):
    for order in ("a,y", "y,a"):
        rows = [order] + [order.replace("a", "5").replace("y", quote + cell + quote) for cell in cells]
        table = read_table(write(tmp_path, end.join(rows) + end), labels="y")
        assert table.feature_names == ["a"]
        assert table.X.tolist() == [[5], [5]]
        assert table.y.tolist() == expected
        assert table.y.dtype.kind == np.dtype(dtype).kind


@pytest.mark.parametrize("empty", ["", " ", '""', "NA", "nan", "NaN", "<NA>", "null"])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "0"], [1.0, 0.0]),
        (["0.5", "2"], [0.5, 2.0]),
        (["b", "c"], ["b", "c"]),
        (["01", "02"], ["01", "02"]),
    ],
)
def test_csv_labels_may_be_missing(tmp_path, empty, cells, expected):
    text = "a,y\n" + "".join(f"1,{cell}\n" for cell in [empty, *cells])
    y = read_table(write(tmp_path, text), labels="y").y
    assert y[1:].tolist() == expected
    assert np.isnan(y[0]) if y.dtype.kind == "f" else says_nothing(y[0])


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (["0,1,2", "5,4,3", "1,0,2"], ["0", "1", "2"]),
        (["0,1", "0.5,0.2"], ["0", "1"]),
        (["400.0,402.5,405.0", "0.3,0.1,0.2"], ["400.0", "402.5", "405.0"]),
        (["2019,2020,2021", "7,9,8"], ["2019", "2020", "2021"]),
        (["1,3,4,9,11", "5,4,3,2,1"], ["1", "3", "4", "9", "11"]),
        (["0,1,2", "0,1,2", "5,4,3"], None),  # not the only one
        (["1,2,3", "2,3,4"], None),  # all rise
        (["1,2", "4,3"], None),  # two may rise by chance
        (["1,3,4", "4,3,1"], None),  # so may three, if not evenly
        (["0,2", "5,4"], None),
        (["0,1,inf", "5,4,3"], None),
        (["0,1,2"], None),  # there is nothing that it would name
    ],
)
def test_csv_whose_first_row_alone_counts_has_a_header_of_numbers(tmp_path, rows, names):
    path = write(tmp_path, "\n".join(rows) + "\n")
    said = (
        nullcontext()
        if names is None
        else pytest.warns(StackaeWarning, match="is taken as a header.*--no-header")
    )
    with said:
        table = read_table(path)
    assert table.feature_names == names
    assert len(table.X) == len(rows) - (names is not None)
    whole = read_table(path, header=False)
    assert (whole.feature_names, len(whole.X)) == (None, len(rows))
    if len(rows) > 1:
        named = read_table(path, header=True)
        assert (named.feature_names, len(named.X)) == (rows[0].split(","), len(rows) - 1)


def test_a_frame_without_names_of_its_own_is_read_back(tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 6))
    pd.DataFrame(X).to_csv(tmp_path / "a.csv", index=False)
    with pytest.warns(StackaeWarning, match="taken as a header"):
        np.testing.assert_array_equal(read_table(tmp_path / "a.csv").X, X)


@pytest.mark.parametrize("ending", [".npy", ".npz", ".idx", ".parquet"])
def test_a_header_is_for_text(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    if ending == ".parquet":
        pq.write_table(pa.table({"a": [1.0]}), path)
    else:
        path.write_bytes(b"")
    refused(path, "has no header", "it is for text", header=True)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_features_are_picked_by_name_in_the_order_wanted(tmp_path, ending):
    frame = pd.DataFrame(
        {"b": [1.5, 2.5], "who": ["x1", "x2"], "a": [3.0, 4.0], "kind": ["p", "q"], "c": [5, 6]}
    )
    path = tmp_path / f"t{ending}"
    frame.to_csv(path, index=False) if ending == ".csv" else frame.to_parquet(path)
    table = read_table(path, features=["a", "b"], labels="kind", ids="who")
    assert table.feature_names == ["a", "b"]
    assert table.X.tolist() == [[3, 1.5], [4, 2.5]]
    assert (table.y.tolist(), table.ids.tolist(), table.ignored) == (["p", "q"], ["x1", "x2"], ("c",))
    refused(path, "no column 'd', 'e', which the model knows", "it has 'b', 'who'", features=["a", "d", "e"])
    with pytest.raises(ParameterError, match="column 'who' cannot hold both the labels and the ids"):
        read_table(path, labels="who", ids="who")
    with pytest.raises(ParameterError, match="column 'who' cannot both be dropped and hold the ids"):
        read_table(path, drop=["who"], ids="who")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_ids_keep_what_they_say(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    frame = pd.DataFrame({"id": ["007", "NA"], "n": [12, 9], "a": [1.0, 2.0]})
    frame.to_csv(path, index=False) if ending == ".csv" else frame.to_parquet(path)
    assert read_table(path, ids="id").ids.tolist() == ["007", "NA"]
    assert list(map(str, read_table(path, ids="n", drop=["id"]).ids.tolist())) == ["12", "9"]


def test_npz_ids_are_the_array_of_that_name(tmp_path):
    np.savez(tmp_path / "t.npz", X=NUMBERS, who=np.array(["a", "b", "c"]))
    assert read_table(tmp_path / "t.npz", ids="who").ids.tolist() == ["a", "b", "c"]
    refused(tmp_path / "t.npz", "no array 'when' for the ids", ids="when")


def test_csv_with_an_enormous_label_is_refused(tmp_path):
    refused(write(tmp_path, f"a,y\n1,{'x' * 5000}\n"), "a label of 5,000 characters", labels="y")


@pytest.mark.parametrize("options", [{"drop": ["c"]}, {"labels": "c"}])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_an_unknown_column_is_refused_with_the_known_ones(tmp_path, options, ending):
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    refused(tmp_path / f"t{ending}", "no column 'c'", "it has 'a', 'b'", **options)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_many_known_columns_are_not_all_listed(tmp_path, ending):
    frame = pd.DataFrame(np.zeros((1, 500)), columns=[f"c{i}" for i in range(500)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    assert len(refused(tmp_path / f"t{ending}", "'c19', ... (500 in all)", drop=["x"])) < 500


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_with_no_column_left_is_refused(tmp_path, ending):
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    refused(tmp_path / f"t{ending}", "no column is left", drop=["a"], labels="b")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_column_cannot_be_dropped_and_hold_the_labels(tmp_path, ending):
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ParameterError, match="cannot both"):
        read_table(tmp_path / f"t{ending}", drop=["a"], labels="a")


def test_csv_of_a_hundred_thousand_cells_is_read_exactly(tmp_path):
    path = tmp_path / "t.csv"
    array = np.random.default_rng(0).normal(size=(2000, 50))
    pd.DataFrame(array).assign(y="rose").rename(columns=str).to_csv(path, index=False)
    table = read_table(path, labels="y", header=True)
    np.testing.assert_array_equal(table.X, array)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('"a\nb",c\n1,2\n"3",x\n', ["column 'c'", "'x' in row 1"]),
        ("a,b\n1,2\n\n3,x\n", ["column 'b'", "'x' in row 1"]),
        ("1,2\n3,x\n", ["column 'column_2'", "'x' in row 1"]),
        ("a,b\n1,1_000\n", ["'1_000' in row 0", "column 'b'"]),
        ("a,b\n1,0x10\n", ["'0x10'"]),
        ("a,b\n1,2020-01-01\n", ["date32", "drop the column"]),
        ("a,b\n1,2;3\n", ["'2;3'"]),
        (b"a,b\n1,2\n\xff,3\n", ["'\xff' in row 1", "column 'a'"]),
    ],
)
def test_where_numbers_are_needed_other_cells_are_refused_with_row_and_column(tmp_path, text, parts):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(path, *parts, as_table=False)
    assert read_table(path).X.num_rows >= 1  # else they are a table


@pytest.mark.parametrize(
    ("text", "names", "columns"),
    [
        (",a\n0,1\n1,3\n", ["a"], [[1], [3]]),
        (",a\nanna,1\nbert,3\n", ["a"], [[1], [3]]),
        ("a\nanna,1\nbert,3\n", ["a"], [[1], [3]]),  # as R writes it
        (",a\n0.5,1\n0.5,3\n", ["index", "a"], [[0.5, 1], [0.5, 3]]),
    ],
)
def test_a_first_column_without_a_name_is_a_feature_only_where_cells_repeat(tmp_path, text, names, columns):
    table = read_table(write(tmp_path, text))
    assert (table.feature_names, table.X.tolist()) == (names, columns)
    assert read_table(write(tmp_path, text), ids="index").ids is not None


# Parquet


@given(array=hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)))
def test_parquet_reads_what_pandas_wrote(folder, array):
    frame = pd.DataFrame(array, columns=[f"c.{position}" for position in range(array.shape[1])])
    frame.to_parquet(folder / "t.parquet")
    if frame.isna().any(axis=None):  # pandas writes NaN as null
        frame = frame.fillna(0)
        frame.to_parquet(folder / "t.parquet")
    table = read_table(folder / "t.parquet")
    np.testing.assert_array_equal(table.X, frame.to_numpy())
    assert table.X.dtype == np.float32
    assert table.X.flags.c_contiguous
    assert table.feature_names == list(frame.columns)


def test_parquet_of_mixed_numbers_becomes_float64(tmp_path):
    columns = {
        "single": pa.array([0.1, 0.2], pa.float32()),
        "half": pa.array(np.array([1, 2], np.float16)),
        "integer": pa.array([2**40 + 1, 3], pa.int64()),
        "unsigned": pa.array([0, 255], pa.uint8()),
        "yes": pa.array([True, False]),
        "money": pa.array([1, 2]).cast(pa.decimal128(21, 2)),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    X = read_table(tmp_path / "t.parquet").X
    assert X.dtype == np.float64
    first = np.float32(0.1)
    assert X.tolist() == [[first, 1, 2**40 + 1, 0, 1, 1], [np.float32(0.2), 2, 3, 255, 0, 2]]
    floats = read_table(tmp_path / "t.parquet", drop=["integer", "unsigned", "yes", "money"])
    assert floats.X.dtype == np.float32


def test_parquet_of_many_row_groups_and_of_names_with_dots_is_read_in_order(tmp_path):
    array = np.random.default_rng(0).normal(size=(1000, 3))
    frame = pd.DataFrame(array, columns=["a.b", "a", "b"])
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=64)
    table = read_table(tmp_path / "t.parquet", drop=["a.b"])
    assert table.feature_names == ["a", "b"]
    np.testing.assert_array_equal(table.X, array[:, 1:])
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet").X, array)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["x", "y"]),
        pa.array(["x", "y"]).dictionary_encode(),
        pa.array([1, 2], pa.timestamp("ms")),
        pa.array([1, 2], pa.date32()),
        pa.array([1, 2], pa.time32("s")),
        pa.array([[1.0], [2.0]]),
        pa.array([{"c": 1}, {"c": 2}]),
        pa.array([b"x", b"y"]),
    ],
)
def test_parquet_columns_of_anything_but_numbers_are_refused_as_numbers_and_can_be_dropped(tmp_path, values):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1.0, 2.0], "odd": values}), path)
    refused(path, "column 'odd' holds", "drop the column", as_table=False)
    assert read_table(path, drop=["odd"]).X.tolist() == [[1], [2]]
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        refused(path, "column 'odd' holds", "not single values")
    else:
        assert read_table(path).X.column("odd").to_pylist() == values.to_pylist()


def test_parquet_categories_of_numbers_are_no_numbers(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1.0, 2.0], "odd": pd.Categorical([1, 2])}).to_parquet(path)
    refused(path, "column 'odd' holds categories", as_table=False)
    assert read_table(path).X.column("odd").to_pylist() == [1, 2]
    assert read_table(path, labels="odd").y.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None, 0]), [1, np.nan, 0]),
        (pa.array([True, None, False]), [1, np.nan, 0]),
        (pa.array([0.5, None, 2.0]), [0.5, np.nan, 2]),
        (pa.array(["a", None, "b"]), ["a", "", "b"]),
        (pa.array(["a", None, "b"]).dictionary_encode(), ["a", "", "b"]),
    ],
)
def test_parquet_labels_may_be_missing(tmp_path, values, expected):
    pq.write_table(pa.table({"a": [1.0, 2.0, 3.0], "y": values}), tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet", labels="y").y, expected)


def test_parquet_nulls_are_nan(tmp_path):
    columns = {"a": [1.0, 2.0, 3.0], "b": [1, 2, None], "c": [True, None, False]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=1)
    expected = [[1, 1, 1], [2, 2, np.nan], [3, np.nan, 0]]
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet").X, expected)


def test_parquet_nan_is_left_for_the_estimator(tmp_path):
    pq.write_table(pa.table({"a": pa.array([1.0, np.nan], from_pandas=False)}), tmp_path / "t.parquet")
    assert np.isnan(read_table(tmp_path / "t.parquet").X[1, 0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["x", "y"]), ["x", "y"]),
        (pa.array(["1", "2"]), ["1", "2"]),
        (pa.array(["x", "y"], pa.large_string()), ["x", "y"]),
        (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
        (pa.array([1, 2], pa.int8()), [1, 2]),
        (pa.array([0.5, 2]), [0.5, 2]),
        (pa.array([True, False]), [True, False]),
    ],
)
def test_parquet_labels_keep_their_type(tmp_path, values, expected):
    pq.write_table(pa.table({"a": [1.0, 2.0], "y": values}), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", labels="y")
    assert table.y.tolist() == expected
    assert table.feature_names == ["a"]


def test_parquet_labels_of_dates_are_refused(tmp_path):
    columns = {"a": [1.0], "y": pa.array([1], pa.date32())}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet", "labels must be numbers or text", "'y'", labels="y")


def test_parquet_row_index_of_pandas_is_no_feature(tmp_path):
    pd.DataFrame({"a": [1.0, 2.0]}, index=[7, 9]).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").feature_names == ["a"]


def test_parquet_with_a_repeated_name_is_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["a", "a"])
    pq.write_table(table, tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet", "'a' occurs more than once")


@pytest.mark.parametrize("columns", [{}, {"a": pa.array([], pa.float64())}])
def test_parquet_without_rows_or_columns_is_refused(tmp_path, columns):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet")


def test_parquet_with_a_changed_byte_in_a_page_is_refused_where_it_has_checksums(tmp_path):
    path = tmp_path / "t.parquet"
    column = np.random.default_rng(0).normal(size=2000)
    pq.write_table(pa.table({"a": column}), path, write_page_checksum=True, compression="none")
    whole = path.read_bytes()
    for position in range(1000, 15_000, 1000):
        content = bytearray(whole)
        content[position] ^= 4
        path.write_bytes(content)
        refused(path, "damaged, or not a Parquet file")


# IDX

CODES = [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]


@pytest.mark.parametrize(
    "name", ["t-ubyte", "t.idx", "t.idx1", "t.idx2", "t.idx3", "x.idx3-ubyte", "x-idx3-ubyte", "T-UBYTE"]
)
@pytest.mark.parametrize(("ending", "packed"), [*itertools.product(["", ".gz"], [False, True])])
def test_idx_is_known_by_its_names_and_gzip_by_its_content(tmp_path, name, ending, packed):
    content = idx_bytes(np.array([[1, 2], [3, 4]], np.uint8))
    (tmp_path / (name + ending)).write_bytes(gzip.compress(content) if packed else content)
    table = read_table(tmp_path / (name + ending))
    assert table.X.tolist() == [[1, 2], [3, 4]]
    assert table.feature_names is None
    assert table.y is None


@pytest.mark.parametrize(("code", "dtype"), CODES)
def test_idx_tables_of_every_type_stay_as_they_are(tmp_path, code, dtype):
    (tmp_path / "t.idx2").write_bytes(idx_bytes(np.array([[0, 100], [1, 2]], dtype), code))
    X = read_table(tmp_path / "t.idx2").X
    assert X.dtype == (np.float32 if np.can_cast(dtype, np.float32) else np.float64)
    assert X.dtype.isnative
    assert X.flags.c_contiguous
    assert X.tolist() == [[0, 100], [1, 2]]


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 3)])
def test_idx_images_of_unsigned_bytes_become_rows_of_pixels_in_0_to_1(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images.flat[:2] = 0, 255
    (tmp_path / "t.idx3").write_bytes(idx_bytes(images))
    X = read_table(tmp_path / "t.idx3").X
    assert X.dtype == np.float32
    assert (X.min(), X.max()) == (0, 1)
    np.testing.assert_array_equal(X, images.reshape(2, -1).astype(np.float32) / np.float32(255))


def test_idx_images_of_other_types_are_not_scaled(tmp_path):
    (tmp_path / "t.idx3").write_bytes(idx_bytes(np.full((1, 2, 2), 7, ">f4"), 0x0D))
    assert read_table(tmp_path / "t.idx3").X.tolist() == [[7, 7, 7, 7]]


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_idx_images_without_rows_or_pixels_are_refused(tmp_path, shape):
    (tmp_path / "t.idx3").write_bytes(idx_bytes(np.zeros(shape, np.uint8)))
    refused(tmp_path / "t.idx3", "rows and")


def test_idx_of_one_dimension_is_no_table(tmp_path):
    (tmp_path / "t.idx1").write_bytes(idx_bytes(np.arange(5, dtype=np.uint8)))
    refused(tmp_path / "t.idx1", "5 labels", "as the labels of another file")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "begins with the bytes (none)"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\x89PNG....", "not an IDX file"),
        (b"\0\x01\x08\x01\0\0\0\x01x", "not an IDX file"),
        (b"\0\0\x0a\x01\0\0\0\x01x", "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x08\x03\0\0\0\x01", "truncated inside the header"),
        (b"\0\0\x08\x02\0\0\0\x02\0\0\0\x02abc", "truncated"),
        (b"\0\0\x08\x02\0\0\0\x02\0\0\0\x02abcde", "more data follows the 4 bytes declared"),
        (b"\0\0\x0e\x03" + b"\xff" * 12, "truncated: the header declares 633,825,299"),
        (b"\0\0\x08\xff" + b"\xff" * 1020, "truncated: the header declares"),
    ],
)
def test_idx_that_is_wrong_is_refused(tmp_path, content, part, packed):
    (tmp_path / "t.idx").write_bytes(gzip.compress(content) if packed else content)
    refused(tmp_path / "t.idx", part)
    refused(tmp_path / "t.idx", part, labels_file=True)


def test_idx_of_little_data_packed_by_gzip_is_not_expanded_past_its_declared_end(tmp_path):
    content = struct.pack(">BBBBII", 0, 0, 8, 2, 1, 1) + bytes(50_000_000)
    (tmp_path / "t.idx.gz").write_bytes(gzip.compress(content))
    start = time.process_time()
    refused(tmp_path / "t.idx.gz", "more data follows the 1 bytes declared")
    assert time.process_time() - start < 0.5


def test_idx_with_a_wrong_gzip_checksum_is_refused(tmp_path):
    content = bytearray(gzip.compress(idx_bytes(np.ones((20, 20), np.uint8))))
    content[-6] ^= 1
    (tmp_path / "t.idx.gz").write_bytes(content)
    refused(tmp_path / "t.idx.gz", "damaged", "CRC")


# files of labels


@pytest.mark.parametrize("ending", [".npy", ".npz"])
@pytest.mark.parametrize(
    "y",
    [
        np.array([3, 1, -1]),
        np.array([0.5, np.nan]),
        np.array([True, False]),
        np.array(["a", "bc"]),
        np.array([[1], [2]]),
        np.array([1, 2], ">i4"),
    ],
)
def test_labels_of_numpy_files_keep_their_type(tmp_path, ending, y):
    np.save(tmp_path / "y.npy", y)
    np.savez(tmp_path / "y.npz", y)
    labels = read_labels(tmp_path / f"y{ending}")
    assert labels.dtype == y.dtype.newbyteorder("=")
    np.testing.assert_array_equal(labels, y.reshape(-1))


@pytest.mark.parametrize(("code", "dtype"), CODES)
def test_labels_of_idx_files_keep_their_type(tmp_path, code, dtype):
    (tmp_path / "y.idx1").write_bytes(idx_bytes(np.array([5, 0, 4], dtype), code))
    labels = read_labels(tmp_path / "y.idx1")
    assert labels.dtype == np.dtype(dtype).newbyteorder("=")
    assert labels.tolist() == [5, 0, 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label\n1\n0\n", [1, 0]),
        ("1\n0\n", [1, 0]),
        ("\ufeff1\r\n0\r\n\r\n", [1, 0]),
        ("rate\n0.5\n1\n", [0.5, 1.0]),
        ("kind\nrose\nlily\nrose\n", ["rose", "lily", "rose"]),
        ("rose\nlily\nrose\n", ["rose", "lily", "rose"]),
        ('"kind"\n"a, b"\n"a, b"\n', ["a, b", "a, b"]),
        ("y\n1\n0\n", [1, 0]),
    ],
)
def test_labels_of_csv_files_are_read_with_or_without_a_header(tmp_path, text, expected):
    labels = read_labels(write(tmp_path, text))
    assert labels.tolist() == expected
    assert type(labels.tolist()[0]) is type(expected[0])


def test_a_file_of_labels_may_lack_some_and_begin_with_a_header_of_its_own(tmp_path):
    np.testing.assert_array_equal(read_labels(write(tmp_path, "nan\n1\n")), [np.nan, 1])
    np.testing.assert_array_equal(read_labels(write(tmp_path, "y\n1\n\n2\n\n")), [1, np.nan, 2])
    assert read_labels(write(tmp_path, "kind\nrose\n\nNA\nlily\n")).tolist() == ["rose", "", "NA", "lily"]
    assert read_labels(write(tmp_path, "0\n1\n2\n"), header=True).tolist() == [1, 2]
    assert read_labels(write(tmp_path, "a\nb\nc\n"), header=False).tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1,2\n", ["labels are one column", "this file has 2"]),
        ("y\n", ["no labels in it"]),
        ("y\n\nNA\n", ["no labels in it"]),
        ("", ["empty file"]),
    ],
)
def test_labels_of_a_wrong_csv_file_are_refused(tmp_path, text, parts):
    refused(write(tmp_path, text), *parts, labels_file=True)


@pytest.mark.parametrize("y", [np.zeros((2, 2)), np.zeros(()), np.zeros(0), np.array([1j]), np.array([b"a"])])
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_that_are_no_labels_are_refused(tmp_path, y, ending):
    np.save(tmp_path / "y.npy", y)
    np.savez(tmp_path / "y.npz", y=y)
    refused(tmp_path / f"y{ending}", "labels", labels_file=True)


def test_labels_of_an_npz_file_with_several_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "y.npz", a=[1], b=[2])
    refused(tmp_path / "y.npz", "an archive of one array", "'a' of shape (1,)", labels_file=True)


def test_labels_of_idx_images_are_refused(tmp_path):
    (tmp_path / "y.idx3").write_bytes(idx_bytes(np.zeros((2, 2, 2), np.uint8)))
    refused(tmp_path / "y.idx3", "1-dimensional", "(2, 2, 2)", labels_file=True)


@pytest.mark.parametrize(
    ("text", "options", "labels"),
    [
        ("a;b;y\n1,5;2;1,54\n2,5;3;-0,5\n3,1;4;\n", {}, [1.54, -0.5, np.nan]),  # as the features
        ("a;b;y\n1;2;1,54\n2;3;12\n3;4;1.234,5\n", {}, [1.54, 12, 1234.5]),  # where nothing else tells
        ("a\tb\ty\n1\t2\t1,5\n2\t3\t2\n", {"decimal": ","}, [1.5, 2]),
        ("a;b;y\n1;2;red,blue\n2;3;red\n3;4;7\n", {}, ["red,blue", "red", "7"]),
        ('a,b,y\n1,2,"1,234"\n2,3,"2,000"\n', {}, ["1,234", "2,000"]),  # of which nobody can say what it is
        ("a,b,y\n1,2,7\n2,3,?\n3,4,none\n", {"na": ["?", "none"]}, [7, np.nan, np.nan]),
        ("a,b,y\n1,2,ant\n2,3,?\n3,4,bee\n", {"na": ["?"]}, ["ant", "", "bee"]),
        ("a,b,y\n1,2,ant\n2,3,?\n3,4,bee\n", {}, ["ant", "?", "bee"]),
    ],
)
def test_labels_are_written_as_the_features_are(tmp_path, text, options, labels):
    (tmp_path / "t.csv").write_text(text)
    y = load_data(str(tmp_path / "t.csv"), labels="y", **options).y
    np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize(
    ("text", "options", "labels"),
    [
        ("y\n1,54\n-0,5\n?\n3,25\n", {"na": ["?"]}, [1.54, -0.5, np.nan, 3.25]),
        ("1,54\n-0,5\n12\n3,25\n", {"decimal": ","}, [1.54, -0.5, 12, 3.25]),
    ],
)
def test_files_of_labels_have_decimal_commas_and_marks_of_their_own(tmp_path, text, options, labels):
    (tmp_path / "y.csv").write_text(text)
    np.testing.assert_array_equal(read_labels(tmp_path / "y.csv", **options), labels)
    (tmp_path / "t.csv").write_text("a;b\n" + "".join(f"{k};{k % 2}\n" for k in range(len(labels))))
    y = load_data(str(tmp_path / "t.csv"), labels=str(tmp_path / "y.csv"), decimal=",", na=["?"]).y
    np.testing.assert_array_equal(y, labels)
