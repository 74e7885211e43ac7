"""Stacked autoencoders, pretrained greedily, as scikit-learn transformers.

The public names are imported when they are first used, so that ``import stackae`` loads neither torch nor
scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackae.codes.gaussian import GaussianCode as GaussianCode
    from stackae.codes.topk import TopK as TopK
    from stackae.corruption.dropout import Dropout as Dropout
    from stackae.corruption.gaussian import GaussianNoise as GaussianNoise
    from stackae.corruption.masking import Masking as Masking
    from stackae.corruption.salt_and_pepper import SaltAndPepper as SaltAndPepper
    from stackae.corruption.swap import Swap as Swap
    from stackae.estimators import Autoencoder as Autoencoder
    from stackae.estimators import StackedAutoencoder as StackedAutoencoder
    from stackae.estimators import StackedAutoencoderClassifier as StackedAutoencoderClassifier
    from stackae.estimators import StackedAutoencoderDetector as StackedAutoencoderDetector
    from stackae.estimators import StackedAutoencoderRegressor as StackedAutoencoderRegressor
    from stackae.estimators import load as load
    from stackae.losses.cross_entropy import CrossEntropy as CrossEntropy
    from stackae.losses.huber import Huber as Huber
    from stackae.losses.per_feature import PerFeature as PerFeature
    from stackae.losses.squared_error import SquaredError as SquaredError
    from stackae.networks.closed_form import Marginalised as Marginalised
    from stackae.networks.closed_form import PCAStart as PCAStart
    from stackae.networks.convolutional import Convolutional as Convolutional
    from stackae.networks.dense import Dense as Dense
    from stackae.networks.recurrent import Recurrent as Recurrent
    from stackae.penalties.adversarial import Adversarial as Adversarial
    from stackae.penalties.contractive import Contractive as Contractive
    from stackae.penalties.kl_sparsity import KLSparsity as KLSparsity
    from stackae.penalties.l1 import L1 as L1
    from stackae.penalties.l2 import L2 as L2
    from stackae.training.parameters import Training as Training

__version__ = "0.1.0"

_WHERE = {
    "Adversarial": "penalties.adversarial",
    "Autoencoder": "estimators",
    "Contractive": "penalties.contractive",
    "Convolutional": "networks.convolutional",
    "CrossEntropy": "losses.cross_entropy",
    "Dense": "networks.dense",
    "Dropout": "corruption.dropout",
    "GaussianCode": "codes.gaussian",
    "GaussianNoise": "corruption.gaussian",
    "Huber": "losses.huber",
    "KLSparsity": "penalties.kl_sparsity",
    "L1": "penalties.l1",
    "L2": "penalties.l2",
    "Marginalised": "networks.closed_form",
    "Masking": "corruption.masking",
    "PCAStart": "networks.closed_form",
    "PerFeature": "losses.per_feature",
    "Recurrent": "networks.recurrent",
    "SaltAndPepper": "corruption.salt_and_pepper",
    "SquaredError": "losses.squared_error",
    "StackedAutoencoder": "estimators",
    "StackedAutoencoderClassifier": "estimators",
    "StackedAutoencoderDetector": "estimators",
    "StackedAutoencoderRegressor": "estimators",
    "Swap": "corruption.swap",
    "TopK": "codes.topk",
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
