"""Additive isotropic Gaussian noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Interval, Numbers, Real
from stackae._utils.draws import normal_like
from stackae.corruption.base import ON, Corruption, Level, Moments, at

if TYPE_CHECKING:
    from torch import Generator, Tensor


class GaussianNoise(Corruption):
    """Gaussian noise: an independent normal draw is added to every cell, those of categories too.

    Parameters
    ----------
    scale : float or pair of float, default=0.2
        Standard deviation of the noise, at least 0, in scaled units (see ``scale`` of
        :class:`~stackae.Autoencoder`): standard deviations of the column, or its [0, 1] range. A pair:
        linearly from the first at the start of the phase to the second at its end.
    on : {"input", "hidden", "both"}, default="input"
        What is corrupted: the encoder's input, or the code before it is decoded.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from stackae import GaussianNoise
    >>> corrupted = GaussianNoise(0.5)(torch.zeros(1000, 100), torch.Generator().manual_seed(0))
    >>> round(float(corrupted.std()), 2)
    0.5
    """

    by_rows = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "scale": [Interval(Real, 0, None, closed="left"), Numbers(Interval(Real, 0, None, closed="left"), 2)],
        "on": ON,
    }

    def __init__(self, scale: Level = 0.2, on: str = "input") -> None:
        self.scale = scale
        self.on = on

    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        import torch

        return torch.add(x, normal_like(x, generator), alpha=at(self.scale, fraction))

    def with_slope(self, x: Tensor, generator: Generator, fraction: float) -> tuple[Tensor, Tensor | None]:
        return self(x, generator, fraction), None

    def in_coordinates(self, n_features: int) -> Corruption:
        return self  # noise is as large along all axes

    def moments(self, mean: Tensor, covariance: Tensor) -> Moments:
        corrupted = covariance.clone()
        corrupted.diagonal().add_(at(self.scale, 1.0) ** 2)
        return Moments(mean, 1.0, corrupted)
