"""Tables larger than memory: encoded a block of rows at a time, into a file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from sklearn.base import clone

from stackae._utils.memory import parse_memory
from stackae._utils.threads import ahead
from stackae.data.dialects import TableStream
from stackae.data.mapped import MappedMatrix, ScratchRows
from stackae.exceptions import DataError, DataTypeError, StackaeWarning
from stackae.tables._cells import UnseenValues
from stackae.tables.encoder import TableEncoder

#: Shares of the memory: for the rows that kinds of columns are learned from, and for a block that is encoded.
_FOR_LEARNING, _FOR_A_BLOCK = 16, 8
#: Kinds are learned from so many rows even where these need more.
_FEWEST = 1000
#: What a value is read into, texts cut into pieces among them, takes so many times its own bytes.
_GROWTH = 16
_MOST_NAMED = 5


class BatchStream(Protocol):
    """Record batches of pyarrow's of one schema; each iteration begins anew."""

    @property
    def schema(self) -> Any:
        """A ``pyarrow.Schema``."""

    def __iter__(self) -> Iterator[Any]: ...


def encode_stream(
    stream: BatchStream,
    *,
    encoder: TableEncoder | None = None,
    max_memory: int | str | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
) -> MappedMatrix:
    """Encode a table that may be larger than memory, to fit estimators on.

    Parameters
    ----------
    stream : iterable of pyarrow.RecordBatch, with ``schema``
        Such as from :func:`stackae.data.dialects.stream_any`; it is iterated over up to twice.
    encoder : TableEncoder or None, default=None
        A fitted encoder is used as it is. An unfitted one gives the parameters, None means
        ``TableEncoder()``; a copy is fitted on all rows or, if memory does not allow, on a reproducible
        random sample of them. Unseen categories then go to the column of rare ones if there is one; other
        unseen values are gaps.
    max_memory : int, str or None, default=None
        Memory to use, besides that of the stream itself: bytes, or text like ``"2GiB"``. None: half of the
        machine's memory.
    cache_folder : path-like or None, default=None
        Where the encoded rows are stored, in an unnamed file that vanishes with the matrix. None: the
        system's folder for temporary files.

    Returns
    -------
    MappedMatrix of shape (n_samples, n_encoded)
        The encoded table; its ``table`` is the encoder. Estimators treat it as the table itself.

    Raises
    ------
    DataTypeError
        ``stream`` cannot be iterated over again, or the encoder was fitted on an array.
    DataError
        A column cannot be encoded, there are no rows, or the second pass has another number of rows.
    OSError
        There is not enough room for the file.

    Warns
    -----
    StackaeWarning
        Once: how many rows the encoder was fitted on, if not all, and how many values are unseen.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from stackae import StackedAutoencoder, Training
    >>> from stackae.data.dialects import stream_any
    >>> from stackae.tables import encode_stream
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plants.csv"
    ...     _ = path.write_text("height,kind\\n" + "1.5,rose\\n2.5,lily\\n,rose\\n4,\\n3,iris\\n" * 9)
    ...     X = encode_stream(stream_any(path), max_memory="1GB")
    >>> X.shape, X.table.get_feature_names_out().tolist()
    ((45, 4), ['height', 'kind=iris', 'kind=lily', 'kind=rose'])
    >>> StackedAutoencoder((3, 2), finetune=Training(max_epochs=1), random_state=0).fit(X).transform(X).shape
    (45, 2)
    """
    import pyarrow as pa

    memory = parse_memory(max_memory)
    if isinstance(stream, Iterator):
        raise DataTypeError("the stream is read more than once; give an iterable, not an iterator")
    batches: Iterable[Any] = stream
    learned = None
    if encoder is None or not hasattr(encoder, "_fitted"):
        sample = _Sample(memory // _FOR_LEARNING)
        # Cells of a file are typed if they are drawn.
        cells, typed = (stream.cells(), stream.typed) if isinstance(stream, TableStream) else (stream, None)
        for batch in cells:
            sample.see(batch)
        drawn = map(typed, sample.drawn()) if typed else sample.drawn()
        n_rows, known = sample.n_seen, pa.Table.from_batches(drawn, stream.schema)
        encoder = clone(TableEncoder() if encoder is None else encoder).fit(known)
        if len(known) == n_rows:
            batches = known.to_batches()
        else:
            learned = f"the kinds of columns were learned from {len(known):,} of {n_rows:,} rows"
        del sample, known
    else:
        n_rows = stream.dialect.n_rows if isinstance(stream, TableStream) else sum(map(len, stream))
    if encoder._fitted.library is None:
        raise DataTypeError("encoder= was fitted on an array; give one that was fitted on a table")
    if not n_rows:
        raise DataError("the stream has no rows; give at least one")
    told = _Told(learned)
    rows = ScratchRows((n_rows, encoder._fitted.n_encoded), encoder._fitted.precision, cache_folder)
    blocks = _blocks(ahead(batches), encoder._fitted.n_encoded, memory // _FOR_A_BLOCK)
    for encoded in ahead(_encoded(encoder, blocks, told)):
        rows.append(encoded)
    told.tell()
    return rows.matrix().of_table(encoder)


def _encoded(encoder: TableEncoder, blocks: Iterable[Any], told: _Told) -> Iterator[Any]:
    """What each block becomes."""
    import pyarrow as pa

    first_row = 0
    for block in blocks:
        with told.gathering():
            encoded = encoder.encode(pa.Table.from_batches([block]), first_row=first_row)
        yield encoded
        first_row += len(block)


def _blocks(batches: Iterable[Any], n_encoded: int, room: int) -> Iterator[Any]:
    """Batches, cut into blocks that can be encoded within so many bytes."""
    for batch in batches:
        if len(batch):
            of_a_row = 2 * 8 * n_encoded + _GROWTH * batch.nbytes // len(batch)
            size = max(1, room // of_a_row)
            yield from (batch.slice(first, size) for first in range(0, len(batch), size))


class _Sample:
    """Rows drawn evenly from all that are seen, in their order, as many as there is room for.

    Each row draws a number, and those below a limit are kept, which is halved whenever room is short: what
    is kept does not depend on the cut into batches.
    """

    def __init__(self, room: int) -> None:
        self.room, self.n_seen = room, 0
        self._limit, self._rng = 1.0, np.random.default_rng(0)
        self._kept: list[tuple[Any, np.ndarray]] = []
        self._n_bytes = self._n_kept = 0

    def see(self, batch: Any) -> None:
        """Draw from more rows."""
        self.n_seen += len(batch)
        self._keep(batch, self._rng.random(len(batch)))
        while self._n_bytes > self.room and self._n_kept > _FEWEST:
            self._limit /= 2
            kept, self._kept = self._kept, []
            self._n_bytes = self._n_kept = 0
            for piece, drawn in kept:
                self._keep(piece, drawn)

    def _keep(self, batch: Any, drawn: np.ndarray) -> None:
        low = drawn < self._limit
        if not low.all():
            batch, drawn = batch.filter(low), drawn[low]
        if len(batch):
            self._kept.append((batch, drawn))
            self._n_bytes += batch.nbytes
            self._n_kept += len(batch)

    def drawn(self) -> Iterator[Any]:
        """What was kept; it is let go of on the way."""
        while self._kept:
            yield self._kept.pop(0)[0]


class _Told:
    """What blocks of a table warn of, so that it is said once of all.

    Parameters
    ----------
    learned : str or None
        Of how many rows the encoder knows, if not of all.
    """

    def __init__(self, learned: str | None) -> None:
        self._learned = learned
        self._unseen: dict[Any, int] = {}
        self._others: dict[tuple[type[Warning], str], warnings.WarningMessage] = {}

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Add up values that were not seen; of other warnings keep the first of a kind."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            if isinstance(warning.message, UnseenValues):
                name, n_cells = warning.message.name, warning.message.n_cells
                self._unseen[name] = self._unseen.get(name, 0) + n_cells
            else:
                what = str(warning.message).partition(", got")[0]
                self._others.setdefault((warning.category, what), warning)

    def tell(self) -> None:
        """Warn, if there is anything to be said."""
        for warning in self._others.values():
            warnings.warn(warning.message, warning.category, stacklevel=3)
        parts = [] if self._learned is None else [self._learned]
        if self._unseen:
            named = [f"{n:,} in {name!r}" for name, n in list(self._unseen.items())[:_MOST_NAMED]]
            more = len(self._unseen) - len(named)
            named += [f"and more in {more:,} other columns"] if more else []
            parts.append(f"cells hold values that fit has not seen, and are missing: {', '.join(named)}")
        if parts:
            warnings.warn("; ".join(parts), StackaeWarning, stacklevel=3)
