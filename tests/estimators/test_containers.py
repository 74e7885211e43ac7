"""Rows and targets in whatever holds them: nothing warns, and nothing of the user's is handed out to be written."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from helpers import BRIEF, small_autoencoder, small_stack
from sklearn.base import clone

from stackae import StackedAutoencoderClassifier, StackedAutoencoderDetector, StackedAutoencoderRegressor

#: More than so many that a fit sorts, and so copies.
N = 300
NAMES = list("abcdef")
STACK = small_stack(pretrain=BRIEF, finetune=BRIEF)
MODELS = {
    "autoencoder": small_autoencoder(training=BRIEF),
    "stack": STACK,
    "detector": StackedAutoencoderDetector(STACK),
    "classifier": StackedAutoencoderClassifier(STACK, finetune=BRIEF, random_state=0),
    "regressor": StackedAutoencoderRegressor(STACK, finetune=BRIEF, random_state=0),
}
METHODS = ("transform", "predict", "predict_proba", "reconstruct", "score_samples", "explain", "partial_fit")


def read_only(values):
    values = np.array(values)
    values.flags.writeable = False
    return values


def read_only_sparse(values):
    X = sp.csr_array(values)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


@pytest.fixture
def mapped(tmp_path):
    def to_a_file(values):
        np.save(tmp_path / f"{np.ndim(values)}.npy", values)
        return np.load(tmp_path / f"{np.ndim(values)}.npy", mmap_mode="r")

    return to_a_file


@pytest.fixture
def strict(monkeypatch):
    """Every warning is an error, and torch's about memory that may not be written one each time, not once."""
    from_numpy = torch.from_numpy

    def of_writable(values):
        assert values.flags.writeable
        return from_numpy(values)

    monkeypatch.setattr(torch, "from_numpy", of_writable)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


CONTAINERS = {
    "pandas": (lambda X: pd.DataFrame(X, columns=NAMES), pd.Series),
    "pandas, nullable": (
        lambda X: pd.DataFrame(X, columns=NAMES).convert_dtypes(),
        lambda y: pd.Series(y).convert_dtypes(),
    ),
    "polars": (lambda X: pl.DataFrame(X, schema=NAMES), pl.Series),
    "pyarrow": (lambda X: pa.table(dict(zip(NAMES, X.T, strict=True))), pa.array),
    "read-only": (read_only, read_only),
    "read-only float32": (lambda X: read_only(X.astype(np.float32)), read_only),
    "big-endian": (
        lambda X: read_only(X.astype(">f8")),
        lambda y: read_only(y.astype(y.dtype.newbyteorder(">"))),
    ),
    "sparse": (read_only_sparse, read_only),
    "lists": (np.ndarray.tolist, np.ndarray.tolist),
    "memory map": (None, None),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", MODELS)
def test_no_container_makes_a_fit_or_an_answer_warn(name, container, mapped, strict):
    rng = np.random.default_rng(0)
    X, model = rng.normal(size=(N, 6)), clone(MODELS[name])
    y = (X[:, 0] > 0).astype(int) if name == "classifier" else X[:, 0]
    of_X, of_y = (mapped if convert is None else convert for convert in CONTAINERS[container])
    given, targets = of_X(X), of_y(y)
    model.fit(given, targets, sample_weight=of_y(rng.integers(1, 3, N).astype(float)))
    fitted = model.fit(given, targets)
    answers = [getattr(fitted, method)(given) for method in METHODS if hasattr(fitted, method)]
    assert len(answers) >= 2
    assert np.isfinite(fitted.score(given, targets) if hasattr(fitted, "score") else 0.0)
