"""From a Parquet file to what a model says of its rows, as a file that is whole or not there."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from stackae.data.batches import parquet_on
from stackae.engines.encoding import Encoding
from stackae.engines.places import Place

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FileWork", "Job", "Result"]

_NOTE = b"stackae"  # where a file says what it was made of
_ROW_GROUP = 2**20  # values that are gathered before they are written
_BLOCK = 2**22  # bytes


class Job(NamedTuple):
    """One file: its name, what it is, and what a manifest says of its result."""

    name: str
    source: dict[str, Any]
    known: dict[str, Any] | None


class Result(NamedTuple):
    """What came of a job: the file's rows, size and sha256, or why there is none; what was warned of; and
    whether the file was there."""

    name: str
    found: dict[str, Any] | Exception
    warned: tuple[str, ...]
    is_kept: bool


@dataclass(frozen=True)
class FileWork:
    """From jobs to files, in any process; what is done twice leaves the same.

    Parameters
    ----------
    encoding : Encoding
    origin, target : Place
    schema : pyarrow.Schema
        Of what is written.
    """

    encoding: Encoding
    origin: Place
    target: Place
    schema: pa.Schema

    def on(self, threads: int, *, shipped: bool = False) -> FileWork:
        """The same with so many threads a process, and perhaps with the model's file in it."""
        encoding = replace(self.encoding, threads=threads)
        return replace(self, encoding=encoding.shipped() if shipped else encoding)

    def given_up(self, mend: str = "--resume") -> OSError:
        """What is raised where an engine has tried a file too often."""
        what = "workers were killed again and again, perhaps for want of memory"
        return OSError(f"{self.target.shown}: {what}; go on with {mend}")

    def __call__(self, job: Job) -> Result:
        """Leave the file, unless it is there."""
        found: dict[str, Any] | Exception
        kept = None
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                kept = self._kept(job)
                found = kept or self._written(job)
            except Exception as error:  # which engines would tell in ways of their own
                found = error.with_traceback(None)
        warned = tuple(dict.fromkeys(str(one.message) for one in told))
        return Result(job.name, found, warned, kept is not None)

    def _name(self, job: Job) -> str:
        """What the result is called."""
        return job.name or self.origin.root.rpartition("/")[2]

    def _kept(self, job: Job) -> dict[str, Any] | None:
        """What is known of a file that is there, made of these rows by this model."""
        from pyarrow import ArrowException
        from pyarrow.parquet import read_metadata

        filesystem, path = self.target.filesystem, self.target.path(self._name(job))
        if not self.target.exists(self._name(job)):
            return None
        try:
            metadata = read_metadata(path, filesystem=filesystem)
        except (OSError, ArrowException):
            return None
        if (metadata.metadata or {}).get(_NOTE) != self._note(job):
            return None
        digest, size = hashlib.sha256(), 0
        with filesystem.open_input_stream(path) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        found = {"rows": metadata.num_rows, "bytes": size, "sha256": digest.hexdigest()}
        return found if job.known in (None, found) else None

    def _written(self, job: Job) -> dict[str, Any]:
        """Compute and write the file."""
        import pyarrow.parquet as pq

        called, n_rows = self.origin.called(job.name), 0
        schema = self.schema.with_metadata({_NOTE: self._note(job)})
        with parquet_on(self.origin.filesystem, self.origin.path(job.name), called) as parquet:
            names = self.encoding.needed(parquet.schema_arrow, called)
            size = self.encoding.batch_rows(len(names))
            batches = parquet.iter_batches(size, columns=names, use_threads=False)
            computed = self.encoding((batch.select(names) for batch in batches), called, self.schema)
            with self.target.atomic(self._name(job)) as file:
                counted = _Counted(file)
                with pq.ParquetWriter(
                    counted, schema, use_dictionary=_repeating(schema), write_page_checksum=True
                ) as writer:
                    for table in _gathered(computed):
                        writer.write_table(table.cast(schema))
                        n_rows += len(table)
                if n_rows != job.source["rows"]:
                    raise OSError(f"{called}: changed while it was read; begin anew when nobody writes it")
        return {"rows": n_rows, "bytes": counted.size, "sha256": counted.digest.hexdigest()}

    def _note(self, job: Job) -> bytes:
        own = self.encoding
        return json.dumps([job.source, own.digest, own.method, own.keep, own.drop]).encode()


def _repeating(schema: pa.Schema) -> list[str] | bool:
    """The columns whose values may repeat: all but floats, of which dictionaries are made in vain."""
    from pyarrow import types

    return [one.name for one in schema if not types.is_floating(one.type)] or False


class _Counted:
    """A file that is written, with its size and its digest; whoever opened it closes it."""

    def __init__(self, file: Any) -> None:
        self._file, self.digest, self.size, self.closed = file, hashlib.sha256(), 0, False

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.size += len(data)
        self._file.write(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches as fewer, larger tables, each to be a group of rows of a file."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) * max(1, batch.num_columns) >= _ROW_GROUP:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)
