"""``stackae transform``: rows to codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@out_option
def transform(run: str, out: Path, device: str, **options: Any) -> None:
    """Write the codes of the rows of DATA."""
    from stackae_cli.applying import Application
    from stackae_cli.options import load_run

    application = Application(run, load_run, device, options, [out])
    with application.about_data():
        codes = application.model.transform(application.samples)
    names = [str(name) for name in application.model.get_feature_names_out()]
    application.write(out, codes, names, f"{codes.shape[1]} codes")
