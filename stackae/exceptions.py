"""What stackae raises and warns with.

::

    Exception
    └── StackaeError
        ├── DataError (ValueError)            the rows given cannot be used
        │   ├── DataTypeError (TypeError)     ... because of their type
        │   └── DataFileError                 a data file is malformed or unreadable as data
        ├── ParameterError (ValueError)       parameters that are impossible, alone or together
        ├── ModelFileError (ValueError)       a model file is damaged, foreign or too new
        └── DivergedError (ArithmeticError)   the loss became infinite or NaN

    UserWarning
    └── StackaeWarning

Parameters of a wrong type or range raise scikit-learn's ``InvalidParameterError``, which is a
``ValueError`` too; an estimator used before ``fit`` raises scikit-learn's ``NotFittedError``; files that
cannot be opened, read or written raise ``OSError``.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: How alike two names must be, from 0 to 1.
_ALIKE = 0.7


class StackaeError(Exception):
    """Base of every error that stackae defines."""


class DataError(StackaeError, ValueError):
    """The rows given cannot be used; the message names the row and the column where there are any."""


class DataTypeError(DataError, TypeError):
    """The rows given are of a type that is never silently converted (text, dates, masked arrays)."""


class DataFileError(DataError):
    """A data file is malformed; the message begins with its path."""


class ParameterError(StackaeError, ValueError):
    """Parameters that are impossible, alone or together; the message names them and what is missing."""


class ModelFileError(StackaeError, ValueError):
    """A model file is damaged, foreign, or written by a newer format; nothing in it was executed."""


class DivergedError(StackaeError, ArithmeticError):
    """The training loss became infinite or not a number."""


class StackaeWarning(UserWarning):
    """Something is probably not what the user meant, but work goes on."""


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
