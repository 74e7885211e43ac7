"""``stackae reconstruct``: what a model makes of rows."""

from __future__ import annotations

from pathlib import Path

import click

from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@out_option
def reconstruct(
    run: str, data: str, out: Path, device: str, data_home: Path | None, drop: tuple[str, ...]
) -> None:
    """Write the reconstructions of the rows of DATA, in their own units."""
    from stackae.data.writers import check_destination, write_table
    from stackae_cli.options import about, load_reconstructing, read_rows

    check_destination(out)
    model = load_reconstructing(run, device)
    dataset = read_rows(data, data_home, drop)
    with about(data):
        rows = model.reconstruct(dataset.named_samples)
    write_table(out, rows, dataset.feature_names or [f"x{i}" for i in range(rows.shape[1])])
    click.echo(f"{rows.shape[0]:,} rows × {rows.shape[1]} features: {out}")
