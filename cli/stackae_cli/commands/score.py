"""``stackae score``: how well rows are reconstructed."""

from __future__ import annotations

from pathlib import Path

import click

from stackae_cli.options import model_on_rows


@click.command()
@model_on_rows
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write each row's squared error to .npy, .csv or .parquet. It must not exist.",
)
def score(
    run: str, data: str, out: Path | None, device: str, data_home: Path | None, drop: tuple[str, ...]
) -> None:
    """Print the mean squared error a row and R²; with --out, write every row's error."""
    from stackae.data.writers import check_destination, write_table
    from stackae_cli.options import about, load_run, read_rows

    if out is not None:
        check_destination(out)
    model = load_run(run, device)
    rows = read_rows(data, data_home, drop).rows
    with about(data):
        errors = -model.score_samples(rows)
    if out is not None:
        write_table(out, errors[:, None], ["squared_error"])
    click.echo(f"rows                {len(errors):,}")
    click.echo(f"squared error a row {errors.mean():.5g}")
    click.echo(f"R²                  {model.score(rows):.5f}")
