"""``stackae evaluate``: features against PCA's and others'."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from stackae_cli.layer_spec import LayerSpec, parse_layer
from stackae_cli.options import common_options, data_options, device_option

if TYPE_CHECKING:
    from stackae.data import DataSet
    from stackae.evaluation import Comparison

#: What is written to no terminal has lines as long as the table.
_TABLE_WIDTH = 140
#: What is below the code where nothing is said, as in StackedAutoencoder's own default.
_LAYERS_BELOW = [256]
#: Options that mean nothing where a run is judged, which has its layers and its rows.
_WITHOUT_RUN = {
    "layers": "--layer",
    "widths": "--width",
    "splits": "--splits",
    "jobs": "--jobs",
    "dask": "--dask",
}


@click.command()
@click.argument("where", nargs=-1, metavar="[RUN] [DATA]")
@device_option
@data_options
@click.option(
    "--labels",
    metavar="COLUMN|FILE",
    help="The labels: a column of DATA, or a file; data sets have their own.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="What to compare with (repeatable), or all [default: what takes no time beside a stack].",
)
@click.option(
    "--few-labels",
    multiple=True,
    type=click.IntRange(2),
    metavar="N",
    help="Probe with so many labels too (repeatable) [default: 10, 100, 1000].",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=LayerSpec(),
    help="Without RUN: a layer below the code, bottom first (repeatable) [default: 256].",
)
@click.option(
    "--width",
    "widths",
    multiple=True,
    type=click.IntRange(1),
    help="Without RUN: a width of the code (repeatable) [default: 2, 8, 32].",
)
@click.option(
    "--splits",
    type=click.IntRange(1),
    help="Without RUN: how often DATA is split into training and test rows [default: 5].",
)
@click.option(
    "--jobs", type=int, help="Without RUN: trainings at the same time, -1: one a processor [default: 1]."
)
@click.option(
    "--dask", metavar="ADDRESS", help="Without RUN: the Dask scheduler whose workers take the splits."
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write every figure as JSON too. It must not exist.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw accuracy against width and labels: .png, .svg, .pdf. It must not exist.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
@common_options
@click.pass_context
def evaluate(
    context: click.Context,
    where: tuple[str, ...],
    device: str,
    data_home: Path | None,
    drop: tuple[str, ...],
    labels: str | None,
    methods: tuple[str, ...],
    few_labels: tuple[int, ...],
    layers: tuple[str, ...],
    widths: tuple[int, ...],
    splits: int | None,
    jobs: int | None,
    dask: str | None,
    json_path: Path | None,
    picture: Path | None,
    quiet: bool,
) -> None:
    """Compare features with PCA's of the same width, on labelled rows, and say who wins.

    With RUN its codes are judged, on the test rows of a data set or a quarter of a file's rows. Without it a
    stack is trained at each width, on several random splits of DATA (of a data set's training rows: its test
    rows are not touched). Simple models, logistic regression, 5 nearest neighbours and k-means, learn from
    the features of training rows and are asked about test rows.
    """
    from stackae.evaluation import METHODS, draw
    from stackae.evaluation.experiment import FEW_LABELS, QUICK_METHODS
    from stackae.evaluation.methods import OURS
    from stackae.evaluation.picture import check_picture
    from stackae.serialization.files import atomic_write_text, check_new_file
    from stackae.serialization.provenance import machine, versions

    for option, path in (("--json", json_path), ("--picture", picture)):
        if path is not None:
            check_new_file(path, option)
    if picture is not None:
        check_picture(picture)
    if unknown := [name for name in methods if name not in {"all", *METHODS}]:
        raise click.UsageError(f"unknown method {unknown[0]!r}; known are all, {', '.join(METHODS)}")
    asked = METHODS if "all" in methods else methods or QUICK_METHODS
    wanted = tuple(dict.fromkeys([OURS, *asked]))
    run, data = _run_and_data(where)
    few = few_labels or FEW_LABELS
    if run is not None:
        given = [option for name, option in _WITHOUT_RUN.items() if context.params[name] not in (None, ())]
        if given:
            raise click.UsageError(
                f"{given[0]} is for DATA alone, got the run {run!r} too, which has its layers and rows"
            )
        comparison, title, notes = _of_run(run, data, data_home, drop, labels, device, wanted, few)
    else:
        whole = _training_rows(data, data_home, drop, labels)
        with _workers(dask):
            comparison = _of_data(
                data, whole, layers, widths, splits, jobs, device, wanted, few, verbose=int(not quiet)
            )
        n_test = round(len(whole.X) * comparison.test_share / (1 + comparison.test_share))
        n_splits = len({record.split for record in comparison.records})
        title = f"{len(whole.X) - n_test:,} training rows, {n_test:,} test rows, {n_splits} splits"
        notes = ["± is half a 95 % interval over splits"] if n_splits > 1 else []
    _print(comparison, title, notes)
    if json_path is not None:
        table = {"data": data, "notes": notes, **comparison.as_dict()}
        table = {**table, "versions": versions(), "machine": machine()}
        atomic_write_text(json_path, json.dumps(table, indent=2) + "\n")
    if picture is not None:
        draw(comparison, picture, title=data)


def _run_and_data(where: tuple[str, ...]) -> tuple[str | None, str]:
    """A run, if one is named, and the data: ``RUN DATA``, ``RUN`` or ``DATA``."""
    from stackae_cli.run_folder import MODEL

    if len(where) > 2:
        raise click.UsageError(f"expected RUN and DATA, got {len(where)} arguments")
    if len(where) == 2:
        return where[0], where[1]
    if where and (where[0].endswith(".safetensors") or (Path(where[0]) / MODEL).is_file()):
        return where[0], "digits"
    return None, where[0] if where else "digits"


def _of_run(
    run: str,
    data: str,
    data_home: Path | None,
    drop: tuple[str, ...],
    labels: str | None,
    device: str,
    methods: tuple[str, ...],
    few_labels: tuple[int, ...],
) -> tuple[Comparison, str, list[str]]:
    """Judge a run's codes on test rows."""
    import numpy as np

    from stackae.data import DATA_SETS
    from stackae.evaluation import Split, compare_fitted, resplit
    from stackae_cli.options import about, load_reconstructing

    model = load_reconstructing(run, device)
    whole = _training_rows(data, data_home, drop, labels)
    with about(data):
        model.transform(whole.rows[:1])  # other columns are refused before anything is fitted
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # from here on the rows are bare arrays
    X, y = np.asarray(whole.X), cast(Any, whole.y)
    name = data.partition(":")[0]
    if name in DATA_SETS and data in _names_of(name):
        test = _read(f"{name}:test", data_home, drop, None)
        split = Split(X, y, np.asarray(test.X), cast(Any, test.y))
    else:
        with about(data):
            split = resplit(X, y)(0)
    fitted_on, note = _rows_of_run(run, whole, split.X)
    seconds = sum(record["seconds"] for record in model.history_) or None
    comparison = compare_fitted(
        model, fitted_on, split, seconds=seconds, methods=methods, few_labels=few_labels
    )
    title = f"{len(split.X):,} training rows, {len(split.X_test):,} test rows"
    return comparison, title, [note] if note else []


def _of_data(
    data: str,
    whole: DataSet,
    layers: tuple[str, ...],
    widths: tuple[int, ...],
    splits: int | None,
    jobs: int | None,
    device: str,
    methods: tuple[str, ...],
    few_labels: tuple[int, ...],
    *,
    verbose: int,
) -> Comparison:
    """Train stacks of several widths on splits of the rows, and judge them."""
    import numpy as np

    from stackae import StackedAutoencoder
    from stackae.evaluation import compare, resplit
    from stackae.evaluation.experiment import N_SPLITS, WIDTHS
    from stackae_cli.options import about

    below = [parse_layer(spec) for spec in layers] or _LAYERS_BELOW
    stack = StackedAutoencoder([*below, 1], device=device)
    with about(data):
        split = resplit(np.asarray(whole.X), cast(Any, whole.y))
        return compare(
            stack,
            split,
            widths or WIDTHS,
            methods=methods,
            n_splits=splits or N_SPLITS,
            few_labels=few_labels,
            n_jobs=jobs,
            verbose=verbose,
        )


@contextmanager
def _workers(address: str | None) -> Iterator[None]:
    """Let joblib hand its work to the workers of a Dask scheduler, where one is named."""
    if address is None:
        yield
        return
    import joblib

    try:
        from distributed import Client
    except ImportError:
        raise click.UsageError("--dask needs distributed; pip install 'stackae[dask]'") from None
    client = Client(address, timeout="10s")  # type: ignore[no-untyped-call]
    with client, joblib.parallel_config(backend="dask"):
        yield


def _names_of(name: str) -> set[str]:
    return {name, f"{name}:train", f"{name}:test"}


def _training_rows(data: str, data_home: Path | None, drop: tuple[str, ...], labels: str | None) -> DataSet:
    """The labelled rows of DATA; of a data set always the training rows, whichever half was named.

    To learn from the rows that are asked would flatter everybody.
    """
    from stackae.data import DATA_SETS
    from stackae.exceptions import DataError

    name = data.partition(":")[0]
    named = name in DATA_SETS and data in _names_of(name)
    whole = _read(name if named else data, data_home, drop, labels)
    if whole.y is None:
        raise DataError(f"{data}: has no labels to judge features by; give --labels COLUMN or FILE")
    return whole


def _read(data: str, data_home: Path | None, drop: tuple[str, ...], labels: str | None) -> DataSet:
    from stackae.data import load_data

    return load_data(data, data_home=data_home, drop=drop, labels=labels)


def _rows_of_run(run: str, whole: DataSet, train: Any) -> tuple[Any, str | None]:
    """The rows on which the others are fitted (the run's, where they can be had again), and what to say."""
    import tomllib

    from stackae.data import fingerprint
    from stackae_cli.run_folder import CONFIG

    path = Path(run) / CONFIG
    instead = "PCA was fitted on the training rows here"
    if not path.is_file():
        return train, f"no configuration of the run is known: {instead}"
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
        wanted = dict(config["ran"])["fingerprint"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, LookupError, TypeError):
        return train, f"the configuration of the run is damaged: {instead}"
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
    from rich.table import Column, Table

    from stackae.evaluation import summary
    from stackae.evaluation.comparison import CLUSTERS, LINEAR, NEIGHBOURS, R2

    few = [
        name
        for name in dict.fromkeys(name for r in comparison.records for name in r.measures)
        if name.endswith(" labels")
    ]
    measures = (LINEAR, NEIGHBOURS, *few, CLUSTERS, R2)
    headings = ("features", "width", *measures, "seconds")
    table = Table(*(Column(heading, no_wrap=True) for heading in headings), title=title)
    width = 0
    for line in summary(comparison, measures):
        if line["width"] < width or (len(comparison.widths) > 1 and line["method"] == "stackae"):
            table.add_section()
        width = line["width"]
        table.add_row(
            line["method"],
            str(width),
            *(_figure(line.get(measure), percent=measure != R2) for measure in measures),
            "" if line["seconds"] is None else f"{line['seconds']:.2f}",
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(_TABLE_WIDTH, console.width))
    console.print(table)
    for text in [*comparison.verdicts(), *(f"note: {note}" for note in notes)]:
        console.print(text, highlight=False)


def _figure(found: tuple[float, float] | None, *, percent: bool) -> str:
    """A mean, and half its interval where there is one."""
    if found is None:
        return ""
    mean, half = found
    if percent:
        return f"{100 * mean:.1f} %" if isnan(half) else f"{100 * mean:.1f} ± {100 * half:.1f}"
    return f"{mean:.3f}"
