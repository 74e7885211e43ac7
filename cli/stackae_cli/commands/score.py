"""``stackae score``: how well rows are reconstructed, and which are not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackae_cli.engine import encoded_folder, engine_options
from stackae_cli.options import Destination, is_quiet, model_on_rows
from stackae_cli.streams import result, tell

if TYPE_CHECKING:
    from stackae import StackedAutoencoder, StackedAutoencoderDetector
    from stackae_cli.applying import Application

#: What the squared error of a cell is counted in, by how the columns are scaled.
_UNITS = {
    None: "of the columns' own",
    "minmax": "with each column's range as 1",
    "pareto": "as columns are scaled (pareto)",
}
_STANDARD = "in squared standard deviations"


@click.command()
@model_on_rows
@engine_options
@click.option(
    "--out",
    type=Destination(),
    metavar="FILE",
    help="Write the squared error of each row and, with a detector, whether it is an outlier (1), to .npy,"
    " .csv or .parquet. -: CSV to standard output.",
)
@click.option(
    "--explain",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the squared error of each row in every column, to .npy, .csv or .parquet.",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="N",
    help="Print the N rows that are reconstructed worst, and in which columns. Rows are counted from 0.",
)
def score(
    run: str, out: Path | None, explain: Path | None, top: int | None, device: str, **options: Any
) -> None:
    """Print how well rows are reconstructed and, with a detector, which are outliers.

    Look at the columns with the largest errors first. A single wrong cell also spoils the reconstruction of
    other cells in its row, so it may have only the second or third largest error. To call rows outliers, a
    threshold is needed: "stackae detect" sets one on other rows. If DATA is left out, it is what RUN was made
    from.
    """
    import numpy as np

    from stackae import StackedAutoencoderDetector
    from stackae.data.writers import STANDARD_OUTPUT
    from stackae.exceptions import ParameterError
    from stackae_cli.applying import Application
    from stackae_cli.options import load_reconstructing

    if out == explain == STANDARD_OUTPUT:
        raise ParameterError("--out and --explain cannot both be standard output; give one of them a file")
    if encoded_folder("score", run, out, load_reconstructing, device, options, explain=explain, top=top):
        return
    files = [path for path in (out, explain) if path is not None]
    application = Application(run, load_reconstructing, device, options, files)
    model, X = application.model, application.samples
    with application.about_data():
        errors = -model.score_samples(X)
        r2 = model.score(X)
        explained = model.explain(X) if explain is not None or top is not None else None
    columns = {"squared_error": errors}
    if isinstance(model, StackedAutoencoderDetector):
        columns["outlier"] = errors > -model.offset_
    lines = _summary(model, errors, r2, columns.get("outlier"))
    if top is not None:
        lines += _worst(application, errors, explained, top)
    summary = "\n".join(lines)
    if out is not None:
        application.write(out, np.column_stack(list(columns.values())), list(columns))
    if explain is not None:
        application.write(explain, explained, application.feature_names)
    if STANDARD_OUTPUT not in (out, explain):
        result(summary)
    elif not is_quiet():
        tell(summary)


def _summary(
    model: StackedAutoencoder | StackedAutoencoderDetector, errors: Any, r2: float, outliers: Any
) -> list[str]:
    """What was found, a line each, with its unit."""
    import numpy as np

    lines = [
        f"rows                {len(errors):,}",
        f"squared error       {errors.mean():.5g} a row on the average, {unit_of(model)}",
        f"median, greatest    {np.median(errors):.5g}, {errors.max():.5g}",
        f"R²                  {r2:.5f} (1: exact; 0: no better than the columns' means)",
    ]
    if outliers is not None:
        share = 100 * outliers.mean()
        lines.append(
            f"outliers            {outliers.sum():,} rows, {share:.1f} %: a squared error over"
            f" {-model.offset_:.5g}"
        )
    return lines


def _worst(application: Application, errors: Any, explained: Any, top: int) -> list[str]:
    """The rows with the largest errors, and the three columns of each that have most of it."""
    import numpy as np

    ids, names = application.data.ids, application.feature_names
    lines = [f"{'row' if ids is None else application.source.id:<20}squared error, and the share of columns"]
    for row in np.argsort(-errors, kind="stable")[:top]:
        own = np.nan_to_num(explained[row])  # a missing cell has no error
        shares = own / (own.sum() or 1)
        most = [f"{names[k]} {shares[k]:.0%}" for k in np.argsort(-shares, kind="stable")[:3]]
        lines.append(f"{row if ids is None else ids[row]!s:<20}{errors[row]:.5g}: {', '.join(most)}")
    return lines


def unit_of(model: Any) -> str:
    """What the squared errors of a model are counted in, and over what they are summed."""
    encoder = getattr(model, "table_encoder_", None)
    if encoder is not None:
        n_columns = len(set(encoder.column_of_.tolist()))
        return f"each column's as a share of its variance, summed over {n_columns:,} columns"
    parts = model.module_[0].parts
    kept = ", those of 0/1 columns as they are" if parts.kept else ""
    unit = _UNITS.get(parts.scale, _STANDARD)
    return f"{unit}{kept}, summed over {model.n_features_in_:,} columns"
