"""The labelled samples that features are judged on, and those that a run was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stackae_cli.run_folder import CONFIG, read_config

if TYPE_CHECKING:
    from stackae.data import DataSet
    from stackae.evaluation import Split


@dataclass(frozen=True)
class Source:
    """DATA, and the options that say how it is read."""

    data: str
    data_home: Path | None
    drop: tuple[str, ...]
    labels: str | None

    @property
    def data_set(self) -> str | None:
        """The data set that DATA names, or a half of it; None where it is a file."""
        from stackae.data import DATA_SETS

        name, _, half = self.data.partition(":")
        whole_or_half = self.data == name or half in ("train", "test")
        return name if name in DATA_SETS and whole_or_half else None


def read_training_samples(source: Source) -> DataSet:
    """The labelled rows of DATA; of a data set always the training rows, whichever half was named.

    To learn from the rows that are asked would flatter everybody.

    Raises
    ------
    DataError
        There are no labels.
    """
    from stackae.exceptions import DataError

    whole = _read(source.data_set or source.data, source.data_home, source.drop, source.labels)
    if whole.y is None:
        raise DataError(f"{source.data}: has no labels to judge features by; give --labels COLUMN or FILE")
    return whole


def one_split(source: Source, whole: DataSet) -> Split:
    """A data set's own training and test rows, or a quarter of a file's for the test."""
    import numpy as np

    from stackae.evaluation import Split, resplit
    from stackae_cli.options import about

    X, y = np.asarray(whole.X), cast(Any, whole.y)
    if source.data_set is not None:
        test = _read(f"{source.data_set}:test", source.data_home, source.drop, None)
        return Split(X, y, np.asarray(test.X), cast(Any, test.y))
    with about(source.data):
        return resplit(X, y)(0)


def samples_of_run(run: str, whole: DataSet, train: Any) -> tuple[Any, str | None]:
    """The samples that the others are fitted on, and what to say of it.

    They are the run's own where these can be had again, else those that are given.

    Parameters
    ----------
    run : str
    whole : DataSet
        Training and test samples of a file, training samples of a data set.
    train : array of shape (n_samples, n_features)
    """
    from stackae.data import fingerprint

    path = Path(run) / CONFIG
    instead = "PCA was fitted on the training rows here"
    if not path.is_file():
        return train, f"no configuration of the run is known: {instead}"
    try:
        config = read_config(path)
        wanted = dict(config["ran"])["fingerprint"]
    except (ValueError, LookupError, TypeError):
        return train, f"the configuration of the run is damaged: {instead}"
    if wanted == fingerprint(whole.X):
        same = len(train) < len(whole.X)
        note = (
            "both were fitted on all rows, the test rows among them, without their labels" if same else None
        )
        return whole.X, note
    home = config.get("data_home")
    try:
        own = _read(config["data"], None if home is None else Path(home), tuple(config["drop"]), None)
    except (OSError, ValueError):
        return train, f"the run's own rows are not to be had any more: {instead}"
    if fingerprint(own.X) != wanted or own.X.shape[1] != train.shape[1]:
        return train, f"the run's own rows have changed: {instead}"
    return own.X, None


def _read(data: str, data_home: Path | None, drop: tuple[str, ...], labels: str | None) -> DataSet:
    from stackae.data import load_data

    return load_data(data, data_home=data_home, drop=drop, labels=labels)
