"""``stackae pretrain``: from rows to a run folder."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackae_cli.fitted import say_of_fitted, say_what_is_left_out
from stackae_cli.layer_spec import LayerSpec, known_words, parse_layer
from stackae_cli.logs import Logs, image_shape, log_options
from stackae_cli.options import (
    SCALES,
    Choice,
    about,
    columns_option,
    common_options,
    data_argument,
    data_options,
    device_option,
    drawn,
    is_quiet,
    say,
    say_written,
    seed_option,
)
from stackae_cli.reporting import report_option, write_report
from stackae_cli.resume import checkpoints_in, own_options, run_options, saying_how_to_go_on, write_config
from stackae_cli.run_folder import MODEL, is_done, leave, refuse_existing, run_folder
from stackae_cli.source import Source, missing_values_of, say_what_looks_like_a_key
from stackae_cli.streams import result
from stackae_cli.training_options import SETTINGS, setting_option, training_of

if TYPE_CHECKING:
    from stackae import StackedAutoencoder
    from stackae.data import DataSet
    from stackae.training.distributed import Processes


@click.command(
    no_args_is_help=True,
    epilog=f"{SETTINGS}\n\n"
    "A SPEC is a width, then parts, joined by colons: 256, 256:masking=0.25, 1000:kl=0.05,weight=3."
    f" Parts: {', '.join(known_words())}. A width alone is a denoising layer. Shapes are in the order of the"
    " columns: 16:convolutional=28x28x3 is height x width x channels, 8:recurrent=128x3 steps x channels;"
    " 16:kmeans_filters=8x8,kernel_size=3 gives a parameter of the network;"
    " 16:convolutional=3x128,channels_first=true has 3 channels of 128 steps, one after the other.",
)
@data_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The folder to create for the run [default: runs/ and the name of DATA]. It must not exist.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=LayerSpec(),
    help="A layer, from the bottom up (repeatable) [default: one of 4 units per column, from 32 to 256, and a"
    " code of half as many numbers as (encoded) columns, up to 64]. The last may be auto: an ordered code,"
    " cut to the width that is needed.",
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs per layer [default: by the number of rows].")
@click.option(
    "--finetune-epochs",
    type=click.IntRange(0),
    help="Epochs of fine-tuning; 0 for none [default: by the number of rows].",
)
@click.option("--batch-size", type=click.IntRange(1), help="Rows per batch [default: by the number of rows].")
@click.option(
    "--learning-rate",
    type=float,
    help="Peak learning rate of every phase [default: 0.002; 0.004 in fine-tuning on nearly two-valued"
    " data].",
)
@setting_option("--pretrain", "of the training of each layer")
@setting_option("--finetune", "of fine-tuning")
@click.option(
    "--scale",
    type=Choice(SCALES),
    default="auto",
    show_default=True,
    help="How to scale the columns. auto: data within [0, 1], and columns of only 0 and 1, are kept; others"
    " are standardised. pareto: divided by the square root of their"
    " standard deviation, so that large ones still count more: for columns of one unit.",
)
@click.option(
    "--output",
    type=Choice(["code", "all"]),
    default="code",
    show_default=True,
    help="What transform returns: the code of the last layer, or those of all layers.",
)
@click.option(
    "--precision",
    type=Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Number format of matrix products in training.",
)
@click.option(
    "--shortcut",
    type=Choice(["auto", "pca", "none"]),
    default="auto",
    show_default=True,
    help="A linear autoencoder beside the layers, which starts as PCA. pca: always; auto: only if layers are"
    " given by widths alone and data are not nearly two-valued.",
)
@click.option(
    "--ordered",
    is_flag=True,
    help="Order the code, so that its first k numbers are a code by themselves, for every k.",
)
@click.option(
    "--labels",
    metavar="COLUMN",
    help="The column with labels: it is not used as a feature, and is remembered for finetune and evaluate.",
)
@seed_option
@device_option
@click.option(
    "--max-memory",
    metavar="SIZE",
    help="Memory for rows and codes, such as 1GB; larger data stay on disk [default: half of the machine's].",
)
@data_options
@columns_option
@log_options
@report_option
@run_options
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would be done, with memory and updates, without training or writing anything.",
)
@common_options
@click.pass_context
def pretrain(
    context: click.Context,
    /,
    out: Path | None,
    resume: bool,
    checkpoint_every: float,
    dry_run: bool,
    tensorboard: Path | None,
    mlflow: str | None,
    report: bool,
    **options: Any,
) -> None:
    """Fit a stack to DATA, without labels, and write it to a run folder.

    DATA is a file (.csv, .tsv and other text, Excel, JSON lines, .parquet, .feather, .npy, .npz, IDX), a
    folder with the .npy or .parquet shards of one table, or the name of a data set: digits, mnist,
    fashion-mnist. Columns may hold numbers, text, categories, dates and missing values.

    An interrupted run can be continued with --resume, and ends with the same weights, bit for bit. With
    torchrun (torchrun --nproc-per-node 2 --no-python stackae pretrain ...), several processes train one
    model, each on its share of every batch and with its share of --max-memory; --resume works with any number
    of them.
    """
    from stackae.training.distributed import together
    from stackae.training.precision import resolve_device

    is_own_folder = out is None
    if out is None:
        out = Path("runs") / Path(options["data"]).name.partition(".")[0].replace(":", "-")
    logs = Logs(tensorboard, mlflow)
    if dry_run:
        options = own_options(context, out, options) if resume else options
        _show_plan(out, {**options, "random_state": drawn(options["random_state"])}, resume, is_own_folder)
        return
    with together(resolve_device(options["device"])) as processes:
        loggers = logs.loggers(out, resume=resume) if processes.is_first else []
        if not processes.is_first:
            warnings.simplefilter("ignore")  # the first says them
        if resume:
            options = processes.agreed(lambda: own_options(context, out, options))
        options["random_state"] = processes.agreed(lambda: drawn(options["random_state"]))
        with saying_how_to_go_on(out, "pretrain", options["data"], *logs.arguments):
            _run(out, options, resume, checkpoint_every, loggers, processes, report=report)


def _show_plan(out: Path, options: dict[str, Any], resume: bool, is_own_folder: bool) -> None:
    """What the run would do."""
    from stackae import TableEncoder
    from stackae.data.data_set import is_typed

    model = _model(options)
    if not is_own_folder:
        refuse_existing(out, resume=resume)
    data = _data(options, None)
    model.set_params(missing_values=missing_values_of(Source.of(options), data))
    samples: Any = data.named_samples
    with about(options["data"]):
        if is_typed(samples):
            say_what_is_left_out(options, TableEncoder(model.columns).fit(samples).table_)
        result(repr(model.plan(samples)))


def _run(
    out: Path,
    options: dict[str, Any],
    resume: bool,
    checkpoint_every: float,
    loggers: list[Any],
    processes: Processes,
    *,
    report: bool,
) -> None:
    """Make the run; of several processes the first keeps its folder."""
    from stackae.data import fingerprint

    model = _model(options)
    with ExitStack() as held:
        folder = held.enter_context(run_folder(out, resume=resume)) if processes.is_first else None
        if processes.agreed(lambda: resume and is_done(out)):
            if folder is not None:
                say(f"{out / MODEL} is there already")
            return
        # Beside the run: where there is room for what it leaves. On other machines it may not be there.
        beside = out if out.is_dir() else None
        model.set_params(cache_folder=beside, verbose=int(folder is not None and not is_quiet()))
        data = _data(options, beside, labels=report and folder is not None)
        model.set_params(missing_values=missing_values_of(Source.of(options), data))
        callbacks: list[Any] = [processes]
        if folder is not None:
            made_from = {**_shape(data), "fingerprint": fingerprint(data.X)}
            key = write_config(folder, "pretrain", options, made_from)
            callbacks.append(checkpoints_in(folder, key, checkpoint_every))
            for logger in loggers:
                logger.image_shape = image_shape(options["data"], data.X.shape[1])
            callbacks += loggers
        with about(options["data"]):
            model.set_callbacks(*callbacks).fit(data.named_samples)
        if folder is None:  # the first of several processes reports
            return
        leave(folder, model, partial(write_report, folder, model, data) if report else None)
    say_of_fitted(model, data, options)
    seconds = sum(record["seconds"] for record in model.history_)
    what = f"{_widths(model)} fitted on {len(data.X):,} rows in {model.n_iter_} epochs, {seconds:.1f} s"
    if len(model.health_) == 1 or model.history_[-1]["phase"] == "finetune":  # as a whole
        r2 = model.health_[-1]["variance_reconstructed"]
        what += f", R² {r2:.3f} of the scaled columns" if r2 > -10 else f", R² {r2:.3g} of the scaled columns"
    say_written(out / MODEL, what)


def _model(options: dict[str, Any]) -> StackedAutoencoder:
    """What the options describe, not fitted."""
    from stackae import StackedAutoencoder

    no_finetuning = options["finetune_epochs"] == 0
    if no_finetuning and options["finetune"]:
        raise click.UsageError("--finetune sets what --finetune-epochs 0 leaves out; leave one of them out")
    model = StackedAutoencoder(
        [parse_layer(spec) for spec in options["layers"]] or None,
        pretrain=training_of(options, "--pretrain", "--epochs") or "auto",
        finetune=None if no_finetuning else training_of(options, "--finetune", "--finetune-epochs") or "auto",
        output=options["output"],
        shortcut=None if options["shortcut"] == "none" else options["shortcut"],
        ordered=bool(options["ordered"]),  # None in the configuration of an earlier version
        scale=None if options["scale"] == "none" else options["scale"],
        device=options["device"],
        precision=options["precision"],
        random_state=options["random_state"],
        max_memory=options["max_memory"],
        columns=Source.of(options).kinds,
    )
    model.check_parameters()
    return model


def _data(options: dict[str, Any], cache_folder: Path | None, *, labels: bool = False) -> DataSet:
    """The rows; labels, where they are a column of DATA, for the report."""
    memory = {"max_memory": options["max_memory"], "cache_folder": cache_folder}
    data = Source.of(options).read(labels=labels, **memory)
    say_what_looks_like_a_key(Source.of(options), data)
    return data


def _widths(model: StackedAutoencoder) -> str:
    """What goes in, and the widths of the layers."""
    encoder = getattr(model, "table_encoder_", None)
    n_inputs = model.n_features_in_ if encoder is None else len(encoder.column_of_)
    widths = "-".join(map(str, [n_inputs, *model.module_.widths]))
    return widths if encoder is None else f"{model.n_features_in_} columns as {widths}"


def _shape(data: DataSet) -> dict[str, int]:
    return {"rows": data.X.shape[0], "features": data.X.shape[1]}
