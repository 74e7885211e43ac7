"""How phases are trained, on the command line: options for what is set most, settings for all else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stackae_cli.layer_spec import parse_training

if TYPE_CHECKING:
    from stackae import Training

F = TypeVar("F", bound=Callable[..., Any])

#: The options that give a parameter of a training; epochs have one for each phase.
_OPTIONS = {
    "batch_size": "--batch-size",
    "learning_rate": "--learning-rate",
    "weight_decay": "--weight-decay",
    "layerwise_rate": "--layerwise-rate",
}


#: What there is to be set, said below the options.
SETTINGS = (
    "A SETTING is NAME=VALUE, or several joined by commas: max_epochs, or updates, from which epochs follow;"
    " batch_size; learning_rate (its peak); schedule of the rate (constant, cosine, one-cycle); optimizer"
    " (adam, adamw, sgd); momentum (of sgd); weight_decay; validation_fraction (share of the rows held out;"
    " 0: none); patience (epochs without improvement on these that end a phase; none: no early end); tol"
    " (the least improvement, as a share of the loss); in fine-tuning corruption (of input or code, or"
    " none) and layerwise_rate (of each layer, relative to the one above)."
)


def setting_option(name: str, what: str) -> Callable[[F], F]:
    """``--pretrain`` or ``--finetune``: any parameter of a training."""
    return click.option(
        name,
        multiple=True,
        metavar="SETTING",
        help=f"Set parameters {what} that have no option of their own, such as optimizer=adamw,patience=none"
        " (repeatable; which there are is said below).",
    )


def training_of(options: Mapping[str, Any], settings: str, epochs: str, **more: Any) -> Training | None:
    """What a phase is told; None: nothing.

    Parameters
    ----------
    options : mapping
    settings, epochs : str
        The options that say it, as ``--finetune`` and ``--finetune-epochs``.
    **more
        Parameters that come from elsewhere.

    Raises
    ------
    click.BadParameter
        A setting is none, or is given by an option as well.
    """
    from stackae import Training

    said = {"max_epochs": epochs, **_OPTIONS, **{name: f"--{name}" for name in more}}
    values = {name: options.get(option[2:].replace("-", "_")) for name, option in said.items()} | more
    given = {name: value for name, value in values.items() if value is not None}
    set_here = parse_training(options[settings[2:]], settings)
    if twice := [name for name in set_here if name in given]:
        raise click.BadParameter(
            f"{twice[0]} is given by {said[twice[0]]}, too; leave one of them out", param_hint=settings
        )
    if "updates" in set_here and "max_epochs" in given:
        raise click.BadParameter(
            f"updates and {epochs} both say how long to train; leave one of them out", param_hint=settings
        )
    training = Training(**given, **set_here)
    training.check_parameters()
    return training if given or set_here else None
