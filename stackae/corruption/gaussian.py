"""Additive isotropic Gaussian noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae.constraints import Interval, Real
from stackae.corruption.base import Corruption

if TYPE_CHECKING:
    from torch import Generator, Tensor


class GaussianNoise(Corruption):
    """Gaussian noise: every cell has ``scale`` times a standard normal draw added.

    Parameters
    ----------
    scale : float, default=0.2
        Standard deviation, in the units in which the layer works (see ``scale`` of
        :class:`~stackae.Autoencoder`: standard deviations of the column, or the [0, 1] range), at least 0.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from stackae import GaussianNoise
    >>> seen = GaussianNoise(0.5)(torch.zeros(1000, 100), torch.Generator().manual_seed(0))
    >>> round(float(seen.std()), 2)
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"scale": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, scale: float = 0.2) -> None:
        self.scale = scale

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        import torch

        noise = torch.empty_like(x).normal_(0.0, 1.0, generator=generator)
        return torch.add(x, noise, alpha=self.scale)
