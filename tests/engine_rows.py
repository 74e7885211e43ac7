"""A small model and a folder of Parquet files of its rows, and what engines made of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from helpers import BRIEF

from stackae import StackedAutoencoder

NAMES = [f"x{k}" for k in range(6)]
#: Where files end; one of them has no rows, one has few.
CUTS = (0, 7, 2500, 2500, 4100, 6000)


@dataclass
class Rows:
    """A folder in hive partitions, and what is in it."""

    folder: Path
    file: Path
    model: Any
    X: np.ndarray

    @property
    def table(self) -> pa.Table:
        return pa.table([np.arange(len(self.X)), *self.X.T], ["key", *NAMES])

    def is_in(self, folder: Path) -> bool:
        """Whether a folder holds the codes of all rows, bit for bit, each once, in files of the same names."""
        names = [
            sorted(path.relative_to(own) for path in own.rglob("*.parquet")) for own in (self.folder, folder)
        ]
        keys, codes = read_codes(folder)
        return (
            names[0] == names[1]
            and np.array_equal(keys, np.arange(len(self.X)))
            and np.array_equal(codes, self.model.transform(self.X))
        )


def make_rows(folder: Path, n_copies: int = 1) -> Rows:
    """Rows, and copies of them behind."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(CUTS[-1], len(NAMES))).astype(np.float32)] * n_copies)
    model = StackedAutoencoder((16, 4), pretrain=BRIEF, finetune=None, random_state=0).fit(X[:500])
    rows = Rows(folder / "rows", folder / "model.safetensors", model, X)
    model.save(rows.file)
    for file, (start, stop) in enumerate(pairwise(n_copies * cut for cut in CUTS)):
        (rows.folder / f"half={file % 2}").mkdir(parents=True, exist_ok=True)
        path = rows.folder / f"half={file % 2}" / f"{file}.parquet"
        pq.write_table(rows.table.slice(start, stop - start), path)
    return rows


def read_codes(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Keys and codes in the order of the files' names."""
    paths = sorted(folder.rglob("*.parquet"), key=lambda path: path.name)
    return split(pa.concat_tables([pq.ParquetFile(path).read() for path in paths]))


def split(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Keys and codes of a table."""
    return table["key"].to_numpy(), np.stack([column.to_numpy() for column in table.columns[1:]], 1)
