"""Tables in any dialect: read as what they mean, or refused with the line."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import string
import tempfile
from datetime import date, datetime, time

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from dialect_files import BOOL, DATE, FILES, FLOAT, INT, PLAIN, TEXT, TIME, WHEN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackae.data.dialects import Dialect, read_any, stream_any
from stackae.exceptions import DataFileError, ParameterError, StackaeWarning

RIGHT = {dialect: file for dialect, file in FILES.items() if not file.wrong}
WRONG = {dialect: file for dialect, file in FILES.items() if file.wrong}


@pytest.fixture
def write(tmp_path):
    """Write a file, from text or bytes."""

    def written(content, name="a.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def columns_of(table):
    return {
        name: (table.schema.field(name).type, table.column(name).to_pylist()) for name in table.column_names
    }


def refusal_of(path, **options):
    with pytest.raises(DataFileError) as caught:
        read_any(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path).split(".xlsx:")[0])
    assert "\n" not in message
    with pytest.raises(DataFileError):
        stream_any(path, **options)
    return message


# Text


@pytest.mark.filterwarnings("ignore:.*is taken as a header")
@pytest.mark.parametrize("dialect", RIGHT)
def test_a_file_is_read_as_what_it_means(tmp_path, dialect):
    path = RIGHT[dialect].write(tmp_path)
    assert columns_of(read_any(path).table) == RIGHT[dialect].columns


@pytest.mark.filterwarnings("ignore:.*is taken as a header")
@pytest.mark.parametrize("dialect", RIGHT)
def test_a_stream_has_the_types_cells_and_dialect_of_the_whole(tmp_path, dialect):
    path = RIGHT[dialect].write(tmp_path)
    whole, stream = read_any(path), stream_any(path, max_memory=2**21)
    assert stream.schema == whole.table.schema
    assert stream.dialect == whole.dialect
    assert pa.Table.from_batches(stream, stream.schema).equals(whole.table)
    assert sum(map(len, stream)) == stream.dialect.n_rows


@pytest.mark.parametrize("dialect", WRONG)
def test_a_malformed_file_is_refused_with_the_place(tmp_path, dialect):
    assert WRONG[dialect].wrong in refusal_of(WRONG[dialect].write(tmp_path))


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        ("commas", "commas, header; no gaps"),
        ("semicolons, decimal commas", "semicolons, decimal commas, header; no gaps"),
        ("gzip", "commas, header, gzip; no gaps"),
        ("latin-1", "commas, header, cp1252; no gaps"),
        ("single quotes", "commas, single quotes, header; no gaps"),
        ("no header, white space", "white space, no header; no gaps"),
        ("a dash for a gap among numbers", "commas, header; 1 gap in 1 column"),
        ("gaps", "commas, header; 7 gaps in 5 columns"),
    ],
)
def test_what_was_recognised_is_one_line(tmp_path, dialect, line):
    assert repr(read_any(FILES[dialect].write(tmp_path)).dialect) == line


def test_a_header_of_numbers_is_warned_of(tmp_path):
    path = FILES["header of numbers"].write(tmp_path)
    with pytest.warns(StackaeWarning, match=r"the first row \(400, 410, 420, \.\.\.\) is taken as a header"):
        read_any(path)
    table, dialect = read_any(path, header=False)
    assert (table.num_rows, dialect.header) == (3, False)


def test_years_beside_a_name_are_a_header(write):
    path = write("country,1990,1991,1992\nIndia,1.5,0.5,2.5\nPeru,3.5,1.5,0.25\n")
    with pytest.warns(StackaeWarning, match="is taken as a header"):
        assert read_any(path).table.column_names == ["country", "1990", "1991", "1992"]


def test_gaps_are_counted_for_each_column(tmp_path):
    dialect = read_any(FILES["gaps"].write(tmp_path)).dialect
    assert dialect.gaps == {"a": 1, "b": 2, "c": 2, "d": 1, "e": 1}


def test_what_is_insisted_on_is_done(write):
    assert read_any(write("a;b,c\n1;2,3\n"), delimiter=",").table.column_names == ["a;b", "c"]
    assert columns_of(read_any(write("a\n1.234\n"), decimal=",").table) == {"a": (FLOAT, [1234.0])}
    assert columns_of(read_any(write("a;b\n1,234;x\n"), decimal=".").table)["a"] == (FLOAT, [1234.0])
    assert read_any(write("x,y\n1,2\n"), header=False).table.to_pydict() == {
        "column_1": ["x", "1"],
        "column_2": ["y", "2"],
    }
    assert read_any(write("1,2\n3,4\n"), header=True).table.to_pydict() == {"1": [3], "2": [4]}
    mac = write("name,n\nK\u00f6ln,1\n".encode("mac_roman"))
    assert read_any(mac, encoding="mac_roman").table.column("name").to_pylist() == ["K\u00f6ln"]
    table, dialect = read_any(write("a,b\n1,NA\n-999,x\n"), na=["-999"])
    assert columns_of(table) == {"a": (INT, [1, None]), "b": (TEXT, [None, "x"])}
    assert dialect.gaps == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ";;"}, "delimiter must be one character"),
        ({"decimal": ";"}, "decimal must be '.' or ',', not ';'"),
        ({"delimiter": ",", "decimal": ","}, "decimal and delimiter are both ','"),
        ({"encoding": "utf-7000"}, "encoding must be one that Python knows"),
    ],
)
def test_an_option_that_cannot_be_is_refused(write, options, message):
    with pytest.raises(ParameterError, match=message):
        read_any(write(PLAIN), **options)


def test_an_option_that_a_format_has_not_is_refused(write):
    with pytest.raises(ParameterError, match="delimiter is for files of text"):
        read_any(write('{"a": 1}\n', "a.jsonl"), delimiter=";")


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("a;b\n1,234;0.5\n12;1.5\n", [1234.0, 12.0]),  # the other column has decimal points
        ("a;b\n1,234;0,5\n12;1,5\n", [1.234, 12.0]),
        ("a;b\n1,234;x\n12;y\n", [1.234, 12.0]),  # semicolons are for the sake of decimal commas
        ("a\tb\n1,234\tx\n12\ty\n", [1234.0, 12.0]),
        ("a;b\n1.234;0,5\n12;1,5\n", [1234.0, 12.0]),
        ("a;b\n1.234;x\n12;y\n", [1.234, 12.0]),
        ("a;b\n1 234,5;x\n12;y\n", [1234.5, 12.0]),
        ("a;b\n1'234.5;x\n12;y\n", [1234.5, 12.0]),
    ],
)
def test_a_sign_of_two_meanings_is_read_as_in_the_other_columns(write, text, cells):
    assert read_any(write(text)).table.column("a").to_pylist() == cells


def test_what_is_no_date_makes_a_column_text(write):
    table = read_any(write("a,b\n2020-02-30,2020-02-28\n2020-02-28,2020-02-29\n")).table
    assert [column.type for column in table.columns] == [TEXT, DATE]


def test_numbers_in_every_spelling_are_numbers(write):
    cells = ["+1", "-2.5", ".5", "5.", "1e3", "-1E-3", "inf", "0"]
    table = read_any(write("a,b\n" + "".join(f"{cell},x\n" for cell in cells))).table
    assert table.column("a").to_pylist() == [float(cell) for cell in cells]


@pytest.mark.parametrize("cell", ["1_000", "0x10", "1d5", "\u0661", "1.2.3", "--1", "00"])
def test_what_other_tools_do_not_read_as_a_number_is_text(write, cell):
    assert columns_of(read_any(write(f"a,b\n{cell},1\n2,1\n")).table)["a"] == (TEXT, [cell, "2"])


def test_all_digits_of_times_are_kept_that_fit(write):
    table = read_any(write("a,b\n2020-01-01 00:00:00.123456789,1\n2020-01-01 00:00:00,2\n")).table
    assert columns_of(table)["a"] == (WHEN, [datetime(2020, 1, 1, 0, 0, 0, 123456), datetime(2020, 1, 1)])


def test_a_column_of_gaps_is_of_numbers(write):
    assert columns_of(read_any(write("a,b\n,1\nNA,2\n")).table)["a"] == (FLOAT, [None, None])


def test_dashes_are_text_where_there_is_nothing_else(write):
    assert columns_of(read_any(write("a,b\n-,1\n-,2\n")).table)["a"] == (TEXT, ["-", "-"])


def test_dashes_that_come_late_are_gaps_of_all_of_a_column(write):
    path = write("a,b\n" + "1,2\n" * 100_000 + "-,3\n")
    table, dialect = read_any(path)
    assert (table.schema.field("a").type, dialect.gaps) == (INT, {"a": 1})
    assert stream_any(path, max_memory=2**21).dialect == dialect


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_blank_lines_are_no_rows_but_gaps_of_a_single_column(write, ending):
    assert read_any(write(ending.join(["a,b", "1,2", "", "3,4", "", ""]))).table.num_rows == 2
    assert read_any(write(ending.join(["a", "1", "", "3", "", ""]))).table.to_pydict() == {"a": [1, None, 3]}


def test_bytes_that_are_not_in_the_encoding_are_refused_with_the_line(write):
    broken = write(b"a,b\n" + b"1,2\n" * 200_000 + b"\xff\x81,3\n")
    assert "(line 200002)" in refusal_of(broken)
    assert "text neither in UTF-8, UTF-16 nor cp1252" in refusal_of(broken)
    assert "not UTF-8 (line 200002)" in refusal_of(broken, encoding="utf-8")
    assert "not ascii (line 2)" in refusal_of(write("a,b\n\u00e9,2\n"), encoding="ascii")


def test_bytes_that_are_no_text_are_refused(write):
    assert "not text: it has zero bytes" in refusal_of(write(bytes(range(256)) * 10))


@pytest.mark.parametrize("cut", [0.3, 0.99])
def test_a_packed_file_that_is_cut_is_refused(write, cut):
    packed = gzip.compress("".join(f"{i},{i * i}\n" for i in range(200_000)).encode())
    assert "damaged, or not packed by gzip" in refusal_of(write(packed[: int(cut * len(packed))], "a.csv.gz"))


def test_a_file_is_known_as_packed_by_its_bytes(write):
    assert read_any(write(gzip.compress(PLAIN))).dialect.compression == "gzip"


def test_the_limit_of_the_csv_module_is_left_as_it_was(tmp_path):
    before = csv.field_size_limit()
    read_any(FILES["very long cells"].write(tmp_path))
    refusal_of(FILES["a row too long"].write(tmp_path))
    assert csv.field_size_limit() == before


def test_a_stream_takes_no_more_memory_than_is_allowed(write):
    path = write("a,b,c\n" + "12,0.5,text\n" * 400_000)
    before, allowed = pa.total_allocated_bytes(), 2**21
    stream = stream_any(path, max_memory=allowed)
    n_batches = 0
    for _ in stream:
        n_batches += 1
        assert pa.total_allocated_bytes() - before < allowed
    assert n_batches > 20


def test_a_file_is_read_once(write):
    path = write("a,b\n1,2\n3,4\n")
    stream = stream_any(path)
    write("a,b\n1,2\nx,4\n")
    assert [pa.Table.from_batches(stream).to_pydict() for _ in range(2)] == 2 * [{"a": [1, 3], "b": [2, 4]}]


@pytest.fixture(params=["at once", "later"])
def no_room(request, monkeypatch):
    """A disk that has no room for cells, or has none any more."""

    class Full(io.BytesIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(**options):
        if request.param == "at once":
            raise OSError(errno.ENOSPC, "No space left on device")
        return Full()

    monkeypatch.setattr(tempfile, "TemporaryFile", opened)


@pytest.mark.usefixtures("no_room")
def test_a_file_is_read_again_where_the_disk_is_full(write):
    stream = stream_any(write("a,b\n1,2\n3,4\n"))
    assert [pa.Table.from_batches(stream).to_pydict() for _ in range(2)] == 2 * [{"a": [1, 3], "b": [2, 4]}]


@pytest.mark.usefixtures("no_room")
def test_a_file_that_changes_while_it_is_read_again_is_refused(write):
    path = write("a,b\n1,2\n3,4\n")
    stream = stream_any(path)
    write("a,b\n1,2\nx,4\n")
    with pytest.raises(DataFileError, match="has changed while it was read"):
        list(stream)


@pytest.mark.parametrize("name", ["a.pdf", "a", "a.csv.zip"])
def test_an_unknown_ending_is_refused_with_those_known(write, name):
    assert "known endings: .csv, .tsv" in refusal_of(write(PLAIN, name))


def test_what_is_no_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_any(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        read_any(tmp_path / "folder.csv")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300) | st.text('ab01,;\t"\n\r -.', max_size=60).map(str.encode))
@pytest.mark.filterwarnings("ignore:.*is taken as a header")
@pytest.mark.parametrize("name", ["a.csv", "a.dat", "a.jsonl", "a.arrow", "a.parquet"])
def test_any_bytes_are_read_or_refused_and_nothing_else(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    try:
        table, dialect = read_any(path)
    except DataFileError as error:
        message = str(error)
    else:
        assert table.num_rows == dialect.n_rows > 0
        return
    assert message.startswith(str(path))


WORDS = st.text(string.ascii_letters + "\u00e4\u00e9 ;,|\"'\n.", min_size=1, max_size=12).map(
    lambda word: "x" + word + "y"
)
CELLS = {
    INT: st.integers(-(10**17), 10**17),
    FLOAT: st.floats(-1e9, 1e9).map(lambda number: number + 0.5 if number == int(number) else number),
    TEXT: WORDS,
    BOOL: st.booleans(),
    DATE: st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    WHEN: st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    TIME: st.times(),
}


@st.composite
def tables(draw):
    """Names, types and cells of a table, a first row without gaps."""
    n_rows = draw(st.integers(2, 6))
    types = draw(st.lists(st.sampled_from(list(CELLS)), min_size=2, max_size=5))
    rows = st.lists(st.none() | st.just(0), min_size=n_rows - 1, max_size=n_rows - 1)
    columns = {}
    for place, kind in enumerate(types):
        cells = draw(st.lists(CELLS[kind], min_size=n_rows, max_size=n_rows))
        gaps = [0, *draw(rows)]
        columns[f"name {place}"] = (
            kind,
            [None if gap is None else cell for cell, gap in zip(cells, gaps, strict=True)],
        )
    return columns


def spelled(cell, decimal):
    if cell is None:
        return "NA"
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return repr(cell).replace(".", decimal)
    return str(cell) if isinstance(cell, (str, int)) else cell.isoformat()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    columns=tables(),
    delimiter=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    is_packed=st.booleans(),
)
def test_a_table_written_in_any_dialect_reads_back_equal(
    tmp_path, columns, delimiter, decimal, encoding, end, quoting, is_packed
):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(columns)
    for row in zip(*(cells for _, cells in columns.values()), strict=True):
        writer.writerow([spelled(cell, decimal) for cell in row])
    content = text.getvalue().encode(encoding)
    path = tmp_path / ("a.csv.gz" if is_packed else "a.csv")
    path.write_bytes(gzip.compress(content) if is_packed else content)
    assert columns_of(read_any(path, decimal=decimal if delimiter != decimal else None).table) == columns


# JSON lines


def test_json_lines_are_read_with_missing_keys_as_gaps(write):
    rows = [
        {"a": 1, "b": "x", "c": True, "d": "2020-01-01"},
        {"a": 2.5, "b": None, "e": "007"},
        {"e": "1", "c": False},
    ]
    path = write("".join(json.dumps(row) + "\n" for row in rows), "a.jsonl")
    table, dialect = read_any(path)
    assert columns_of(table) == {
        "a": (FLOAT, [1.0, 2.5, None]),
        "b": (TEXT, ["x", None, None]),
        "c": (BOOL, [True, None, False]),
        "d": (DATE, [date(2020, 1, 1), None, None]),
        "e": (TEXT, [None, "007", "1"]),
    }
    assert repr(dialect) == "JSON lines; 7 gaps in 5 columns"
    stream = stream_any(path)
    assert pa.Table.from_batches(stream, stream.schema).equals(table)
    assert read_any(write(gzip.compress(path.read_bytes()), "a.jsonl.gz")).table.equals(table)


def test_json_lines_are_streamed_within_the_memory(write):
    path = write("".join(f'{{"a": {i}}}\n' for i in range(50_000)) + '{"b": "x"}\n', "a.jsonl")
    batches = list(stream_any(path, max_memory=2**21))
    assert len(batches) > 5
    assert pa.Table.from_batches(batches).column("a").to_pylist() == [*range(50_000), None]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"a": 1}\n\n{"a": }\n', "malformed JSON (line 3, column 7)"),
        ('{"a": 1}\n[1]\n', "a line that is no object but a list (line 2)"),
        ('{"a": 1}\n{"a": [1]}\n', "a cell that is a list (line 2, column 'a')"),
        ('{"a": 1}\n{"a": "\u00e9"}\n'.encode("latin-1"), "not UTF-8 (line 2)"),
        ("", "no rows in it"),
        ("[" * 100_000, "malformed JSON (line 1"),
    ],
)
def test_malformed_json_lines_are_refused_with_the_line(write, lines, message):
    assert message in refusal_of(write(lines, "a.ndjson"))


# Excel


@pytest.fixture
def book(tmp_path):
    """Write sheets of rows, and merge cells."""
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")

    def written(sheets, merged=None):
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.active)
        for title, rows in sheets.items():
            sheet = workbook.create_sheet(title)
            for row in rows:
                sheet.append(row)
            if merged:
                sheet.merge_cells(merged)
        workbook.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    return written


def test_a_sheet_is_read_with_the_types_of_its_cells(book):
    rows = [
        ["a", "b", "c", "d", "e", "f"],
        [1, 2.5, "x", date(2020, 1, 1), True, datetime(2020, 1, 1, 12, 30)],
        [None] * 6,
        [2, None, "007", date(2020, 1, 2), False, datetime(2020, 1, 2)],
    ]
    path = book({"first": rows, "second": [["q"], [1]]})
    table, dialect = read_any(path)
    assert columns_of(table) == {
        "a": (INT, [1, 2]),
        "b": (FLOAT, [2.5, None]),
        "c": (TEXT, ["x", "007"]),
        "d": (DATE, [date(2020, 1, 1), date(2020, 1, 2)]),
        "e": (BOOL, [True, False]),
        "f": (WHEN, [datetime(2020, 1, 1, 12, 30), datetime(2020, 1, 2)]),
    }
    assert repr(dialect) == "Excel, header; 1 gap in 1 column"
    assert read_any(f"{path}:second").table.to_pydict() == {"q": [1]}
    assert next(iter(stream_any(path))).num_rows == 2


def test_times_and_words_in_a_sheet_of_numbers(book):
    path = book({"s": [["a", "b"], [time(8, 30), 1], [time(9, 0), "n.a."]]})
    assert columns_of(read_any(path).table) == {"a": (TIME, [time(8, 30), time(9)]), "b": (INT, [1, None])}


def test_a_sheet_that_cannot_be_read_is_refused(book, write):
    assert "merged cells (sheet 's', A2:B2); unmerge them" in refusal_of(
        book({"s": [["a", "b"], [1, 2]]}, "A2:B2")
    )
    path = book({"s": [["a", "b"], [1, 2]], "empty": []})
    assert "no sheet 'x'; it has 's', 'empty'" in refusal_of(f"{path}:x")
    assert "an empty sheet (sheet 'empty')" in refusal_of(f"{path}:empty")
    assert "column name 'a' occurs more than once" in refusal_of(book({"s": [["a", "a"], [1, 2]]}))
    assert "a header and no rows" in refusal_of(book({"s": [["a", "b"]]}))
    assert "damaged, or not an Excel file" in refusal_of(write(PLAIN, "b.xlsx"))


# Arrow, Feather, Parquet

TYPED = pa.table({"a": [1, None, 3], "b": ["x", "y", None], "c": pa.array([1.5, float("nan"), None])})


def save_arrow(path, table):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def save_arrow_stream(path, table):
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


SAVED = {
    "file.arrow": save_arrow,
    "stream.arrow": save_arrow_stream,
    "a.feather": lambda path, table: pyarrow.feather.write_feather(table, path),
    "a.parquet": lambda path, table: pq.write_table(table, path),
}


@pytest.mark.parametrize("name", SAVED)
def test_typed_files_are_read_as_they_are(tmp_path, name):
    path = str(tmp_path / name)
    SAVED[name](path, TYPED)
    table, dialect = read_any(path)
    assert table.schema == TYPED.schema
    assert table.slice(0, 1).to_pydict() == {"a": [1], "b": ["x"], "c": [1.5]}
    assert dialect.gaps == {"a": 1, "b": 1, "c": 2}
    assert repr(dialect).endswith("; 4 gaps in 3 columns")
    assert sum(map(len, stream_any(path))) == dialect.n_rows == 3


@pytest.mark.parametrize("name", SAVED)
def test_typed_files_that_are_no_table_are_refused(tmp_path, name):
    path = str(tmp_path / name)
    SAVED[name](path, pa.table({"a": [[1], [2]]}))
    assert "column 'a' holds list<" in refusal_of(path)
    SAVED[name](path, TYPED.slice(0, 0))
    assert "no rows in it" in refusal_of(path)


@pytest.mark.parametrize("name", ["file.arrow", "a.parquet"])
def test_a_typed_file_that_is_cut_is_refused(tmp_path, name):
    path = tmp_path / name
    SAVED[name](str(path), TYPED)
    path.write_bytes(path.read_bytes()[:-40])
    assert "damaged, or not" in refusal_of(path)


def test_the_row_index_of_pandas_is_no_column(tmp_path):
    pd = pytest.importorskip("pandas")
    pd.DataFrame({"a": [1.5, 2.5]}, index=["x", "y"]).to_parquet(tmp_path / "a.parquet")
    assert read_any(tmp_path / "a.parquet").table.column_names == ["a"]


def test_a_dialect_without_gaps_says_so():
    assert repr(Dialect("Parquet", n_rows=3)) == "Parquet; no gaps"
