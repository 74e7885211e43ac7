"""``--tensorboard`` and ``--mlflow``: where else it is written how a run goes."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from stackae.training.callbacks import MLflowLogger, TensorBoardLogger

F = TypeVar("F", bound=Callable[..., Any])


def log_options(function: F) -> F:
    """``--tensorboard`` and ``--mlflow``."""
    for option in (
        click.option(
            "--mlflow",
            metavar="EXPERIMENT",
            help="Also log the run to MLflow, at MLFLOW_TRACKING_URI [default: no log].",
        ),
        click.option(
            "--tensorboard",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="FOLDER",
            help="Also log the run for TensorBoard, in a subfolder with its name [default: no log].",
        ),
    ):
        function = option(function)
    return function


class Logs(NamedTuple):
    """What the options say; they are no part of what a run ends in."""

    tensorboard: Path | None
    mlflow: str | None

    def loggers(self, out: Path, *, resume: bool) -> list[TensorBoardLogger | MLflowLogger]:
        """The callbacks that write, for the run in a folder."""
        from stackae.training.callbacks import MLflowLogger, TensorBoardLogger

        found: list[TensorBoardLogger | MLflowLogger] = []
        if self.tensorboard is not None:
            found.append(TensorBoardLogger(self.tensorboard / out.resolve().name, resume=resume))
        if self.mlflow is not None:
            found.append(MLflowLogger(self.mlflow, run_name=str(out), resume=resume))
        return found

    @property
    def arguments(self) -> list[str]:
        """What is to be said again, for the run to go on."""
        given = {"--tensorboard": self.tensorboard, "--mlflow": self.mlflow}
        return [str(word) for pair in given.items() if pair[1] is not None for word in pair]


def image_shape(data: str, n_features: int) -> tuple[int, int] | None:
    """Height and width of the image that a row of a known data set is; of others nobody knows."""
    from stackae.data.datasets import DATA_SETS

    side = isqrt(n_features)
    return (side, side) if data.partition(":")[0] in DATA_SETS and side**2 == n_features else None
