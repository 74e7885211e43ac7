"""Work on several threads, where numpy and Arrow let others run; warnings come in order all the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar

from joblib import cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")

#: What the item that a thread is at has to say.
_TOLD: ContextVar[list[Warning] | None] = ContextVar("told", default=None)


def tell(warning: Warning) -> None:
    """Warn; within :func:`side_by_side`, when all is done and in the order of the items."""
    told = _TOLD.get()
    if told is None:
        warnings.warn(warning, stacklevel=3)
    else:
        told.append(warning)


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], *, is_small: bool = False, stacklevel: int = 1
) -> list[Result]:
    """The results in the order of the items; the first error, in that order, is raised.

    Parameters
    ----------
    work : callable
        It warns by :func:`tell`.
    items : sequence
    is_small : bool, default=False
        Whether threads are not worth starting.
    stacklevel : int, default=1
        From where warnings seem to come: 1 is the caller.
    """

    def one(item: Item) -> tuple[Result, list[Warning]]:
        told: list[Warning] = []
        token = _TOLD.set(told)
        try:
            return work(item), told
        finally:
            _TOLD.reset(token)

    if is_small or len(items) < 2:
        found = [one(item) for item in items]
    else:
        with ThreadPoolExecutor(max_workers=cpu_count()) as threads:
            found = list(threads.map(one, items))
    for _, told in found:
        for warning in told:
            warnings.warn(warning, stacklevel=1 + stacklevel)
    return [result for result, _ in found]
