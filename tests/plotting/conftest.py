"""Small models of every kind, and what they were fitted on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import BRIEF, SHORT, small_autoencoder, small_stack
from pictures import mixed_table

from stackae import Autoencoder, Convolutional, GaussianCode, Masking, Recurrent


@pytest.fixture(scope="session")
def fitted(digits: np.ndarray) -> SimpleNamespace:
    """Fitted models, and what they were fitted on."""
    X, table = digits[:300].astype(np.float32), mixed_table()
    t = np.arange(12)
    series = np.sin(t * np.linspace(0.3, 0.6, 60)[:, None])
    channels = np.stack([series, 2 * series, np.cos(series), 0 * series + t], 2).reshape(60, -1)
    generative = Autoencoder(3, code=GaussianCode(1.0), training=SHORT)
    return SimpleNamespace(
        X=X,
        y=np.arange(300) % 10,
        table=table,
        series=series,
        channels=channels,
        layer=small_autoencoder(16, corruption=Masking(0.5)).fit(X),
        stack=small_stack((12, 3)).fit(X),
        wide=small_stack((12, 8), pretrain=BRIEF, finetune=BRIEF).fit(X),
        convolutional=small_autoencoder(4, network=Convolutional((8, 8)), training=BRIEF).fit(X),
        recurrent=small_autoencoder(3, network=Recurrent(), corruption="gaussian", training=BRIEF).fit(
            series
        ),
        of_channels=small_autoencoder(3, network=Recurrent((12, 4)), training=BRIEF).fit(channels),
        on_table=small_stack((8, 2), missing_values=np.nan).fit(table),
        generative=small_stack((8, generative)).fit(X),
        generative_table=small_stack((8, generative), missing_values=np.nan).fit(table),
    )
