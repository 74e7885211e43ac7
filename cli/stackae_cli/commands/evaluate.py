"""``stackae evaluate``: features against PCA's and others'."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from stackae_cli.comparison_table import as_text
from stackae_cli.errors import saying
from stackae_cli.labelled_samples import one_split, read_training_samples, samples_of_run
from stackae_cli.layer_spec import LayerSpec, parse_layer
from stackae_cli.options import (
    about,
    columns_option,
    common_options,
    data_options,
    device_option,
    is_quiet,
    load_run,
)
from stackae_cli.run_folder import MODEL, seconds_of
from stackae_cli.source import (
    Source,
    config_of,
    missing_values_of,
    say_what_is_ignored,
    say_what_looks_like_a_key,
)
from stackae_cli.streams import result
from stackae_cli.task import UNLABELLED, settled_task, task_option, unlabelled_option

if TYPE_CHECKING:
    from stackae.evaluation import Comparison, Split

#: Options that mean nothing where a run is judged, which has its layers and its rows.
_WITHOUT_RUN = {
    "layers": "--layer",
    "widths": "--width",
    "ordered": "--ordered",
    "splits": "--splits",
    "jobs": "--jobs",
    "dask": "--dask",
    "columns": "--column",
}


@click.command(no_args_is_help=True)
@click.argument("where", nargs=-1, metavar="[RUN] [DATA]", type=click.Path())
@device_option
@data_options
@columns_option
@click.option(
    "--labels",
    metavar="COLUMN|FILE",
    help="A column of DATA, or a file of labels; data sets have their own [default: the --labels column of"
    " RUN].",
)
@task_option
@unlabelled_option
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="A method to compare with (repeatable), or all [default: those that are fast compared with a"
    " stack].",
)
@click.option(
    "--fast",
    is_flag=True,
    help="Compare only with PCA and raw rows (or --method), with three draws of few labels and no clusters.",
)
@click.option(
    "--few-labels",
    multiple=True,
    type=click.IntRange(2),
    metavar="N",
    help="Also probe with only N labels (repeatable) [default: 10, 100, 1000].",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=LayerSpec(),
    help="Without RUN: a layer below the code, from the bottom up (repeatable) [default: one of 4 units per"
    " column, from 32 to 256].",
)
@click.option(
    "--width",
    "widths",
    multiple=True,
    type=click.IntRange(1),
    help="Without RUN: a width of the code (repeatable) [default: 2, 8, 32].",
)
@click.option(
    "--ordered",
    is_flag=True,
    default=None,
    help="Without RUN: train the widest code alone, ordered, and cut it to the other widths; sooner done.",
)
@click.option(
    "--splits",
    type=click.IntRange(1),
    help="Without RUN: the number of random splits into training and test rows [default: 5].",
)
@click.option(
    "--jobs",
    type=int,
    help="Without RUN: the number of fits at the same time; -1: one per processor [default: 1].",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Without RUN: the address of a Dask scheduler, to run the splits on its workers.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write all figures as JSON. It must not exist.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Plot accuracy against width and number of labels: .png, .svg or .pdf. It must not exist.",
)
@common_options
def evaluate(where: tuple[str, ...], json_path: Path | None, picture: Path | None, **options: Any) -> None:
    """Compare codes with PCA's of the same width, on labelled rows, and say which are better.

    With RUN, its codes are compared, on the test rows of a data set or a quarter of the rows of a file; if
    DATA is left out, it is what RUN was made from. Without RUN, a stack of each width is fitted on several
    random splits of DATA (of a data set, only the training rows are used). Logistic regression, 5 nearest
    neighbours and k-means are trained on the features of the training rows and tested on the test rows. If
    labels are numbers to predict, the models are ridge and 5-nearest-neighbour regression, and the figures
    are R².
    """
    from stackae.plotting import ComparisonDisplay
    from stackae.plotting.display import check_picture
    from stackae.serialization.files import atomic_write_text, check_new_file
    from stackae.serialization.provenance import machine, versions

    for option, path in (("--json", json_path), ("--picture", picture)):
        if path is not None:
            check_new_file(path, option)
    if picture is not None:
        check_picture("--picture", picture)
    options["methods"], left_out = _known(options["methods"], fast=options["fast"])
    run, data = _run_and_data(where)
    source = Source.of({**options, "data": data})
    verbose = int(not is_quiet())
    with saying("the evaluation was stopped; nothing was written"):
        if run is not None:
            comparison, title, notes = _of_run(run, source, options, verbose=verbose)
        else:
            comparison, title, notes = _of_data(source, options, verbose=verbose)
    notes += left_out
    title += "; figures are R²" if comparison.task == "regress" else ""
    if json_path is not None:
        table = {"data": data, "notes": notes, **comparison.as_dict()}
        table = {**table, "versions": versions(), "machine": machine()}
        atomic_write_text(json_path, json.dumps(table, indent=2) + "\n")
    if picture is not None:
        with saying(f"stopped; {json_path or 'nothing'} was written"):
            ComparisonDisplay(comparison, title=data).plot().save(picture)
    result(as_text(comparison, title, notes))


def _known(methods: tuple[str, ...], *, fast: bool) -> tuple[tuple[str, ...], list[str]]:
    """The methods that are compared, the stack among them; and what "all" leaves out, and why."""
    from stackae.evaluation.experiment import FAST_METHODS, QUICK_METHODS
    from stackae.evaluation.methods import METHODS, OURS, refusal

    if unknown := [name for name in methods if name not in {"all", *METHODS}]:
        raise click.UsageError(f"unknown method {unknown[0]!r}; known are all, {', '.join(METHODS)}")
    for name in methods:
        if name != "all" and (why := refusal(name)):
            raise click.UsageError(why)
    if "all" not in methods:
        asked = methods or (FAST_METHODS if fast else QUICK_METHODS)
        return tuple(dict.fromkeys([OURS, *asked])), []
    refusals = {name: refusal(name) for name in METHODS}
    told = [f"{why}; it is left out" for why in refusals.values() if why]
    return tuple(name for name, why in refusals.items() if not why), told


def _how(options: dict[str, Any]) -> dict[str, Any]:
    """What features are judged by, as :func:`stackae.evaluation.compare` takes it."""
    from stackae.evaluation.experiment import FAST_DRAWS, FEW_LABELS, N_DRAWS

    return {
        "methods": options["methods"],
        "few_labels": options["few_labels"] or FEW_LABELS,
        "n_draws": FAST_DRAWS if options["fast"] else N_DRAWS,
        "clusters": not options["fast"],
    }


def _run_and_data(where: tuple[str, ...]) -> tuple[str | None, str]:
    """A run, if one is named, and the data: ``RUN DATA``, ``RUN`` (on its own data) or ``DATA``."""
    if len(where) > 2:
        raise click.UsageError(f"expected RUN and DATA, got {len(where)} arguments")
    if len(where) == 2:
        return where[0], where[1]
    if where and (where[0].endswith(".safetensors") or (Path(where[0]) / MODEL).is_file()):
        return where[0], str(config_of(where[0]).get("data", "digits"))
    return None, where[0] if where else "digits"


def _of_run(
    run: str, source: Source, options: dict[str, Any], *, verbose: int
) -> tuple[Comparison, str, list[str]]:
    """Judge a run's codes on test rows; what was found, the table's title, and notes on it."""
    import numpy as np
    from sklearn.base import is_classifier, is_regressor

    from stackae.evaluation import compare_fitted
    from stackae.evaluation.methods import PREDICTOR

    if given := [option for name, option in _WITHOUT_RUN.items() if options[name] not in (None, ())]:
        raise click.UsageError(
            f"{given[0]} is for DATA alone, got the run {run!r} too, which has its layers and rows"
        )
    model = load_run(run, options["device"]).set_params(verbose=0)
    source = source.with_labels_of(run).as_told(run)
    whole = read_training_samples(source, model)
    unlabelled = options["unlabelled"]
    if unlabelled == "auto":  # as the run was told
        unlabelled = config_of(run).get("unlabelled", unlabelled)
    unlabelled = unlabelled if unlabelled in UNLABELLED else "auto"
    task = settled_task(options["task"], source, whole.y, unlabelled)
    say_what_is_ignored(source, whole, run)
    with about(source.data):
        model.transform(whole.take(np.arange(1)).named_samples)  # refuses other columns before fitting
    split = one_split(source, whole, model, task, UNLABELLED[unlabelled])
    fitted_on, notes = samples_of_run(run, whole, split, model)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # from here on the rows are bare arrays
    is_predictor = is_classifier(model) or is_regressor(model)
    with about(source.data):
        comparison = compare_fitted(
            model,
            fitted_on,
            split,
            seconds=seconds_of(Path(run)),
            verbose=verbose,
            **_how(options),
        )
    if is_predictor and PREDICTOR not in comparison.methods:
        notes.append("its predictions are left out: it was fine-tuned on other labels than these")
    return comparison, _rows_of(split), notes


def _rows_of(split: Split) -> str:
    """How many rows a split has, of each kind."""
    n_unlabelled = 0 if split.unlabelled is None else len(split.unlabelled)
    without = f" and {n_unlabelled:,} without a label" if n_unlabelled else ""
    return f"{len(split.X):,} training rows{without}, {len(split.X_test):,} test rows"


def _of_data(source: Source, options: dict[str, Any], *, verbose: int) -> tuple[Comparison, str, list[str]]:
    """Train stacks of several widths on splits of the rows, and judge them; the same three."""
    from stackae import StackedAutoencoder
    from stackae.evaluation import compare, resplit
    from stackae.evaluation.experiment import N_SPLITS, WIDTHS

    whole = read_training_samples(source)
    below: list[Any] = [parse_layer(spec) for spec in options["layers"]]
    n_splits = options["splits"] or N_SPLITS
    task = settled_task(options["task"], source, whole.y, options["unlabelled"])
    say_what_looks_like_a_key(source, whole)
    missing = missing_values_of(source, whole)
    with _workers(options["dask"]), about(source.data):
        unlabelled = UNLABELLED[options["unlabelled"]]
        split = resplit(whole.X, cast(Any, whole.y), task=task, unlabelled=unlabelled)
        rows = _rows_of(split(0))
        comparison = compare(
            StackedAutoencoder(
                [*below, 1] if below else 1,
                missing_values=missing,
                columns=source.kinds,
                ordered=bool(options["ordered"]),
                device=options["device"],
            ),
            split,
            options["widths"] or WIDTHS,
            n_splits=n_splits,
            n_jobs=options["jobs"],
            verbose=verbose,
            **_how(options),
        )
    title = f"{rows}, {n_splits} split{'s' if n_splits > 1 else ''}"
    spread = (
        "a-b is the range over the 2 splits"
        if n_splits == 2
        else "± is half a 95 % interval over splits; that of gains allows for the rows that splits share"
    )
    return comparison, title, [spread] if n_splits > 1 else []


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
