"""Files of the kinds that hold arrays, made by the tests themselves, and how they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from stackae.data import load_data
from stackae.exceptions import DataFileError


def refused(path: Path | str, *parts: str, file: Path | None = None, **options: Any) -> str:
    """Check that DATA is refused in one line that begins with its file and has all the parts."""
    with pytest.raises(DataFileError) as caught:
        load_data(str(path), **options)
    message = str(caught.value)
    assert message.startswith(f"{file or path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def two_kinds(n_samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Counts of 8 columns, most of them 0, float32; and one of two kinds for each sample."""
    rng = np.random.default_rng(0)
    kinds = np.arange(n_samples) % 2
    X = rng.poisson(0.5 + 3 * (np.arange(8) % 2 == kinds[:, None])).astype(np.float32)
    return X * (rng.random(X.shape) < 0.6), kinds


def write_sparse(path: Path, matrix: sparse.spmatrix, **others: Any) -> None:
    """An ``.npz`` as scipy leaves it, with other arrays beside it or in the place of its own."""
    sparse.save_npz(path, matrix)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{name: array for name, array in (arrays | others).items() if array is not None})
