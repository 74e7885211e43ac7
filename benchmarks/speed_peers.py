"""Who takes part in the benchmark of speed: stackae, its peers, and the bare matrix products."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from sklearn.neural_network import MLPRegressor
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from stackae import Autoencoder, Masking, Training
from stackae.training.precision import computing

RATE = 1e-3
LEVEL = 0.25

#: Does the work, and returns the loss that it reached, if it has one.
Timed = Callable[[], float | None]


def ours(width: int, batch_size: int, epochs: int, **parameters: Any) -> Autoencoder:
    """stackae's layer of this work."""
    training = Training(
        max_epochs=epochs,
        batch_size=batch_size,
        learning_rate=RATE,
        schedule="constant",
        validation_fraction=0.0,
    )
    parameters = {"activation": "sigmoid", "corruption": Masking(LEVEL), **parameters}
    return Autoencoder(width, training=training, random_state=0, **parameters)


def by_stackae(X: np.ndarray, *args: Any, **parameters: Any) -> Timed:
    def do() -> float:
        history = ours(*args, **parameters).fit(X).history_
        return history[-1]["loss"]

    return do


class Plain(nn.Module):
    """What one writes by hand: two linear layers, starting as stackae's do."""

    def __init__(self, n_inputs: int, width: int, *, in_unit_interval: bool = True) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(n_inputs, width), nn.Linear(width, n_inputs)
        for layer in (self.encoder, self.decoder):
            bound = (3 / layer.in_features) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
        self.in_unit_interval = in_unit_interval

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.encoder(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encode(x))

    def loss(self, x: torch.Tensor, corrupted: torch.Tensor) -> torch.Tensor:
        reconstruction = self(corrupted)
        if self.in_unit_interval:
            return binary_cross_entropy_with_logits(reconstruction, x, reduction="sum") / len(x)
        return mse_loss(reconstruction, x, reduction="sum") / len(x)


def plain_fit(model: Plain, X: torch.Tensor, batch_size: int, epochs: int, device: str) -> float:
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    loader = DataLoader(TensorDataset(X), batch_size=batch_size, shuffle=True, pin_memory=device != "cpu")
    for _ in range(epochs):
        total = 0.0
        for (x,) in loader:
            x = x.to(device, non_blocking=True)
            loss = model.loss(x, x * (torch.rand_like(x) >= LEVEL))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
    return total / len(X)


def by_plain_loop(
    X: np.ndarray, width: int, batch_size: int, epochs: int, device: str, *, in_unit_interval: bool = True
) -> Timed:
    def do() -> float:
        torch.manual_seed(0)
        model = Plain(X.shape[1], width, in_unit_interval=in_unit_interval)
        return plain_fit(model, torch.from_numpy(X), batch_size, epochs, device)

    return do


def masked(X: np.ndarray) -> np.ndarray:
    return X * (np.random.default_rng(0).random(X.shape, np.float32) >= LEVEL)


def by_mlp_regressor(X: np.ndarray, width: int, batch_size: int, epochs: int) -> Timed:
    corrupted = masked(X)

    def do() -> float:
        model = MLPRegressor(
            hidden_layer_sizes=(width,), activation="logistic", batch_size=batch_size, max_iter=epochs,
            learning_rate_init=RATE, alpha=0.0, tol=0.0, n_iter_no_change=10**6, random_state=0,
        )  # fmt: skip
        model.fit(corrupted, X)
        return 2 * X.shape[1] * model.loss_  # it reports half of the mean over features

    return do


def by_keras(X: np.ndarray, width: int, batch_size: int, epochs: int) -> Timed:
    import keras

    corrupted = masked(X)

    def do() -> float:
        keras.utils.set_random_seed(0)
        layers = [
            keras.layers.Dense(width, "sigmoid", kernel_initializer="lecun_uniform"),
            keras.layers.Dense(X.shape[1], "sigmoid", kernel_initializer="lecun_uniform"),
        ]
        model = keras.Sequential(layers)
        model.compile(optimizer=keras.optimizers.Adam(RATE), loss="binary_crossentropy")
        history = model.fit(corrupted, X, batch_size=batch_size, epochs=epochs, verbose=0)
        return float(history.history["loss"][-1]) * X.shape[1]

    return do


def product_ceiling(
    n_samples: int, n_inputs: int, width: int, batch_size: int, device: str, *, bfloat16: bool
) -> float:
    """Seconds that the products of an epoch's steps take: two forward, three backward."""
    place = torch.device(device)
    kind = torch.bfloat16 if bfloat16 else torch.float32
    x, w, h = (
        torch.randn(shape, device=place).to(kind)
        for shape in ((batch_size, n_inputs), (width, n_inputs), (batch_size, width))
    )
    dw, dx, dh = (torch.empty_like(t) for t in (w, x, h))
    with torch.no_grad(), computing(place, work=width * n_inputs * 2 * batch_size):
        for warm in (True, False):
            wait(place)
            start = time.perf_counter()
            for _ in range(10 if warm else -(-n_samples // batch_size)):
                torch.mm(x, w.t(), out=dh)
                torch.mm(h, w, out=dx)
                torch.mm(h.t(), x, out=dw)
                torch.mm(x, w.t(), out=dh)
                torch.mm(h.t(), x, out=dw)
            wait(place)
    return time.perf_counter() - start


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
