"""``stackae export``: a model to a file that other programs run."""

from __future__ import annotations

from pathlib import Path

import click

from stackae_cli.options import common_options, run_argument


@click.command()
@run_argument
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The ONNX file to write. It must not exist.",
)
@common_options
def export(run: str, out: Path) -> None:
    """Write the encoder as ONNX: rows in their own units in, codes out."""
    from stackae.serialization.files import check_new_file
    from stackae_cli.options import load_run

    check_new_file(out)
    model = load_run(run, "cpu")
    model.export_onnx(out)
    click.echo(f"{model.n_features_in_} features to {len(model.get_feature_names_out())} codes: {out}")
