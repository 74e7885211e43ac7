"""``stackae transform``: rows to codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.engine import encoded_folder, engine_options
from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@engine_options
@out_option
def transform(run: str, out: Path, device: str, **options: Any) -> None:
    """Write the codes of the rows of DATA.

    If DATA is a folder of Parquet files, --out may be a folder, which gets one file for each. If DATA is left
    out, it is what RUN was made from.
    """
    from stackae_cli.applying import Application
    from stackae_cli.options import load_run

    if encoded_folder("transform", run, out, load_run, device, options):
        return
    application = Application(run, load_run, device, options, [out])
    with application.about_data():
        codes = application.model.transform(application.samples)
    names = [str(name) for name in application.model.get_feature_names_out()]
    application.write(out, codes, names, f"{codes.shape[1]} codes")
