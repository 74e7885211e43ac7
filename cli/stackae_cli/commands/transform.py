"""``stackae transform``: rows to codes."""

from __future__ import annotations

from pathlib import Path

import click

from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@out_option
def transform(
    run: str, data: str, out: Path, device: str, data_home: Path | None, drop: tuple[str, ...]
) -> None:
    """Write the codes of the rows of DATA."""
    from stackae.data.writers import check_destination, write_table
    from stackae_cli.options import about, load_run, read_rows

    check_destination(out)
    model = load_run(run, device)
    rows = read_rows(data, data_home, drop).named_samples
    with about(data):
        codes = model.transform(rows)
    write_table(out, codes, [str(name) for name in model.get_feature_names_out()])
    click.echo(f"{codes.shape[0]:,} rows × {codes.shape[1]} codes: {out}")
