"""How legal numbers are called in messages."""

from __future__ import annotations


def interval_in_words(noun: str, low: float | None, high: float | None, closed: str) -> str:
    """Which numbers are within an interval.

    Parameters
    ----------
    noun : str
        What they are.
    low, high : float or None
        None: no bound.
    closed : {"left", "right", "both", "neither"}

    Examples
    --------
    >>> interval_in_words("a whole number", 1, None, "left")
    'a whole number of at least 1'
    """
    if low is not None and high is not None and closed == "both":
        return f"{noun} from {low} to {high}"
    lower = [] if low is None else [f"{'of at least' if closed in ('left', 'both') else 'above'} {low}"]
    upper = [] if high is None else [f"{'at most' if closed in ('right', 'both') else 'below'} {high}"]
    return " ".join([noun, " and ".join(lower + upper)]).rstrip()
