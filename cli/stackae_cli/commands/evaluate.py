"""``stackae evaluate``: a model's features against PCA's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from stackae_cli.options import model_on_rows

if TYPE_CHECKING:
    from stackae.data import DataSet
    from stackae.evaluation import Comparison

#: Share of a file's rows on which the probes are asked; data sets have test rows of their own.
_TEST_SHARE = 0.25


@click.command()
@model_on_rows
@click.option(
    "--labels",
    metavar="COLUMN|FILE",
    help="The labels: a column of DATA, or a file; data sets have their own.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the table as JSON too. It must not exist.",
)
def evaluate(
    run: str,
    data: str,
    labels: str | None,
    json_path: Path | None,
    device: str,
    data_home: Path | None,
    drop: tuple[str, ...],
) -> None:
    """Compare a model's features with PCA's of the same width, on labelled rows.

    Two simple models, logistic regression and 5 nearest neighbours, learn from the features of training rows
    and are asked about test rows. PCA is fitted on the rows on which the run was.
    """
    import numpy as np

    from stackae.data import DATA_SETS
    from stackae.environment import machine, versions
    from stackae.evaluation import compare_with_pca
    from stackae.exceptions import DataError
    from stackae.files import atomic_write_text
    from stackae_cli.options import about, load_reconstructing

    if json_path is not None and json_path.exists():
        raise FileExistsError(f"{json_path} exists; choose another --json, or remove it")
    model = load_reconstructing(run, device)
    name = data.partition(":")[0]
    named = data in {name, f"{name}:train", f"{name}:test"} and name in DATA_SETS
    # Of a data set always the training rows: to learn from the rows that are asked would flatter everybody.
    whole = _read(name if named else data, data_home, drop, labels)
    X = np.asarray(whole.X)
    if whole.y is None:
        raise DataError(f"{data}: has no labels to judge features by; give --labels COLUMN or FILE")
    with about(data):
        model.transform(whole.rows[:1])  # other columns are refused before anything is fitted
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # from here on the rows are bare arrays
    notes: list[str] = []
    if named:
        test = _read(f"{name}:test", data_home, drop, None)
        train, asked = (X, whole.y), (np.asarray(test.X), cast(Any, test.y))
    else:
        train, asked = _split(X, whole.y, data)
    fitted_on, note = _rows_of_run(run, whole, train[0])
    if note:
        notes.append(note)
    seconds = sum(record["seconds"] for record in model.history_) or None
    comparison = compare_with_pca(
        model, seconds, fitted_on, train, asked, standardise=model._shallow[0].parts.scale == "standard"
    )
    _print(comparison, f"{len(train[0]):,} training rows, {len(asked[0]):,} test rows", notes)
    if json_path is not None:
        table = {"data": data, "notes": notes, **comparison.as_dict()}
        table = {**table, "versions": versions(), "machine": machine()}
        atomic_write_text(json_path, json.dumps(table, indent=2) + "\n")


def _read(data: str, data_home: Path | None, drop: tuple[str, ...], labels: str | None) -> DataSet:
    from stackae.data import load_data

    return load_data(data, data_home=data_home, drop=drop, labels=labels)


def _split(X: Any, y: Any, data: str) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """A quarter of the rows for the test, of each class its share where it has two rows or more."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    from stackae.exceptions import DataError

    _, counts = np.unique(y, return_counts=True)
    if len(counts) < 2 or len(counts) > len(X) // 2:
        raise DataError(
            f"{data}: the labels must be classes of two rows or more on the average, got {len(counts)} for"
            f" {len(X)} rows; name another column"
        )
    enough = counts.min() >= 2 and round(len(X) * _TEST_SHARE) >= len(counts)
    train, test, y_train, y_test = train_test_split(
        X, y, test_size=_TEST_SHARE, random_state=0, stratify=y if enough else None
    )
    return (train, y_train), (test, y_test)


def _rows_of_run(run: str, whole: DataSet, train: Any) -> tuple[Any, str | None]:
    """The rows on which PCA is fitted (the run's, where they can be had again), and what to say of them."""
    import tomllib

    from stackae.data import fingerprint
    from stackae_cli.run_folder import CONFIG

    path = Path(run) / CONFIG
    instead = "PCA was fitted on the training rows here"
    if not path.is_file():
        return train, f"no configuration of the run is known: {instead}"
    config = tomllib.loads(path.read_text(encoding="utf-8"))
    wanted = config.get("ran", {}).get("fingerprint")
    if wanted == fingerprint(whole.X):
        same = len(train) < len(whole.X)
        note = (
            "both were fitted on all rows, the test rows among them, without their labels" if same else None
        )
        return whole.X, note
    home = config.get("data_home")
    try:
        rows = _read(config["data"], None if home is None else Path(home), tuple(config["drop"]), None)
    except (OSError, ValueError):
        return train, f"the run's own rows are not to be had any more: {instead}"
    if fingerprint(rows.X) != wanted or rows.X.shape[1] != train.shape[1]:
        return train, f"the run's own rows have changed: {instead}"
    return rows.X, None


def _print(comparison: Comparison, title: str, notes: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("features", "width", "linear probe", "k-NN probe", "R²", "seconds", title=title)
    for result in comparison.results:
        table.add_row(
            result.method,
            str(result.width),
            f"{100 * result.linear_probe:.1f} %",
            f"{100 * result.neighbour_probe:.1f} %",
            f"{result.r2:.3f}",
            "" if result.seconds is None else f"{result.seconds:.2f}",
        )
    console = Console()
    console.print(table)
    for line in [*comparison.verdicts, *(f"note: {note}" for note in notes)]:
        console.print(line, highlight=False)
