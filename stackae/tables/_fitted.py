"""All that was learned of a table, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count, pairwise
from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from stackae._utils.threads import side_by_side
from stackae.exceptions import DataError
from stackae.serialization.table_info import ColumnInfo, TableInfo
from stackae.tables._building import build
from stackae.tables._cells import Cells, Name, missing
from stackae.tables._column import Column, Writer
from stackae.tables._kinds import KINDS
from stackae.tables._reading import Dtype, Library, columns_of, listed, read

Floats = npt.NDArray[np.floating]

#: So many values are written column by column while they stay in a processor's cache.
_BLOCK = 2**17
#: Fewer cells are not worth a second thread.
SMALL = 2**17


@dataclass(frozen=True, eq=False)
class FittedTable:
    """Columns that were fitted, in the table's order.

    Attributes
    ----------
    library : str or None
        "pandas", "polars" or "pyarrow"; None where it was an array.
    names : list of str or int
    dtypes : list of dict
        Types, for a table of the same ones to be made; none for an array.
    columns : list of Column
    told : TableInfo
    precision : str
        The type of the encoded array.
    ranges : list of (int, int)
        Each column's first and past-the-last encoded column.
    """

    library: Library | None
    names: list[Name]
    dtypes: list[Dtype]
    columns: list[Column]
    told: TableInfo
    precision: str = "float64"
    ranges: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        ends = accumulate((column.n_encoded for column in self.columns), initial=0)
        object.__setattr__(self, "ranges", list(pairwise(ends)))

    @property
    def n_encoded(self) -> int:
        """How many columns the array has."""
        return self.ranges[-1][1]

    @property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """The ranges that are one category each; one of a single value is a column of ones, and none."""
        return tuple(place for column, place in self._placed() if column.is_group and column.n_encoded > 1)

    @property
    def binary(self) -> tuple[int, ...]:
        """Encoded columns that are 0 or 1 each for itself."""
        return tuple(start for column, (start, _) in self._placed() if column.kind == "binary")

    @property
    def column_of(self) -> npt.NDArray[np.int64]:
        """The number of the table's column, for each encoded one."""
        return np.repeat(np.arange(len(self.columns)), [column.n_encoded for column in self.columns])

    def _placed(self) -> Iterator[tuple[Column, tuple[int, int]]]:
        return zip(self.columns, self.ranges, strict=True)

    def encode(self, n_samples: int, cells_of: Callable[[int], Cells]) -> Floats:
        """Columns, which are asked for by number, as an array."""
        is_small = n_samples * len(self.columns) < SMALL

        def writer(place: int) -> Writer:
            return self.columns[place].encode(cells_of(place))

        writers = side_by_side(writer, range(len(self.columns)), is_small=is_small, stacklevel=4)
        out: Floats = np.zeros((n_samples, self.n_encoded), np.dtype(self.precision))
        size = max(1, _BLOCK // self.n_encoded)

        def fill(first: int) -> None:
            rows = slice(first, first + size)
            for write, (start, stop) in zip(writers, self.ranges, strict=True):
                write(rows, out[rows, start:stop])

        side_by_side(fill, range(0, n_samples, size))
        return out

    def encode_table(self, table: nw.DataFrame[Any], first_row: int) -> Floats:
        """A table's columns, found by name; those that are left out are not looked at."""
        given = dict(columns_of(table))
        if absent := [name for name in self.names if name not in given]:
            raise DataError(f"the table has no column {listed(absent)}, which the encoder was fitted with")

        def cells_of(place: int) -> Cells:
            name, is_kept = self.names[place], self.columns[place].n_encoded
            cells = read(name, given[name]) if is_kept else missing(name, len(table))
            return cells._replace(first_row=first_row)

        return self.encode(len(table), cells_of)

    def decode(self, encoded: Floats) -> list[Cells]:
        """The nearest columns to an array."""
        return [
            column.decode(name, encoded[:, start:stop].astype(np.float64))
            for name, (column, (start, stop)) in zip(self.names, self._placed(), strict=True)
        ]

    def build(self, encoded: Floats) -> Any:
        """The nearest table, of its own library."""
        assert self.library is not None
        return build(self.library, self.decode(encoded), self.dtypes)

    def encoded_names(self, names: Sequence[Any]) -> list[str]:
        """What encoded columns are called where the table's are called ``names``: all different."""
        found: dict[str, None] = {}
        for name, column in zip(names, self.columns, strict=True):
            for text in column.names(str(name)):
                others = (f"{text} ({number})" for number in count(2))
                found[text if text not in found else next(o for o in others if o not in found)] = None
        return list(found)

    def to_json(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """JSON values, and arrays by name."""
        states = [column.state() for column in self.columns]
        values = {
            "library": self.library,
            "precision": self.precision,
            "names": self.names,
            "dtypes": self.dtypes,
            "columns": [
                {"kind": column.kind, **own} for column, (own, _) in zip(self.columns, states, strict=True)
            ],
            "table": [list(info) for info in self.told],
        }
        arrays = {f"{k}.{name}": array for k, (_, own) in enumerate(states) for name, array in own.items()}
        return values, arrays

    @classmethod
    def from_json(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """What :meth:`to_json` has told of."""
        own: list[dict[str, np.ndarray]] = [{} for _ in values["columns"]]
        for name, array in arrays.items():
            place, _, what = name.partition(".")
            own[int(place)][what] = array
        columns: list[Column] = [
            KINDS[state["kind"]].from_state({name: v for name, v in state.items() if name != "kind"}, mine)
            for state, mine in zip(values["columns"], own, strict=True)
        ]
        told = TableInfo(ColumnInfo(*line) for line in values["table"])
        return cls(values["library"], values["names"], values["dtypes"], columns, told, values["precision"])
