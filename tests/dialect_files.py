"""Files of tables in many dialects, each with the columns that it means, or the line that is wrong in it.

Used by tests/data/test_dialects.py and by benchmarks/dialects.py.
"""

from __future__ import annotations

import gzip
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

INT, FLOAT, TEXT, BOOL, DATE = pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32()
WHEN, UTC, TIME = pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.time64("us")


class File(NamedTuple):
    """A file and what it means."""

    name: str
    content: bytes
    columns: dict[str, tuple[Any, list[Any]]]  # name: type and cells
    wrong: str = ""  # what a refusal says, for files that must be refused

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.content)
        return path


def _zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(content)
    return sink.getvalue().to_pybytes()


def _text(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


PLAIN = _text("height,kind,n", "1.5,rose,3", "2.25,lily,4", "0.5,rose,5")
FLOWERS = {
    "height": (FLOAT, [1.5, 2.25, 0.5]),
    "kind": (TEXT, ["rose", "lily", "rose"]),
    "n": (INT, [3, 4, 5]),
}
CITIES = {"city": (TEXT, ["Köln", "Nîmes", "Århus"]), "n": (INT, [1, 2, 3])}
_CITIES = "city,n\nKöln,1\nNîmes,2\nÅrhus,3\n"
_LONG = "x" * 3_000_000

FILES: dict[str, File] = {
    "commas": File("a.csv", PLAIN, FLOWERS),
    "Windows line ends": File("a.csv", PLAIN.replace(b"\n", b"\r\n"), FLOWERS),
    "no last line end": File("a.csv", PLAIN.rstrip(), FLOWERS),
    "semicolons, decimal commas": File(
        "a.csv",
        _text("height;kind;n", "1,5;rose;3", "2,25;lily;4", "0,5;rose;5"),
        FLOWERS,
    ),
    "semicolons, decimal points": File("a.csv", PLAIN.replace(b",", b";"), FLOWERS),
    "semicolons, decimal commas alone": File(
        "a.csv", _text("a;b", "1,5;2,5", "0,75;3,5"), {"a": (FLOAT, [1.5, 0.75]), "b": (FLOAT, [2.5, 3.5])}
    ),
    "tabs": File("a.tsv", PLAIN.replace(b",", b"\t"), FLOWERS),
    "tabs, spaces in cells": File(
        "a.csv",
        _text("1\t1987 Jan\t1664.5", "2\t1987 Feb\t2397.25", "3\t1987 Feb\t2840.5"),
        {
            "column_1": (INT, [1, 2, 3]),
            "column_2": (TEXT, ["1987 Jan", "1987 Feb", "1987 Feb"]),
            "column_3": (FLOAT, [1664.5, 2397.25, 2840.5]),
        },
    ),
    "pipes": File("a.txt", PLAIN.replace(b",", b"|"), FLOWERS),
    "single quotes": File(
        "a.csv",
        _text("'kind','n'", "'rose, red',1", "'lily',2"),
        {"kind": (TEXT, ["rose, red", "lily"]), "n": (INT, [1, 2])},
    ),
    "backslashes before quotes": File(
        "a.csv",
        _text("text,n", '"a ""b"", c",1'.replace('""', '\\"'), '"d\\\\e",2'),
        {"text": (TEXT, ['a "b", c', "d\\e"]), "n": (INT, [1, 2])},
    ),
    "backslashes that mean nothing": File(
        "a.csv",
        _text("path,n", '"C:\\new ""x"" y",1', '"C:\\"" z",2', "D:\\,3"),
        {"path": (TEXT, ['C:\\new "x" y', 'C:\\" z', "D:\\"]), "n": (INT, [1, 2, 3])},
    ),
    "apostrophes": File(
        "a.csv",
        _text("title,n", "'t is,1", "'68',2", "the dogs',3"),
        {"title": (TEXT, ["'t is", "'68'", "the dogs'"]), "n": (INT, [1, 2, 3])},
    ),
    "apostrophes, far down": File(
        "a.csv",
        b"title,n\n" + b"'68',2\n" * 50_000 + b"'t is,1\n",
        {"title": (TEXT, ["'68'"] * 50_000 + ["'t is"]), "n": (INT, [2] * 50_000 + [1])},
    ),
    "sep= of Excel": File("a.csv", b"sep=;\n" + PLAIN.replace(b",", b";"), FLOWERS),
    "gzip": File("a.csv.gz", gzip.compress(PLAIN), FLOWERS),
    "zstd": File("a.csv.zst", _zstd(PLAIN), FLOWERS),
    "UTF-8 with byte-order mark": File("a.csv", _CITIES.encode("utf-8-sig"), CITIES),
    "latin-1": File("a.csv", _CITIES.encode("latin-1"), CITIES),
    "latin-1, far down": File(
        "a.csv",
        b"city,n\n" + b"Rom,0\n" * 200_000 + "Köln,1\n".encode("latin-1"),
        {"city": (TEXT, ["Rom"] * 200_000 + ["Köln"]), "n": (INT, [0] * 200_000 + [1])},
    ),
    "cp1252": File(
        "a.csv",
        "price,n\n5 €,1\n“six”,2\n".encode("cp1252"),
        {"price": (TEXT, ["5 €", "“six”"]), "n": (INT, [1, 2])},
    ),
    "UTF-16": File("a.csv", _CITIES.encode("utf-16"), CITIES),
    "UTF-16 without a mark": File("a.csv", _CITIES.encode("utf-16-le"), CITIES),
    "quoted line ends": File(
        "a.csv",
        _text("text,n", '"two\nlines, ""quoted""",1', "one,2"),
        {"text": (TEXT, ['two\nlines, "quoted"', "one"]), "n": (INT, [1, 2])},
    ),
    "header of numbers": File(
        "a.csv",
        _text("400,410,420,430,440", "0.5,0.25,1.5,0.1,0.3", "0.75,0.5,1.25,0.2,0.1"),
        {
            "400": (FLOAT, [0.5, 0.75]),
            "410": (FLOAT, [0.25, 0.5]),
            "420": (FLOAT, [1.5, 1.25]),
            "430": (FLOAT, [0.1, 0.2]),
            "440": (FLOAT, [0.3, 0.1]),
        },
    ),
    "header of years, beside rows that rise": File(
        "a.csv",
        _text("what,1940,1945,1950,1955,1960", "food,22.5,44.5,59.5,73.5,86.5", "care,1.5,3.5,2.5,4.5,5.5"),
        {
            "what": (TEXT, ["food", "care"]),
            "1940": (FLOAT, [22.5, 1.5]),
            "1945": (FLOAT, [44.5, 3.5]),
            "1950": (FLOAT, [59.5, 2.5]),
            "1955": (FLOAT, [73.5, 4.5]),
            "1960": (FLOAT, [86.5, 5.5]),
        },
    ),
    "no header, numbers of rows": File(
        "a.csv",
        _text("0,1,Austin", "1,2,Quincy", "2,3,Belmont"),
        {
            "column_1": (INT, [0, 1, 2]),
            "column_2": (INT, [1, 2, 3]),
            "column_3": (TEXT, ["Austin", "Quincy", "Belmont"]),
        },
    ),
    "no header, dashes": File(
        "a.csv",
        _text("1,.,1", "1,2,2", "2,3,1"),
        {"column_1": (INT, [1, 1, 2]), "column_2": (INT, [None, 2, 3]), "column_3": (INT, [1, 2, 1])},
    ),
    "one column, decimal commas": File("a.csv", _text("x", "0,0014", "1,5"), {"x": (FLOAT, [0.0014, 1.5])}),
    "no header, commas": File(
        "a.data",
        _text("5.1,3.5,setosa", "4.9,3.0,setosa", "7.0,3.2,versicolor"),
        {
            "column_1": (FLOAT, [5.1, 4.9, 7.0]),
            "column_2": (FLOAT, [3.5, 3.0, 3.2]),
            "column_3": (TEXT, ["setosa", "setosa", "versicolor"]),
        },
    ),
    "no header, text alone": File(
        "a.data",
        _text("vhigh,small,low", "high,small,med", "vhigh,big,low"),
        {
            "column_1": (TEXT, ["vhigh", "high", "vhigh"]),
            "column_2": (TEXT, ["small", "small", "big"]),
            "column_3": (TEXT, ["low", "med", "low"]),
        },
    ),
    "no header, white space": File(
        "a.dat",
        _text(
            '  18.0   8   307.0 \t"ford torino"',
            '  15.0  10   350.5\t"buick skylark"',
            '   9.0   8   318.0\t"amc"',
        ),
        {
            "column_1": (FLOAT, [18.0, 15.0, 9.0]),
            "column_2": (INT, [8, 10, 8]),
            "column_3": (FLOAT, [307.0, 350.5, 318.0]),
            "column_4": (TEXT, ["ford torino", "buick skylark", "amc"]),
        },
    ),
    "gaps": File(
        "a.csv",
        _text("a,b,c,d,e", "1,,x,?,2020-01-01", "NA,2.5,,4,null", "3,NaN,NA,5,2020-01-03"),
        {
            "a": (INT, [1, None, 3]),
            "b": (FLOAT, [None, 2.5, None]),
            "c": (TEXT, ["x", None, None]),
            "d": (INT, [None, 4, 5]),
            "e": (DATE, [date(2020, 1, 1), None, date(2020, 1, 3)]),
        },
    ),
    "a dash for a gap among numbers": File(
        "a.csv", _text("a,b", "1,-", "-,x", "3,y"), {"a": (INT, [1, None, 3]), "b": (TEXT, ["-", "x", "y"])}
    ),
    "thousands, points": File(
        "a.csv",
        _text("a,b", '"1,234.5",x', '"12",y', '"1,234,567",z'),
        {"a": (FLOAT, [1234.5, 12.0, 1234567.0]), "b": (TEXT, ["x", "y", "z"])},
    ),
    "thousands, commas": File(
        "a.csv",
        _text("a;b", "1.234,5;x", "12;y", "1.234.567;z"),
        {"a": (FLOAT, [1234.5, 12.0, 1234567.0]), "b": (TEXT, ["x", "y", "z"])},
    ),
    "true and false": File(
        "a.csv",
        _text("a,b", "true,False", "false,TRUE"),
        {"a": (BOOL, [True, False]), "b": (BOOL, [False, True])},
    ),
    "yes and no": File(
        "a.csv", _text("a,b", "yes,No", "no,YES"), {"a": (BOOL, [True, False]), "b": (BOOL, [False, True])}
    ),
    "ISO dates": File(
        "a.csv",
        _text("a,b", "2020-02-29,1", "1999-12-31,2"),
        {"a": (DATE, [date(2020, 2, 29), date(1999, 12, 31)]), "b": (INT, [1, 2])},
    ),
    "ISO times": File(
        "a.csv",
        _text(
            "a,b,c",
            "2020-02-29T12:30:15,2020-02-29 12:30:15.250+01:00,08:30:00",
            "1999-12-31 00:00,2020-03-01 00:00:00Z,23:59:59",
        ),
        {
            "a": (WHEN, [datetime(2020, 2, 29, 12, 30, 15), datetime(1999, 12, 31)]),
            "b": (
                UTC,
                [
                    datetime(2020, 2, 29, 12, 30, 15, 250_000, timezone(timedelta(hours=1))),
                    datetime(2020, 3, 1, tzinfo=timezone.utc),  # noqa: UP017
                ],
            ),
            "c": (TIME, [time(8, 30), time(23, 59, 59)]),
        },
    ),
    "German dates": File(
        "a.csv",
        _text("a;b;c", "29.02.2020;1.3.2021 08:15;1,5", "31.12.1999;31.12.1999 23:59;2,5"),
        {
            "a": (DATE, [date(2020, 2, 29), date(1999, 12, 31)]),
            "b": (WHEN, [datetime(2021, 3, 1, 8, 15), datetime(1999, 12, 31, 23, 59)]),
            "c": (FLOAT, [1.5, 2.5]),
        },
    ),
    "American dates": File(
        "a.csv",
        _text("a,b", "2/29/2020,1", "12/31/1999,2"),
        {"a": (DATE, [date(2020, 2, 29), date(1999, 12, 31)]), "b": (INT, [1, 2])},
    ),
    "an index without a name": File(
        "a.csv",
        _text(",a,b", "0,1.5,x", "1,2.5,y"),
        {"index": (INT, [0, 1]), "a": (FLOAT, [1.5, 2.5]), "b": (TEXT, ["x", "y"])},
    ),
    "names of rows, as R writes": File(
        "a.txt",
        _text('"mpg" "cyl"', '"Mazda RX4" 21 6', '"Fiat 128" 32.4 4'),
        {"index": (TEXT, ["Mazda RX4", "Fiat 128"]), "mpg": (FLOAT, [21.0, 32.4]), "cyl": (INT, [6, 4])},
    ),
    "names twice": File(
        "a.csv",
        _text("a,b,a", "1,2,3"),
        {},
        "column name 'a' occurs more than once (line 1, columns 1 and 3)",
    ),
    "a row too long": File(
        "a.csv", _text("a,b", "1,2", "3,4,5", "6,7"), {}, "3 cells where the first row has 2 (line 3)"
    ),
    "a row too short": File(
        "a.csv", _text("a,b", '"1\n1",2', "3", "6,7"), {}, "1 cell where the first row has 2 (line 4)"
    ),
    "ragged, far down": File(
        "a.csv",
        b"a,b\n" + b"1,2\n" * 300_000 + b"3\n4,5\n",
        {},
        "1 cell where the first row has 2 (line 300002)",
    ),
    "short header, far up": File(
        "a.csv", _text("A title") + PLAIN, {}, "3 cells where the first row has 1 (line 2)"
    ),
    "a quote that never ends": File(
        "a.csv", _text("a,b", '1,"x', "2,y", "3,z"), {}, "a quote that begins here never ends (line 2)"
    ),
    "text after a quote": File("a.csv", _text("a,b", '1,"x', '2,"y"', "3,z"), {}, "malformed quotes (line 3"),
    "only a header": File("a.csv", b"a,b\n", {}, "a header and no rows"),
    "nothing": File("a.csv", b"", {}, "empty file"),
    "one column": File("a.csv", _text("n", "1", "2", "3"), {"n": (INT, [1, 2, 3])}),
    "one column with gaps": File("a.csv", _text("n", "1", "", "3"), {"n": (INT, [1, None, 3])}),
    "spaces around": File(
        "a.data",
        _text("39, State-gov, 77516, <=50K", "50, ?, 83311, <=50K", "38, Private , 215646, >50K"),
        {
            "column_1": (INT, [39, 50, 38]),
            "column_2": (TEXT, ["State-gov", None, "Private"]),
            "column_3": (INT, [77516, 83311, 215646]),
            "column_4": (TEXT, ["<=50K", "<=50K", ">50K"]),
        },
    ),
    "spaces before quotes": File(
        "a.csv", _text("a, b", '1, "x, y"', '2, "z"'), {"a": (INT, [1, 2]), "b": (TEXT, ["x, y", "z"])}
    ),
    "leading zeros": File(
        "a.csv", _text("zip,n", "01067,1", "80331,2"), {"zip": (TEXT, ["01067", "80331"]), "n": (INT, [1, 2])}
    ),
    "long whole numbers": File(
        "a.csv",
        _text("id,n", "12345678901234567890123,1", "12345678901234567890124,2"),
        {"id": (TEXT, ["12345678901234567890123", "12345678901234567890124"]), "n": (INT, [1, 2])},
    ),
    "very long cells": File(
        "a.csv", f"a,b\n{_LONG},1\ny,2\n".encode(), {"a": (TEXT, [_LONG, "y"]), "b": (INT, [1, 2])}
    ),
    "very long cells, far down": File(
        "a.csv",
        b"a,b\n" + b"y,2\n" * 50_000 + f"{_LONG},1\n".encode(),
        {"a": (TEXT, ["y"] * 50_000 + [_LONG]), "b": (INT, [2] * 50_000 + [1])},
    ),
    "mixed kinds": File(
        "a.csv", _text("a,b", "1,1", "x,2", "2.5,3"), {"a": (TEXT, ["1", "x", "2.5"]), "b": (INT, [1, 2, 3])}
    ),
    "mixed kinds, far down": File(
        "a.csv",
        b"a,b\n" + b"1,2\n" * 300_000 + b"x,2.5\n",
        {"a": (TEXT, ["1"] * 300_000 + ["x"]), "b": (FLOAT, [2.0] * 300_000 + [2.5])},
    ),
}
