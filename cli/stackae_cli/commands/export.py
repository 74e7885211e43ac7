"""``stackae export``: a model to a file that other programs run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.options import common_options, run_argument

#: What a file gives of the estimators that predict, by its outputs' names.
_PREDICTIONS = {
    "StackedAutoencoderClassifier": "label and probabilities",
    "StackedAutoencoderDetector": "label and scores",
    "StackedAutoencoderRegressor": "predictions",
}


@click.command()
@run_argument
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The ONNX file to write. It must not exist.",
)
@click.option("--codes", is_flag=True, help="Output the codes, even if the model predicts.")
@common_options
def export(run: str, out: Path, codes: bool) -> None:
    """Write a model as an ONNX file, which takes rows in the units of DATA and returns predictions or codes.

    A classifier returns label and probabilities, a regressor predictions, a detector label and scores, any
    other model codes. Models of tables with text, categories or dates cannot be exported.
    """
    from stackae.serialization.files import check_new_file
    from stackae_cli.options import load_run, say_written

    check_new_file(out)
    model: Any = load_run(run, "cpu")
    predictions = _PREDICTIONS.get(type(model).__name__)
    model.export_onnx(out, **({} if predictions is None else {"codes": codes}))
    n_codes = len(model.get_feature_names_out())
    outputs = f"{n_codes} codes" if codes or predictions is None else predictions
    say_written(out, f"{model.n_features_in_} features to {outputs}")
