"""In which order the columns of a row hold an image or a series: channels last, or first."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from torch import Tensor

from stackae.exceptions import ParameterError


class Layout(NamedTuple):
    """The order of a row's columns.

    Parameters
    ----------
    space : tuple of int
        Height and width of an image, or the steps of a series.
    channels : int
        Values of each pixel or step.
    channels_first : bool
        Whether the columns of a channel stand side by side; else those of a pixel or step do.
    """

    space: tuple[int, ...]
    channels: int
    channels_first: bool

    @classmethod
    def of(cls, shape: Sequence[int], *, channels_first: bool) -> Layout:
        """That of a shape, given in the order of the columns."""
        if channels_first:
            return cls(tuple(shape[1:]), shape[0], True)
        return cls(tuple(shape[:-1]), shape[-1], False)

    @property
    def n_features(self) -> int:
        """Columns of a row."""
        return prod(self.space) * self.channels

    def unflatten(self, rows: Tensor) -> Tensor:
        """Rows (samples × features) to samples × space × channels, without a copy."""
        if self.channels_first:
            return rows.reshape(-1, self.channels, *self.space).movedim(1, len(self.space) + 1)
        return rows.reshape(-1, *self.space, self.channels)

    def flatten(self, values: Tensor) -> Tensor:
        """Samples × space × channels back to rows."""
        return (values.movedim(len(self.space) + 1, 1) if self.channels_first else values).flatten(1)


def shape_given(
    what: str, given: str | Sequence[int], order: str, shape: tuple[int, ...], *, channels_first: bool
) -> tuple[int, ...] | None:
    """A network's shape as its user gave it, in the order of the columns; None: it is ``"auto"``.

    Parameters
    ----------
    what : str
        Network and parameter, as ``"Recurrent(sequence_shape={})"``.
    given : str or sequence of int
    order : str
        What the numbers are, where channels come as they are said to.
    shape : tuple of int
        Of the rows: (features,), or height, width and channels of convolutional codes.
    channels_first : bool

    Raises
    ------
    ParameterError
        The shape does not have the rows' number of values, or there are no channels that come first.
    """
    network = what.partition("(")[0]
    if channels_first and len(shape) == 3:
        raise ParameterError(
            f"{network}(channels_first=True) cannot stand on a convolutional layer, whose codes have their"
            " channels last; leave it out"
        )
    if isinstance(given, str):
        if channels_first:
            raise ParameterError(f"{network}(channels_first=True) needs a shape, got {given!r}; give {order}")
        return None
    own = tuple(int(side) for side in given)
    if prod(own) != prod(shape):
        other = "" if channels_first else ", or channels first with channels_first=True"
        raise ParameterError(
            f"{what.format(own)} has {prod(own)} values, but the rows have {prod(shape)}; give {order}{other}"
        )
    return own
