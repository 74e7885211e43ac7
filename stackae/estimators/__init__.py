"""The scikit-learn estimators."""

from stackae.estimators._loading import load
from stackae.estimators.autoencoder import Autoencoder
from stackae.estimators.stacked import StackedAutoencoder

__all__ = ["Autoencoder", "StackedAutoencoder", "load"]
