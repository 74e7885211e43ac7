"""``stackae pretrain``: from rows to a run folder."""

from __future__ import annotations

import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackae_cli.layer_spec import LayerSpec, known_words, parse_layer
from stackae_cli.options import common_options, data_argument, data_options, device_option, seed_option

if TYPE_CHECKING:
    from stackae import StackedAutoencoder, Training


def _use_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Let a configuration file give the options that the command line does not."""
    if path is None:
        return
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} is not TOML ({error})") from None
    known = {p.name for p in context.command.params if p is not parameter} - {"out"}
    given = {name: value for name, value in config.items() if not isinstance(value, dict)}
    if unknown := sorted(given.keys() - known):
        raise click.BadParameter(
            f"{path} has the unknown entry {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    context.default_map = given


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
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_use_config,
    metavar="FILE",
    help="Take from a run's config.toml what is not given here.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
@common_options
def pretrain(
    data: str,
    out: Path | None,
    layers: tuple[str, ...],
    epochs: int | None,
    finetune_epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    scale: str,
    output: str,
    precision: str,
    random_state: int | None,
    device: str,
    max_memory: str | None,
    data_home: Path | None,
    drop: tuple[str, ...],
    quiet: bool,
) -> None:
    """Pretrain a stack on DATA, fine-tune it, and leave the model in a run folder.

    DATA is a file (.npy, .npz, .csv, .parquet, IDX), a folder with the .npy or .parquet parts of one table,
    or a data set's name: digits, mnist, fashion-mnist.

    Started by torchrun (torchrun --nproc-per-node 2 -m stackae_cli.main pretrain ...), all processes train
    one model, each on its share of every batch.
    """
    import stackae
    from stackae.data import fingerprint
    from stackae.environment import versions
    from stackae.files import atomic_write_text
    from stackae.memory import parse_memory
    from stackae.training.distributed import is_first, together
    from stackae.training.precision import resolve_device
    from stackae_cli.options import about, drawn, read_rows
    from stackae_cli.run_folder import CONFIG, HISTORY, MODEL, new_run_folder, to_jsonl, to_toml

    random_state = drawn(random_state)
    model = stackae.StackedAutoencoder(
        [parse_layer(spec) for spec in layers] or (256, 64),
        pretrain=_training(epochs, batch_size, learning_rate),
        finetune=None if finetune_epochs == 0 else _training(finetune_epochs, batch_size, learning_rate),
        output=output,
        scale=None if scale == "none" else scale,
        device=device,
        precision=precision,
        random_state=random_state,
        max_memory=max_memory,
    )
    parse_memory(max_memory)
    model.check_parameters()
    out = out if out is not None else Path("runs") / Path(data).name.partition(".")[0].replace(":", "-")
    with together(resolve_device(device)), new_run_folder(out) if is_first() else nullcontext() as folder:
        # Beside the run: where there is room for what it leaves.
        model.set_params(cache_folder=folder, verbose=int(folder is not None and not quiet))
        dataset = read_rows(data, data_home, drop, max_memory, folder)
        config: dict[str, Any] = {
            "data": data,
            "drop": list(drop),
            "data_home": None if data_home is None else str(data_home),
            "layers": list(layers) or ["256", "64"],
            "epochs": epochs,
            "finetune_epochs": finetune_epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "scale": scale,
            "output": output,
            "precision": precision,
            "device": device,
            "max_memory": max_memory,
            "random_state": random_state,
            "ran": {
                "rows": dataset.X.shape[0],
                "features": dataset.X.shape[1],
                "fingerprint": fingerprint(dataset.X),
                **versions(),
            },
        }
        if folder is not None:
            atomic_write_text(folder / CONFIG, to_toml(config))
        with about(data):
            model.fit(dataset.rows)
        if folder is None:  # the first of several processes reports
            return
        model.set_params(cache_folder=None, verbose=int(not quiet))
        atomic_write_text(folder / HISTORY, to_jsonl(model.history_))
        model.save(folder / MODEL)
    _report(model, dataset.X.shape, out / MODEL)


def _training(max_epochs: int | None, batch_size: int | None, learning_rate: float | None) -> Training | str:
    from stackae import Training

    given = {"max_epochs": max_epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    given = {name: value for name, value in given.items() if value is not None}
    return Training(**given) if given else "auto"  # type: ignore[arg-type]


def _report(model: StackedAutoencoder, shape: tuple[int, ...], path: Path) -> None:
    widths = "-".join(str(width) for width in [shape[1], *(width for width in model._layer_widths)])
    seconds = sum(record["seconds"] for record in model.history_)
    click.echo(f"{widths} fitted on {shape[0]:,} rows in {model.n_iter_} epochs, {seconds:.1f} s: {path}")
    if model.is_pca_:
        click.echo("its code and reconstruction are PCA's, which serve these rows better, or as well")
