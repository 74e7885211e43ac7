"""Stacks whose code is ordered: any prefix of it is a code."""

from __future__ import annotations

from dataclasses import replace

from stackae.codes.nested import Nested
from stackae.exceptions import ParameterError
from stackae.modules.layer import Composition
from stackae.networks.dense import Dense


def ordered(parts: Composition) -> Composition:
    """The last layer of an ordered stack: as it was given, its code nested.

    Raises
    ------
    ParameterError
        It has another code, or its network is not dense.
    """
    if isinstance(parts.code, Nested):
        return parts
    if parts.code is not None:
        raise ParameterError(
            f"ordered=True nests the last layer's code, which has a code of its own, got code={parts.code};"
            " leave it out, or set ordered=False"
        )
    if type(parts.network) is not Dense:
        raise ParameterError(
            f"ordered=True needs a dense last layer, got network={parts.network}; choose network='dense', or"
            " set ordered=False"
        )
    return replace(parts, code=Nested())
