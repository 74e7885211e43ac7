"""Swap noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae.corruption.base import CellwiseCorruption, Level, Moments, at, choose_cells

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Swap(CellwiseCorruption):
    """Swap noise: with probability ``level`` a cell takes the value of another row in the same column.

    The other row is drawn from the batch, independently for every cell, so that columns keep their
    distributions and lose only their relations. This suits tables of mixed columns, where zero may be no
    sensible value. A category in several columns (``groups`` of :class:`~stackae.PerFeature`) is taken whole,
    from one row. A batch of one row is left as it is.

    Parameters
    ----------
    level : float or pair of float, default=0.15
        Fraction of cells replaced, in [0, 1). A pair: linearly from the first at the start of the phase to
        the second at its end.
    on : {"input", "hidden", "both"}, default="input"
        What is corrupted: the encoder's input, or the code before it is decoded.

    References
    ----------
    Jahrer (2017), winning solution of the Kaggle competition Porto Seguro's safe driver prediction.

    Examples
    --------
    >>> import torch
    >>> from stackae import Swap
    >>> x = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    >>> corrupted = Swap(0.5)(x, torch.Generator().manual_seed(0))
    >>> set(corrupted[:, 0].tolist()) <= {1.0, 2.0, 3.0}, set(corrupted[:, 1].tolist()) <= {10.0, 20.0, 30.0}
    (True, True)
    """

    def __init__(self, level: Level = 0.15, on: str = "input") -> None:
        super().__init__(level, on)

    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        import torch

        n_samples, width = x.shape
        if n_samples < 2:
            return x.clone()
        level = at(self.level, fraction)
        chosen = choose_cells(x, level, generator, columns).reshape(-1).nonzero().squeeze(1)
        if columns is None:
            further = torch.randint(1, n_samples, chosen.shape, generator=generator, device=x.device)
        else:
            shape = (n_samples, int(columns[-1]) + 1)  # one draw for all cells of a category
            drawn = torch.randint(1, n_samples, shape, generator=generator, device=x.device)
            further = drawn[chosen // width, columns[chosen % width]]
        # So many rows further down, counted in cells and past the end from the top again.
        others = chosen + further * width
        others = torch.where(others < n_samples * width, others, others - n_samples * width)
        return x.flatten().index_copy(0, chosen, x.flatten()[others]).view(n_samples, width)

    def moments(self, mean: Tensor, covariance: Tensor) -> Moments:
        kept = 1 - at(self.level, 1.0)
        corrupted = kept**2 * covariance
        corrupted.diagonal().copy_(covariance.diagonal())
        return Moments(mean, kept, corrupted)
