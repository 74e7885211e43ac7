"""``stackae info``: what a model file holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from stackae_cli.options import common_options, load_run, run_argument

if TYPE_CHECKING:
    from stackae.estimators import BaseEncoder


@click.command()
@run_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
def info(run: str, as_json: bool) -> None:
    """Print what a model consists of and how its training went."""
    model = load_run(run, "cpu")
    reports = model.health_ if isinstance(model.health_, list) else [model.health_]
    layers = []
    for number, layer in enumerate(model.module_, 1):
        epochs = [r for r in model.history_ if r["layer"] == number]
        layers.append(
            {
                "layer": number,
                "inputs": int(layer.scaling.shift.shape[0]),
                "units": layer.n_units,
                "network": _describe(layer.parts.network),
                "activation": layer.parts.activation,
                "tied": layer.parts.tied_weights,
                "corruption": _describe(layer.parts.corruption),
                "code": _describe(layer.parts.code),
                "penalty": ", ".join(map(_describe, layer.parts.penalties)),
                "loss": _describe(layer.parts.loss),
                "scale": layer.parts.scaling_in_words,
                "epochs": len(epochs),
                "last loss": epochs[-1]["loss"] if epochs else None,
            }
        )
    of_phase = {
        name: [r for r in model.history_ if r["phase"] == name] for name in ("finetune", "supervised")
    }
    summary = {
        "estimator": type(model).__name__,
        "features": model.n_features_in_,
        "outputs": len(model.get_feature_names_out()),
        "shortcut": _about_shortcut(model),
        "weights": sum(p.numel() for p in model.module_.parameters()),
        "finetune epochs": len(of_phase["finetune"]),
    }
    for name, records in of_phase.items():
        if records:
            summary |= {f"{name} epochs": len(records), f"{name} last loss": records[-1]["loss"]}
    if as_json:
        described = [{**layer, "health": report} for layer, report in zip(layers, reports, strict=True)]
        click.echo(json.dumps({**summary, "layers": described}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    for name, value in summary.items():
        if value is not None:
            click.echo(f"{name:<22}{value:.5g}" if isinstance(value, float) else f"{name:<22}{value}")
    console = Console(width=None if Console().is_terminal else 200)
    health = [
        {"layer": number, **{name.replace("_", " "): value for name, value in report.items()}}
        for number, report in enumerate(reports, 1)
    ]
    for rows in (layers, health):
        table = Table(*rows[0])
        for row in rows:
            table.add_row(
                *("" if v is None else f"{v:.5g}" if isinstance(v, float) else str(v) for v in row.values())
            )
        console.print(table)


def _about_shortcut(model: BaseEncoder) -> str | None:
    shortcut = model.module_.shortcut
    if shortcut is None:
        return None
    return f"{shortcut.n_kept} of {model.module_.widths[-1]} units of the code are principal components"


def _describe(part: object) -> str:
    return "" if part is None else str(part)
