"""Random draws for the rows of a batch, of which a process may hold only its share.

The draws of a row depend on its place in the whole batch and on what was drawn before: so they are made for
the whole batch, and those of the process's own rows are kept. Drawing is cheap beside what is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Share(NamedTuple):
    """Which rows of a batch are a process's own.

    Parameters
    ----------
    n_samples : int
        Of the whole batch.
    places : Tensor of int64
        Where the own ones stand in it, ascending; on the device.
    """

    n_samples: int
    places: Tensor

    def split(self, size: int) -> Iterator[tuple[slice, Share]]:
        """The batches of so many that it is made of: which of the own rows are in each, and their share."""
        first = 0
        for start in range(0, self.n_samples, size):
            stop = min(start + size, self.n_samples)
            last = first + int(((self.places >= start) & (self.places < stop)).sum())
            yield slice(first, last), Share(stop - start, self.places[first:last] - start)
            first = last


@contextmanager
def drawing_for(generator: Generator, share: Share | None) -> Iterator[None]:
    """Draw for the rows of a share: with a generator that has the attribute ``share``, as :class:`Draws`."""
    if share is None:
        yield
        return
    generator.share = share  # type: ignore[attr-defined]
    try:
        yield
    finally:
        generator.share = None  # type: ignore[attr-defined]


def by_rows(draw: Callable[[int], Tensor], n_rows: int, generator: Generator) -> Tensor:
    """What ``draw`` makes for so many rows along the first axis; of a share for the whole batch, cut."""
    share: Share | None = getattr(generator, "share", None)
    return draw(n_rows) if share is None else draw(share.n_samples).index_select(0, share.places)


def normal_like(x: Tensor, generator: Generator) -> Tensor:
    """Standard normal draws in the shape and type of rows."""

    def draw(n_rows: int) -> Tensor:
        empty = x.new_empty(n_rows, *x.shape[1:])
        return empty.normal_(0.0, 1.0, generator=generator)

    return by_rows(draw, len(x), generator)


def is_by_rows(part: Any) -> bool:
    """Whether a part says of itself (``by_rows = True``; a subclass has to say it again) that what becomes of
    a row depends on no other row of the batch, and that it draws by the functions of this module."""
    return bool(vars(type(part)).get("by_rows"))
