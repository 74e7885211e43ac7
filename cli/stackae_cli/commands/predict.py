"""``stackae predict``: rows to labels."""

from __future__ import annotations

from pathlib import Path

import click

from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@click.option("--proba", is_flag=True, help="Write the probability of each class instead of the class.")
@out_option
def predict(
    run: str,
    data: str,
    proba: bool,
    out: Path,
    device: str,
    data_home: Path | None,
    drop: tuple[str, ...],
) -> None:
    """Write what a fine-tuned RUN predicts for the rows of DATA."""
    from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor
    from stackae.data.writers import check_destination, write_table
    from stackae.exceptions import ParameterError
    from stackae_cli.options import about, load_run, read_rows

    check_destination(out)
    model = load_run(run, device)
    if not isinstance(model, (StackedAutoencoderClassifier, StackedAutoencoderRegressor)):
        raise ParameterError(
            f"{run} holds a {type(model).__name__}, which predicts nothing; finetune it first"
        )
    rows = read_rows(data, data_home, drop).named_samples
    with about(data):
        if proba and isinstance(model, StackedAutoencoderClassifier):
            predictions, names = model.predict_proba(rows), [str(label) for label in model.classes_]
        elif proba:
            raise ParameterError(f"--proba is for classes, and {run} predicts numbers; leave it out")
        else:
            predictions = model.predict(rows)
            predictions = predictions.astype(str) if predictions.dtype.kind == "O" else predictions
            columns = 1 if predictions.ndim == 1 else predictions.shape[1]
            names = ["prediction"] if columns == 1 else [f"prediction{k}" for k in range(columns)]
    write_table(out, predictions, names)
    click.echo(f"{len(predictions):,} predictions: {out}")
