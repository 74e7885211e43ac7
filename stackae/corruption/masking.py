"""Masking noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae.corruption.base import CellwiseCorruption, Moments, at, choose_cells

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Masking(CellwiseCorruption):
    """Masking noise: each cell is set to zero with probability ``level``, the others are left as they are.

    The survivors are not rescaled: that would be dropout. For standardised columns zero is the mean. Where an
    estimator takes missing values, hidden cells look to its encoder like missing ones. A category in several
    columns (``groups`` of :class:`~stackae.PerFeature`) is hidden as a whole,
    and counts as one of them.

    Parameters
    ----------
    level : float or pair of float, default=0.25
        Share of cells set to zero, in [0, 1). A pair: from the first at the phase's start to the second at
        its end, linearly (Geras & Sutton 2014).
    on : {"input", "hidden", "both"}, default="input"
        What is damaged: the encoder's input, or the code before it is decoded.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11, section 3.2.

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

    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        return x * choose_cells(x, 1 - at(self.level, fraction), generator, columns)

    def moments(self, mean: Tensor, covariance: Tensor) -> Moments:
        kept = 1 - at(self.level, 1.0)
        corrupted = kept**2 * covariance
        corrupted.diagonal().copy_(kept * (covariance.diagonal() + mean**2) - kept**2 * mean**2)
        return Moments(kept * mean, kept, corrupted)
