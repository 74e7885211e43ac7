"""Reports on an array of images, on a mixed table with gaps, and on series."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import SHORT, small_autoencoder, small_stack
from pictures import mixed_table
from sklearn.datasets import load_digits

from stackae import Recurrent
from stackae.report import Report


@pytest.fixture(scope="session")
def of_digits() -> Report:
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    stack = small_stack().fit(X)
    return stack.report(X, y, made_from="digits", image_shape=(8, 8))


@pytest.fixture(scope="session")
def of_a_table() -> Report:
    table = mixed_table()
    stack = small_stack(missing_values=np.nan).fit(table.drop(columns="city"))
    return stack.report(table.drop(columns="city"), table["city"], made_from="people.csv")


@pytest.fixture(scope="session")
def of_series() -> Report:
    X = np.sin(np.linspace(0, 9, 40 * 24).reshape(40, 24))
    layer = small_autoencoder(3, network=Recurrent((12, 2)), training=SHORT).fit(X)
    return layer.report(X)


@pytest.fixture(params=["digits", "a_table", "series"])
def report(request) -> Report:
    return request.getfixturevalue(f"of_{request.param}")
