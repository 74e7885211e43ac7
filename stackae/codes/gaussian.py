"""The variational code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from stackae._utils.constraints import Interval, Real
from stackae._utils.draws import normal_like
from stackae.codes.base import Code, CodeModule

if TYPE_CHECKING:
    from torch import Generator

#: Bounds of the log-variance: far outside what training reaches, they keep its exponential finite.
_LOG_VARIANCE = (-20.0, 20.0)
#: The log-variance at the start. Higher, and little is learned before it has fallen; lower, and units that
#: the divergence puts out take long to rise to the prior.
_FIRST_LOG_VARIANCE = -2.0


class GaussianCode(Code):
    """The code of a variational autoencoder: a Gaussian per unit, from which new rows can be drawn.

    The encoder gives mean μ and log-variance log σ² of each unit. In training the code is drawn from that
    Gaussian (reparameterised as μ + σ·ε, with ε standard normal); otherwise it is the mean. ``weight`` times
    the Kullback-Leibler divergence from the standard normal distribution, ½·Σⱼ (μⱼ² + σⱼ² - log σⱼ² - 1), is
    added to the loss, so that ``sample`` can draw codes from that distribution and decode them. σ starts at
    exp(-1) = 0.37 for every unit and row, so that the decoder can learn from the means at first.

    Parameters
    ----------
    weight : float, default=1.0
        Weight of the divergence (β of the β-VAE), at least 0, in loss units per nat. 1.0 gives the evidence
        lower bound with cross-entropy; with squared error too, if the features' noise has variance ½ in
        scaled units.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes, ICLR; Higgins et al. (2017), beta-VAE: learning
    basic visual concepts with a constrained variational framework, ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder, GaussianCode
    >>> X = load_iris().data
    >>> model = Autoencoder(2, code=GaussianCode(0.1), random_state=0).fit(X)
    >>> model.sample(5, random_state=0).shape
    (5, 4)
    """

    heads = 2
    by_rows = True
    activations = ("identity",)
    _parameter_constraints: ClassVar[dict[str, Any]] = {"weight": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def build(self, n_units: int) -> CodeModule:
        return _GaussianCodeModule(self.weight)


class _GaussianCodeModule(CodeModule):
    draws = True

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @torch.no_grad()
    def initialise(self, weight: Tensor, bias: Tensor) -> None:
        weight.chunk(2)[1].zero_()
        bias.chunk(2)[1].fill_(_FIRST_LOG_VARIANCE)

    def forward(self, activations: Tensor, generator: Generator | None) -> Tensor:
        mean, log_variance = _heads(activations)
        if generator is None:
            return mean
        return torch.addcmul(mean, normal_like(mean, generator), torch.exp(0.5 * log_variance))

    def cost(self, activations: Tensor) -> Tensor:
        mean, log_variance = (head.float() for head in _heads(activations))
        divergence = mean.square() + log_variance.exp() - log_variance - 1
        return divergence.sum().mul(0.5 * self.weight / len(activations))

    def sample(self, n_samples: int, n_units: int, generator: Generator) -> Tensor:
        return torch.randn(
            n_samples, n_units, generator=generator, device=generator.device, dtype=torch.float32
        )


def _heads(activations: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_variance = activations.chunk(2, dim=1)
    return mean, log_variance.clamp(*_LOG_VARIANCE)
