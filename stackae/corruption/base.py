"""The base of every corruption, and what several share: levels that change, the cheap choice of cells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from stackae._utils.constraints import Constrained, Interval, Numbers, Real, StrOptions
from stackae._utils.draws import by_rows

if TYPE_CHECKING:
    from torch import Generator, Tensor

#: A level of corruption: a number, or one for the start of the phase and one for its end.
Level = float | tuple[float, float]
#: Constraint of the parameter ``on``.
ON: list[Any] = [StrOptions({"input", "hidden", "both"})]


class Moments(NamedTuple):
    """The first two moments of corrupted rows x̃ beside those of clean rows x."""

    #: E x̃ (features).
    mean: Tensor
    #: The number c of Cov(x, x̃) = c·Cov(x).
    cross: float
    #: Cov(x̃) (features × features).
    covariance: Tensor


class Corruption(Constrained):
    """The base of all corruptions: a random map from a batch to a corrupted copy, used in training only."""

    #: What is damaged: ``"input"``, ``"hidden"`` (the code, before it is decoded) or ``"both"``.
    on: str = "input"
    #: Whether it hides cells, and so may present them as missing where cells may be.
    hides: ClassVar[bool] = False
    #: See :func:`stackae._utils.draws.is_by_rows`.
    by_rows: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self, x: Tensor, generator: Generator, fraction: float = 1.0, columns: Tensor | None = None
    ) -> Tensor:
        """Return a corrupted copy of ``x``, which itself is not written.

        Parameters
        ----------
        x : Tensor of shape (samples, features)
        generator : Generator
        fraction : float, default=1.0
            The share of the phase that has been trained, from 0 to 1, for levels that change.
        columns : Tensor of shape (features,), int64, or None, default=None
            Of each column the number of what it belongs to, counted up from left to right: those of one
            category have one number, and what replaces cells replaces all of its cells or none. None: each
            column stands for itself. It is given only where there are categories.
        """

    def damages(self, place: str) -> bool:
        """Whether it is applied to ``"input"`` or ``"hidden"``."""
        return self.on in (place, "both")

    def in_coordinates(self, n_features: int) -> Corruption | None:
        """What it is to samples that are given by their coordinates along orthonormal axes in their span.

        Parameters
        ----------
        n_features : int
            Of the samples themselves, more than there are coordinates.

        Returns
        -------
        Corruption or None
            None where nothing is.
        """
        return None

    def with_slope(self, x: Tensor, generator: Generator, fraction: float) -> tuple[Tensor, Tensor | None]:
        """The corrupted copy by the same draws, and the derivative of each of its cells (None: 1).

        A corruption that does not override this is left to autograd where it damages the code.
        """
        raise NotImplementedError

    def moments(self, mean: Tensor, covariance: Tensor) -> Moments:
        """The moments of corrupted rows, where the clean ones' are given, at the level of the end.

        For corruptions that can be averaged out in closed form; the others do not override this.
        """
        raise NotImplementedError


class CellwiseCorruption(Corruption):
    """A corruption that replaces each cell with probability ``level``.

    Parameters
    ----------
    level : float or pair of float, default=0.25
        Fraction of cells replaced, in [0, 1). A pair: linearly from the first at the start of the phase to
        the second at its end (Geras & Sutton 2014).
    on : {"input", "hidden", "both"}, default="input"
        What is corrupted: the encoder's input, or the code before it is decoded.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "level": [Interval(Real, 0, 1, closed="left"), Numbers(Interval(Real, 0, 1, closed="left"), 2)],
        "on": ON,
    }

    def __init__(self, level: Level = 0.25, on: str = "input") -> None:
        self.level = level
        self.on = on


def in_coordinates(corruptions: Iterable[Corruption], n_features: int) -> tuple[Corruption, ...] | None:
    """What corruptions are to coordinates of an input of so many columns; None where one of them is nothing.

    A subclass that has another formula has to say so itself.
    """
    found: list[Corruption] = []
    for corruption in corruptions:
        own: Corruption | None = corruption
        if corruption.damages("input"):
            is_known = "in_coordinates" in vars(type(corruption))
            own = corruption.in_coordinates(n_features) if is_known else None
        if own is None:
            return None
        found.append(own)
    return tuple(found)


def at(level: Level, fraction: float) -> float:
    """The level when a share ``fraction`` of the phase has been trained."""
    if isinstance(level, (tuple, list)):
        return level[0] + (level[1] - level[0]) * fraction
    return level


def choose_cells(x: Tensor, level: float, generator: Generator, columns: Tensor | None = None) -> Tensor:
    """Small integers in the shape of ``x``: each cell is 1 with probability ``level``, else 0, independently,
    or the cells of one number in ``columns`` together.

    One fill with 64-bit random integers serves eight cells, or four where ``level`` is not a multiple of
    1/256; the probability is exact to 2⁻¹⁷. That is several times faster than one Bernoulli draw a cell.
    """
    import torch

    bits = 8 if (level * 256).is_integer() else 16
    *leading, width = x.shape
    n_words = -(-width * bits // 64)

    def draw(n_rows: int) -> Tensor:
        words = torch.empty((n_rows, *leading[1:], n_words), dtype=torch.int64, device=x.device)
        return words.random_(-(2**63), None, generator=generator)

    narrow = by_rows(draw, len(x), generator).view(torch.int8 if bits == 8 else torch.int16)
    if narrow.shape[-1] > width:
        narrow = narrow[..., :width]
    bound = round(level * 2**bits) - 2 ** (bits - 1)
    if bound == 2 ** (bits - 1):  # above every integer of so many bits, and not one of them
        return narrow.fill_(1)
    # In place, since the integers stay integers: ten times as fast as a comparison that makes booleans.
    chosen = narrow.lt_(bound)
    return chosen if columns is None else chosen.index_select(-1, columns)
