"""``stackae info``: what a model file holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from stackae_cli.options import common_options, path_of, run_argument
from stackae_cli.streams import result

#: What a line may take, and where its value begins.
_WIDTH, _INDENT = 80, 22
#: So many columns of the data, or classes, are named, and columns of a table told of.
_MOST_NAMES, _MOST_COLUMNS = 10, 30


@click.command()
@run_argument
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@common_options
def info(run: str, as_json: bool) -> None:
    """Print the parts of a model, how its training went, and the health of its layers."""
    from stackae.serialization.description import describe_model
    from stackae_cli.run_folder import held_out_in_words, label_curve_in_words
    from stackae_cli.source import config_of

    found, config = describe_model(path_of(run)), config_of(run)
    if config:
        found["made from"] = ", ".join(str(config[name]) for name in ("run", "data") if name in config)
        found["labels"] = config.get("labels")
        found["held out"] = held_out_in_words(Path(run))
        found["label curve"] = label_curve_in_words(Path(run))
    result(json.dumps(found, indent=2) if as_json else "\n".join(_lines(found)))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    """All of it as text that fits a terminal of 80 columns: a block of names and values a layer."""
    if not any(layer["epochs"] for layer in found["layers"]) and "supervised epochs" in found:
        # Pretrained elsewhere: this file knows nothing of it.
        found = {
            **found,
            "finetune epochs": None,
            "layers": [layer | {"epochs": None} for layer in found["layers"]],
        }
    made_with = ", ".join(f"{name}=={version}" for name, version in found["versions"].items())
    layers = found["layers"]
    table = found["table"]
    names = found["columns"] if table is None else None  # else each has a line of its own
    for name, value in {
        **found,
        "columns": names,
        "table": None,
        "versions": made_with,
        "layers": None,
    }.items():
        yield from _line(name, value)
    yield from () if table is None else _table_lines(table)
    # Else the layers were last trained to reconstruct together, or nobody knows.
    by_itself = len(layers) == 1 or (
        not found["finetune epochs"] and all(layer["epochs"] for layer in layers)
    )
    for layer in layers:
        parts = {name: value for name, value in layer.items() if name not in ("layer", "health")}
        yield f"\nlayer {layer['layer']}"
        for name, value in parts.items():
            yield from _line(f"  {name}", value)
        health = _in_words(layer["health"], layer["units"], by_itself=by_itself)
        before = ", before the labels were learned" if "supervised epochs" in found else ""
        yield from _line("  health", f"on {layer['health']['rows']:,} rows{before}")
        for name, value in health.items():
            yield from _line(f"    {name}", value)


def _table_lines(table: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What each column of the table became, as far as there is room."""
    from stackae.serialization.table_info import ColumnInfo, TableInfo

    yield "\ntable"
    told = TableInfo(ColumnInfo(**column) for column in table)
    yield from told.lines(_MOST_COLUMNS)


def _in_words(health: Mapping[str, Any], n_units: int, *, by_itself: bool) -> dict[str, str]:
    """A health report with what its numbers mean.

    A layer's own R² says something only where the layer was last trained by itself.
    """
    said = {
        "dead units": f"{100 * health['dead_units']:.1f} %, with the same code for all rows",
        "saturated units": f"{100 * health['saturated_units']:.1f} %, at a bound for nearly all rows",
        "mean activity": f"{health['mean_activity']:.4g}, the mean of the codes",
        "active cells": f"{100 * health['active_cells']:.1f} % of the codes' numbers are not zero",
        "effective rank": f"{health['effective_rank']:.1f} of {n_units} directions are used",
    }
    own = f"{health['variance_reconstructed']:.4g} of the layer's inputs, by the layer alone"
    return said | ({"R²": own} if by_itself else {})


def _line(name: str, value: Any) -> Iterator[str]:
    """A name and its value, which may need several lines; nothing where there is no value."""
    from stackae.serialization.table_info import printable

    if value not in (None, ""):
        text = f"{name:<{_INDENT}}{printable(_text(value))}"
        yield from wrap(text, _WIDTH, subsequent_indent=" " * _INDENT, break_on_hyphens=False)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        more = f" and {len(value) - _MOST_NAMES:,} more" if len(value) > _MOST_NAMES else ""
        return ", ".join(map(str, value[:_MOST_NAMES])) + more
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
