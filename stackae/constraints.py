"""Legal parameter values, declared in one dictionary a class and checked before anything is computed.

This is the only module that uses scikit-learn's private names. The declarations are scikit-learn's own,
so that its estimator checks can read them.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = [
    "Constrained",
    "Integral",
    "Interval",
    "InvalidParameterError",
    "Real",
    "StrOptions",
]


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
            constraint = self._parameter_constraints[name]
            names = {c for c in constraint if isinstance(c, str)}
            if isinstance(value, bool) and not names & {"boolean", "verbose"}:
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} must be a number or one of its other"
                    f" legal values, not a bool. Got {value!r} instead."
                )
        validate_parameter_constraints(self._parameter_constraints, parameters, type(self).__name__)
        for value in parameters.values():
            if isinstance(value, Constrained):
                value.check_parameters()
