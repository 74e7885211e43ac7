"""``stackae impute``: missing cells filled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@out_option
def impute(run: str, out: Path, device: str, **options: Any) -> None:
    """Write the rows of DATA, their missing cells filled with their reconstruction.

    RUN was pretrained on rows with gaps. All other cells stay as they are.
    """
    from stackae_cli.applying import Application
    from stackae_cli.options import load_reconstructing

    application = Application(run, load_reconstructing, device, options, [out])
    rows = application.as_given(application.model.impute)
    application.write(out, rows, application.feature_names, f"{rows.shape[1]} columns")
