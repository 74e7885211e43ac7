"""Files whose columns have types already: Arrow, Feather and Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from stackae.data._parquet import is_nested
from stackae.data._table import StrPath, decoding, refusal

_ROWS_AT_ONCE = 2**15


@dataclass(frozen=True)
class TypedSource:
    """A file of typed columns."""

    path: StrPath
    kind: str  # "Parquet" or "Arrow"

    def schema(self) -> Any:
        """The columns; what holds no single values is refused."""
        with self._open() as (schema, _):
            names = [name for name in schema.names if not re.fullmatch(r"__index_level_\d+__", name)]
        for name in names:
            if names.count(name) > 1:
                raise refusal(
                    self.path, f"column name {name!r} occurs more than once", mend="rename one of them"
                )
            held = schema.field(name).type
            if is_nested(held):
                mend = "flatten or leave out the column"
                raise refusal(self.path, f"column {name!r} holds {held}, not single values", mend=mend)
        if not names:
            raise refusal(self.path, "no columns in it", mend="give at least one")
        return pa.schema([schema.field(name) for name in names])

    def batches(self) -> Iterator[Any]:
        """Yield record batches."""
        schema = self.schema()
        with self._open() as (_, batches):
            for batch in batches:
                if len(batch):
                    yield pa.RecordBatch.from_arrays(
                        [batch.column(name) for name in schema.names], schema=schema
                    )

    def counted(self, batches: Iterable[Any]) -> dict[str, Any]:
        """``gaps`` of the columns of all batches that have any, NaN among them, and ``n_rows``."""
        schema = self.schema()
        gaps, n_rows = dict.fromkeys(schema.names, 0), 0
        for batch in batches:
            n_rows += len(batch)
            for name, cells in zip(schema.names, batch.columns, strict=True):
                gaps[name] += pc.sum(cells.is_null(nan_is_null=types.is_floating(cells.type))).as_py()
        if not n_rows:
            raise refusal(self.path, "no rows in it", mend="give at least one row")
        return {"gaps": {name: n for name, n in gaps.items() if n}, "n_rows": n_rows}

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        with open(self.path, "rb") as file, decoding(self.path, f"{self.kind}'s format"):
            if self.kind == "Parquet":
                with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
                    yield parquet.schema_arrow, parquet.iter_batches(_ROWS_AT_ONCE)
                return
            first = file.read(6)
            file.seek(0)
            if first[:4] == b"FEA1":
                what = "Feather of the first version, which pyarrow no longer reads safely"
                raise refusal(self.path, what, mend="write it again with a newer pyarrow")
            if first == b"ARROW1":
                with pa.ipc.open_file(file) as reader:
                    yield reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
            else:
                with pa.ipc.open_stream(file) as reader:
                    yield reader.schema, iter(reader)
