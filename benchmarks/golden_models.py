"""The rows and the models of the golden fits, spelled as the version at hand spells them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

import stackae as ae

Digests = dict[str, str]


class Fitted(NamedTuple):
    """A fitted model, the rows that it is asked about, and what it is asked beside the usual."""

    model: Any
    rows: Any
    more: tuple[str, ...] = ()


Case = Callable[[], Fitted]

#: What every model is asked that has such a method.


#: What every model is asked that has such a method.
USUAL = ("transform", "predict", "predict_proba", "decision_function", "score_samples", "reconstruct")
#: How a model is asked otherwise than with its rows.
ASKED: dict[str, Callable[[Any, Any], Any]] = {
    "inverse_transform": lambda model, X: model.inverse_transform(model.transform(X)),
    "sample": lambda model, X: model.sample(20, random_state=1),
    "score": lambda model, X: model.score(X),
}


# Digests --------------------------------------------------------------------------------------------------


def digests(fitted: Fitted) -> Digests:
    """The three sha256 of a fitted model."""
    records = fitted.model.history_
    history = [[r["loss"], r["validation_loss"], r["learning_rate"]] for r in records]
    return {
        "tensors": of_tensors(fitted.model),
        "transform": of_answers(fitted),
        "history": hashlib.sha256(json.dumps(history).encode()).hexdigest(),
    }


def of_tensors(model: Any) -> str:
    """Of names, types, shapes and bytes, in the order of the names."""
    lone = type(model).__name__ == "Autoencoder"
    tensors = {
        f"layers.0.{name}" if lone and not name.startswith("layers.") else name: tensor
        for name, tensor in model.module_.state_dict().items()
    }
    sha256 = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + content)
    return sha256.hexdigest()


def of_answers(fitted: Fitted) -> str:
    """Of what the model says of the rows, method by method."""
    model, rows, more = fitted
    sha256 = hashlib.sha256()
    for name in (*(name for name in USUAL if hasattr(model, name)), *more):
        answer = np.asarray(ASKED[name](model, rows) if name in ASKED else getattr(model, name)(rows))
        sha256.update(f"{name} {answer.dtype.str} {answer.shape}".encode() + answer.tobytes())
    return sha256.hexdigest()


# Rows -----------------------------------------------------------------------------------------------------


@cache
def bundled() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X[:400] / 16, y[:400]


def digits() -> np.ndarray:
    """400 images of 8 × 8 in [0, 1], float64; always a fresh copy, as all rows here."""
    return bundled()[0].copy()


def classes() -> np.ndarray:
    return bundled()[1].copy()


def two_valued() -> np.ndarray:
    return (digits() > 0.5).astype(np.float64)


def curved(n_rows: int = 700, n_columns: int = 20, seed: int = 1) -> np.ndarray:
    """Columns in units of their own, of a few hidden numbers by way of waves and steps."""
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(-2, 2, (n_rows, 3))
    waves = np.sin(hidden @ rng.normal(size=(3, n_columns)) * 1.5 + rng.uniform(0, 6, n_columns))
    steps = np.tanh(3 * hidden @ rng.normal(size=(3, n_columns)))
    X = waves + 0.5 * steps + 0.05 * rng.normal(size=(n_rows, n_columns))
    return X * rng.uniform(0.5, 20, n_columns) + rng.normal(size=n_columns)


def table(n_rows: int = 300) -> np.ndarray:
    """Eight columns, one of them constant and two of them binary."""
    X = curved(n_rows, 8, seed=2)
    X[:, 3] = 7.0
    X[:, 5:7] = X[:, 5:7] > np.median(X[:, 5:7], axis=0)
    return X


def holes(X: np.ndarray, marker: float = np.nan, share: float = 0.15) -> np.ndarray:
    """The rows with some cells missing."""
    return np.where(np.random.default_rng(3).random(X.shape) < share, marker, X)


def sequences() -> np.ndarray:
    """200 waves of 8 steps of 2 values, filled up with -9 at the end."""
    rng = np.random.default_rng(4)
    phase, length = rng.uniform(0, 6, (200, 1)), rng.integers(3, 9, (200, 1))
    time = np.arange(8)
    X = np.stack([np.sin(time * 0.7 + phase), np.cos(time * 0.4 + phase)], axis=2)
    X[time >= length] = -9.0
    return X.reshape(200, 16)


def sparse(X: np.ndarray | None = None) -> Any:
    """A CSR matrix of these rows, or of digits without their faint pixels."""
    return csr_array(np.where(digits() > 0.3, digits(), 0) if X is None else X)


def whole(n_rows: int) -> np.ndarray:
    """Weights that are counts, some of them zero."""
    return np.random.default_rng(5).integers(0, 4, n_rows).astype(float)


def fractional(n_rows: int) -> np.ndarray:
    return np.random.default_rng(6).uniform(0.2, 3, n_rows)


@cache
def scratch() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="golden-")


def mapped(X: np.ndarray) -> np.ndarray:
    """The same rows in a file, as a memory map."""
    content = hashlib.sha256(X.tobytes()).hexdigest()[:16]
    path = Path(scratch().name) / f"{content}.npy"
    if not path.exists():
        np.save(path, X)
    return np.load(path, mmap_mode="r")


def large() -> np.ndarray:
    """A map of 18 MB: more than the least budget of 16 MiB."""
    path = Path(scratch().name) / "large.npy"
    if not path.exists():
        np.save(path, curved(70_000, 64).astype(np.float32))
    return np.load(path, mmap_mode="r")


def frame(X: np.ndarray) -> Any:
    import pandas as pd

    return pd.DataFrame(X, columns=[f"column {k}" for k in range(X.shape[1])])


# Models ---------------------------------------------------------------------------------------------------


def short(epochs: int = 3, **parameters: Any) -> Any:
    return ae.Training(max_epochs=epochs, **{"batch_size": 32, **parameters})


def lone(n_components: int = 12, **parameters: Any) -> Any:
    given = {"training": short(), "random_state": 0, "precision": "float32", **parameters}
    return ae.Autoencoder(n_components, **given)


def stack(layers: Any = (24, 6), **parameters: Any) -> Any:
    given = {"pretrain": short(), "finetune": short(), "random_state": 0, "precision": "float32"}
    return ae.StackedAutoencoder(layers, **{**given, **parameters})


def two(first: dict[str, Any] | None = None, last: dict[str, Any] | None = None, **parameters: Any) -> Any:
    """A stack of two layers given as Autoencoders."""
    layers = [ae.Autoencoder(24, **(first or {})), ae.Autoencoder(6, **(last or {}))]
    return stack(layers, **parameters)


def on_encoder(kind: str, layers: Any = (24, 6), encoder: dict[str, Any] | None = None, **own: Any) -> Any:
    """A classifier, regressor or detector with layers of its own, in the spelling of the version at hand.

    ``encoder`` holds what the layers' stack is given: today by the estimator's own parameters of those
    names, later by an encoder that is not fitted.
    """
    estimator = getattr(ae, f"StackedAutoencoder{kind}")
    own, encoder = {"random_state": 0, **own}, encoder or {}
    if "layers" in signature(estimator).parameters:
        return estimator(layers, **encoder, **own)
    if not encoder and all(isinstance(layer, int) for layer in layers):
        return estimator(encoder=layers, **own)
    machine = {name: own[name] for name in ("precision", "max_memory", "cache_folder") if name in own}
    return estimator(encoder=ae.StackedAutoencoder(layers, shortcut=None, **encoder, **machine), **own)


def frozen(kind: str, fitted: Any, **own: Any) -> Any:
    """The same on an encoder that is fitted and stays as it is."""
    estimator = getattr(ae, f"StackedAutoencoder{kind}")
    if "layers" not in signature(estimator).parameters:
        from sklearn.frozen import FrozenEstimator

        fitted = FrozenEstimator(fitted)
    return estimator(encoder=fitted, **{"random_state": 0, **own})


def on_stack(kind: str, encoder: Any = None, **own: Any) -> Any:
    """The same on an encoder that is not fitted, without a seed of its own."""
    estimator = getattr(ae, f"StackedAutoencoder{kind}")
    encoder = stack(shortcut=None, random_state=None) if encoder is None else encoder
    return estimator(encoder=encoder, **{"random_state": 0, **own})


def classifier(**own: Any) -> Any:
    return on_stack("Classifier", **{"finetune": short(), **own})


def regressor(**own: Any) -> Any:
    return on_stack("Regressor", **{"finetune": short(), **own})


def fit(model: Any, X: Any, *rest: Any, more: tuple[str, ...] = (), **named: Any) -> Fitted:
    return Fitted(model.fit(X, *rest, **named), X, more)


def in_pieces(model: Any, X: Any, n: int = 3, weights: Any = None) -> Fitted:
    """Go through the rows piece by piece, twice."""
    for _ in range(2):
        for index in np.array_split(np.arange(X.shape[0]), n):
            own = {} if weights is None else {"sample_weight": weights[index]}
            model.partial_fit(X[index], **own)
    return Fitted(model, X)


def twice_the_same(first: Fitted, again: Fitted) -> Fitted:
    """The second, refused where it is not what the first is."""
    before, after = digests(first), digests(again)
    if differing := [name for name in before if before[name] != after[name]]:
        raise AssertionError(f"the second model differs from the first in {', '.join(differing)}")
    return again


def cached(make: Callable[[Any], Any], X: Any, *rest: Any) -> Fitted:
    """Fit twice with a cache of layers: the second time it gives them."""
    with TemporaryDirectory() as folder:
        return twice_the_same(fit(make(folder), X, *rest), fit(make(folder), X, *rest))


def kept(fitted: Fitted) -> Fitted:
    """What ``load`` makes of what ``save`` wrote."""
    with TemporaryDirectory() as folder:
        fitted.model.save(Path(folder) / "model.safetensors")
        return twice_the_same(fitted, fitted._replace(model=ae.load(Path(folder) / "model.safetensors")))


def asked_why(case: Case) -> Fitted:
    """A detector, asked which features make a row what it is, too."""
    return case()._replace(more=("explain",))
