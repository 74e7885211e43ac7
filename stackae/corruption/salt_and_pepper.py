"""Salt-and-pepper noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae.corruption.base import CellwiseCorruption, at, choose_cells

if TYPE_CHECKING:
    from torch import Generator, Tensor


class SaltAndPepper(CellwiseCorruption):
    """Salt-and-pepper noise: with probability ``level`` a cell is set to the minimum or maximum, at random.

    Both are equally likely. They are 0 and 1 if the batch lies in [0, 1], otherwise the minimum and maximum
    of the cell's column in the batch. A category in several columns (``groups`` of
    :class:`~stackae.PerFeature`) is replaced as a whole, by any of its values with equal probability.

    Parameters
    ----------
    level : float or pair of float, default=0.25
        Fraction of cells replaced, in [0, 1). A pair: linearly from the first at the start of the phase to
        the second at its end.
    on : {"input", "hidden", "both"}, default="input"
        What is corrupted: the encoder's input, or the code before it is decoded.

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from stackae import SaltAndPepper
    >>> corrupted = SaltAndPepper(0.2)(torch.full((1000, 100), 0.5), torch.Generator().manual_seed(0))
    >>> [round(float((corrupted == value).float().mean()), 1) for value in (0.0, 0.5, 1.0)]
    [0.1, 0.8, 0.1]
    """

    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        import torch

        # The bounds are chosen on the device, so that no value travels to the host within a step.
        in_unit_interval = (x.amin() >= 0) & (x.amax() <= 1)
        low = torch.where(in_unit_interval, torch.zeros_like(x[:1]), x.amin(0, keepdim=True))
        high = torch.where(in_unit_interval, torch.ones_like(x[:1]), x.amax(0, keepdim=True))
        chosen = choose_cells(x, at(self.level, fraction), generator, columns).bool()
        salt = choose_cells(x, 0.5, generator).bool()
        extreme = torch.where(salt, high, low)
        if columns is not None:
            extreme = _any_value(extreme, columns, generator)
        return torch.where(chosen, extreme, x)


def _any_value(others: Tensor, columns: Tensor, generator: Generator) -> Tensor:
    """``others`` with a one in one column of each category, drawn for each row, and zeros in its others."""
    import torch

    first = torch.searchsorted(columns, columns)
    size = torch.searchsorted(columns, columns, right=True) - first
    draws = torch.rand(others.shape, generator=generator, device=others.device)
    drawn = (draws.index_select(1, columns) * size).long().clamp_(max=size - 1)  # rounding may reach the size
    place = torch.arange(len(columns), device=others.device) - first
    return torch.where(size > 1, (place == drawn).to(others.dtype), others)
