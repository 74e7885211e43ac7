"""``stackae finetune``: a pretrained run and a few labels to a run that predicts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from stackae_cli.layer_spec import AUTO, CorruptionSpec, SemiSpec, parse_corruption, parse_semi
from stackae_cli.logs import Logs, image_shape, log_options
from stackae_cli.options import (
    NumberRange,
    about,
    drawn,
    is_quiet,
    load_stack,
    model_on_rows,
    path_of,
    say,
    say_written,
    seed_option,
)
from stackae_cli.reporting import report_option, write_report
from stackae_cli.resume import checkpoints_in, own_options, run_options, saying_how_to_go_on, write_config
from stackae_cli.run_folder import MODEL, is_done, leave, run_folder, sha256
from stackae_cli.source import Source, data_of, say_what_is_ignored
from stackae_cli.streams import result
from stackae_cli.task import task_option, unlabelled_option
from stackae_cli.training_options import SETTINGS, setting_option, training_of

if TYPE_CHECKING:
    from stackae import (
        Autoencoder,
        StackedAutoencoder,
        StackedAutoencoderClassifier,
        StackedAutoencoderRegressor,
    )
    from stackae_cli.learning import Learned


#: Options that mean nothing where numbers are learned.
_OF_CLASSES = ("label_smoothing", "balanced", "calibration", "unlabelled")
_NOT_GIVEN = (None, False, "auto")


@click.command(epilog=SETTINGS)
@model_on_rows
@click.option(
    "--labels",
    metavar="COLUMN|FILE",
    help="A column of DATA, or a file of labels; data sets have their own. Empty, NA and nan mean no label"
    " [default: the --labels column of RUN's pretraining].",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="RUN",
    help="The folder to create for the fine-tuned run. It must not exist.",
)
@task_option
@unlabelled_option
@click.option(
    "--held-out",
    type=NumberRange(0, 0.9),
    default=0.2,
    show_default=True,
    metavar="SHARE",
    help="The share of labelled rows on which a first fit is tested; then a second fit learns from all of"
    " them. 0: no test. For data sets, one fit is tested on the test rows.",
)
@click.option(
    "--label-curve",
    is_flag=True,
    help="Estimate how much more labels would help: 20 extra fits learn from growing shares of the labels,"
    " up to four fifths, and are tested on the fifth left out.",
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs [default: by the number of labels].")
@click.option(
    "--batch-size", type=click.IntRange(1), help="Rows per batch [default: by the number of labels]."
)
@click.option("--learning-rate", type=float, help="Peak learning rate [default: 0.001].")
@click.option("--weight-decay", type=float, help="Weight decay [default: 0].")
@click.option(
    "--layerwise-rate",
    type=float,
    help="The learning rate of each layer relative to the layer above [default: by the number of labels].",
)
@setting_option("--finetune", "of fine-tuning")
@click.option(
    "--corruption",
    "corruptions",
    multiple=True,
    type=CorruptionSpec(),
    help="Corruption of the input, such as masking=0.2, or of the codes, such as dropout=0.3 (repeatable;"
    " none for none).",
)
@click.option(
    "--adversarial",
    type=float,
    help="Adversarial training: how far each row is moved to increase its loss [default: 0].",
)
@click.option(
    "--semi",
    multiple=True,
    type=SemiSpec(),
    help="Also learn from rows without a label, by propagation (labels spread to rows with similar codes),"
    " vat (predictions stay the same when a row changes a little), consistency (the same under another"
    " corruption) or ladder (layers keep denoising). Several: propagation,vat. With parameters: vat=0.5"
    " (how far rows move), propagation,surest=0.5 (labels for the surer half alone); repeat the option for"
    " several methods. auto: propagation, if it predicts held-out labels better [default: none].",
)
@click.option(
    "--calibration",
    type=click.IntRange(2),
    metavar="FOLDS",
    help="Calibrate a classifier's probabilities, so that of rows given 80 % about 80 % are right. Needs one"
    " more fit per fold, and at least two labels per class [default: not done].",
)
@click.option(
    "--label-smoothing",
    type=float,
    help="Share of a classifier's target that is spread over all classes [default: 0].",
)
@click.option("--balanced", is_flag=True, help="Use all classes equally often in training a classifier.")
@seed_option
@log_options
@report_option
@run_options
@click.pass_context
def finetune(
    context: click.Context,
    /,
    out: Path,
    resume: bool,
    checkpoint_every: float,
    tensorboard: Path | None,
    mlflow: str | None,
    report: bool,
    **options: Any,
) -> None:
    """Fine-tune the encoders of RUN to predict the labels of DATA.

    RUN is not changed, so it can be fine-tuned many times. Use the new run with predict, score, transform,
    evaluate, info and export. An interrupted run can be continued with --resume, and ends with the same
    weights, bit for bit. If DATA is left out, it is what RUN was made from.
    """
    logs = Logs(tensorboard, mlflow)
    loggers = logs.loggers(out, resume=resume)
    if resume:
        options = own_options(context, out, options)
    options["data"] = data_of(options["run"], options["data"])
    options["random_state"] = drawn(options["random_state"])
    with saying_how_to_go_on(out, "finetune", options["run"], options["data"], *logs.arguments):
        _run(out, options, resume, checkpoint_every, loggers, report=report)


def _run(
    out: Path,
    options: dict[str, Any],
    resume: bool,
    checkpoint_every: float,
    loggers: list[Any],
    *,
    report: bool,
) -> None:
    """Make the run."""
    from stackae.data import fingerprint
    from stackae_cli.learning import (
        chosen_in_words,
        curve_of,
        judged,
        learned_from_in_words,
        read_learned,
        say_what_semi_meets,
    )

    given = _given(options)
    encoder = load_stack(options["run"], options["device"])
    source = Source.of(options).with_labels_of(options["run"]).as_told(options["run"])
    options["labels"] = source.labels
    learned = read_learned(source, encoder, options)
    say_what_is_ignored(source, learned.data, options["run"])
    model = _predictor(encoder, given, options, learned)
    say_what_semi_meets(model.semi, learned)
    model.set_params(verbose=int(not is_quiet()))
    with run_folder(out, resume=resume) as folder:
        if resume and is_done(folder):
            say(f"{out / MODEL} is there already")
            return
        made_from = {
            "rows": len(learned.data.X),
            "fingerprint": fingerprint(learned.data.X),
            "labels": fingerprint(cast(Any, learned.data.y)),
            "model": sha256(path_of(options["run"])),
        }
        key = write_config(folder, "finetune", options, made_from)
        with about(source.data):
            found = judged(model, learned, folder, key, options, checkpoint_every)
            curve = curve_of(model, learned, folder) if options["label_curve"] else None
            for logger in loggers:
                logger.image_shape = image_shape(options["data"], learned.data.X.shape[1])
            model.set_callbacks(checkpoints_in(folder, key, checkpoint_every), *loggers)
            model.fit(learned.data.named_samples, learned.targets)
        leave(folder, model, partial(write_report, folder, model, learned.data) if report else None)
    for told in (found, curve):
        if told is not None:
            result(told)
    kind, last = "classifier" if learned.are_classes else "regressor", model.history_[-1]
    if model.semi == AUTO:
        say(f"--semi auto: {chosen_in_words(model, learned, out)}")
    if hasattr(model, "temperature_"):
        was = "too sure" if model.temperature_ > 1 else "not sure enough"
        say(f"calibrated: probabilities were {was} (temperature {model.temperature_:.2f})")
    say_written(
        out / MODEL,
        f"{kind} fine-tuned on {learned_from_in_words(model, learned)} in {last['epoch']} epochs",
    )


def _given(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is given of a predictor's parameters, and of a classifier's alone, all of them legal."""
    from stackae import StackedAutoencoderClassifier, Training

    common: dict[str, Any] = {name: options[name] for name in ("device", "random_state")}
    corruptions = [parse_corruption(spec) for spec in options["corruptions"] if spec != "none"]
    corruption = {"corruption": corruptions} if options["corruptions"] else {}
    training = training_of(options, "--finetune", "--epochs", **corruption) or Training()
    common |= {"finetune": training, "adversarial": options["adversarial"] or 0.0}
    common["semi"] = parse_semi(options.get("semi") or ())  # None in the configuration of an earlier version
    of_classes: dict[str, Any] = {
        "label_smoothing": options["label_smoothing"] or 0.0,
        "class_weight": "balanced" if options["balanced"] else None,
        "calibration": options.get("calibration"),
        "unlabelled": None,  # what has no label is None by now, whatever it was in DATA
    }
    StackedAutoencoderClassifier(**common, **of_classes).check_parameters()
    return common, of_classes


def _predictor(
    encoder: Autoencoder | StackedAutoencoder,
    given: tuple[dict[str, Any], dict[str, Any]],
    options: dict[str, Any],
    learned: Learned,
) -> StackedAutoencoderClassifier | StackedAutoencoderRegressor:
    from sklearn.frozen import FrozenEstimator

    from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor
    from stackae.data.labels import REGRESS
    from stackae.exceptions import ParameterError

    common, of_classes = given
    model: StackedAutoencoderClassifier | StackedAutoencoderRegressor
    if learned.are_classes:
        model = StackedAutoencoderClassifier(FrozenEstimator(encoder), **of_classes, **common)
    elif given_names := [name for name in _OF_CLASSES if options.get(name) not in _NOT_GIVEN]:
        option = f"--{given_names[0].replace('_', '-')}"
        mend = "" if options["task"] == REGRESS else ", or say --task classify if they are classes"
        raise ParameterError(
            f"{option} is for classes, and the labels are numbers to predict; leave it out{mend}"
        )
    elif common["semi"] == AUTO:
        raise ParameterError("--semi auto is for classes; for numbers choose vat, consistency or ladder")
    else:
        model = StackedAutoencoderRegressor(FrozenEstimator(encoder), **common)
    model.check_parameters()
    return model
