"""Which reader reads which dialect of tables right, and how fast: DuckDB, polars, pandas, pyarrow, stackae.

    python benchmarks/dialects.py [--rows N] [--turns N] [--json FILE]

The files are those of tests/dialect_files.py, made for stackae's tests: at which ones others fail says more
than at how many. Each reader is called as for a file of which nothing is known but its name: DuckDB with its
sniffer, strict and skip=0; polars with dates; pandas with sep=None; pyarrow with its defaults. A reader is
right where names, kinds (numbers, text, booleans, dates, times) and cells are those that the file means, or
where it refuses what must be refused, naming the line. Readers that are not installed are left out. The speed
is the median over turns, in which the readers come one after the other, on a file of N rows and 10 columns of
all kinds.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from common import write_results

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from dialect_files import FILES, File


def duckdb(path: Path) -> Any:
    import duckdb

    connection = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": "false"})
    name = str(path).replace("'", "''")
    connection.execute(f"SET allowed_paths = ['{name}']; SET enable_external_access = false")
    return connection.sql(f"FROM read_csv('{name}', skip = 0, strict_mode = true)").to_arrow_table()


def polars(path: Path) -> Any:
    import polars as pl

    separator = "\t" if path.suffix == ".tsv" else ","
    return pl.read_csv(path, separator=separator, try_parse_dates=True).to_arrow()


def pandas(path: Path) -> Any:
    import pandas as pd
    import pyarrow as pa

    is_named = ".csv" in path.suffixes and path.stat().st_size > 1_000_000
    options: dict[str, Any] = {} if is_named else {"sep": None, "engine": "python"}
    return pa.Table.from_pandas(pd.read_csv(path, **options), preserve_index=False)


def pyarrow(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    packed = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with pa.input_stream(str(path), compression=packed) as stream:
        return csv.read_csv(
            stream, parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        )


def stackae(path: Path) -> Any:
    from stackae.data.dialects import read_any

    return read_any(path).table


READERS: dict[str, Callable[[Path], Any]] = {
    reader.__name__: reader
    for reader in (duckdb, polars, pandas, pyarrow, stackae)
    if importlib.util.find_spec(reader.__name__)
}


def verdict(file: File, read: Callable[[Path], Any], folder: Path) -> str:
    """ "right", or how it is wrong."""
    try:
        table = read(file.write(folder))
    except Exception as error:
        if not file.wrong:
            return f"refused: {' '.join(str(error).split())[:80]}"
        names_it = "(line" not in file.wrong or f"ine {_line_of(file.wrong)}" in str(error).replace(
            "Line: ", "line "
        )
        return "right" if names_it else "refused without the line"
    if file.wrong:
        return f"read: {table.num_rows} rows"
    if table.column_names != list(file.columns) and not _is_unnamed(file, table):
        return f"names: {table.column_names[:5]}"
    for column, (name, (kind, cells)) in zip(table.columns, file.columns.items(), strict=True):
        if _kind(column.type) != _kind(kind):
            return f"{name} is {column.type}"
        if len(column) != len(cells):
            return f"{len(column)} rows for {len(cells)}"
        for got, meant in zip(column.to_pylist(), cells, strict=True):
            if not _same(got, meant):
                return f"{name}: {got!r:.30} for {meant!r:.30}"
    return "right"


def _line_of(wrong: str) -> str:
    return "".join(character for character in wrong.split("(line ")[1].split(",")[0] if character.isdigit())


def _is_unnamed(file: File, table: Any) -> bool:
    """Every reader makes names of its own where a file has none."""
    made = [name for name in file.columns if name == "index" or name.startswith("column_")]
    rest = [name for name in file.columns if name not in made]
    return bool(made) and table.num_columns == len(file.columns) and table.column_names[len(made) :] == rest


def _kind(kind: Any) -> str:
    from pyarrow import types

    tests = {
        "number": (types.is_integer, types.is_floating),
        "boolean": (types.is_boolean,),
        "date": (types.is_date, types.is_timestamp),
        "time": (types.is_time,),
    }
    return next((name for name, of in tests.items() if any(test(kind) for test in of)), "text")


def _same(got: Any, meant: Any) -> bool:
    if meant is None or got is None:
        return (got is None or got != got) and meant is None
    if isinstance(meant, dt.datetime) and meant.tzinfo is None and got.tzinfo is not None:
        return False
    if isinstance(meant, dt.date) and not isinstance(meant, dt.datetime) and isinstance(got, dt.datetime):
        return bool(got == dt.datetime.combine(meant, dt.time()))
    if isinstance(meant, float) and isinstance(got, (int, float)):
        return math.isclose(got, meant)
    return bool(got == meant)


def make_large(path: Path, n: int) -> None:
    """n rows of 10 columns of all kinds, a twentieth of the cells of two of them gaps."""
    rng = np.random.default_rng(0)
    kinds = np.array(["rose", "lily", "tulip", "a longer name of a plant"])
    columns = [
        rng.integers(0, 100, n).astype(str),
        np.char.mod("%.6g", rng.normal(size=n)).astype(object),
        np.char.mod("%.3f", rng.random(n)),
        kinds[rng.integers(0, 4, n)].astype(object),
        np.array(["true", "false"])[rng.integers(0, 2, n)],
        (np.datetime64("2020-01-01") + rng.integers(0, 1000, n)).astype(str),
        (np.datetime64("2020-01-01T00:00:00") + rng.integers(0, 10**8, n)).astype(str),
        rng.integers(0, 10**9, n).astype(str),
        np.char.mod("text %d", rng.integers(0, 10**6, n)),
        np.char.mod("%.2f", rng.exponential(1000, n)),
    ]
    columns[1][rng.random(n) < 0.05] = ""
    columns[3][rng.random(n) < 0.05] = "NA"
    with open(path, "w", encoding="utf-8") as file:
        file.write("a,b,c,kind,flag,day,moment,big,text,amount\n")
        file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


def speeds(n: int, turns: int) -> dict[str, float]:
    """Rows a second of each reader, the median over turns."""
    seconds: dict[str, list[float]] = {name: [] for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        make_large(path, n)
        for _ in range(turns):
            for name, read in READERS.items():
                start = time.perf_counter()
                read(path)
                seconds[name].append(time.perf_counter() - start)
    return {name: n / median(taken) for name, taken in seconds.items()}


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rows", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--turns", type=click.IntRange(1), default=7, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path))
def main(rows: int, turns: int, json_path: Path | None) -> None:
    verdicts: dict[str, dict[str, str]] = {}
    for dialect, file in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            verdicts[dialect] = {name: verdict(file, read, Path(folder)) for name, read in READERS.items()}
        print(f"{dialect}:", "; ".join(f"{name} {said}" for name, said in verdicts[dialect].items()))
    right = {name: sum(said[name] == "right" for said in verdicts.values()) for name in READERS}
    print(f"right, of {len(FILES)}:", ", ".join(f"{name} {count}" for name, count in right.items()))
    rates = speeds(rows, turns)
    print("rows a second:", ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items()))
    if json_path is not None:
        write_results(json_path, {"verdicts": verdicts, "right": right, "rows a second": rates})


if __name__ == "__main__":
    main()
