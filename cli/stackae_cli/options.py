"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stackae.exceptions import did_you_mean
from stackae_cli.streams import result, tell

if TYPE_CHECKING:
    from stackae import (
        Autoencoder,
        StackedAutoencoder,
        StackedAutoencoderClassifier,
        StackedAutoencoderDetector,
        StackedAutoencoderRegressor,
    )
    from stackae.estimators import BaseEncoder

F = TypeVar("F", bound=Callable[..., Any])

#: What models are called.
_KINDS = {
    "Autoencoder": "a pretrained autoencoder",
    "StackedAutoencoder": "a pretrained stack",
    "StackedAutoencoderClassifier": "a classifier",
    "StackedAutoencoderRegressor": "a regressor",
    "StackedAutoencoderDetector": "a detector",
}
#: How columns, or codes, are scaled.
SCALES = ("auto", "standard", "pareto", "minmax", "none")
#: Where a command's context keeps ``--quiet``.
_QUIET = "stackae quiet"
#: The argument that names rows; the bundled data set where it is left out.
data_argument = click.argument("data", default="digits", metavar="[DATA]", type=click.Path())
#: The same where a run can say what it was made from.
data_beside_run = click.argument("data", required=False, metavar="[DATA]", type=click.Path())
#: The argument that names a model.
run_argument = click.argument("run", metavar="RUN", type=click.Path())


class Choice(click.Choice):  # type: ignore[type-arg]
    """One of some words; the one most like a wrong one is offered."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The word."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            meant = did_you_mean(str(value), map(str, self.choices))
            self.fail(error.message.rstrip(".") + meant if meant else error.message, param, ctx)


class Delimiter(click.ParamType):  # type: ignore[type-arg]
    """A character, or the name of one that shells do not like."""

    name = "delimiter"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The character."""
        return str({"tab": "\t", "\\t": "\t", "space": " "}.get(value, value))


class ColumnKind(click.ParamType):  # type: ignore[type-arg]
    """``NAME=KIND``: what a column of a table is."""

    name = "column"
    kinds = ("number", "binary", "category", "date", "text", "drop")

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The same, or a refusal."""
        name, _, kind = value.rpartition("=")
        if not name or kind not in self.kinds:
            self.fail(f"{value!r} is not NAME=KIND; kinds are {', '.join(self.kinds)}", param, ctx)
        return str(value)


class NumberRange(click.FloatRange):
    """The same without nan, which click lets pass."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """The number."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail("nan is not a valid number.", param, ctx)
        return number


class Destination(click.Path):
    """A path; or a URL, which stays as it is."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The same."""
        return value if "://" in str(value) else super().convert(value, param, ctx)


def columns_option(function: F) -> F:
    """``--column``: what columns of a table are."""
    return click.option(
        "--column",
        "columns",
        multiple=True,
        type=ColumnKind(),
        metavar="NAME=KIND",
        help=f"The kind of a column: {', '.join(ColumnKind.kinds)} (repeatable) [default: detected].",
    )(function)


def data_options(function: F) -> F:
    """How DATA is read: ``--drop``, ``--id``, ``--header``, ``--delimiter``, ``--data-home`` and so on."""
    for option in (
        click.option(
            "--data-home",
            type=click.Path(path_type=Path),
            metavar="FOLDER",
            help="The folder with the files of mnist and fashion-mnist [default: $STACKAE_DATA_HOME, else"
            " they are downloaded].",
        ),
        click.option("--encoding", metavar="NAME", help="The encoding of text files [default: detected]."),
        click.option(
            "--na",
            multiple=True,
            metavar="VALUE",
            help="A text that means a missing value, besides empty cells, NA and nan (repeatable).",
        ),
        click.option(
            "--decimal",
            type=Choice([".", ","]),
            help="The decimal sign in text files [default: detected].",
        ),
        click.option(
            "--delimiter",
            type=Delimiter(),
            metavar="CHARACTER",
            help="What separates the cells of text files: a character, tab or space [default: detected].",
        ),
        click.option(
            "--header/--no-header",
            default=None,
            help="Whether the first row of a text file has the column names [default: detected].",
        ),
        click.option(
            "--id",
            metavar="COLUMN",
            help="The column with ids of the rows: it is not used as a feature, and is copied to the output.",
        ),
        click.option(
            "--drop", multiple=True, metavar="COLUMN", help="Leave a column of DATA out (repeatable)."
        ),
    ):
        function = option(function)
    return function


def common_options(function: F) -> F:
    """``--quiet``: results alone; and ``--debug``: a traceback where something fails."""
    function = click.option(
        "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
    )(function)
    return click.option(
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_keep_quiet,
        help="Print only results, warnings and errors; no progress or notes.",
    )(function)


def _keep_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[_QUIET] = value


def is_quiet() -> bool:
    """Whether the command that runs was given ``--quiet``."""
    return bool(click.get_current_context().meta[_QUIET])


def say(text: str) -> None:
    """Say what was done, unless ``--quiet``."""
    if not is_quiet():
        result(text)


def note(text: str) -> None:
    """Say on standard error what a reader should know, unless ``--quiet``."""
    if not is_quiet():
        tell(f"stackae: {text}")


def say_written(path: Path, what: str) -> None:
    """Say what is in a file now; of standard output nothing need be said."""
    from stackae.data.writers import STANDARD_OUTPUT

    if path != STANDARD_OUTPUT:
        say(f"{what}: {path}")


def device_option(function: F) -> F:
    """``--device``: where it is computed."""
    return click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="NAME",
        help="Where to compute: auto, cpu, cuda, cuda:1, ...",
    )(function)


def model_on_rows(function: F) -> F:
    """The arguments RUN and DATA, and every option that goes with them."""
    for option in (common_options, data_options, device_option, data_beside_run, run_argument):
        function = option(function)
    return function


def seed_option(function: F) -> F:
    """``--random-state``."""
    return click.option(
        "--random-state",
        type=click.IntRange(0, 2**32 - 1),
        help="Seed of all random draws [default: a new one, which is recorded in the run folder].",
    )(function)


def drawn(random_state: int | None) -> int:
    """The seed that was given, or one that is drawn."""
    import numpy as np

    return int(np.random.SeedSequence().generate_state(1)[0]) if random_state is None else random_state


def out_option(function: F) -> F:
    """``--out``: the file that is written."""
    return click.option(
        "--out",
        required=True,
        type=Destination(),
        metavar="FILE",
        help="The file to write: .npy, .csv or .parquet; a folder if DATA is a folder of Parquet files. It"
        " must not exist. -: CSV to standard output.",
    )(function)


def load_run(run: str, device: str) -> BaseEncoder:
    """The model of a run folder, or of a model file."""
    from stackae import load

    return load(path_of(run), device=device)


def path_of(run: str) -> Path:
    """The file of a model that is named by it, or by its run's folder."""
    from stackae_cli.run_folder import model_of

    path = Path(run)
    return model_of(path) if path.is_dir() else path


def load_stack(run: str, device: str) -> Autoencoder | StackedAutoencoder:
    """The same, which must be one that others can be built on."""
    from stackae import Autoencoder, StackedAutoencoder

    kinds = (StackedAutoencoder, Autoencoder)
    model: Autoencoder | StackedAutoencoder = _of_kind(run, device, kinds, "a run of stackae pretrain")
    return model


def load_reconstructing(
    run: str, device: str
) -> Autoencoder | StackedAutoencoder | StackedAutoencoderDetector:
    """The same, which must be able to reconstruct."""
    from stackae import Autoencoder, StackedAutoencoder, StackedAutoencoderDetector

    kinds = (Autoencoder, StackedAutoencoder, StackedAutoencoderDetector)
    model: Autoencoder | StackedAutoencoder | StackedAutoencoderDetector
    model = _of_kind(run, device, kinds, "the run that it was fine-tuned from")
    return model


def load_predicting(
    run: str, device: str
) -> StackedAutoencoderClassifier | StackedAutoencoderRegressor | StackedAutoencoderDetector:
    """The same, which must predict."""
    from stackae import (
        StackedAutoencoderClassifier,
        StackedAutoencoderDetector,
        StackedAutoencoderRegressor,
    )

    kinds = (StackedAutoencoderClassifier, StackedAutoencoderRegressor, StackedAutoencoderDetector)
    model: StackedAutoencoderClassifier | StackedAutoencoderRegressor | StackedAutoencoderDetector
    model = _of_kind(run, device, kinds, "what stackae finetune or detect makes of it")
    return model


def learns_labels(model: BaseEncoder) -> bool:
    """Whether a model is a classifier or regressor."""
    from stackae import StackedAutoencoderClassifier, StackedAutoencoderRegressor

    return isinstance(model, (StackedAutoencoderClassifier, StackedAutoencoderRegressor))


def _of_kind(run: str, device: str, kinds: tuple[type, ...], instead: str) -> Any:
    from stackae.exceptions import ParameterError

    model = load_run(run, device)
    if not isinstance(model, kinds):
        wanted = " or ".join(dict.fromkeys(_KINDS[kind.__name__] for kind in kinds))
        found = _KINDS[type(model).__name__]
        raise ParameterError(f"{run}: holds {found}, where {wanted} is needed; give {instead}")
    return model


@contextmanager
def about(data: str) -> Iterator[None]:
    """Let a refusal of rows name the file that they are from."""
    from stackae.exceptions import DataError

    try:
        yield
    except DataError as error:
        raise error if str(error).startswith(data) else DataError(f"{data}: {error}") from None
