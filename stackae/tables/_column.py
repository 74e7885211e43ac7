"""What every kind of column does: it learns from cells, turns them into floats and back, is kept as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stackae.tables._cells import Cells, Floats, Name

#: Fills zeros of shape (rows, n_encoded), in float32 or float64, with consecutive rows.
Writer = Callable[[slice, npt.NDArray[np.floating]], None]


class Options(NamedTuple):
    """The encoder's parameters that columns heed; see :class:`stackae.TableEncoder`."""

    numeric: str
    max_categories: int
    min_frequency: float
    text_components: int


@dataclass(frozen=True, eq=False)
class Column(ABC):
    """A fitted column. Its fields are JSON values, tuples of them, and arrays."""

    kind: ClassVar[str]
    #: Whether the encoded columns are one category, of which one is 1.
    is_group: ClassVar[bool] = False

    @property
    @abstractmethod
    def n_encoded(self) -> int:
        """How many encoded columns it has."""

    @abstractmethod
    def names(self, name: str) -> list[str]:
        """What they are called, where the user's column is called ``name``."""

    @abstractmethod
    def encode(self, cells: Cells) -> Writer:
        """What fills an array of zeros with the encoded columns of some rows; gaps are NaN in all of them."""

    @abstractmethod
    def decode(self, name: Name, block: Floats) -> Cells:
        """The nearest cells to encoded columns of shape (n_samples, n_encoded); NaN is a gap."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The fields: JSON values, and arrays."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value for name, value in own.items() if isinstance(value, np.ndarray)}
        return {name: value for name, value in own.items() if name not in arrays}, arrays

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """What :meth:`state` has told of; lists, as JSON has them, are tuples again."""
        tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**tuples, **arrays)
