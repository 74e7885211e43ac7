"""``stackae finetune``: a pretrained run and a few labels to a run that predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackae_cli.layer_spec import CorruptionSpec, parse_corruption
from stackae_cli.options import about, drawn, load_stack, model_on_rows, path_of, seed_option
from stackae_cli.resume import checkpoints_in, own_options, run_options, saying_how_to_go_on, write_config
from stackae_cli.run_folder import MODEL, is_done, leave, run_folder, sha256

if TYPE_CHECKING:
    import numpy as np

    from stackae import (
        Autoencoder,
        StackedAutoencoder,
        StackedAutoencoderClassifier,
        StackedAutoencoderRegressor,
        Training,
    )


@click.command()
@model_on_rows
@click.option(
    "--labels",
    metavar="COLUMN|FILE",
    help="A column of DATA, or a file of labels; data sets bring their own. -1 (classes) and nan (numbers)"
    " mean that a row has none.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="RUN",
    help="The folder to make for the fine-tuned run. It must not exist.",
)
@click.option(
    "--task",
    type=click.Choice(["auto", "classify", "regress"]),
    default="auto",
    show_default=True,
    help="auto classifies where labels are text, whole numbers or booleans.",
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs [default: chosen by the number of labels].")
@click.option("--batch-size", type=click.IntRange(1), help="Rows in a batch [default: likewise].")
@click.option("--learning-rate", type=float, help="Peak learning rate [default: 0.001].")
@click.option("--weight-decay", type=float, help="Decay of the weights [default: 0].")
@click.option(
    "--layerwise-rate",
    type=float,
    help="Rate of each layer as a share of the one above's [default: by the number of labels].",
)
@click.option(
    "--corruption",
    "corruptions",
    multiple=True,
    type=CorruptionSpec(),
    help="What the encoder sees instead of its input, as masking=0.2, or of its codes, as dropout=0.3"
    " (repeatable; none for none).",
)
@click.option(
    "--adversarial", type=float, help="How far each row is moved to where it costs most [default: 0]."
)
@click.option("--label-smoothing", type=float, help="Of a classifier's targets [default: 0].")
@click.option("--balanced", is_flag=True, help="Let a classifier see all classes equally often.")
@seed_option
@run_options
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
@click.pass_context
def finetune(
    context: click.Context, /, out: Path, resume: bool, checkpoint_every: float, quiet: bool, **options: Any
) -> None:
    """Fine-tune the encoders of RUN, with a head, to predict the labels of DATA's rows.

    RUN is used as it is, so that one pretraining serves many fine-tunings. The new run is for predict,
    transform, info and export. One that is interrupted or killed goes on with --resume, and ends in the same
    bits.
    """
    if resume:
        options = own_options(context, out, options)
    options["random_state"] = drawn(options["random_state"])
    with saying_how_to_go_on(out, "finetune", options["run"], options["data"]):
        _run(out, options, resume, checkpoint_every, quiet)


def _run(out: Path, options: dict[str, Any], resume: bool, checkpoint_every: float, quiet: bool) -> None:
    """Make the run."""
    from stackae.data import fingerprint, load_data
    from stackae.exceptions import ParameterError

    training = _training(options)
    encoder = load_stack(options["run"], options["device"])
    data, labels = options["data"], options["labels"]
    dataset = load_data(data, data_home=options["data_home"], drop=options["drop"], labels=labels)
    if dataset.y is None:
        raise ParameterError(f"{data} brings no labels; give --labels, a column of it or a file")
    classify = options["task"] == "classify" or (options["task"] == "auto" and _are_classes(dataset.y))
    model = _predictor(encoder, training, options, classify=classify)
    model.set_params(verbose=int(not quiet))
    with run_folder(out, resume=resume) as folder:
        if resume and is_done(folder):
            return
        made_from = {
            "rows": len(dataset.X),
            "fingerprint": fingerprint(dataset.X),
            "labels": fingerprint(dataset.y),
            "model": sha256(path_of(options["run"])),
        }
        key = write_config(folder, "finetune", options, made_from)
        model.set_callbacks(checkpoints_in(folder, key, checkpoint_every))
        with about(data):
            model.fit(dataset.named_samples, dataset.y)
        leave(folder, model)
    unlabelled = (
        dataset.y == ("-1" if dataset.y.dtype.kind in "US" else -1) if classify else dataset.y != dataset.y
    )
    n_labelled = len(dataset.y) - int(unlabelled.sum())
    last = model.history_[-1]
    click.echo(
        f"{'classifier' if classify else 'regressor'} fine-tuned on {n_labelled:,} labelled rows in"
        f" {last['epoch']} epochs: {out / MODEL}"
    )


def _training(options: dict[str, Any]) -> Training:
    """What is given of a training's parameters."""
    from stackae import Training

    given = {
        "max_epochs": options["epochs"],
        "batch_size": options["batch_size"],
        "learning_rate": options["learning_rate"],
        "weight_decay": options["weight_decay"],
        "layerwise_rate": options["layerwise_rate"],
    }
    given = {name: value for name, value in given.items() if value is not None}
    if options["corruptions"]:
        given["corruption"] = [parse_corruption(spec) for spec in options["corruptions"] if spec != "none"]
    training = Training(**given)
    training.check_parameters()
    return training


def _predictor(
    encoder: Autoencoder | StackedAutoencoder, training: Training, options: dict[str, Any], *, classify: bool
) -> StackedAutoencoderClassifier | StackedAutoencoderRegressor:
    from sklearn.frozen import FrozenEstimator

    from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor
    from stackae.exceptions import ParameterError

    common = {name: options[name] for name in ("device", "random_state")}
    common |= {"finetune": training, "adversarial": options["adversarial"] or 0.0}
    model: StackedAutoencoderClassifier | StackedAutoencoderRegressor
    if classify:
        weight = "balanced" if options["balanced"] else None
        smoothing = options["label_smoothing"] or 0.0
        model = StackedAutoencoderClassifier(
            FrozenEstimator(encoder), label_smoothing=smoothing, class_weight=weight, **common
        )
    elif options["label_smoothing"] is not None or options["balanced"]:
        raise ParameterError("--label-smoothing and --balanced are for classes, got a regression")
    else:
        model = StackedAutoencoderRegressor(FrozenEstimator(encoder), **common)
    model.check_parameters()
    return model


def _are_classes(y: np.ndarray) -> bool:
    """Whether labels are classes by their type: text, booleans, whole numbers."""
    return y.dtype.kind != "f" or bool((y == y.round()).all())
