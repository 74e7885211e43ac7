"""Parameters of parts and layers by name: ``corruption__level``, ``layers__0__corruption__level``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from types import NoneType
from typing import Any, Self

import torch

from stackae._utils.constraints import Constrained, Integral, Interval, Real, StrOptions
from stackae._utils.part_table import PartTable
from stackae.codes import CODES
from stackae.corruption import CORRUPTIONS
from stackae.exceptions import ParameterError
from stackae.losses import LOSSES
from stackae.networks import NETWORKS
from stackae.penalties import PENALTIES
from stackae.semi import SEMI
from stackae.tables import TableEncoder

#: Constraints of the parameters that every estimator has.
COMMON_CONSTRAINTS: dict[str, Any] = {
    "device": [str, torch.device],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "max_memory": [Interval(Integral, 1, None, closed="left"), str, None],
    "cache_folder": [str, PathLike, None],
}
#: Constraints of the parameters that say what becomes of the columns.
DATA_CONSTRAINTS: dict[str, Any] = {
    "scale": [StrOptions({"auto", "standard", "pareto", "minmax"}), None],
    "missing_values": [Real, None],
    "add_indicator": ["boolean"],
    "columns": [dict, TableEncoder, None],
}
#: Parameters that say where a fit keeps things and what it tells, and nothing of what it ends in.
OF_THE_PLACE = ("memory", "cache_folder", "verbose")
#: ``"auto"`` among training parameters, by its other spelling: ``training__max_epochs`` can be set on it.
TRAININGS: PartTable[Any] = PartTable("training", "stackae.training", {"auto": "parameters:Training"})


def part_classes() -> dict[str, type[Constrained]]:
    """Every part by the name of its class, those that were registered too."""
    tables: tuple[PartTable[Any], ...] = (NETWORKS, CORRUPTIONS, CODES, PENALTIES, LOSSES, SEMI)
    return {kind.__name__: kind for table in tables for kind in table.values()}


class NestedParameters(Constrained):
    """Reaches into parts that are given by name, and into sequences of parts."""

    #: Parameters whose value may be a name, and the table of what the names mean.
    _named_parts: Mapping[str, PartTable[Any]] = {}
    #: Parameters whose value may be a sequence, into which ``name__0__...`` reaches.
    _sequences: Sequence[str] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include those of parts and layers: ``corruption__level``, ``penalty__1__weight``,
            ``layers__0__corruption__level``.

        Returns
        -------
        dict
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        for name in self._sequences if deep else ():
            elements = getattr(self, name)
            for k, element in enumerate(elements if isinstance(elements, (list, tuple)) else ()):
                params[f"{name}__{k}"] = element
                if hasattr(element, "get_params") and not isinstance(element, type):
                    params.update({f"{name}__{k}__{inner}": v for inner, v in element.get_params().items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also nested ones.

        ``corruption__level`` sets a parameter of a part, even of one given by name;
        ``layers__0__n_components`` one of an element of a sequence; ``columns__numeric`` one of the table
        encoder, even if ``columns`` is a dict or None.

        Parameters
        ----------
        **params
            Names and values, as :meth:`get_params` lists them.

        Returns
        -------
        self
        """
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        # Whole parts first, then what is inside them.
        nested = [(name, value) for name, value in params.items() if "__" in name]
        for name, value in sorted(nested, key=lambda item: item[0].count("__")):
            parameter, _, inner = name.partition("__")
            holder = getattr(self, parameter, None)
            if parameter in self._sequences and not isinstance(
                holder, (str, Integral, Constrained, NoneType)
            ):
                self._set_element(parameter, holder, inner, value)
                continue
            if parameter == "columns" and isinstance(getattr(self, parameter, 0), (dict, NoneType)):
                setattr(self, parameter, TableEncoder(holder))
            elif isinstance(holder, str) and (part := self._part_named(parameter, holder)) is not None:
                setattr(self, parameter, part)
            super().set_params(**{name: value})
        return self

    def _set_element(self, parameter: str, holder: Any, name: str, value: Any) -> None:
        """Set an element of a sequence, or a parameter of one; the sequence itself is not written."""
        position, _, inner = name.partition("__")
        elements = list(holder)
        if not position.isdigit() or int(position) >= len(elements):
            raise ParameterError(
                f"'{parameter}__{name}' names no element; {parameter}__K or {parameter}__K__NAME, K from 0 to"
                f" {len(elements) - 1}"
            )
        k = int(position)
        elements[k] = self._element(parameter, elements[k]).set_params(**{inner: value}) if inner else value
        setattr(self, parameter, type(holder)(elements) if isinstance(holder, (list, tuple)) else elements)

    def _element(self, parameter: str, element: Any) -> Any:
        """What an element of a sequence stands for."""
        return self._part_named(parameter, element) if isinstance(element, str) else element

    def _part_named(self, parameter: str, name: str) -> Any:
        """What a parameter given by name stands for, or None where names mean nothing to it."""
        table = self._named_parts.get(parameter)
        return table[name]() if table is not None and name in table else None

    def _part(self, parameter: str) -> Any:
        value = getattr(self, parameter)
        return self._part_named(parameter, value) if isinstance(value, str) else value
