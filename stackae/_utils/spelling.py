"""Which name somebody meant who wrote one that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: How alike two names must be, from 0 to 1.
_ALIKE = 0.7


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a message that offers the name most like the given one; empty if none is like it.

    Examples
    --------
    >>> did_you_mean("neighbours", ["nested", "neighbors"])
    "; did you mean 'neighbors'?"
    >>> did_you_mean("lstm", ["nested", "neighbors"])
    ''
    """
    close = get_close_matches(name, list(names), 1, _ALIKE)
    return f"; did you mean {close[0]!r}?" if close else ""
