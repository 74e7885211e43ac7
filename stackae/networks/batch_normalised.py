"""A dense layer whose units are standardised over each batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import batch_norm, linear

from stackae._utils.steps import STEP
from stackae.networks.dense import Dense, DenseModule

#: How far a batch moves the running means.
_MOMENTUM = 0.1
_EPSILON = 1e-5


class BatchNormalised(Dense):
    """A dense encoder whose units are standardised over each batch: h = a(g·(W·x - m)/s + b).

    m and s are the mean and standard deviation of W·x over the batch, unit by unit; g and b are learned. Once
    trained, the layer uses running averages of m and s instead, so that a row's code does not depend on other
    rows. The decoder is that of :class:`Dense`. Use it for deep networks that are fine-tuned on many labels,
    together with noise on input and codes (``corruption=GaussianNoise(0.3, on="both")``): without
    normalisation, the units would grow until the noise no longer matters.

    A fit by several processes is refused (``ParameterError``), since each would see a part of the batch only.

    References
    ----------
    Ioffe & Szegedy (2015), Batch normalization: accelerating deep network training by reducing internal
    covariate shift, ICML.
    Rasmus et al. (2015), Semi-supervised learning with ladder networks, NeurIPS; with noise, as the baseline.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Autoencoder
    >>> X = load_digits().data / 16
    >>> layer = Autoencoder(32, network="batch_normalised", activation="relu", random_state=0)
    >>> layer.fit_transform(X).shape
    (1797, 32)
    """

    @property
    def _module(self) -> type[DenseModule]:
        return BatchNormalisedModule


class BatchNormalisedModule(DenseModule):
    """The module of :class:`BatchNormalised`."""

    mean: Tensor
    variance: Tensor

    def __init__(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> None:
        super().__init__(
            n_inputs, n_components, activation=activation, tied_weights=tied_weights, heads=heads
        )
        n_units = heads * n_components
        self.gain = nn.Parameter(torch.empty(n_units, dtype=torch.float32))
        self.register_buffer("mean", torch.zeros(n_units, dtype=torch.float32))
        self.register_buffer("variance", torch.ones(n_units, dtype=torch.float32))

    @property
    def statistics(self) -> Sequence[Tensor]:
        return self.mean, self.variance

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        super().initialise(generator)
        self.gain.fill_(1)
        self.mean.zero_()
        self.variance.fill_(1)

    def encode(self, x: Tensor) -> Tensor:
        drive = linear(x, self.encoder_weight)
        noted = STEP.get()
        goes_by_batch = noted is not None and len(x) > 1
        # Once a step, and not where it is looked for a direction in which to move the samples.
        is_noted = noted is not None and self.encoder_weight.requires_grad and id(self) not in noted
        if noted is not None and is_noted:
            noted.add(id(self))
        is_silent = goes_by_batch and not is_noted
        normalised = batch_norm(
            drive,
            None if is_silent else self.mean,
            None if is_silent else self.variance,
            self.gain,
            self.encoder_bias,
            goes_by_batch,
            _MOMENTUM,
            _EPSILON,
        )
        return self.activation(normalised)

    def squared_jacobian(self, activations: Tensor) -> Tensor | None:
        return None
