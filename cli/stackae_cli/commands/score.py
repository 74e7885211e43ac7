"""``stackae score``: how well rows are reconstructed, and which are not."""

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
    help="Write each row's squared error, and whether it is an outlier, to .npy, .csv or .parquet.",
)
@click.option(
    "--explain",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write each row's squared error in every feature.",
)
@click.option(
    "--contamination",
    type=float,
    help="Call this share of DATA outliers, those with the largest errors [default: 0.1]. A detector keeps"
    " the threshold that it has.",
)
def score(
    run: str,
    data: str,
    out: Path | None,
    explain: Path | None,
    contamination: float | None,
    device: str,
    data_home: Path | None,
    drop: tuple[str, ...],
) -> None:
    """Print the mean squared error a row, R² and the outliers' threshold; write errors to files."""
    import numpy as np
    from sklearn.frozen import FrozenEstimator

    from stackae import StackedAutoencoderDetector
    from stackae.data.writers import check_destination, write_table
    from stackae.exceptions import ParameterError
    from stackae_cli.options import about, load_reconstructing, read_rows

    for path in (out, explain):
        if path is not None:
            check_destination(path)
    model = load_reconstructing(run, device)
    rows = read_rows(data, data_home, drop).named_samples
    if isinstance(model, StackedAutoencoderDetector):
        if contamination is not None:
            raise ParameterError(f"{run} is a detector and has its threshold; leave --contamination out")
        detector = model
    else:
        detector = StackedAutoencoderDetector(
            FrozenEstimator(model),
            contamination=0.1 if contamination is None else contamination,
            device=device,
        )
        with about(data):
            detector.fit(rows)
    with about(data):
        errors = -detector.score_samples(rows)
        outliers = errors > -detector.offset_
    if out is not None:
        write_table(out, np.column_stack([errors, outliers]), ["squared_error", "outlier"])
    if explain is not None:
        names = getattr(detector, "feature_names_in_", None)
        names = [f"x{k}" for k in range(detector.n_features_in_)] if names is None else list(names)
        write_table(explain, detector.explain(rows), names)
    click.echo(f"rows                {len(errors):,}")
    click.echo(f"squared error a row {errors.mean():.5g}")
    click.echo(f"R²                  {detector.score(rows):.5f}")
    click.echo(f"outliers            {outliers.sum():,} of an error over {-detector.offset_:.5g}")
