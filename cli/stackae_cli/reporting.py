"""The report on a run: in its folder when it is done, or asked for later."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stackae_cli.logs import image_shape
from stackae_cli.options import note
from stackae_cli.run_folder import CARD, CONFIG, REPORT, held_out_in_words, label_curve_in_words, seconds_of
from stackae_cli.source import config_of, kept_columns

if TYPE_CHECKING:
    from stackae.data import DataSet
    from stackae.estimators import BaseEncoder
    from stackae.report import Report

F = TypeVar("F", bound=Callable[..., Any])


def report_option(function: F) -> F:
    """``--no-report``."""
    return click.option(
        "--report/--no-report",
        default=True,
        help=f"Write {REPORT}, a page on what was learned, and {CARD}, a model card, to the run folder"
        " [default: if jinja2 and matplotlib are installed].",
    )(function)


def write_report(folder: Path, model: BaseEncoder, data: DataSet) -> None:
    """Write report and model card of a run whose model is there; where that fails, say so, and go on."""
    from stackae.serialization.files import atomic_write_text

    try:
        made = report_of(str(folder), model, data)
        atomic_write_text(folder / REPORT, made.html)
        atomic_write_text(folder / CARD, made.card)
    except Exception as error:  # the model is what counts
        reason = " ".join(str(error).split()) or type(error).__name__
        note(f"the report was left out: {reason}")


def report_of(run: str, model: BaseEncoder, data: DataSet, labels: str | None = None) -> Report:
    """The report on a run, or a model file, and rows.

    Parameters
    ----------
    run : str
    model : fitted estimator
    data : DataSet
        With its labels, where it has some.
    labels : str or None, default=None
        What these are called; None: as the run calls them.
    """
    from stackae.report import report_on

    config, path = config_of(run), Path(run)
    is_run = path.is_dir()
    held_out = held_out_in_words(path) if is_run else None
    curve = label_curve_in_words(path) if is_run else None
    told = (("A first fit had", held_out), ("By the number of labels:", curve))
    return report_on(
        model,
        data.named_samples,
        data.y,
        made_from=data.name,
        labels_name=Path(labels or kept_columns(run).get("labels") or "").name or None,
        seconds=seconds_of(path) if is_run else None,
        notes=[f"{before} {found}." for before, found in told if found is not None],
        replay=_replay(config, path),
        image_shape=image_shape(str(config.get("data", data.name)), data.X.shape[1]),
    )


def _replay(config: Mapping[str, Any], run: Path) -> list[tuple[str, str]]:
    """The command that makes a run again."""
    command = dict(config.get("ran", {})).get("command")
    if command is None:
        return []
    where = (Path(run.name) if run.is_absolute() else run) / CONFIG
    line = shlex.join(["stackae", str(command), "--config", str(where), "--out", f"{run.name}-again"])
    return [("Make the run again, from where it was made:", line)]
