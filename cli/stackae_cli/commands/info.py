"""``stackae info``: what a model file holds."""

from __future__ import annotations

import json

import click

from stackae_cli.options import common_options, load_run, run_argument


@click.command()
@run_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
def info(run: str, as_json: bool) -> None:
    """Print what a model consists of and how its training went."""
    model = load_run(run, "cpu")
    layers = []
    for number, layer in enumerate(model._shallow, 1):
        epochs = [r for r in model.history_ if r["layer"] == number]
        layers.append(
            {
                "layer": number,
                "inputs": int(layer.scaling.shift.shape[0]),
                "units": layer.parts.n_components,
                "activation": layer.parts.activation,
                "tied": layer.parts.tied_weights,
                "corruption": _describe(layer.parts.corruption),
                "penalty": _describe(layer.parts.penalty),
                "loss": _describe(layer.parts.loss),
                "scale": layer.parts.scale or "none",
                "epochs": len(epochs),
                "last loss": epochs[-1]["loss"] if epochs else None,
            }
        )
    tuning = [r for r in model.history_ if r["phase"] == "finetune"]
    summary = {
        "estimator": type(model).__name__,
        "features": model.n_features_in_,
        "outputs": model._n_features_out,
        "weights": sum(p.numel() for p in model.module_.parameters()),
        "finetune epochs": len(tuning),
        "finetune last loss": tuning[-1]["loss"] if tuning else None,
    }
    if as_json:
        click.echo(json.dumps({**summary, "layers": layers}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    for name, value in summary.items():
        if value is not None:
            click.echo(f"{name:<20}{value:.5g}" if isinstance(value, float) else f"{name:<20}{value}")
    table = Table(*layers[0])
    for row in layers:
        table.add_row(
            *("" if v is None else f"{v:.5g}" if isinstance(v, float) else str(v) for v in row.values())
        )
    Console(width=None if Console().is_terminal else 160).print(table)


def _describe(part: object) -> str:
    return "" if part is None else str(part)
