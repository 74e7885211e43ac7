"""One protocol for all that hears how training goes. Add a callback: one file with a subclass of its base."""

from stackae.training.callbacks.base import Callback, Callbacks
from stackae.training.callbacks.checkpoints import Checkpoints
from stackae.training.callbacks.early_stopping import EarlyStopping
from stackae.training.callbacks.history import History
from stackae.training.callbacks.mlflow import MLflowLogger
from stackae.training.callbacks.progress import progress_bars
from stackae.training.callbacks.tensorboard import TensorBoardLogger

__all__ = [
    "Callback",
    "Callbacks",
    "Checkpoints",
    "EarlyStopping",
    "History",
    "MLflowLogger",
    "TensorBoardLogger",
    "progress_bars",
]
