"""Recurrent encoder and decoder, for sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from numbers import Real
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from stackae._utils.constraints import Integral, Interval, Numbers, StrOptions
from stackae.exceptions import ParameterError
from stackae.networks.activations import ACTIVATIONS
from stackae.networks.base import Network, NetworkModule
from stackae.networks.initialisation import draw_uniform
from stackae.networks.layout import Layout, shape_given

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}

#: A step ends a sequence where all of its values are within this share of the filling.
_TOLERANCE = 1e-5


class Recurrent(Network):
    """A recurrent layer (GRU or LSTM), for flattened sequences.

    The code is a linear map, with activation, of the encoder's last state. The decoder is given the code at
    every step, and its initial state is a map of the code.

    Parameters
    ----------
    sequence_shape : "auto" or tuple of 2 int, default="auto"
        The shape before flattening: (steps, channels), or (channels, steps) with ``channels_first``.
        ``"auto"``: every feature is a step of one channel.
    cell : {"gru", "lstm"}, default="gru"
    hidden : int, default=64
        Units of the recurrent state, in encoder and decoder each.
    padding : float or None, default=None
        The value, in the units of the data, that pads shorter sequences at their end: a row ends where every
        later value is ``padding``. Padded steps are not encoded, not corrupted and not in the loss. None: all
        sequences have full length.
    channels_first : bool, default=False
        Whether the columns of a channel are contiguous in ``X`` and in reconstructions, as in aeon.

    References
    ----------
    Srivastava, Mansimov & Salakhutdinov (2015), Unsupervised learning of video representations using LSTMs,
    ICML; Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from stackae import Autoencoder, Recurrent, Training
    >>> X = np.sin(np.arange(20) * np.linspace(0.3, 0.6, 100)[:, None])
    >>> model = Autoencoder(3, network=Recurrent(), training=Training(max_epochs=1), random_state=0)
    >>> model.fit_transform(X).shape
    (100, 3)
    """

    can_tie = False
    activations = ("identity", "tanh", "sigmoid", "relu", "gelu", "silu", "softplus")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "sequence_shape": [StrOptions({"auto"}), Numbers(Interval(Integral, 1, None, closed="left"), 2)],
        "cell": [StrOptions(set(CELLS))],
        "hidden": [Interval(Integral, 1, None, closed="left")],
        "padding": [Interval(Real, None, None, closed="neither"), None],
        "channels_first": ["boolean"],
    }

    def __init__(
        self,
        sequence_shape: str | Sequence[int] = "auto",
        cell: str = "gru",
        hidden: int = 64,
        padding: float | None = None,
        channels_first: bool = False,
    ) -> None:
        self.sequence_shape = sequence_shape
        self.cell = cell
        self.hidden = hidden
        self.padding = padding
        self.channels_first = channels_first

    def fitted_to(self, shape: tuple[int, ...]) -> Network:
        first = bool(self.channels_first)
        order = "channels and steps" if first else "steps and channels, in this order"
        sequence = shape_given(
            "Recurrent(sequence_shape={})", self.sequence_shape, order, shape, channels_first=first
        )
        return Recurrent(sequence or (prod(shape), 1), self.cell, self.hidden, self.padding, first)

    @property
    def layout(self) -> Layout:
        if isinstance(self.sequence_shape, str):
            raise ParameterError("sequence_shape is not settled; fitted_to() settles it")
        return Layout.of(self.sequence_shape, channels_first=self.channels_first)

    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> NetworkModule:
        if isinstance(self.sequence_shape, str) or prod(self.sequence_shape) != n_inputs:
            raise ParameterError(f"sequence_shape {self.sequence_shape} does not have {n_inputs} values")
        return RecurrentModule(
            self.layout,
            n_components,
            self.hidden,
            self.cell,
            self.padding,
            activation=activation,
            heads=heads,
        )


class RecurrentModule(NetworkModule):
    """The module of :class:`Recurrent`."""

    #: What fills a shorter sequence up, for each cell, in the units in which the layer works; it is set with
    #: the layer's scaling.
    filling: Tensor | None

    def __init__(
        self,
        layout: Layout,
        n_components: int,
        hidden: int,
        cell: str,
        padding: float | None,
        *,
        activation: str,
        heads: int,
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.layout = layout
        (self.steps,), width = layout.space, layout.channels
        kind = CELLS[cell]
        # On no device at first: torch's own drawing of weights would move the global generator.
        how = {"batch_first": True, "device": "meta", "dtype": torch.float32}
        self.encoder = kind(width, hidden, **how).to_empty(device=_device())
        self.decoder = kind(n_components, hidden, **how).to_empty(device=_device())
        self.code_weight = nn.Parameter(torch.empty(heads * n_components, hidden, dtype=torch.float32))
        self.code_bias = nn.Parameter(torch.empty(heads * n_components, dtype=torch.float32))
        self.state_weight = nn.Parameter(torch.empty(hidden, n_components, dtype=torch.float32))
        self.state_bias = nn.Parameter(torch.empty(hidden, dtype=torch.float32))
        self.step_weight = nn.Parameter(torch.empty(width, hidden, dtype=torch.float32))
        self.step_bias = nn.Parameter(torch.empty(width, dtype=torch.float32))
        filling = (
            None if padding is None else torch.full((layout.n_features,), float(padding), dtype=torch.float64)
        )
        self.register_buffer("filling", filling)

    @property
    def filters(self) -> Tensor:
        weights: Tensor = self.encoder.weight_ih_l0  # type: ignore[assignment]
        return weights

    @property
    def head_parameters(self) -> tuple[Tensor, Tensor]:
        return self.code_weight, self.code_bias

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        for parameter in self.parameters():
            if parameter.dim() == 1:
                parameter.zero_()
            else:
                draw_uniform(parameter, parameter.shape[1], generator)

    def encode(self, x: Tensor) -> Tensor:
        states, _ = self.encoder(self.layout.unflatten(x))
        if self.filling is None:
            state = states[:, -1]
        else:
            # The state after the last step that is there; the first one's, of a row that is all filling.
            last = self._lengths(x).clamp(min=1) - 1
            state = states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2]))[:, 0]
        return self.activation(linear(state, self.code_weight, self.code_bias))

    def decode(self, code: Tensor) -> Tensor:
        state = torch.tanh(linear(code, self.state_weight, self.state_bias))[None]
        given = code[:, None].expand(-1, self.steps, -1)
        if isinstance(self.decoder, nn.LSTM):
            states, _ = self.decoder(given, (state.contiguous(), torch.zeros_like(state)))
        else:
            states, _ = self.decoder(given, state.contiguous())
        return self.layout.flatten(linear(states, self.step_weight, self.step_bias))

    def scaled_by(self, scaling: Callable[[Tensor], Tensor]) -> None:
        if self.filling is not None:
            self.filling = scaling(self.filling)

    def observed(self, x: Tensor) -> Tensor | None:
        if self.filling is None:
            return None
        there = torch.arange(self.steps, device=x.device) < self._lengths(x)[:, None]
        return self.layout.flatten(there[:, :, None].expand(-1, -1, self.layout.channels))

    def _lengths(self, x: Tensor) -> Tensor:
        """The steps of each sequence up to its end."""
        filling = self.filling.to(x.dtype)  # type: ignore[union-attr]
        is_data = self.layout.unflatten((x - filling).abs() > _TOLERANCE * (1 + filling.abs()))
        number = torch.arange(1, self.steps + 1, device=x.device)
        return (is_data.any(2) * number).amax(1)


def _device() -> torch.device:
    """Where new tensors go."""
    return torch.empty(0).device
