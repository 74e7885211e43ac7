"""``stackae reconstruct``: what a model makes of rows."""

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
def reconstruct(run: str, out: Path, device: str, **options: Any) -> None:
    """Write the reconstructions of the rows of DATA, in the units of DATA.

    If DATA is left out, it is what RUN was made from.
    """
    from stackae_cli.applying import Application
    from stackae_cli.options import load_reconstructing

    if encoded_folder("reconstruct", run, out, load_reconstructing, device, options):
        return
    application = Application(run, load_reconstructing, device, options, [out])
    rows = application.as_given(application.model.reconstruct)
    application.write(out, rows, application.feature_names, f"{rows.shape[1]} columns")
