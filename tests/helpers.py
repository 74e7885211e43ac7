"""The one list of variants that drives the parametrised tests, and small models that fit in no time."""

from __future__ import annotations

import sys
from typing import Any

import torch

from stackae import Autoencoder, Masking, SquaredError, StackedAutoencoder, Training
from stackae.codes import CODES
from stackae.corruption import CORRUPTIONS
from stackae.losses import LOSSES
from stackae.modules.layer import Composition, Inputs, ShallowAutoencoder, resolve
from stackae.modules.scaling import Scaling
from stackae.networks import ACTIVATIONS, NETWORKS
from stackae.penalties import PENALTIES

#: One layer's parameters for every variant of every part: to be listed in its table is to be tested.
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tied": {"tied_weights": True},
    **{f"network {name}": {"network": name} for name in NETWORKS},
    **{f"activation {name}": {"activation": name} for name in ACTIVATIONS},
    **{f"corruption {name}": {"corruption": name} for name in CORRUPTIONS},
    **{f"code {name}": {"code": name} for name in CODES},
    **{f"penalty {name}": {"penalty": name} for name in PENALTIES},
    "two penalties": {"penalty": ["l1", "contractive"], "activation": "sigmoid"},
    "hidden noise": {"corruption": Masking((0.5, 0.1), on="both")},
    "emphasis": {"corruption": "masking", "loss": SquaredError(corrupted=1.0, intact=0.5)},
    **{f"loss {name}": {"loss": name} for name in LOSSES},
}

#: Enough to see that training trains.
SHORT = Training(max_epochs=3, batch_size=32)


#: The options of a short ``stackae pretrain``.
SMALL = ("--layer", "8", "--layer", "3", "--epochs", "2", "--finetune-epochs", "2", "--random-state", "0")


def command(*args: object) -> list[str]:
    """The command line as a process of its own."""
    return [sys.executable, "-m", "stackae_cli.main", *(str(arg) for arg in args)]


def small_autoencoder(n_components: int = 4, **parameters: Any) -> Autoencoder:
    return Autoencoder(n_components, **{"training": SHORT, "random_state": 0, **parameters})


def small_stack(layers: Any = (8, 3), **parameters: Any) -> StackedAutoencoder:
    return StackedAutoencoder(
        layers, **{"pretrain": SHORT, "finetune": SHORT, "random_state": 0, **parameters}
    )


def shallow(
    n_inputs: int = 6,
    n_components: int = 4,
    *,
    network: Any = None,
    low: float = 0.0,
    high: float = 1.0,
    **parts: Any,
) -> ShallowAutoencoder:
    """An initialised module for inputs of a range, with the scaling that changes nothing."""
    composition = Composition(n_components, network or NETWORKS["dense"](), **parts)
    resolved = resolve(composition, Inputs(low, high, (n_inputs,)), linear_code=False)
    module = ShallowAutoencoder(resolved, n_inputs, Scaling.identity(n_inputs))
    return module.initialise(torch.Generator().manual_seed(0))
