"""Masking noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Integral, Interval
from stackae._utils.draws import normal_like
from stackae.corruption.base import CellwiseCorruption, Corruption, Level, Moments, at, choose_cells

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Masking(CellwiseCorruption):
    """Masking noise: each cell is set to zero with probability ``level``, the others are left as they are.

    Unlike :class:`~stackae.Dropout` it does not rescale the others. For standardised columns zero is the
    mean. If the estimator takes missing values, masked cells look like missing ones to its encoder, which so
    learns to impute. A category in several columns (``groups`` of :class:`~stackae.PerFeature`) is masked as
    a whole, as one cell.

    Parameters
    ----------
    level : float or pair of float, default=0.25
        Fraction of cells set to zero, in [0, 1). A pair: linearly from the first at the start of the phase to
        the second at its end (Geras & Sutton 2014).
    on : {"input", "hidden", "both"}, default="input"
        What is corrupted: the encoder's input, or the code before it is decoded.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11, section 3.2; Geras & Sutton (2014),
    Scheduled denoising autoencoders.

    Examples
    --------
    >>> import torch
    >>> from stackae import Masking
    >>> x = torch.ones(1000, 100)
    >>> corrupted = Masking(0.25)(x, torch.Generator().manual_seed(0))
    >>> round(float((corrupted == 0).float().mean()), 2), float(corrupted.max())
    (0.25, 1.0)
    """

    hides = True
    by_rows = True

    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        return x * choose_cells(x, 1 - at(self.level, fraction), generator, columns)

    def with_slope(self, x: Tensor, generator: Generator, fraction: float) -> tuple[Tensor, Tensor | None]:
        kept = choose_cells(x, 1 - at(self.level, fraction), generator)
        return x * kept, kept

    def in_coordinates(self, n_features: int) -> Corruption | None:
        return _MaskedCoordinates(self.level, n_features) if self.on == "input" else None

    def moments(self, mean: Tensor, covariance: Tensor) -> Moments:
        kept = 1 - at(self.level, 1.0)
        corrupted = kept**2 * covariance
        corrupted.diagonal().copy_(kept * (covariance.diagonal() + mean**2) - kept**2 * mean**2)
        return Moments(kept * mean, kept, corrupted)


class _MaskedCoordinates(Corruption):
    """Masking noise, as it moves the coordinates of a sample along a few orthonormal axes.

    A coordinate is a sum over all cells, each hidden with probability p. So it shrinks to a share 1 - p, and
    is about normal around that, by the central limit theorem: its variance is p·(1 - p) times the sum of the
    squared cells, each times the square of the axis there, which for an axis that favours no cell is the
    sample's squared length over the number of columns.

    Parameters
    ----------
    level : float or pair of float
        Of :class:`Masking`.
    n_features : int
        Columns of the samples themselves.
    """

    by_rows = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "level": CellwiseCorruption._parameter_constraints["level"],
        "n_features": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, level: Level, n_features: int) -> None:
        self.level = level
        self.n_features = n_features

    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        hidden = at(self.level, fraction)
        spread = x.norm(dim=1, keepdim=True).mul_((hidden * (1 - hidden) / self.n_features) ** 0.5)
        return normal_like(x, generator).mul_(spread).add_(x, alpha=1 - hidden)
