"""``stackae finetune``: a pretrained run and a few labels to a run that predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackae_cli.layer_spec import CorruptionSpec, parse_corruption
from stackae_cli.options import model_on_rows, seed_option

if TYPE_CHECKING:
    import numpy as np


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
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
def finetune(
    run: str,
    data: str,
    labels: str | None,
    out: Path,
    task: str,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    weight_decay: float | None,
    layerwise_rate: float | None,
    corruptions: tuple[str, ...],
    adversarial: float | None,
    label_smoothing: float | None,
    balanced: bool,
    random_state: int | None,
    device: str,
    data_home: Path | None,
    drop: tuple[str, ...],
    quiet: bool,
) -> None:
    """Fine-tune the encoders of RUN, with a head, to predict the labels of DATA's rows.

    RUN is used as it is, so that one pretraining serves many fine-tunings. The new run is for predict,
    transform, info and export.
    """
    from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor, Training
    from stackae.data import fingerprint, load_data
    from stackae.environment import versions
    from stackae.exceptions import ParameterError
    from stackae.files import atomic_write_text
    from stackae_cli.options import about, drawn, load_stack
    from stackae_cli.run_folder import CONFIG, HISTORY, MODEL, finish, run_folder, to_jsonl, to_toml

    random_state = drawn(random_state)
    training = {
        "max_epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "layerwise_rate": layerwise_rate,
        "corruption": [parse_corruption(spec) for spec in corruptions if spec != "none"]
        if corruptions
        else None,
    }
    given: dict[str, Any] = {name: value for name, value in training.items() if value is not None}
    tuning = Training(**given)
    tuning.check_parameters()
    encoder = load_stack(run, device)
    dataset = load_data(data, data_home=data_home, drop=drop, labels=labels)
    if dataset.y is None:
        raise ParameterError(f"{data} brings no labels; give --labels, a column of it or a file")
    classify = task == "classify" or (task == "auto" and _are_classes(dataset.y))
    if not classify and (label_smoothing is not None or balanced):
        raise ParameterError("--label-smoothing and --balanced are for classes, got a regression")
    model: StackedAutoencoderClassifier | StackedAutoencoderRegressor
    if classify:
        model = StackedAutoencoderClassifier(
            encoder=encoder,
            label_smoothing=label_smoothing or 0.0,
            class_weight="balanced" if balanced else None,
        )
    else:
        model = StackedAutoencoderRegressor(encoder=encoder)
    model.set_params(finetune=tuning, device=device, random_state=random_state, verbose=int(not quiet))
    model.set_params(adversarial=adversarial or 0.0)
    model.check_parameters()
    with run_folder(out) as folder:
        config = {
            "run": run,
            "data": data,
            "labels": labels,
            "drop": list(drop),
            "task": "classify" if classify else "regress",
            **{name: value for name, value in training.items() if name != "corruption"},
            "corruption": list(corruptions),
            "adversarial": adversarial,
            "label_smoothing": label_smoothing,
            "balanced": balanced,
            "device": device,
            "random_state": random_state,
            "ran": {"rows": len(dataset.X), "fingerprint": fingerprint(dataset.X), **versions()},
        }
        atomic_write_text(folder / CONFIG, to_toml(config))
        with about(data):
            model.fit(dataset.rows, dataset.y)
        atomic_write_text(folder / HISTORY, to_jsonl(model.history_))
        model.save(folder / MODEL)
        finish(folder)
    unlabelled = (
        dataset.y == ("-1" if dataset.y.dtype.kind in "US" else -1) if classify else dataset.y != dataset.y
    )
    n_labelled = len(dataset.y) - int(unlabelled.sum())
    last = model.history_[-1]
    click.echo(
        f"{'classifier' if classify else 'regressor'} fine-tuned on {n_labelled:,} labelled rows in"
        f" {last['epoch']} epochs: {out / MODEL}"
    )


def _are_classes(y: np.ndarray) -> bool:
    """Whether labels are classes by their type: text, booleans, whole numbers."""
    return y.dtype.kind != "f" or bool((y == y.round()).all())
