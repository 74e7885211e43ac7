"""The adversarial penalty."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import log
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear, relu, softplus

from stackae._utils.constraints import Integral, Interval, Real, StrOptions
from stackae._utils.draws import by_rows
from stackae.exceptions import ParameterError
from stackae.networks.initialisation import draw_uniform
from stackae.penalties.base import Penalty, PenaltyFunction

#: Weight of the squared slope of the discriminator.
_HELD_BY = 0.2
#: Called with the numbers of rows and units and a generator; gives codes of that shape.
Prior = Callable[[int, int, Generator], Tensor]


def _gaussian(n_samples: int, n_units: int, generator: Generator) -> Tensor:
    return torch.randn(n_samples, n_units, generator=generator, device=generator.device, dtype=torch.float32)


def _uniform(n_samples: int, n_units: int, generator: Generator) -> Tensor:
    return (
        2 * torch.rand(n_samples, n_units, generator=generator, device=generator.device, dtype=torch.float32)
        - 1
    )


PRIORS: dict[str, Prior] = {"gaussian": _gaussian, "uniform": _uniform}


class Adversarial(Penalty):
    """The penalty of an adversarial autoencoder: it makes codes distributed like a prior.

    A discriminator (two hidden relu layers) learns to tell codes from draws of the prior, and the encoder to
    mislead it: both are trained in the same step, by gradient reversal. The penalty is ``weight`` · (log 2 -
    the discriminator's cross-entropy), a lower bound of ``weight`` times the Jensen-Shannon divergence: 0 if
    the two cannot be told apart, at most ``weight`` · log 2. The squared gradient of the discriminator is
    penalised (R1), so that training converges. On held-out rows, where the discriminator's strength must not
    decide which epoch was best, the penalty is ``weight`` · the energy distance between the codes and as many
    draws from the prior. ``sample`` draws new rows.

    Parameters
    ----------
    weight : float, default=30.0
        Weight, at least 0, in loss units per nat. It must outweigh the reconstruction: use one to a few times
        the loss of a row.
    prior : {"gaussian", "uniform"} or callable, default="gaussian"
        Standard normal; uniform on [-1, 1]; or a function of (n_rows, n_units, ``torch.Generator``) that
        returns a tensor of shape (n_rows, n_units). A model with a function can be pickled, if the function
        can, but not saved to a model file, which holds no code.
    hidden : int, default=64
        Units of each hidden layer of the discriminator.

    References
    ----------
    Makhzani et al. (2016), Adversarial autoencoders; Ganin et al. (2016), Domain-adversarial training of
    neural networks, JMLR 17, for the gradient reversal; Mescheder et al. (2018), Which training methods for
    GANs do actually converge?, ICML, for the penalty on the discriminator; Székely & Rizzo (2013), Energy
    statistics, for the energy distance.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Adversarial, Autoencoder
    >>> model = Autoencoder(2, penalty=Adversarial(prior="uniform"), random_state=0).fit(load_iris().data)
    >>> model.sample(5, random_state=0).shape
    (5, 4)
    """

    is_rotation_invariant = True
    by_rows = True
    activations = ("identity", "tanh")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="left")],
        "prior": [StrOptions(set(PRIORS)), callable],
        "hidden": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, weight: float = 30.0, prior: str | Prior = "gaussian", hidden: int = 64) -> None:
        self.weight = weight
        self.prior = prior
        self.hidden = hidden

    def __call__(self, *_: Any, **__: Any) -> Tensor:
        raise ParameterError("Adversarial owns a discriminator; call what its build() returns")

    def build(self, n_units: int) -> PenaltyFunction:
        return _Discriminator(self, n_units)

    def sample(self, n_samples: int, n_units: int, generator: Generator) -> Tensor:
        prior = PRIORS[self.prior] if isinstance(self.prior, str) else self.prior
        codes = prior(n_samples, n_units, generator)
        if not isinstance(codes, Tensor) or codes.shape != (n_samples, n_units):
            got = tuple(codes.shape) if isinstance(codes, Tensor) else type(codes).__name__
            raise ParameterError(f"prior must return a tensor of shape ({n_samples}, {n_units}), got {got}")
        return codes


class _Discriminator(nn.Module):
    def __init__(self, penalty: Adversarial, n_units: int) -> None:
        super().__init__()
        self.penalty = penalty
        widths = (n_units, penalty.hidden, penalty.hidden, 1)
        self.weights = nn.ParameterList(
            torch.empty(out, n, dtype=torch.float32) for n, out in pairwise(widths)
        )
        self.biases = nn.ParameterList(torch.empty(out, dtype=torch.float32) for out in widths[1:])

    def initialise(self, generator: Generator) -> None:
        """Draw the starting weights."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            draw_uniform(weight, weight.shape[1], generator, gain=2**0.5)
            nn.init.zeros_(bias)

    def forward(
        self, batch: Tensor, code: Tensor, *_: Any, generator: Generator | None = None, **__: Any
    ) -> Tensor:
        """What the penalty is for a batch's code; see :class:`Adversarial`."""
        n_samples, n_units = code.shape
        weight = self.penalty.weight
        if generator is None:  # the same batch must have one answer
            drawn = self.penalty.sample(n_samples, n_units, torch.Generator(code.device).manual_seed(0))
            return weight * _energy_distance(code, drawn.to(code.dtype))
        prior = by_rows(lambda n: self.penalty.sample(n, n_units, generator), n_samples, generator)
        prior = prior.to(code.dtype)
        # -log D for what is of the prior, -log(1 - D) for what is not, each half of the cases.
        entropy = 0.5 * (softplus(-self.judge(prior)).mean() + softplus(self.judge(_reverse(code))).mean())
        steepness = self.squared_slope(torch.cat([prior, code.detach()])).mean()
        descended = weight * (entropy + _HELD_BY * steepness)
        return descended + (weight * (log(2) - entropy) - descended).detach()

    def judge(self, code: Tensor) -> Tensor:
        """The logit of each row's being drawn from the prior."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            code = relu(linear(code, weight, bias))
        return linear(code, self.weights[-1], self.biases[-1])

    def squared_slope(self, code: Tensor) -> Tensor:
        """The squared norm of the logit's gradient with respect to each row's code, worked by hand."""
        active = []
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            code = relu(linear(code, weight, bias))
            active.append(code > 0)
        slope = self.weights[-1].expand(len(code), -1)
        for weight, units in zip(reversed(list(self.weights[:-1])), reversed(active), strict=True):
            slope = (slope * units) @ weight
        squared: Tensor = slope.square().sum(1)
        return squared


def _energy_distance(a: Tensor, b: Tensor) -> Tensor:
    """2·E‖a - b‖ - E‖a - a'‖ - E‖b - b'‖: zero where rows of both have one distribution."""
    across, within_a, within_b = (torch.cdist(x, y).mean() for x, y in ((a, b), (a, a), (b, b)))
    distance: Tensor = 2 * across - within_a - within_b
    return distance


class _Reversal(torch.autograd.Function):
    """The identity, through which gradients go back with their sign reversed."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return -gradient


def _reverse(code: Tensor) -> Tensor:
    reversed_: Tensor = _Reversal.apply(code)  # type: ignore[no-untyped-call]
    return reversed_
