"""Encoding a folder of Parquet on every engine: rate beside ``transform``, memory, and workers killed.

    python benchmarks/engines.py [--rows N] [--engine NAME]... [--kills N] [--json FILE]

N rows of 100 columns of float32 (20,000,000 are 8 GB) and a key, in files of at most 500,000 rows, are
encoded by a 100-256-32 network on two workers: on the processes of this machine, Ray, Spark and Dask, one
after the other, those that are installed. Of each are told:

- rows a second and worker, from the first file begun to the last one done, as a share of what ``transform``
  does on one core with rows in memory, measured beside it; and the time before the first file;
- the most resident memory of any process that writes;
- whether codes are those of ``transform``, bit for bit, and keys are all there, in order and once each;
- the same after a worker was killed (SIGKILL) while it wrote, --kills times, each time with one command to go
  on where the first ends. Kills are on a folder of at most 2,000,000 rows.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import numpy as np
from common import write_results

from stackae.engines.names import ENGINES

WIDTH, LAYERS, WORKERS = 100, (256, 32), 2
ROWS_A_FILE = 500_000
MOST_KILLED = 2_000_000
NAMES = [f"x{k}" for k in range(WIDTH)]


def rows_of(file: int, n_rows: int) -> np.ndarray:
    """The rows of a file, which are the same whenever they are asked for."""
    rng = np.random.default_rng(file)
    hidden = rng.standard_normal((n_rows, 16), np.float32)
    X = np.tanh(hidden @ np.random.default_rng(99).standard_normal((16, WIDTH)).astype(np.float32))
    return X + 0.1 * rng.standard_normal((n_rows, WIDTH), np.float32)


def sizes(n_rows: int) -> list[int]:
    """How many rows each file has, of at least eight."""
    size = max(1, min(ROWS_A_FILE, -(-n_rows // 8)))
    return [min(size, n_rows - start) for start in range(0, n_rows, size)]


def make_folder(folder: Path, n_rows: int) -> None:
    """Files, in two partitions, whose keys count up."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    start = 0
    for file, size in enumerate(sizes(n_rows)):
        (folder / f"part={file % 2}").mkdir(parents=True, exist_ok=True)
        table = pa.table([np.arange(start, start + size), *rows_of(file, size).T], ["key", *NAMES])
        path = folder / f"part={file % 2}" / f"{file:05}.parquet"
        pq.write_table(table, path, row_group_size=2**16, use_dictionary=False, compression="none")
        start += size


def fitted(path: Path) -> Any:
    from stackae import StackedAutoencoder, Training

    model = StackedAutoencoder(LAYERS, pretrain=Training(max_epochs=2), finetune=None, random_state=0)
    model.fit(rows_of(0, 5000)).save(path)
    return model


def rate_in_memory(model: Any, turns: int = 3) -> float:
    """Rows a second of ``transform`` on one core."""
    from stackae.engines.encoding import computing_with

    X = np.concatenate([rows_of(0, 200_000)] * 2)
    seconds = []
    with computing_with(1):
        model.transform(X[:20_000])
        for _ in range(turns):
            start = time.perf_counter()
            model.transform(X)
            seconds.append(time.perf_counter() - start)
    return len(X) / min(seconds)


def faults(model: Any, out: Path, n_rows: int) -> list[str]:
    """What is wrong with a folder of codes."""
    import pyarrow.parquet as pq

    from stackae.engines.encoding import computing_with

    found, start = [], 0
    paths = sorted(out.rglob("*.parquet"), key=lambda path: path.name)
    if [path.name for path in paths] != [f"{k:05}.parquet" for k in range(len(sizes(n_rows)))]:
        return ["files are missing, or too many"]
    with computing_with(1):
        for file, (path, size) in enumerate(zip(paths, sizes(n_rows), strict=True)):
            table = pq.ParquetFile(path).read()
            codes = np.stack([column.to_numpy() for column in table.columns[1:]], 1)
            if not np.array_equal(table["key"].to_numpy(), np.arange(start, start + size)):
                found.append(f"{path.name}: keys are lost, doubled or in another order")
            elif not np.array_equal(codes, model.transform(rows_of(file, size))):
                found.append(f"{path.name}: codes are not those of transform")
            start += size
    return found


def writers_in(folder: Path) -> list[int]:
    """The processes that are writing a file of results, but this one."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with suppress(OSError):
                opened = [os.readlink(one) for one in (process / "fd").iterdir()]
                if any(_is_result(one, folder) for one in opened):
                    found.append(int(process.name))
    return found


def _is_result(opened: str, folder: Path) -> bool:
    name = opened.rpartition("/")[2]
    return opened.startswith(f"{folder}/") and name.endswith(".tmp") and ".parquet." in name


class Watch(threading.Thread):
    """Looks at the processes that write: their memory, when they began; and kills some of them."""

    def __init__(self, folder: Path, kills: int = 0, *, after: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.folder, self.kills, self.after = folder, kills, after
        self.killed, self.peaks, self.began = 0, {}, 0.0
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.002 if self.killed < self.kills else 0.1):
            writers = writers_in(self.folder)
            if writers and not self.began:
                self.began = time.perf_counter()
            for process in writers:
                with suppress(OSError, StopIteration):
                    self.peaks[process] = _peak(process)
            if writers and self.killed < self.kills:
                self._over.wait(self.after)
                for process in writers_in(self.folder)[:1]:
                    os.kill(process, signal.SIGKILL)
                    self.killed += 1


def _peak(process: int) -> int:
    """The most memory that a process has had, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def encode(engine: str, model: Path, source: Path, out: Path, *, resume: bool = False) -> None:
    from stackae.engines import encode_folder

    encode_folder(
        model, source, out, engine=engine, keep=["key"], workers=WORKERS, device="cpu", resume=resume
    )


def measured(engine: str, folder: Path, model: Any, n_rows: int) -> dict[str, Any]:
    """Rate, memory and faults of one engine."""
    out = folder / engine
    in_memory = rate_in_memory(model)
    start = time.perf_counter()
    with Watch(out) as watch:
        encode(engine, folder / "model.safetensors", folder / "rows", out)
    end = time.perf_counter()
    rate = n_rows / (end - (watch.began or start)) / WORKERS
    found = {
        "rows a second and worker": rate,
        "in memory, rows a second and core": in_memory,
        "share": rate / in_memory,
        "seconds": end - start,
        "seconds until the first file": (watch.began or start) - start,
        "bytes of memory of a worker": max(watch.peaks.values(), default=0),
        "faults": faults(model, out, n_rows),
    }
    shutil.rmtree(out)
    return found


def killed(engine: str, folder: Path, model: Any, n_rows: int, turn: int) -> dict[str, Any]:
    """A worker killed once, at a moment of its own; and what was left."""
    out, went_on = folder / f"{engine}-{turn}", False
    with Watch(out, 1, after=float(np.random.default_rng(turn).uniform(0, 0.5))) as watch:
        try:
            encode(engine, folder / "model.safetensors", folder / "few", out)
        except OSError:
            went_on = True
            encode(engine, folder / "model.safetensors", folder / "few", out, resume=True)
    found = {"killed": watch.killed, "went on by a command": went_on, "faults": faults(model, out, n_rows)}
    shutil.rmtree(out)
    return found


def installed() -> list[str]:
    from importlib.util import find_spec

    needs = {"local": "joblib", "ray": "ray", "spark": "pyspark", "dask": "distributed"}
    return [engine for engine in ENGINES if find_spec(needs[engine])]


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rows", type=click.IntRange(100), default=20_000_000, show_default=True)
@click.option("--engine", "engines", multiple=True, type=click.Choice(ENGINES))
@click.option("--kills", type=click.IntRange(0), default=10, show_default=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where there is room for three times the rows."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path))
def main(
    rows: int, engines: tuple[str, ...], kills: int, folder: Path | None, json_path: Path | None
) -> None:
    results: dict[str, Any] = {"rows": rows, "workers": WORKERS, "engines": {}}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        place = Path(scratch).resolve()
        model = fitted(place / "model.safetensors")
        make_folder(place / "rows", rows)
        n_few = min(rows, MOST_KILLED)
        if kills:
            make_folder(place / "few", n_few)
        for engine in engines or installed():
            found = measured(engine, place, model, rows)
            found["kills"] = [killed(engine, place, model, n_few, turn) for turn in range(kills)]
            wrong = found["faults"] + [fault for kill in found["kills"] for fault in kill["faults"]]
            n_killed = sum(kill["killed"] for kill in found["kills"])
            memory = found["bytes of memory of a worker"] / 1e6
            print(
                f"{engine:<6}{found['rows a second and worker']:>10,.0f} rows/s a worker,"
                f" {found['share']:.2f} of transform in memory, {memory:,.0f} MB, {n_killed} killed,"
                f" {len(wrong)} faults"
            )
            results["engines"][engine] = found
    if json_path is not None:
        write_results(json_path, results)
    if any(
        one["faults"] or any(kill["faults"] for kill in one["kills"]) for one in results["engines"].values()
    ):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
