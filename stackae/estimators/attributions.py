"""What columns have to do with codes, as tables that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from stackae._utils.constraints import Integral
from stackae.exceptions import ParameterError
from stackae.serialization.table_info import printable

Floats = npt.NDArray[np.floating]

#: So many codes, and columns, are shown at most; of each code so many of its strongest columns.
_MOST_CODES, _MOST_COLUMNS, _STRONGEST = 20, 30, 3


@dataclass(frozen=True, eq=False)
class Loadings:
    """How much each code changes with each column: codes × columns, from ``loadings`` of an estimator.

    ``numpy.asarray(loadings)`` gives the numbers alone.

    Attributes
    ----------
    values : ndarray of shape (n_codes, n_columns)
        In the codes' units, per standard deviation of the column.
    code_names, column_names : tuple of str
    undirected : tuple of str, default=()
        Columns whose loadings have no sign, since they are encoded as several: categories and dates.

    Examples
    --------
    >>> import numpy as np
    >>> from stackae.estimators.attributions import Loadings
    >>> loadings = Loadings(np.array([[0.5, -2.0], [0.1, 0.0]]), ("code0", "code1"), ("age", "income"))
    >>> loadings
    loadings of 2 codes × 2 columns, the strongest of each
    code0  -2 income, +0.5 age
    code1  +0.1 age
    >>> loadings.strongest("code0", 1)
    [('income', -2.0)]
    >>> loadings.to_frame()
       code  age  income
    0 code0  0.5    -2.0
    1 code1  0.1     0.0
    """

    values: Floats
    code_names: tuple[str, ...]
    column_names: tuple[str, ...]
    undirected: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """The shape, (n_codes, n_columns)."""
        return len(self.code_names), len(self.column_names)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Floats:
        return np.array(self.values, dtype, copy=copy)

    def strongest(self, code: int | str, n: int = 5) -> list[tuple[str, float]]:
        """The columns with the largest loadings on a code.

        Parameters
        ----------
        code : int or str
            Its number (negative: from the end) or its name.
        n : int, default=5
            The maximum number of columns.

        Returns
        -------
        list of (str, float)
            Names and loadings, the largest absolute value first; zeros are left out.

        Raises
        ------
        ParameterError
            There is no such code.
        """
        own = self.values[number_of(code, self.code_names)]
        order = np.argsort(-np.abs(own), kind="stable")[:n]
        return [(self.column_names[k], float(own[k])) for k in order if own[k]]

    def to_frame(self, backend: str = "pandas") -> Any:
        """As a data frame with one row per code, its name in the first column.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, default="pandas"
            The library to use, which must be installed.

        Returns
        -------
        DataFrame or Table
        """
        import narwhals.stable.v2 as nw

        columns = dict(zip(self.column_names, self.values.T, strict=True))
        codes = {heading_beside(self.column_names): list(self.code_names)}
        return nw.from_dict({**codes, **columns}, backend=backend).to_native()  # type: ignore[arg-type]

    def __repr__(self) -> str:
        n_codes, n_columns = self.shape
        shown = [printable(name) for name in self.code_names[:_MOST_CODES]]
        width = max(map(len, shown))
        lines = [f"loadings of {n_codes:,} codes × {n_columns:,} columns, the strongest of each"]
        if self.undirected:
            lines[0] += "; without a sign: categories and dates, which have no direction"
        for code, name in enumerate(shown):
            own = [
                f"{value:{'' if column in self.undirected else '+'}.3g} {printable(column)}"
                for column, value in self.strongest(code, _STRONGEST)
            ]
            lines.append(f"{name:{width}}  {', '.join(own) or 'none'}")
        more = n_codes - len(shown)
        return "\n".join([*lines, *([f"... and {more:,} more codes"] if more else [])])

    def _repr_html_(self) -> str:
        n_codes, n_columns = self.shape
        head = "".join(f"<th>{escape(name)}</th>" for name in self.column_names[:_MOST_COLUMNS])
        lines = []
        for name, own in zip(self.code_names[:_MOST_CODES], self.values, strict=False):
            cells = "".join(f"<td>{value:.3g}</td>" for value in own[:_MOST_COLUMNS])
            lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
        return (
            f"<table><caption>loadings, {n_codes:,} codes × {n_columns:,} columns</caption>"
            f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        )


class Contributions:
    """What each column adds to each code of each row: rows × codes × columns, from ``contributions``.

    ``contributions[code]``, by number or name, is an array of rows × columns, computed on demand; iterating
    goes through the codes in order. A row's contributions to a code plus the code's base value are the code.

    Parameters
    ----------
    compute : callable
        From the number of a code to the array of shape (n_samples, n_columns).
    n_samples : int
    base_values : array of shape (n_codes,)
    code_names, column_names : sequence of str

    Attributes
    ----------
    shape : tuple of int
        (rows, codes, columns).
    base_values : ndarray of shape (n_codes,)
        The code of the reference row.
    code_names, column_names : tuple of str
    """

    def __init__(
        self,
        compute: Callable[[int], Floats],
        n_samples: int,
        base_values: Floats,
        code_names: Sequence[str],
        column_names: Sequence[str],
    ) -> None:
        self._compute = compute
        self.base_values = base_values
        self.code_names, self.column_names = tuple(code_names), tuple(column_names)
        self.shape = n_samples, len(self.code_names), len(self.column_names)

    def __len__(self) -> int:
        return self.shape[1]

    def __getitem__(self, code: int | str) -> Floats:
        return self._compute(number_of(code, self.code_names))

    def __iter__(self) -> Iterator[Floats]:
        return map(self._compute, range(len(self)))

    def __repr__(self) -> str:
        rows, codes, columns = self.shape
        return f"contributions of {rows:,} rows × {codes:,} codes × {columns:,} columns, by code"


def number_of(code: int | str, names: Sequence[str]) -> int:
    """The number of a code that is called by its number, from the end where below 0, or by its name.

    Raises
    ------
    ParameterError
        There is none.
    """
    if isinstance(code, str) and code in names:
        return names.index(code)
    is_number = isinstance(code, Integral) and not isinstance(code, bool)
    if is_number and -len(names) <= int(code) < len(names):
        return int(code) % len(names)
    raise ParameterError(
        f"code must be a number below {len(names)} or a name, {names[0]!r} to {names[-1]!r}, got {code!r}"
    )


def heading_beside(names: Sequence[str]) -> str:
    """What the column of codes is called, beside columns of these names."""
    others = (f"code_{number}" for number in count(2))
    return "code" if "code" not in names else next(name for name in others if name not in names)
