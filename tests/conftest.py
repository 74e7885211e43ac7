"""Fixtures that several tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before the libraries are loaded that look at them. One of scikit-learn's checks asks for the first.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# As many workers as processors have one thread each; and processes that are forked have no more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).parent))  # for helpers.py and strategies.py, wherever a test lies


settings.register_profile("whatever the machine does", deadline=None)
settings.load_profile("whatever the machine does")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """The bundled digits in [0, 1], (1797, 64), float64."""
    return load_digits().data / 16


@pytest.fixture(scope="session")
def table() -> np.ndarray:
    """A table with mixed units and a constant column, (200, 6), float64."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(200, 2))
    X = hidden @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(200, 6))
    return np.column_stack([X[:, :5] * [1, 10, 100, 1000, 1e-3] + [0, 5, 0, -300, 0], np.full(200, 7.0)])


@pytest.fixture(scope="session")
def data_home() -> Path:
    """The folder with MNIST, or a skip that says how to name it."""
    home = os.environ.get("STACKAE_DATA_HOME")
    if not home or not (Path(home) / "mnist").is_dir():
        pytest.skip("needs MNIST as IDX files: set STACKAE_DATA_HOME to the folder that holds mnist/")
    return Path(home)
