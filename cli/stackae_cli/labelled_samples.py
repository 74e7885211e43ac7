"""The labelled samples that features are judged on, and those that a run was fitted on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stackae_cli.run_folder import CONFIG, read_config
from stackae_cli.source import Source

if TYPE_CHECKING:
    from stackae.data import DataSet
    from stackae.estimators import BaseEncoder
    from stackae.evaluation import Split


def read_training_samples(source: Source, model: BaseEncoder | None = None) -> DataSet:
    """The labelled rows of DATA; of a data set always the training rows, whichever half was named.

    To learn from the rows that are asked would flatter everybody.

    Raises
    ------
    DataError
        There are no labels.
    """
    from stackae.exceptions import DataError

    whole = replace(source, data=source.data_set or source.data).read(model, labels=True)
    if whole.y is None:
        raise DataError(f"{source.data}: has no labels to judge features by; give --labels COLUMN or FILE")
    return whole


def one_split(source: Source, whole: DataSet, model: BaseEncoder) -> Split:
    """A data set's own training and test rows, or a quarter of a file's for the test."""
    import numpy as np

    from stackae.evaluation import Split, resplit
    from stackae_cli.options import about

    X, y = np.asarray(whole.X), cast(Any, whole.y)
    if source.data_set is not None:
        test = source.test_half().read(model, labels=True)
        return Split(X, y, np.asarray(test.X), cast(Any, test.y))
    with about(source.data):
        return resplit(X, y)(0)


def samples_of_run(run: str, whole: DataSet, train: Any, model: BaseEncoder) -> tuple[Any, str | None]:
    """The samples that the others are fitted on, and what to say of it.

    They are the run's own where these can be had again, else those that are given.

    Parameters
    ----------
    run : str
    whole : DataSet
        Training and test samples of a file, training samples of a data set.
    train : array of shape (n_samples, n_features)
    model : fitted estimator
        Which knows its columns.
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
    try:
        own = Source.of(config).read(model)
    except (OSError, ValueError, LookupError, TypeError):
        return train, f"the run's own rows are not to be had any more: {instead}"
    if fingerprint(own.X) != wanted or own.X.shape[1] != train.shape[1]:
        return train, f"the run's own rows have changed: {instead}"
    return own.X, None
