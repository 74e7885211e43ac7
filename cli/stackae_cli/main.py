"""The group of commands, and the entry point."""

from __future__ import annotations

import sys

import click

import stackae
from stackae_cli.commands.detect import detect
from stackae_cli.commands.evaluate import evaluate
from stackae_cli.commands.explain import explain
from stackae_cli.commands.export import export
from stackae_cli.commands.finetune import finetune
from stackae_cli.commands.impute import impute
from stackae_cli.commands.info import info
from stackae_cli.commands.predict import predict
from stackae_cli.commands.pretrain import pretrain
from stackae_cli.commands.reconstruct import reconstruct
from stackae_cli.commands.report import report
from stackae_cli.commands.score import score
from stackae_cli.commands.transform import transform
from stackae_cli.errors import run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(stackae.__version__, prog_name="stackae")
def cli() -> None:
    """Learn nonlinear features, as an alternative to PCA.

    Autoencoders are pretrained one layer at a time, stacked and fine-tuned. To begin, try "stackae pretrain
    digits", then "stackae evaluate runs/digits digits".
    """


cli.add_command(pretrain)
cli.add_command(transform)
cli.add_command(reconstruct)
cli.add_command(impute)
cli.add_command(score)
cli.add_command(explain)
cli.add_command(finetune)
cli.add_command(predict)
cli.add_command(detect)
cli.add_command(export)
cli.add_command(info)
cli.add_command(report)
cli.add_command(evaluate)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(cli, sys.argv[1:]))


if __name__ == "__main__":
    main()
