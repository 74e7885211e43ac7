"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae.corruption.base import CellwiseCorruption, Level, Moments, at, choose_cells

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Dropout(CellwiseCorruption):
    """Dropout: each cell is set to zero with probability ``level``, the others are divided by 1 - ``level``.

    So every cell keeps its expected value. By default it acts on the code, against overfitting; on the input
    it is rescaled masking noise.

    Parameters
    ----------
    level : float or pair of float, default=0.25
        Fraction of cells set to zero, in [0, 1). A pair: linearly from the first at the start of the phase to
        the second at its end.
    on : {"input", "hidden", "both"}, default="hidden"
        What is corrupted: the encoder's input, or the code before it is decoded.

    References
    ----------
    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, JMLR 15.

    Examples
    --------
    >>> import torch
    >>> from stackae import Dropout
    >>> corrupted = Dropout(0.5)(torch.ones(1000, 100), torch.Generator().manual_seed(0))
    >>> sorted(set(corrupted.flatten().tolist())), round(float(corrupted.mean()), 1)
    ([0.0, 2.0], 1.0)
    """

    by_rows = True

    def __init__(self, level: Level = 0.25, on: str = "hidden") -> None:
        super().__init__(level, on)

    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        kept = 1 - at(self.level, fraction)
        return x * choose_cells(x, kept, generator, columns) / kept

    def with_slope(self, x: Tensor, generator: Generator, fraction: float) -> tuple[Tensor, Tensor | None]:
        kept = 1 - at(self.level, fraction)
        slope = choose_cells(x, kept, generator).to(x.dtype) / kept
        return x * slope, slope

    def moments(self, mean: Tensor, covariance: Tensor) -> Moments:
        kept = 1 - at(self.level, 1.0)
        corrupted = covariance.clone()
        corrupted.diagonal().copy_((covariance.diagonal() + mean**2) / kept - mean**2)
        return Moments(mean, 1.0, corrupted)
