"""The scikit-learn estimators."""

from stackae.estimators._base import BaseEncoder
from stackae.estimators._loading import load
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.classifier import StackedAutoencoderClassifier
from stackae.estimators.detector import StackedAutoencoderDetector
from stackae.estimators.regressor import StackedAutoencoderRegressor
from stackae.estimators.stacked import StackedAutoencoder

__all__ = [
    "Autoencoder",
    "BaseEncoder",
    "StackedAutoencoder",
    "StackedAutoencoderClassifier",
    "StackedAutoencoderDetector",
    "StackedAutoencoderRegressor",
    "load",
]
