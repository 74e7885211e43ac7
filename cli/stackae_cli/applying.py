"""A model applied to the rows of DATA: what transform, reconstruct, predict and score have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stackae.data.matrix import is_encoded
from stackae.data.writers import check_destination, write_table
from stackae_cli.options import about, learns_labels, say_written
from stackae_cli.source import Source, data_of, say_what_is_ignored


@dataclass(frozen=True)
class Judgement:
    """What a model is worth on rows, and which it is worst on.

    Attributes
    ----------
    lines : list of str
        To be printed.
    columns : dict of str to array of shape (n_samples,)
        What is written of each row.
    badness : array of shape (n_samples,)
        How bad each row is; NaN: it cannot be said.
    heading : str
        What is told of a row.
    tell : callable
        From a row's number to what is told of it.
    """

    lines: list[str]
    columns: dict[str, np.ndarray]
    badness: np.ndarray
    heading: str
    tell: Callable[[int], str]


class Application:
    """A model and the rows that it is applied to, read after everything was looked at that could be refused.

    Parameters
    ----------
    run : str
        A run's folder, or a model file.
    load : callable
        From run and device to a model of the kind that is needed.
    device : str
    options : mapping
        How DATA is read; see :class:`stackae_cli.source.Source`. Of a command that has ``labels`` they are
        read, if the model is one that learned from labels.
    destinations : sequence of Path
        Files that will be written.

    Attributes
    ----------
    data : DataSet
    samples : array, MappedMatrix or NamedMatrix
        What the model is given.
    predicts_labels : bool
        Whether the model is a classifier or regressor.
    """

    def __init__(
        self,
        run: str,
        load: Callable[[str, str], Any],
        device: str,
        options: Mapping[str, Any],
        destinations: Sequence[Path],
    ) -> None:
        asked = Source.of({**options, "data": data_of(run, options["data"])})
        self.has_asked_for_ids = asked.id is not None
        for path in destinations:
            check_destination(path, ids=self.has_asked_for_ids)
        self.model = load(run, device)
        self.predicts_labels = learns_labels(self.model)
        wants_labels = "labels" in options and self.predicts_labels
        self.source = (asked.with_labels_of(run) if wants_labels else asked).as_told(run)
        self.destinations = destinations
        self.data = self.source.read(self.model, ids=True, labels=wants_labels)
        say_what_is_ignored(self.source, self.data, run)
        self.samples = self.data.named_samples

    def about_data(self) -> AbstractContextManager[None]:
        """Let a refusal of the rows name DATA."""
        return about(self.source.data)

    @property
    def feature_names(self) -> list[str]:
        """The columns' names, made up where there are none."""
        names = getattr(self.model, "feature_names_in_", self.data.feature_names)
        return [f"x{k}" for k in range(self.model.n_features_in_)] if names is None else list(names)

    def as_given(self, rows: Callable[[Any], Any]) -> Any:
        """What is computed of the samples, in the columns of DATA; also of a table larger than memory."""
        encoder: Any = getattr(self.model, "table_encoder_", None)
        for path in self.destinations:
            check_destination(path, ids=self.has_asked_for_ids, typed=encoder is not None)
        with self.about_data():
            found = rows(self.samples)
            is_still_encoded = encoder is not None and is_encoded(self.samples)
            return encoder.inverse_transform(found) if is_still_encoded else found

    def write(self, path: Path, table: Any, names: Sequence[str], what: str = "") -> None:
        """Write what came of the rows, their ids before it; say where, if it is told what that is.

        Ids that only the run asked for are left out of ``.npy``, which has no place for them.
        """
        has_place = self.has_asked_for_ids or path.suffix.lower() != ".npy"
        ids = (str(self.source.id), self.data.ids) if self.data.ids is not None and has_place else None
        write_table(path, table, names, ids)
        if what:
            say_written(path, f"{len(table):,} rows × {what}")
