"""Masking noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae.constraints import Interval, Real
from stackae.corruption.base import Corruption, choose_cells

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Masking(Corruption):
    """Masking noise: each cell is set to zero with probability ``level``, the others are left as they are.

    The survivors are not rescaled: that would be dropout. For standardised columns zero is the mean.

    Parameters
    ----------
    level : float, default=0.25
        Share of cells set to zero, in [0, 1).

    References
    ----------
    Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from stackae import Masking
    >>> x = torch.ones(1000, 100)
    >>> seen = Masking(0.25)(x, torch.Generator().manual_seed(0))
    >>> round(float((seen == 0).float().mean()), 2), float(seen.max())
    (0.25, 1.0)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"level": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, level: float = 0.25) -> None:
        self.level = level

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        return x * choose_cells(x, 1 - self.level, generator)
