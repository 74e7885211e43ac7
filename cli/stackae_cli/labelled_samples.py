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


def one_split(source: Source, whole: DataSet, model: BaseEncoder, task: str, unlabelled: Any) -> Split:
    """A data set's own training and test rows, or a quarter of a file's for the test."""
    from stackae.evaluation import Split, resplit
    from stackae_cli.options import about

    X, y = _rows(whole.X, model), cast(Any, whole.y)
    if source.data_set is not None:
        test = source.test_half().read(model, labels=True)
        return Split(X, y, _rows(test.X, model), cast(Any, test.y), task)
    with about(source.data):
        return resplit(X, y, task=task, unlabelled=unlabelled)(0)


def samples_of_run(run: str, whole: DataSet, split: Split, model: BaseEncoder) -> tuple[Any, list[str]]:
    """The samples that the others are fitted on, and what to say of it.

    They are the run's own where these can be had again, else those that are given.

    Parameters
    ----------
    run : str
    whole : DataSet
        Training and test samples of a file, training samples of a data set.
    split : Split
    model : fitted estimator
        Which knows its columns.
    """
    own, why = _own_samples(run, whole, model)
    notes = [] if own is not None else [f"{why}: PCA was fitted on the training rows here"]
    if hasattr(model, "finetune") and hasattr(model, "predict"):
        notes.append(_what_it_has_seen(own, split, model))
    elif own is whole.X and len(split.X) < len(own):
        notes.append(
            "the model and the other methods were fitted on all rows, the test rows among them, without"
            " their labels"
        )
    return split.X if own is None else own, notes


def _own_samples(run: str, whole: DataSet, model: BaseEncoder) -> tuple[Any, str]:
    """The samples that a run was fitted on; None, and why, where they are not to be had again."""
    from stackae.data import fingerprint

    path = Path(run) / CONFIG
    if not path.is_file():
        return None, "no configuration of the run is known"
    try:
        config = read_config(path)
        wanted = dict(config["ran"])["fingerprint"]
    except (ValueError, LookupError, TypeError):
        return None, "the configuration of the run is damaged"
    if wanted == fingerprint(whole.X):
        return whole.X, ""
    try:
        own = Source.of(config).read(model)
    except (OSError, ValueError, LookupError, TypeError):
        return None, "the run's own rows are not to be had any more"
    if fingerprint(own.X) != wanted or len(own.gaps) != len(whole.gaps):
        return None, "the run's own rows have changed"
    return own.X, ""


def _rows(X: Any, model: BaseEncoder) -> Any:
    """Rows as comparisons take them: an array, or a table as the model's encoder makes it."""
    from stackae.evaluation.splits import as_rows

    return as_rows(X, getattr(model, "table_encoder_", None))


def _what_it_has_seen(own: Any, split: Split, model: BaseEncoder) -> str:
    """Whether the test rows are among those that a run was fine-tuned on, which flatters it."""
    import numpy as np

    def of_rows(X: Any) -> list[int]:
        return [hash(row.tobytes()) for row in np.asarray(X, np.float64)]

    fitted = "stackae was fine-tuned with labels, the others were not"
    if own is None:
        return f"{fitted}; where the test rows were among its own, its figures flatter it"
    known = set(of_rows(_rows(own, model)))
    n_known = sum(row in known for row in of_rows(split.X_test))
    if not n_known:
        return fitted
    n_test = len(split.X_test)
    return f"{fitted}; {n_known:,} of the {n_test:,} test rows were among its own: its figures flatter it"
