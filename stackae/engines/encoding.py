"""The core that every engine runs: record batches of Arrow in, record batches out, row for row."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from stackae._utils.threads import SharedSetting
from stackae.data.batches import Columns, TableSpec, columns_of, fill_columns, samples_of
from stackae.data.matrix import full_block
from stackae.engines.methods import METHODS, method_of
from stackae.exceptions import DataError, DataFileError, ModelFileError, ParameterError
from stackae.serialization.files import MODEL_FILE

if TYPE_CHECKING:
    import pyarrow as pa

    from stackae.estimators import BaseEncoder

__all__ = ["Encoding"]

#: Values in a batch that is read at once, which stay in a processor's cache, and its rows at most.
_VALUES, _ROWS = 2**21, 2**16
#: The model that this process has loaded, and what it was asked for.
_loaded: dict[tuple[str, str], BaseEncoder] = {}
_loading = Lock()


@dataclass(frozen=True)
class Encoding:
    """A method of a model as a picklable function on Arrow record batches: the core of every engine.

    Create it with :meth:`of`. Rows keep their order, and each row's result is, bit for bit, what the method
    gives for all rows in memory (1,024 or more, with as many threads), however they are divided into batches.
    A model given as a file is pickled by its path, and loaded once per process.

    Parameters
    ----------
    model : str or bytes
        The path of a model file, or its content.
    digest : str
        The file's SHA-256: another file is refused.
    method : str, default="transform"
        One of :data:`stackae.engines.methods.METHODS`.
    keep : tuple of str, default=()
        Columns to pass through, before the computed ones.
    drop : tuple of str, default=()
        Columns that are no features, for models without feature names.
    device : str, default="auto"
    threads : int, default=1
        Number of threads per process.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from stackae import StackedAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    >>> model = StackedAutoencoder((4, 2), random_state=0).fit(X)
    >>> table = pa.table([np.arange(2000), *X.T], ["id", "a", "b", "c"])
    >>> encoding = Encoding.of(model, keep=["id"])
    >>> codes = pa.Table.from_batches(encoding(table.to_batches(max_chunksize=300)))
    >>> codes.column_names, codes.num_rows
    (['id', 'stackedautoencoder0', 'stackedautoencoder1'], 2000)
    >>> bool((codes["stackedautoencoder0"].to_numpy() == model.transform(X)[:, 0]).all())
    True
    """

    model: str | bytes = field(repr=False)
    digest: str
    method: str = "transform"
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    device: str = "auto"
    threads: int = 1

    @classmethod
    def of(
        cls,
        model: BaseEncoder | str | os.PathLike[str],
        *,
        method: str = "transform",
        keep: Sequence[str] = (),
        drop: Sequence[str] = (),
        device: str = "auto",
        threads: int = 1,
    ) -> Self:
        """Make it from a fitted estimator, a model file, or the folder of a run.

        Raises
        ------
        ParameterError
            The model lacks the method, or a column is named twice.
        ModelFileError, OSError
            The file is no model file, or cannot be read.
        """
        if len(set(keep)) < len(keep):
            raise ParameterError(f"keep must name each column once, got {list(keep)}")
        if isinstance(model, (str, os.PathLike)):
            path = Path(model).absolute()
            path = path / MODEL_FILE if path.is_dir() else path
            content: str | bytes = str(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            with tempfile.TemporaryDirectory() as folder:
                model.save(Path(folder) / MODEL_FILE)
                content = (Path(folder) / MODEL_FILE).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
        encoding = cls(content, digest, method, tuple(keep), tuple(drop), device, threads)
        method_of(encoding.loaded, method)
        return encoding

    def shipped(self, device: str | None = None) -> Self:
        """A copy with the file's content, for processes without access to the file; perhaps on a device."""
        content = self.model if isinstance(self.model, bytes) else Path(self.model).read_bytes()
        return replace(self, model=content, device=device or self.device)

    @property
    def loaded(self) -> BaseEncoder:
        """The model, read once per process."""
        wanted = self.digest, self.device
        with _loading:
            if wanted not in _loaded:
                _loaded.clear()
                _loaded[wanted] = self._load()
            return _loaded[wanted]

    def _load(self) -> BaseEncoder:
        from stackae.estimators import load

        if isinstance(self.model, bytes):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / MODEL_FILE
                path.write_bytes(self.model)
                return load(path, device=self.device)
        if hashlib.sha256(Path(self.model).read_bytes()).hexdigest() != self.digest:
            raise ModelFileError(f"{self.model}: is another file than when the work began; begin anew")
        return load(self.model, device=self.device)

    def columns(self, schema: pa.Schema, where: str = "the table") -> Columns:
        """The feature columns of batches with this schema.

        Raises
        ------
        DataFileError
            One is missing, or of a type that the model cannot take; the message begins with ``where``.
        """
        model: Any = self.loaded
        known = getattr(model, "feature_names_in_", None)
        for name in (*self.keep, *(self.drop if known is None else ())):
            if name not in schema.names:
                raise DataFileError(
                    f"{where}: no column {name!r}; it has {', '.join(map(repr, schema.names))}"
                )
        spec = TableSpec(
            drop=() if known is not None else [*dict.fromkeys([*self.drop, *self.keep])],
            features=None if known is None else [str(name) for name in known],
            as_table=hasattr(model, "table_encoder_"),
        )
        return columns_of(where, schema, spec)

    def needed(self, schema: pa.Schema, where: str = "the table") -> list[str]:
        """The columns to read, those of ``keep`` first."""
        features = self.columns(schema, where).features
        if self.method == "impute":
            return [name for name in schema.names if name not in self.drop]
        return [*dict.fromkeys([*self.keep, *features])]

    def schema(self, schema: pa.Schema, where: str = "the table") -> pa.Schema:
        """The schema of the result.

        Raises
        ------
        DataError
            The model refuses such rows, or a column of ``keep`` has the name of a computed one.
        """
        import pyarrow as pa

        columns = self.columns(schema, where)
        try:
            found = METHODS[self.method].compute(self.loaded, self._example(columns), columns.features)
        except DataError as error:
            raise DataFileError(f"{where}: {error}") from None
        if self.method == "impute":
            return pa.schema([schema.field(name) for name in self.needed(schema, where)])
        computed = [pa.field(n, own.type) for n, own in zip(found.names, found.columns, strict=True)]
        if twice := [name for name in found.names if name in self.keep]:
            raise ParameterError(f"the column {twice[0]!r} to be kept is called as one that is written")
        return pa.schema([*(schema.field(name) for name in self.keep), *computed])

    def _example(self, columns: Columns) -> Any:
        """A row such as there may be."""
        model: Any = self.loaded
        if columns.dtype is None:
            width = len(model.table_encoder_.column_of_)
            return model.table_encoder_.inverse_transform(np.zeros((1, width), np.float32))
        import pyarrow as pa

        zeros = np.zeros(1, columns.dtype)
        table = pa.table([zeros for _ in columns.features], columns.features)
        return samples_of("", columns, table)

    @staticmethod
    def batch_rows(n_columns: int) -> int:
        """A good number of rows to read at once."""
        return max(1, min(_ROWS, _VALUES // max(1, n_columns)))

    def __call__(
        self, batches: Iterable[pa.RecordBatch], where: str = "the table", schema: pa.Schema | None = None
    ) -> Iterator[pa.RecordBatch]:
        """What becomes of batches, one for each, in their order.

        Parameters
        ----------
        batches : iterable of pyarrow.RecordBatch
            Of one schema. Those without rows stay without rows.
        where : str
            What messages call the place that they are from.
        schema : pyarrow.Schema or None, default=None
            What they become, where that is known: see :meth:`schema`.

        Raises
        ------
        DataError
            A row is refused; the message says how many stand before its batch.
        """
        import pyarrow as pa

        n_before, known, columns = 0, None, None
        with computing_with(self.threads):
            for batch in batches:
                if columns is None or batch.schema != known:
                    known, columns = batch.schema, self.columns(batch.schema, where)
                schema = self.schema(batch.schema, where) if schema is None else schema
                try:
                    table = self._applied(pa.Table.from_batches([batch]), where, columns, schema)
                except DataError as error:
                    behind = f" (rows counted from row {n_before:,})" if n_before else ""
                    said = str(error)
                    raise DataFileError(
                        f"{'' if said.startswith(where) else f'{where}: '}{said}{behind}"
                    ) from None
                n_before += len(batch)
                yield table

    def _applied(self, table: pa.Table, where: str, columns: Columns, schema: pa.Schema) -> pa.RecordBatch:
        """A batch of what is computed of a table."""
        import pyarrow as pa

        n_rows = len(table)
        if not n_rows:
            return pa.RecordBatch.from_pylist([], schema)
        model: Any = self.loaded
        # Too few rows would be computed by other products, with other bits: some are computed again.
        least = full_block(model.module_.n_inputs)
        whole = table if n_rows >= least else table.take(np.resize(np.arange(n_rows), least))
        X = samples_of(where, columns, whole)
        found = METHODS[self.method].compute(model, X, columns.features)
        if self.method == "impute":
            filled = (
                found.values[:n_rows]
                if isinstance(found.values, np.ndarray)
                else found.values.slice(0, n_rows)
            )
            table = fill_columns(table, filled, found.names)
            arrays = {name: table.column(name) for name in schema.names}
        else:
            computed = {n: own[:n_rows] for n, own in zip(found.names, found.columns, strict=True)}
            arrays = {**{name: table.column(name) for name in self.keep}, **computed}
        cells = [_one(arrays[name]).cast(schema.field(name).type) for name in schema.names]
        return pa.RecordBatch.from_arrays(cells, schema=schema)


def _one(column: Any) -> Any:
    """A column as a single array."""
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column


@cache
def _setting(threads: int) -> SharedSetting:
    def change() -> Callable[[], None]:
        import torch
        from threadpoolctl import threadpool_limits

        before, limits = torch.get_num_threads(), threadpool_limits(threads)
        torch.set_num_threads(threads)

        def restore() -> None:
            limits.restore_original_limits()
            torch.set_num_threads(before)

        return restore

    return SharedSetting(change)


def computing_with(threads: int) -> AbstractContextManager[None]:
    """Compute with so many threads a process."""
    return _setting(threads)()
