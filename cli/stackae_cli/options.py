"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from stackae import Autoencoder, StackedAutoencoder
    from stackae.data import DataSet

F = TypeVar("F", bound=Callable[..., Any])

#: The argument that names rows; the bundled data set where it is left out.
data_argument = click.argument("data", default="digits", metavar="[DATA]")
#: The argument that names a model.
run_argument = click.argument("run", metavar="RUN")


def data_options(function: F) -> F:
    """``--drop`` and ``--data-home``: how DATA is read."""
    function = click.option(
        "--drop", multiple=True, metavar="COLUMN", help="Leave a column of DATA out (repeatable)."
    )(function)
    return click.option(
        "--data-home",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Where the files of mnist and fashion-mnist lie [default: $STACKAE_DATA_HOME, else a download].",
    )(function)


def common_options(function: F) -> F:
    """``--debug``: a traceback where something fails."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback with an error.")(
        function
    )


def device_option(function: F) -> F:
    """``--device``: where it is computed."""
    return click.option(
        "--device", default="auto", show_default=True, metavar="NAME", help="auto, cpu, cuda, cuda:1, ..."
    )(function)


def model_on_rows(function: F) -> F:
    """The arguments RUN and DATA, and every option that goes with them."""
    for option in (common_options, data_options, device_option, data_argument, run_argument):
        function = option(function)
    return function


def out_option(function: F) -> F:
    """``--out``: the file that is written."""
    return click.option(
        "--out",
        required=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The file to write: .npy, .csv or .parquet. It must not exist.",
    )(function)


def load_run(run: str, device: str) -> Autoencoder | StackedAutoencoder:
    """The model of a run folder, or of a model file."""
    from stackae import load
    from stackae_cli.run_folder import MODEL

    path = Path(run)
    return load(path / MODEL if path.is_dir() else path, device=device)


def read_rows(
    data: str,
    data_home: Path | None,
    drop: tuple[str, ...],
    max_memory: str | None = None,
    cache_folder: Path | None = None,
) -> DataSet:
    """The rows that DATA names."""
    from stackae.data import load_data

    return load_data(data, data_home=data_home, drop=drop, max_memory=max_memory, cache_folder=cache_folder)


@contextmanager
def about(data: str) -> Iterator[None]:
    """Let a refusal of rows name the file that they are from."""
    from stackae.exceptions import DataError

    try:
        yield
    except DataError as error:
        raise error if str(error).startswith(data) else DataError(f"{data}: {error}") from None
