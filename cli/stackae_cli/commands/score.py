"""``stackae score``: how well rows are reconstructed or predicted, and which are not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackae_cli.engine import encoded_folder, engine_options
from stackae_cli.options import Destination, is_quiet, model_on_rows
from stackae_cli.streams import result, tell

if TYPE_CHECKING:
    from stackae_cli.applying import Application, Judgement

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
    "--labels",
    metavar="COLUMN|FILE",
    help="For classifiers and regressors: what should be predicted, a column of DATA or a file; data sets"
    " have their own [default: the --labels column that RUN learned from].",
)
@click.option(
    "--out",
    type=Destination(),
    metavar="FILE",
    help="Write to .npy, .csv or .parquet, for each row, its squared error and, with a detector, whether it"
    " is an outlier (1); of a classifier whether it is right (1), and the probability of the label; of a"
    " regressor the prediction minus the label. -: CSV to standard output.",
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
    help="Print the N rows that are reconstructed worst, and in which columns, or that are predicted worst."
    " Rows are counted from 0.",
)
def score(
    run: str, out: Path | None, explain: Path | None, top: int | None, device: str, **options: Any
) -> None:
    """Print how well rows are reconstructed or predicted, and with a detector, which are outliers.

    Of a classifier: the accuracy and, for each class, recall (the share of its rows that are found) and
    precision (the share of rows predicted as it that are). Of a regressor: R² and errors. Rows without a
    label do not count. Of other models: the squared error of the reconstruction.

    Look at the columns with the largest errors first. A single wrong cell also spoils the reconstruction of
    other cells in its row, so it may have only the second or third largest error. To call rows outliers, a
    threshold is needed: "stackae detect" sets one on other rows. If DATA is left out, it is what RUN was made
    from.
    """
    import numpy as np

    from stackae.data.writers import STANDARD_OUTPUT
    from stackae.exceptions import ParameterError
    from stackae_cli.applying import Application
    from stackae_cli.options import learns_labels, load_reconstructing, load_run
    from stackae_cli.predicted import judge

    if out == explain == STANDARD_OUTPUT:
        raise ParameterError("--out and --explain cannot both be standard output; give one of them a file")
    if encoded_folder(
        "score",
        run,
        out,
        load_reconstructing,
        device,
        options,
        explain=explain,
        top=top,
        labels=options["labels"],
    ):
        return

    def load(run: str, device: str) -> Any:
        model = load_run(run, device)
        if learns_labels(model):
            if explain is not None:
                raise ParameterError(f"--explain is about reconstructions, and {run} predicts; leave it out")
        elif options["labels"] is not None:
            raise ParameterError(
                f"--labels is for classifiers and regressors, and {run} is none; leave it out, or"
                " fine-tune the run"
            )
        return model

    files = [path for path in (out, explain) if path is not None]
    application = Application(run, load, device, options, files)
    if application.predicts_labels:
        judgement, explained = judge(application, run), None
    else:
        with application.about_data():
            wanted = explain is not None or top is not None
            explained = application.model.explain(application.samples) if wanted else None
            judgement = _reconstructed(application, explained)
    summary = "\n".join([*judgement.lines, *(_worst(application, judgement, top) if top else [])])
    if out is not None:
        columns = judgement.columns
        application.write(out, np.column_stack(list(columns.values())), list(columns))
    if explain is not None:
        application.write(explain, explained, application.feature_names)
    if STANDARD_OUTPUT not in (out, explain):
        result(summary)
    elif not is_quiet():
        tell(summary)


def _reconstructed(application: Application, explained: Any) -> Judgement:
    """The squared errors and R², a line each, with their units."""
    import numpy as np

    from stackae import StackedAutoencoderDetector
    from stackae_cli.applying import Judgement

    model, names = application.model, application.feature_names
    errors, r2 = -model.score_samples(application.samples), model.score(application.samples)
    columns = {"squared_error": errors}
    of_what = (
        "in the columns' own units" if not hasattr(model, "table_encoder_") else "on the average of columns"
    )
    lines = [
        f"rows                {len(errors):,}",
        f"squared error       {errors.mean():.5g} a row on the average, {unit_of(model)}",
        f"median, greatest    {np.median(errors):.5g}, {errors.max():.5g}",
        f"R²                  {r2:.5f} {of_what} (1: exact; 0: no better than the columns' means)",
    ]
    if isinstance(model, StackedAutoencoderDetector):
        columns["outlier"] = outliers = errors > -model.offset_
        lines.append(
            f"outliers            {outliers.sum():,} rows, {100 * outliers.mean():.1f} %: a squared error"
            f" over {-model.offset_:.5g}"
        )

    def tell_row(row: int) -> str:
        own = np.nan_to_num(explained[row])  # a missing cell has no error
        shares = own / (own.sum() or 1)
        most = [f"{names[k]} {shares[k]:.0%}" for k in np.argsort(-shares, kind="stable")[:3]]
        return f"{errors[row]:.5g}: {', '.join(most)}"

    return Judgement(lines, columns, errors, "squared error, and the share of columns", tell_row)


def _worst(application: Application, judgement: Judgement, top: int) -> list[str]:
    """The rows that the model is worst on, a line each."""
    import numpy as np

    ids, badness = application.data.ids, judgement.badness
    lines = ["", f"{'row' if ids is None else application.source.id:<20}{judgement.heading}"]
    for row in np.argsort(-badness, kind="stable")[: min(top, (~np.isnan(badness)).sum())]:
        lines.append(f"{row if ids is None else ids[row]!s:<20}{judgement.tell(row)}")
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
