"""``stackae impute``: missing cells filled."""

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
def impute(run: str, out: Path, device: str, **options: Any) -> None:
    """Write DATA with its missing values filled, as RUN predicts them from the other cells.

    All other cells, and columns that RUN does not know, are written unchanged. If DATA is left out, it is
    what RUN was made from.
    """
    from stackae.data.filling import with_gaps_filled
    from stackae.data.matrix import is_encoded
    from stackae.data.writers import write_table
    from stackae_cli.applying import Application
    from stackae_cli.options import load_reconstructing, say_written

    if encoded_folder("impute", run, out, load_reconstructing, device, options):
        return
    application = Application(run, load_reconstructing, device, options, [out])
    filled = application.as_given(application.model.impute)
    names, data, source = application.feature_names, application.data, application.source
    found = None
    if Path(source.data).is_file() and not is_encoded(data.X):
        found = with_gaps_filled(source.data, filled, names, known=tuple(names), **source.dialect)
    n_filled = f"{data.gaps.sum():,} cells filled"
    if found is None:
        application.write(out, filled, names, n_filled)
        return
    kept = [name for name in found.column_names if name not in source.drop]
    write_table(out, found.select(kept), kept)
    say_written(out, f"{len(found):,} rows × {len(kept):,} columns, {n_filled}")
