"""``stackae pretrain``: from rows to a run folder."""

from __future__ import annotations

import os
import shlex
import tomllib
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from stackae_cli.layer_spec import LayerSpec, known_words, parse_layer
from stackae_cli.options import common_options, data_argument, data_options, device_option, seed_option
from stackae_cli.run_folder import (
    CHECKPOINTS,
    CONFIG,
    HISTORY,
    MODEL,
    finish,
    has_checkpoint,
    run_folder,
    to_jsonl,
    to_toml,
)

if TYPE_CHECKING:
    from stackae import StackedAutoencoder, Training

#: The options that decide what a run ends in.
_OF_THE_RUN = (
    "data",
    "data_home",
    "drop",
    "layers",
    "epochs",
    "finetune_epochs",
    "batch_size",
    "learning_rate",
    "scale",
    "output",
    "precision",
    "device",
    "max_memory",
    "random_state",
)
#: What identifies the rows, of what the configuration notes about them.
_OF_THE_ROWS = ("rows", "features", "fingerprint")


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
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the run in --out that was interrupted or killed; where there is none, start it.",
)
@click.option(
    "--checkpoint-every",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How often a layer in training is written down, at most; 0: after every epoch.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
@common_options
@click.pass_context
def pretrain(
    context: click.Context, /, data: str, out: Path | None, resume: bool, quiet: bool, **options: Any
) -> None:
    """Pretrain a stack on DATA, fine-tune it, and leave the model in a run folder.

    DATA is a file (.npy, .npz, .csv, .parquet, IDX), a folder with the .npy or .parquet parts of one table,
    or a data set's name: digits, mnist, fashion-mnist.

    A run that is interrupted or killed goes on with --resume, and ends in the same bits. Started by torchrun
    (torchrun --nproc-per-node 2 -m stackae_cli.main pretrain ...), all processes train one model, each on its
    share of every batch; such a run keeps no checkpoints.
    """
    from stackae.exceptions import ParameterError
    from stackae_cli.errors import Terminated

    if not options["checkpoint_every"] >= 0:  # click lets nan pass
        raise ParameterError(f"--checkpoint-every must be at least 0, got {options['checkpoint_every']}")
    out = out if out is not None else Path("runs") / Path(data).name.partition(".")[0].replace(":", "-")
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if resume and several:
        raise ParameterError("--resume: runs of several processes keep no checkpoints; start it anew")
    if resume:
        options = _options_of_run(context, out / CONFIG, {"data": data, **options})
        data = options.pop("data")
    try:
        _run(data, out, resume, quiet, several, **options)
    except (KeyboardInterrupt, Terminated) as signal:
        if not has_checkpoint(out):
            raise
        go_on = shlex.join(["stackae", "pretrain", "--resume", "--out", str(out), data])
        raise type(signal)(f"stopped; go on with: {go_on}") from None


def _options_of_run(context: click.Context, path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The options of a run that goes on: its own.

    Raises
    ------
    ModelFileError
        Others are given on the command line, or its configuration is damaged.
    """
    from stackae.exceptions import ModelFileError

    if path.is_symlink():
        raise OSError(f"{path} is a link, which no run makes; remove it")
    if not path.exists():
        return given
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {p.name: p for p in context.command.params if p.name in _OF_THE_RUN}
        own = {name: p.type_cast_value(context, config.get(name)) for name, p in known.items()}
        dict(config["ran"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, click.UsageError, LookupError, TypeError) as error:
        raise ModelFileError(f"{path}: is damaged ({error}); start the run anew, in another --out") from None
    line = ParameterSource.COMMANDLINE
    said = [name for name in own if context.get_parameter_source(name) == line]
    if differing := [name for name in said if _plain(given[name]) != _plain(own[name])]:
        what = ", ".join(f"{name} was {_plain(own[name])}, is {_plain(given[name])}" for name in differing)
        raise ModelFileError(f"{path.parent}: is another run ({what}); leave that out, or give another --out")
    return given | own


def _plain(value: Any) -> Any:
    """An option's value as the configuration has it."""
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def _run(
    data: str,
    out: Path,
    resume: bool,
    quiet: bool,
    several: bool,
    *,
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
    checkpoint_every: float,
) -> None:
    """Make the run."""
    import torch

    import stackae
    from stackae.data import fingerprint
    from stackae.environment import versions
    from stackae.files import atomic_write_text
    from stackae.memory import parse_memory
    from stackae.training.checkpoint import Checkpoints, kept_by
    from stackae.training.distributed import is_first, together
    from stackae.training.precision import resolve_device
    from stackae_cli.options import about, drawn, read_rows

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
    with ExitStack() as held:
        held.enter_context(together(resolve_device(device)))
        folder = held.enter_context(run_folder(out, resume=resume)) if is_first() else None
        if resume and (out / MODEL).exists():  # killed when all was done, or not at all
            finish(out)
            click.echo(f"{out / MODEL} is there already")
            return
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
                "threads": torch.get_num_threads(),
                **versions(),
            },
        }
        if folder is not None:
            if (folder / CONFIG).exists():
                _refuse_other(folder / CONFIG, config)
            atomic_write_text(folder / CONFIG, to_toml(config))
        if not several:
            decisive = {**config, "ran": {name: config["ran"][name] for name in _OF_THE_ROWS}}
            kept = Checkpoints(out / CHECKPOINTS, to_toml(decisive), every=checkpoint_every)
            held.enter_context(kept_by(kept))
        with about(data):
            model.fit(dataset.rows)
        if folder is None:  # the first of several processes reports
            return
        model.set_params(cache_folder=None, verbose=int(not quiet))
        atomic_write_text(folder / HISTORY, to_jsonl(model.history_))
        model.save(folder / MODEL)
        finish(folder)
    _report(model, dataset.X.shape, out / MODEL)


def _refuse_other(path: Path, config: dict[str, Any]) -> None:
    """Refuse to go on with a run on other rows; other versions or threads may only end in other bits."""
    from stackae.exceptions import ModelFileError, StackaeWarning

    before, now = tomllib.loads(path.read_text(encoding="utf-8")).get("ran", {}), config["ran"]
    differing = {name: f"{name} was {before.get(name)}, is {now[name]}" for name in now}
    differing = {name: text for name, text in differing.items() if before.get(name) != now[name]}
    if what := ", ".join(text for name, text in differing.items() if name in _OF_THE_ROWS):
        raise ModelFileError(f"{path.parent}: is a run on other rows ({what}); give those, or another --out")
    if what := ", ".join(differing.values()):
        warnings.warn(f"the run may not end in the same bits: {what}", StackaeWarning, stacklevel=2)


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
