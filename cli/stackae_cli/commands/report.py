"""``stackae report``: what a run has learned, on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from stackae_cli.options import load_run, model_on_rows, say_written


@click.command()
@model_on_rows
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The page to write, such as report.html. It must not exist.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write a model card, such as README.md. It must not exist.",
)
@click.option(
    "--labels",
    metavar="COLUMN|FILE",
    help="A column of DATA, or a file of labels, to colour the map and to compare with PCA; data sets have"
    " their own [default: the --labels column of RUN's pretraining].",
)
@click.option(
    "--no-labels",
    is_flag=True,
    help="Use no labels, even if there are some: errors colour the map, and there is no comparison with PCA.",
)
def report(run: str, out: Path, card: Path | None, device: str, *, no_labels: bool, **options: Any) -> None:
    """Write a self-contained HTML page on what RUN has learned.

    The page describes the data, layers, training and health, with advice if something is wrong. It shows the
    best and the worst reconstructions, a map of the codes, and how much each code depends on each column.
    With labels it says whether the codes are better than PCA's. At most 2,000 rows of DATA are used. If DATA
    is left out, it is what RUN was made from.
    """
    from stackae.report.rendering import check_report
    from stackae.serialization.files import check_new_file
    from stackae_cli.options import about
    from stackae_cli.reporting import report_of
    from stackae_cli.source import Source, data_of, say_what_is_ignored

    if no_labels and options["labels"] is not None:
        raise click.UsageError("--no-labels and --labels contradict each other; give one of them")
    for option, path in (("--out", out), ("--card", card)):
        if path is not None:
            check_new_file(path, option)
    check_report()
    source = Source.of({**options, "data": data_of(run, options["data"])})
    if not no_labels:
        source = source.with_labels_of(run, "--no-labels makes the report without")
    source = source.as_told(run)
    model = load_run(run, device)
    data = source.read(model, labels=not no_labels)
    say_what_is_ignored(source, data, run)
    with about(source.data):
        made = report_of(run, model, replace(data, y=None) if no_labels else data, source.labels)
    made.save(out, card)
    if card is not None:
        say_written(card, "model card")
    say_written(out, f"report on {len(data.X):,} rows, {len(made.html) / 1e6:.1f} MB")
