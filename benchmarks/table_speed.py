"""Reading and encoding a table of mixed columns from CSV: rows a second, and memory, beside the reader alone.

    python benchmarks/table_speed.py [--rows N] [--turns N] [--max-memory M] [--json FILE]

The file has N rows and 40 columns, a quarter of them each numbers, categories and truth values, dates and
times, and texts of many values (tests/dialect_files.py's kinds, as benchmarks/dialects.py writes them). Every
measurement is a process of its own, one after the other in turns, medians are taken:

- the reader alone, a table in memory (``read_any``), and the reader and the encoder (``TableEncoder``), which
  is to take at most twice as long;
- the same within --max-memory, as ``stackae pretrain`` does: read twice in blocks, encoded into a file. Its
  peak resident memory, less that of the same process on 1,000 rows, is to stay under the budget.

The fixed costs of a process are left out. About 5 minutes on 2 cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
from common import write_results
from dialects import make_large

COPIES = 4


def make_wide(path: Path, n: int) -> None:
    """The columns of :func:`dialects.make_large`, four of each."""
    make_large(path, n)
    narrow = path.with_suffix(".narrow")
    path.rename(narrow)
    with open(narrow, encoding="utf-8") as source, open(path, "w", encoding="utf-8") as file:
        names = next(source).strip().split(",")
        file.write(",".join(f"{name}{k}" for k in range(COPIES) for name in names) + "\n")
        file.writelines(",".join([line.rstrip("\n")] * COPIES) + "\n" for line in source)
    narrow.unlink()


def alone(path: Path, max_memory: str) -> None:
    from stackae.data.dialects import read_any

    read_any(path)


def encoded(path: Path, max_memory: str) -> None:
    from stackae import TableEncoder
    from stackae.data.dialects import read_any

    TableEncoder().fit_transform(read_any(path).table)


def within_memory(path: Path, max_memory: str) -> None:
    from stackae.data import load_data
    from stackae.tables import encode_stream

    stream: Any = load_data(str(path), max_memory=max_memory, as_table=True).X
    if hasattr(stream, "dialect"):
        encode_stream(stream, max_memory=max_memory)


TASKS: dict[str, Callable[[Path, str], None]] = {
    "reader alone": alone,
    "read and encoded": encoded,
    "within memory": within_memory,
}
_CALL = """
import json, resource, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import stackae, stackae.data.dialects, stackae.tables, pyarrow.csv, sklearn.decomposition
from table_speed import TASKS
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
TASKS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": time.perf_counter() - start, "peak": peak}))
"""


def measured(task: str, path: Path, max_memory: str) -> dict[str, float]:
    """Seconds, and bytes of memory at the peak, in a process of its own."""
    command = [sys.executable, "-c", _CALL, task, str(path), max_memory]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rows", type=click.IntRange(1000), default=1_000_000, show_default=True)
@click.option("--turns", type=click.IntRange(1), default=3, show_default=True)
@click.option("--max-memory", default="1GB", show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path))
def main(rows: int, turns: int, max_memory: str, json_path: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "large.csv", Path(folder) / "small.csv"
        make_wide(path, rows)
        make_wide(small, 1000)
        size = path.stat().st_size
        runs = [{task: measured(task, path, max_memory) for task in TASKS} for _ in range(turns)]
        least = {task: measured(task, small, max_memory)["peak"] for task in TASKS}
    rates = {task: rows / median(run[task]["seconds"] for run in runs) for task in TASKS}
    peaks = {task: max(run[task]["peak"] for run in runs) - least[task] for task in TASKS}
    print(f"{rows:,} rows × {10 * COPIES} columns, {size / 1e6:,.0f} MB")
    for task, rate in rates.items():
        share = rate / rates["reader alone"]
        print(f"{task:<18}{rate:>10,.0f} rows/s ({share:.2f} of the reader), {peaks[task] / 1e6:,.0f} MB")
    if json_path is not None:
        found = {"rows": rows, "bytes": size, "max_memory": max_memory}
        write_results(json_path, {**found, "rows a second": rates, "bytes of memory": peaks})


if __name__ == "__main__":
    main()
