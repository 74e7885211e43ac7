"""Legal parameter values, declared in one dictionary a class and checked before anything is computed.

This is the only module that uses scikit-learn's private names. The declarations are scikit-learn's own,
so that its estimator checks can read them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    RealNotInt,
    StrOptions,
    make_constraint,
)

__all__ = [
    "Constrained",
    "HasMethods",
    "Integral",
    "Interval",
    "InvalidParameterError",
    "NamedIn",
    "Numbers",
    "Options",
    "Ranges",
    "Real",
    "StrOptions",
]


class NamedIn(StrOptions):
    """A name in a table, as the table is when it is asked, or another word.

    Parameters
    ----------
    table : container of str
    words : str
        What is legal beside.
    """

    def __init__(self, table: Collection[str], *words: str) -> None:
        self.table, self.words = table, words
        super().__init__({*table, *words})

    @property
    def options(self) -> set[str]:
        """All that is legal now."""
        return {*self.table, *self.words}

    @options.setter
    def options(self, options: set[str]) -> None:
        """The table says what they are."""


class Numbers(Interval):  # as scikit-learn accepts only its own kinds of constraint
    """Several numbers, each within an interval.

    Parameters
    ----------
    interval : Interval
    counts : tuple of int
        How many there may be; empty: any number.
    """

    def __init__(self, interval: Interval, *counts: int) -> None:
        super().__init__(interval.type, interval.left, interval.right, closed=interval.closed)
        self.interval = interval
        self.counts = counts

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether it is a tuple or list of so many such numbers."""
        return (
            isinstance(val, (tuple, list))
            and (not self.counts or len(val) in self.counts)
            and all(self.interval.is_satisfied_by(v) and not isinstance(v, bool) for v in val)
        )

    def __str__(self) -> str:
        return f"{' or '.join(map(str, self.counts)) or 'several'} numbers, each {_range(self.interval)}"


class Ranges(Numbers):
    """Several pairs (start, stop) of whole numbers of at least 0."""

    def __init__(self) -> None:
        super().__init__(Interval(Integral, 0, None, closed="left"), 2)

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether it is a tuple or list of such pairs."""
        return isinstance(val, (tuple, list)) and all(map(super().is_satisfied_by, val))

    def __str__(self) -> str:
        return "several pairs (start, stop) of whole numbers of at least 0"


class Constrained(BaseEstimator):
    """A ``BaseEstimator`` whose parameters are declared in ``_parameter_constraints``."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def check_parameters(self) -> None:
        """Raise ``InvalidParameterError``, a ``ValueError``, for the first parameter that breaks its rule.

        Parameters that have parameters of their own are checked with it. A bool is no number here: ``True``
        for an integer is refused, where Python would take it for 1.
        """
        parameters = self.get_params(deep=False)
        for name, value in parameters.items():
            if name not in self._parameter_constraints:
                raise TypeError(
                    f"{type(self).__name__}._parameter_constraints must say what is legal for {name!r}"
                )
            constraint = self._parameter_constraints[name]
            names = {c for c in constraint if isinstance(c, str)}
            if isinstance(value, bool) and not names & {"boolean", "verbose"}:
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} must be a number or one of its other"
                    f" legal values, not a bool. Got {value!r} instead."
                )
            if not any(make_constraint(own).is_satisfied_by(value) for own in constraint):
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} must be {_either(constraint)}."
                    f" Got {value!r} instead."
                )
        for value in parameters.values():
            for part in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(part, Constrained):
                    part.check_parameters()


#: What scikit-learn's constraints that are a word ask for.
_PLAIN = {
    "array-like": ["a list", "an array"],
    "boolean": ["True", "False"],
    "random_state": ["a whole number from 0 to 4294967295", "a RandomState", "None"],
    "verbose": ["True", "False", "a whole number of at least 0"],
}


def _either(constraints: Iterable[Any]) -> str:
    """What is legal, as a reader would say it."""
    *others, last = (word for own in constraints for word in _words(own))
    return f"{', '.join(others)} or {last}" if others else last


def _words(constraint: Any) -> list[str]:
    """What one constraint allows."""
    match constraint:
        case str():
            return _PLAIN.get(constraint, [constraint])
        case type():
            module = f"{constraint.__module__}." * (constraint.__module__ == "torch")
            return [f"a{'n' * (constraint.__name__[0] in 'AEIOU')} {module}{constraint.__name__}"]
        case Numbers():
            return [str(constraint)]
        case Interval():
            return [_range(constraint)]
        case NamedIn():
            return [repr(word) for word in (*constraint.table, *constraint.words)]
        case Options():
            return sorted(map(repr, constraint.options))
        case HasMethods():
            return [f"an object with the method {', '.join(constraint.methods)}"]
    return ["a function" if constraint is callable else str(constraint)]


def _range(interval: Interval) -> str:
    """Which numbers are within an interval."""
    noun = {Integral: "a whole number", RealNotInt: "a fraction"}.get(interval.type, "a number")
    low, high, closed = interval.left, interval.right, interval.closed
    if None not in (low, high) and closed == "both":
        return f"{noun} from {low} to {high}"
    lower = [] if low is None else [f"{'of at least' if closed in ('left', 'both') else 'above'} {low}"]
    upper = [] if high is None else [f"{'at most' if closed in ('right', 'both') else 'below'} {high}"]
    return " ".join([noun, " and ".join(lower + upper)]).rstrip()
