"""``stackae predict``: rows to labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@click.option("--proba", is_flag=True, help="Write the probability of each class instead of the class.")
@out_option
def predict(run: str, proba: bool, out: Path, device: str, **options: Any) -> None:
    """Write what a fine-tuned RUN predicts for the rows of DATA.

    Of a detector: -1 for outliers, 1 for the others.
    """
    from stackae import StackedAutoencoderClassifier
    from stackae.exceptions import ParameterError
    from stackae_cli.applying import Application
    from stackae_cli.options import load_predicting

    application = Application(run, load_predicting, device, options, [out])
    model = application.model
    if proba and not isinstance(model, StackedAutoencoderClassifier):
        raise ParameterError(f"--proba is for classes, and {run} has none; leave it out")
    with application.about_data():
        if proba:
            predictions, names = model.predict_proba(application.samples), list(map(str, model.classes_))
        else:
            predictions = model.predict(application.samples)
            predictions = predictions.astype(str) if predictions.dtype.kind in "OM" else predictions
            columns = 1 if predictions.ndim == 1 else predictions.shape[1]
            names = ["prediction"] if columns == 1 else [f"prediction{k}" for k in range(columns)]
    what = "probabilities" if proba else "prediction" if len(names) == 1 else "predictions"
    application.write(out, predictions, names, f"{len(names)} {what}")
