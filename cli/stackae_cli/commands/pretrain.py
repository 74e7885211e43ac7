"""``stackae pretrain``: from rows to a run folder."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackae_cli.layer_spec import LayerSpec, known_words, parse_layer
from stackae_cli.options import (
    about,
    common_options,
    data_argument,
    data_options,
    device_option,
    drawn,
    read_rows,
    seed_option,
)
from stackae_cli.resume import own_options, run_options, saying_how_to_go_on, with_checkpoints, write_config
from stackae_cli.run_folder import MODEL, is_done, leave, run_folder

if TYPE_CHECKING:
    from stackae import StackedAutoencoder, Training


@click.command(
    epilog=f"A SPEC is a width, then parts joined by colons: 256, 256:masking=0.25, 1000:kl=0.05,weight=3."
    f" Parts: {', '.join(known_words())}. A bare width is a denoising layer."
)
@data_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The folder to make for the run [default: runs/ and the data's name]. It must not exist.",
)
@click.option(
    "--layer", "layers", multiple=True, type=LayerSpec(), help="One layer, bottom first (repeatable)."
)
@click.option(
    "--epochs", type=click.IntRange(1), help="Epochs a layer [default: chosen by the number of rows]."
)
@click.option(
    "--finetune-epochs",
    type=click.IntRange(0),
    help="Epochs of fine-tuning; 0 for none [default: chosen by the number of rows].",
)
@click.option(
    "--batch-size", type=click.IntRange(1), help="Rows in a batch [default: chosen by the number of rows]."
)
@click.option(
    "--learning-rate", type=float, help="Peak learning rate of every phase [default: 0.002, or 0.001]."
)
@click.option(
    "--scale",
    type=click.Choice(["auto", "standard", "minmax", "none"]),
    default="auto",
    show_default=True,
    help="auto keeps data within [0, 1] and standardises anything else.",
)
@click.option(
    "--output",
    type=click.Choice(["code", "all"]),
    default="code",
    show_default=True,
    help="What transform will give: the last layer's code, or every layer's.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Number format of the products in training.",
)
@seed_option
@device_option
@click.option(
    "--max-memory",
    metavar="SIZE",
    help="Memory for rows and codes, as 1GB; what exceeds it stays on disk [default: half of the machine's].",
)
@data_options
@run_options
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
@common_options
@click.pass_context
def pretrain(
    context: click.Context,
    /,
    out: Path | None,
    resume: bool,
    checkpoint_every: float,
    quiet: bool,
    **options: Any,
) -> None:
    """Pretrain a stack on DATA, fine-tune it, and leave the model in a run folder.

    DATA is a file (.npy, .npz, .csv, .parquet, IDX), a folder with the .npy or .parquet parts of one table,
    or a data set's name: digits, mnist, fashion-mnist.

    A run that is interrupted or killed goes on with --resume, and ends in the same bits. Started by torchrun
    (torchrun --nproc-per-node 2 -m stackae_cli.main pretrain ...), all processes train one model, each on its
    share of every batch; such a run keeps no checkpoints.
    """
    from stackae.exceptions import ParameterError

    if out is None:
        out = Path("runs") / Path(options["data"]).name.partition(".")[0].replace(":", "-")
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if resume and several:
        raise ParameterError("--resume: runs of several processes keep no checkpoints; start it anew")
    if resume:
        options = own_options(context, out, options)
    options["layers"] = options["layers"] or ("256", "64")
    options["random_state"] = drawn(options["random_state"])
    with saying_how_to_go_on(out, "pretrain", options["data"]):
        _run(out, options, resume, None if several else checkpoint_every, quiet)


def _run(
    out: Path, options: dict[str, Any], resume: bool, checkpoint_every: float | None, quiet: bool
) -> None:
    """Make the run, with checkpoints or, None, without."""
    import stackae
    from stackae._utils.memory import parse_memory
    from stackae.data import fingerprint
    from stackae.training.distributed import is_first, together
    from stackae.training.precision import resolve_device

    max_memory = options["max_memory"]
    model = stackae.StackedAutoencoder(
        [parse_layer(spec) for spec in options["layers"]],
        pretrain=_training(options["epochs"], options),
        finetune=None if options["finetune_epochs"] == 0 else _training(options["finetune_epochs"], options),
        output=options["output"],
        scale=None if options["scale"] == "none" else options["scale"],
        device=options["device"],
        precision=options["precision"],
        random_state=options["random_state"],
        max_memory=max_memory,
    )
    parse_memory(max_memory)
    model.check_parameters()
    with ExitStack() as held:
        held.enter_context(together(resolve_device(options["device"])))
        folder = held.enter_context(run_folder(out, resume=resume)) if is_first() else None
        if resume and is_done(out):
            return
        # Beside the run: where there is room for what it leaves.
        model.set_params(cache_folder=folder, verbose=int(folder is not None and not quiet))
        data = read_rows(options["data"], options["data_home"], options["drop"], max_memory, folder)
        rows, features = data.X.shape
        if folder is not None:
            made_from = {"rows": rows, "features": features, "fingerprint": fingerprint(data.X)}
            key = write_config(folder, "pretrain", options, made_from)
            if checkpoint_every is not None:
                held.enter_context(with_checkpoints(folder, key, checkpoint_every))
        with about(options["data"]):
            model.fit(data.rows)
        if folder is None:  # the first of several processes reports
            return
        model.set_params(cache_folder=None, verbose=int(not quiet))
        leave(folder, model)
    _report(model, (rows, features), out / MODEL)


def _training(max_epochs: int | None, options: dict[str, Any]) -> Training | str:
    from stackae import Training

    given = {
        "max_epochs": max_epochs,
        "batch_size": options["batch_size"],
        "learning_rate": options["learning_rate"],
    }
    given = {name: value for name, value in given.items() if value is not None}
    return Training(**given) if given else "auto"


def _report(model: StackedAutoencoder, shape: tuple[int, ...], path: Path) -> None:
    widths = "-".join(str(width) for width in [shape[1], *(width for width in model._layer_widths)])
    seconds = sum(record["seconds"] for record in model.history_)
    click.echo(f"{widths} fitted on {shape[0]:,} rows in {model.n_iter_} epochs, {seconds:.1f} s: {path}")
    if model.is_pca_:
        click.echo("its code and reconstruction are PCA's, which serve these rows better, or as well")
