"""``stackae explain``: which columns make which code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.options import model_on_rows, note, say, say_written


@click.command()
@model_on_rows
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to write loadings to: .csv or .parquet. It must not exist. -: CSV to standard output.",
)
@click.option(
    "--rows",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write how much each column adds to the code of each row, compared with the mean row, to .npy,"
    " .csv or .parquet.",
)
@click.option(
    "--code",
    metavar="NAME",
    help="The code for --rows, by name or number [default: the only one].",
)
def explain(run: str, out: Path, rows: Path | None, code: str | None, device: str, **options: Any) -> None:
    """Write how much each code depends on each column of DATA.

    The file has a line for each code, with its loadings: how much it changes if a column rises by one
    standard deviation, averaged over the rows; for categories and dates, how much it changes with them,
    without a sign. If DATA is left out, it is what RUN was made from. To see in which columns a row is
    reconstructed badly, use "stackae score --explain".
    """
    from dataclasses import replace

    import numpy as np

    from stackae.data.writers import STANDARD_OUTPUT, check_destination, write_table
    from stackae.estimators.attributions import heading_beside, number_of
    from stackae.exceptions import ParameterError
    from stackae_cli.applying import Application
    from stackae_cli.options import load_run

    if out.suffix.lower() == ".npy":
        raise ParameterError(f"{out}: .npy has no place for the names of codes; give .csv or .parquet")
    if out == rows == STANDARD_OUTPUT:
        raise ParameterError("--out and --rows cannot both be standard output; give one of them a file")
    if code is not None and rows is None:
        raise ParameterError("--code says which code --rows tells of; give --rows FILE too")
    check_destination(out)
    application = Application(run, load_run, device, options, [] if rows is None else [rows])
    model, columns = application.model, application.feature_names
    names = [str(name) for name in model.get_feature_names_out()]
    if rows is not None and code is None and len(names) > 1:
        raise ParameterError(
            f"--rows tells of one code, and there are {len(names)}; give --code, {names[0]} to {names[-1]}"
        )
    number = number_of(int(code) if code and code.isdecimal() else code or 0, names)
    with application.about_data():
        loadings = replace(model.loadings(application.samples), column_names=tuple(columns))
        shares = None if rows is None else model.contributions(application.samples)[number]
    write_table(out, loadings.values, columns, (heading_beside(columns), np.array(names)))
    if rows is not None and shares is not None:
        application.write(rows, shares, columns)
    if STANDARD_OUTPUT in (out, rows):
        note(repr(loadings))
        return
    say(repr(loadings))
    if rows is not None and shares is not None:
        say_written(rows, f"{len(shares):,} rows × {len(columns):,} columns, {names[number]}")
    say_written(out, f"loadings, {len(names):,} codes × {len(columns):,} columns")
