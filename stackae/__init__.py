"""Stacked autoencoders, pretrained greedily, as scikit-learn transformers.

The public names are imported when they are first used, so that ``import stackae`` loads neither torch nor
scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackae.corruption.gaussian import GaussianNoise as GaussianNoise
    from stackae.corruption.masking import Masking as Masking
    from stackae.corruption.salt_and_pepper import SaltAndPepper as SaltAndPepper
    from stackae.estimators import Autoencoder as Autoencoder
    from stackae.estimators import StackedAutoencoder as StackedAutoencoder
    from stackae.estimators import load as load
    from stackae.penalties.kl_sparsity import KLSparsity as KLSparsity
    from stackae.penalties.l1 import L1 as L1
    from stackae.penalties.l2 import L2 as L2
    from stackae.training.parameters import Training as Training

__version__ = "0.1.0"

_WHERE = {
    "Autoencoder": "estimators",
    "GaussianNoise": "corruption.gaussian",
    "KLSparsity": "penalties.kl_sparsity",
    "L1": "penalties.l1",
    "L2": "penalties.l2",
    "Masking": "corruption.masking",
    "SaltAndPepper": "corruption.salt_and_pepper",
    "StackedAutoencoder": "estimators",
    "Training": "training.parameters",
    "load": "estimators",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
