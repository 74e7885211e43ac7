"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

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


def read_rows(data: str, data_home: Path | None, drop: tuple[str, ...]) -> DataSet:
    """The rows that DATA names."""
    from stackae.data import load_data

    return load_data(data, data_home=data_home, drop=drop)


def as_given(dataset: DataSet, rows: int | None = None) -> Any:
    """The rows (or the first few) as an estimator takes them: with column names, where they have some."""
    X = dataset.X[:rows]
    return X if dataset.feature_names is None else NamedRows(X, dataset.feature_names)


class NamedRows:
    """An array with column names, in the least form that scikit-learn reads them from.

    pandas would do as well, but is an extra.
    """

    def __init__(self, rows: npt.NDArray[np.floating], names: list[str]) -> None:
        self._rows = rows
        self._names = names
        self.shape = rows.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[np.floating]:
        import numpy as np

        return np.array(self._rows, dtype=dtype, copy=copy)

    def __dataframe__(self) -> NamedRows:
        return self

    def column_names(self) -> list[str]:
        """The names, in order."""
        return self._names
