"""DATA on the command line: how it is read, and which of its columns are wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import click

from stackae_cli.options import note
from stackae_cli.run_folder import CONFIG, read_config

if TYPE_CHECKING:
    from stackae.data import DataSet
    from stackae.estimators import BaseEncoder


@dataclass(frozen=True)
class Source:
    """DATA, and the options that say how it is read.

    Attributes
    ----------
    data : str
        A file, a folder of shards, or a data set's name.
    data_home : Path or None
    drop : tuple of str
    labels, id : str or None
        The columns that are no features; ``labels`` may be a file.
    header : bool or None
        Whether the first row of text names the columns; None: as it looks.
    delimiter, decimal, encoding : str or None
        How text is written; None: as it looks.
    na : tuple of str
        Cells that stand for a gap too.
    columns : tuple of str
        What columns are, as NAME=KIND; of the kind ``drop`` they are in ``drop``.
    may_be_there : tuple of str
        Columns by their places that a run has left out, and rows may have or not.
    is_told : bool
        Whether ``id`` is what a run was told, and rows may have it or not.
    why_labels : str
        What to say where the column of labels is missing that nobody named here.
    """

    data: str
    data_home: Path | None = None
    drop: tuple[str, ...] = ()
    labels: str | None = None
    id: str | None = None
    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    na: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    may_be_there: tuple[str, ...] = ()
    is_told: bool = False
    why_labels: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """What options, or a run's configuration, say of it."""
        known = {field.name: options[field.name] for field in fields(cls) if field.name in options}
        home = known.get("data_home")
        several = {name: tuple(known.get(name, ())) for name in ("drop", "na", "columns")}
        left_out = [pair for pair in several["columns"] if pair.endswith("=drop")]
        several["drop"] += tuple(pair.removesuffix("=drop") for pair in left_out)
        several["columns"] = tuple(pair for pair in several["columns"] if pair not in left_out)
        return cls(**{**known, **several, "data_home": None if home is None else Path(home)})

    @property
    def data_set(self) -> str | None:
        """The data set that DATA names, or a half of it; None where it is a file."""
        from stackae.data import DATA_SETS

        name, _, half = self.data.partition(":")
        whole_or_half = self.data == name or half in ("train", "test")
        return name if name in DATA_SETS and whole_or_half else None

    def with_labels_of(self, run: str, mend: str = "give --labels COLUMN or FILE") -> Self:
        """The same where labels are named; else with the column that a run has kept as its labels.

        ``mend`` is what to do if rows have no such column.
        """
        if self.labels is not None or self.data_set is not None:
            return self
        kept = kept_columns(run).get("labels")
        why = f"{run} expects its labels there; {mend}"
        return self if kept is None else replace(self, labels=kept, why_labels=why)

    def as_told(self, run: str) -> Self:
        """The same with what a run was told: which cells stand for gaps and what rows are called by, where it
        is not said here, and which columns, by their places, are no features."""
        if self.data_set is not None:
            return self
        kept = kept_columns(run)
        places = tuple(name for name in kept.values() if re.fullmatch(r"-?\d+", name))
        told = replace(self, na=self.na or tuple(_kept(run, "na").get("na", ())), may_be_there=places)
        is_told = self.id is None and kept.get("id") not in (None, self.labels, *self.drop)
        return replace(told, id=kept["id"], is_told=True) if is_told else told

    def read(
        self,
        model: BaseEncoder | None = None,
        *,
        labels: bool = False,
        ids: bool = False,
        **memory: Any,
    ) -> DataSet:
        """The rows, and their labels and ids where these are wanted.

        Parameters
        ----------
        model : fitted estimator, default=None
            Where it knows its columns by name, these are picked, in its order. None: all columns but those
            that hold labels and ids, and but named columns of numbers without any value, which is said.
        labels, ids : bool, default=False
        **memory
            ``max_memory`` and ``cache_folder`` of :func:`stackae.data.load_data`.
        """
        from stackae.exceptions import DataFileError, ParameterError

        try:
            data = self.read_as_named(model, labels=labels, ids=ids, **memory)
        except (DataFileError, ParameterError) as error:
            if labels and self.why_labels and f"no column {self.labels!r}" in str(error):
                raise DataFileError(f"{error}; {self.why_labels}") from None
            if not self.is_told:
                raise
            without = replace(self, id=None, is_told=False)  # rows may have no such column
            return without.read(model, labels=labels, ids=ids, **memory)
        if model is None and (empty := _empty_columns(data)):
            shown, more = ", ".join(map(repr, empty[:5])), f" and {len(empty) - 5:,} more"
            note(f"{self.data}: left out {shown}{more if len(empty) > 5 else ''} (all missing)")
            without = replace(self, drop=(*self.drop, *empty))
            return without.read_as_named(model, labels=labels, ids=ids, **memory)
        return data

    def read_as_named(self, model: BaseEncoder | None, *, labels: bool, ids: bool, **memory: Any) -> DataSet:
        """The same, of rows that have all columns that are named."""
        from stackae.data import load_data
        from stackae.data.dialects import TableStream

        names = None if model is None else getattr(model, "feature_names_in_", None)
        drop = self.drop
        if names is None:
            apart = ((self.labels, labels), (self.id, ids))
            drop += tuple(name for name, wanted in apart if name and _is_column(name) and not wanted)
            named = {*drop, self.labels, self.id}
            drop += tuple(name for name in self.may_be_there if name not in named)
        data = load_data(
            self.data,
            data_home=self.data_home,
            drop=drop,
            labels=self.labels if labels else None,
            ids=self.id if ids else None,
            features=None if names is None else [str(name) for name in names],
            as_table=_as_table(self, model),
            **self.dialect,
            **memory,
        )
        if model is not None and self.may_be_there and data.X.shape[1] < model.n_features_in_:
            without = replace(self, may_be_there=(), id=None if self.is_told else self.id)
            return without.read_as_named(model, labels=labels, ids=ids, **memory)
        return _encoded(self, data, model, **memory) if isinstance(data.X, TableStream) else data

    @property
    def dialect(self) -> dict[str, Any]:
        """How text is written."""
        return {name: getattr(self, name) for name in ("header", "delimiter", "decimal", "encoding", "na")}

    @property
    def kinds(self) -> dict[str, str] | None:
        """What columns are said to be, as estimators take it."""
        return dict(pair.rpartition("=")[::2] for pair in self.columns) or None

    def test_half(self) -> Source:
        """The test rows of the data set that is named."""
        return replace(self, data=f"{self.data_set}:test")


def _as_table(source: Source, model: BaseEncoder | None) -> bool | None:
    """Whether DATA must be a table: as the model was fitted, or columns are said to be something."""
    if model is not None:
        return hasattr(model, "table_encoder_")
    return True if source.columns else None


def _encoded(source: Source, data: DataSet, model: BaseEncoder | None, **memory: Any) -> DataSet:
    """A table that is larger than memory, as the model's encoder makes it, or a new one."""
    from stackae import TableEncoder
    from stackae.tables import encode_stream

    encoder = TableEncoder(source.kinds) if model is None else cast(Any, model).table_encoder_
    return replace(data, X=encode_stream(cast(Any, data.X), encoder=encoder, **memory))


def _empty_columns(data: DataSet) -> list[str]:
    """Named columns without any value that may be left out: not of tables, whose encoder leaves them out."""
    names = data.feature_names
    if names is None or _is_table(data):
        return []
    empty = (data.gaps == data.X.shape[0]).nonzero()[0]
    return [names[k] for k in empty] if len(empty) < len(names) else []


def _is_table(data: DataSet) -> bool:
    from stackae.data.data_set import is_typed
    from stackae.data.matrix import is_encoded

    return is_typed(data.X) or is_encoded(data.X)


def missing_values_of(source: Source, data: DataSet) -> float | None:
    """What stands for a missing cell in rows that have some, which is said; None where all are there."""
    gaps = data.gaps.copy()
    if _is_table(data):
        gaps[gaps == data.X.shape[0]] = 0  # columns that are left out
    columns = gaps.nonzero()[0]
    if not len(columns):
        return None
    names = data.feature_names or [str(k) for k in range(len(gaps))]
    shown = ", ".join(f"{names[k]!r} ({gaps[k]:,})" for k in columns[:5])
    more = f" and {len(columns) - 5:,} more" if len(columns) > 5 else ""
    n_missing = int(gaps.sum())
    cells = "1 cell is" if n_missing == 1 else f"{n_missing:,} cells are"
    note(f"{source.data}: {cells} missing, in {shown}{more}; filling them is learned")
    return float("nan")


def say_what_looks_like_a_key(source: Source, data: DataSet) -> None:
    """Say which columns of numbers look like identifiers, and are features all the same."""
    if found := data.numbered:
        one = len(found) == 1
        are = (
            "looks like an identifier, and is a feature" if one else "look like identifiers, and are features"
        )
        note(f"{source.data}: {', '.join(map(repr, found))} {are}; --id or --drop {found[0]} leaves it out")


def data_of(run: str, data: str | None) -> str:
    """DATA as it was given; where it was not, what a run was made from, which is said.

    Raises
    ------
    UsageError
        The run does not say it.
    """
    if data is not None:
        return data
    own = config_of(run).get("data")
    if not isinstance(own, str):
        raise click.UsageError(f"missing argument DATA: {run} does not say what it was made from")
    note(f"DATA is {own}, which {run} was made from")
    return own


def kept_columns(run: str) -> dict[str, str]:
    """The columns of labels and ids that a run keeps, or the one that it is made from."""
    kept = _kept(run, "labels", "id")
    return {name: value for name, value in kept.items() if isinstance(value, str) and _is_column(value)}


def _kept(run: str, *names: str) -> dict[str, Any]:
    """What a run's configuration says of some options, or that of the one that it is made from."""
    config = config_of(run)
    before = config.get("run")
    own = {name: config[name] for name in names if config.get(name)}
    return (_kept(before, *names) if isinstance(before, str) and before != run else {}) | own


def config_of(run: str) -> dict[str, Any]:
    """What a run's configuration says; nothing where it cannot be read."""
    path = Path(run) / CONFIG
    try:
        return read_config(path) if path.is_file() else {}
    except ValueError:
        return {}


def say_what_is_ignored(source: Source, data: DataSet, run: str) -> None:
    """Say on standard error which columns of a file the model does not know."""
    kept = {source.labels, source.id, *source.drop, *kept_columns(run).values()}
    ignored = [name for name in data.ignored if name not in kept]
    if ignored:
        shown = ", ".join(map(repr, ignored[:5])) + (
            f" and {len(ignored) - 5} more" if len(ignored) > 5 else ""
        )
        note(f"{source.data}: ignored {shown}, which the model does not know")


def _is_column(name: str) -> bool:
    """Whether labels are a column, and not a file of their own."""
    return not Path(name).is_file()
