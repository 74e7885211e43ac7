"""``stackae predict``: rows to labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.engine import encoded_folder, engine_options
from stackae_cli.options import model_on_rows, out_option


@click.command()
@model_on_rows
@click.option("--proba", is_flag=True, help="Write the probability of each class instead of the class.")
@engine_options
@out_option
def predict(run: str, proba: bool, out: Path, device: str, **options: Any) -> None:
    """Write the predictions of RUN, a classifier, regressor or detector, for the rows of DATA.

    A detector predicts -1 for outliers and 1 for other rows. If DATA is left out, it is what RUN was made
    from. If its labels are known, "stackae score" says how many predictions are right.
    """
    from stackae import StackedAutoencoderClassifier
    from stackae.engines.methods import METHODS
    from stackae.exceptions import ParameterError
    from stackae_cli.applying import Application
    from stackae_cli.options import load_predicting

    method = "predict_proba" if proba else "predict"

    def load(run: str, device: str) -> Any:
        model = load_predicting(run, device)
        if proba and not isinstance(model, StackedAutoencoderClassifier):
            raise ParameterError(f"--proba is for classes, and {run} has none; leave it out")
        return model

    if encoded_folder(method, run, out, load, device, options):
        return
    application = Application(run, load, device, options, [out])
    with application.about_data():
        predictions, names = METHODS[method].function(application.model, application.samples)
    what = "probabilities" if proba else "prediction" if len(names) == 1 else "predictions"
    application.write(out, predictions, names, f"{len(names)} {what}")
