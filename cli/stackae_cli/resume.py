"""Runs that were stopped, killed or out of disk go on: with their own options, on their own input."""

from __future__ import annotations

import json
import os
import shlex
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from stackae_cli.options import NumberRange
from stackae_cli.run_folder import CHECKPOINTS, CONFIG, has_checkpoint, read_config, to_toml

if TYPE_CHECKING:
    from stackae.training.callbacks import Checkpoints

F = TypeVar("F", bound=Callable[..., Any])

#: Options that say where and how a run is made, and not what it ends in.
_OF_THE_WAY = {
    "out",
    "resume",
    "checkpoint_every",
    "dry_run",
    "quiet",
    "config",
    "debug",
    "tensorboard",
    "mlflow",
    "report",
}


def config_option(function: F) -> F:
    """``--config``: how a run is replayed."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_use_config,
        metavar="FILE",
        help="Take the options that are not given from a run's config.toml.",
    )(function)


def run_options(function: F) -> F:
    """``--config``, ``--resume`` and ``--checkpoint-every``: how runs are replayed, and go on."""
    for option in (
        click.option(
            "--checkpoint-every",
            type=NumberRange(0),
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="The least time between two checkpoints of a phase of training; 0: after every epoch.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on with the interrupted run in --out; if there is none, start it.",
        ),
        config_option,
    ):
        function = option(function)
    return function


def _use_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Let a configuration file give the options that the command line does not."""
    if path is None:
        return
    try:
        config = read_config(path)
    except ValueError as error:
        raise click.BadParameter(f"{path} is not TOML ({error})") from None
    known = {str(p.name) for p in context.command.params if p is not parameter} - {"out"}
    given = {name: value for name, value in config.items() if not isinstance(value, dict)}
    if unknown := sorted(given.keys() - known):
        raise click.BadParameter(
            f"{path} has the unknown entry {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    context.default_map = given


def own_options(context: click.Context, out: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The options of the run in a folder; where there is none, those that are given.

    Raises
    ------
    ModelFileError
        Others are given on the command line, or the run's configuration is damaged.
    """
    from stackae.exceptions import ModelFileError

    path = out / CONFIG
    if path.is_symlink():
        raise OSError(f"{path} is a link, which no run makes; remove it")
    if not path.exists():
        return given
    try:
        config = read_config(path)
        decisive = {str(p.name): p for p in context.command.params if p.name not in _OF_THE_WAY}
        own = {name: p.type_cast_value(context, config.get(name)) for name, p in decisive.items()}
        command = str(dict(config["ran"])["command"])
    except (ValueError, click.UsageError, LookupError, TypeError) as error:
        raise ModelFileError(f"{path}: is damaged ({error}); start the run anew, in another --out") from None
    if command != context.command.name:
        raise ModelFileError(f"{out}: is a run of stackae {command}; go on with that, or give another --out")
    line = ParameterSource.COMMANDLINE
    said = [name for name in own if context.get_parameter_source(name) == line]
    if differing := [name for name in said if _plain(given[name]) != _plain(own[name])]:
        what = ", ".join(f"{name} was {_plain(own[name])}, is {_plain(given[name])}" for name in differing)
        raise ModelFileError(
            f"{out} is another run ({what}); leave these options as they were, or give another --out"
        )
    return given | own


@contextmanager
def saying_how_to_go_on(out: Path, command: str, *arguments: str) -> Iterator[None]:
    """Let a signal that stops the run, or the end of another of its processes, tell how to go on with it."""
    from stackae_cli.errors import Terminated

    try:
        yield
    except (KeyboardInterrupt, Terminated, RuntimeError) as error:
        is_signal = not isinstance(error, RuntimeError)
        if not has_checkpoint(out) or not (is_signal or _is_loss(error)):
            raise
        go_on = shlex.join([*_program(), command, "--resume", "--out", str(out), *arguments])
        if is_signal:
            raise type(error)(f"stopped; go on with: {go_on}") from None
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which torchrun sends now, and would be told of
        raise ConnectionError(f"another process of this run has ended; go on with: {go_on}") from None


def _program() -> list[str]:
    """How the program was started: by itself, or by torchrun on one machine."""
    n_processes = os.environ.get("WORLD_SIZE", "1")
    if n_processes == "1":
        return ["stackae"]
    return ["torchrun", "--nproc-per-node", n_processes, "--no-python", "stackae"]


def _is_loss(error: BaseException) -> bool:
    from stackae.training.distributed import is_loss

    return is_loss(error)


def write_config(folder: Path, command: str, options: Mapping[str, Any], made_from: Mapping[str, Any]) -> str:
    """Write down what runs, and return what identifies the run.

    Parameters
    ----------
    folder : Path
        The run's.
    command : str
        Which one makes it.
    options : mapping
        All that decides what the run ends in.
    made_from : mapping
        What identifies its input.

    Raises
    ------
    ModelFileError
        The folder holds a run on other input. One with other versions or threads is warned of.
    ParameterError
        The name of a path or column is not UTF-8.
    """
    import torch

    from stackae.exceptions import ModelFileError, ParameterError, StackaeWarning
    from stackae.serialization.files import atomic_write_text
    from stackae.serialization.provenance import versions

    path, plain = folder / CONFIG, {name: _plain(options[name]) for name in sorted(options)}
    made_from = {"command": command, **made_from}
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    ran = {**made_from, "threads": torch.get_num_threads(), "processes": processes, **versions()}
    if path.exists():
        before = read_config(path).get("ran", {})
        differing = {
            name: f"{name} was {before.get(name)}, is {ran.get(name)}"
            for name in {**ran, **before}
            if before.get(name) != ran.get(name)
        }
        if what := ", ".join(text for name, text in differing.items() if name in made_from):
            raise ModelFileError(
                f"{folder}: is a run on other input ({what}); give its own, or another --out"
            )
        if what := ", ".join(differing.values()):
            warnings.warn(
                f"the run may end in a model that differs in the last digits: {what}",
                StackaeWarning,
                stacklevel=2,
            )
    try:
        atomic_write_text(path, to_toml({**plain, "ran": ran}))
    except UnicodeEncodeError as error:
        entry = error.object[: error.end].rpartition("\n")[2]
        raise ParameterError(f"{path}: must be UTF-8, which {entry!a} is not; give it another name") from None
    # Not as TOML: that may be laid out in another way by the next version of what writes it.
    return json.dumps({**plain, "ran": made_from}, sort_keys=True)


def checkpoints_in(folder: Path, key: str, every: float, name: str = "") -> Checkpoints:
    """What keeps in a run's folder where training stands; ``name``: of a fit before the run's own."""
    from stackae.training.callbacks import Checkpoints

    return Checkpoints(folder / CHECKPOINTS / name, key, every=every)


def _plain(value: Any) -> Any:
    """An option's value as the configuration has it."""
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
