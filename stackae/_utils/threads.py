"""Work on several threads, where numpy and Arrow let others run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from joblib import cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in the order of the items; the first error, in that order, is raised.

    For work that warns of nothing: warnings would come in any order.
    """
    with ThreadPoolExecutor(max_workers=cpu_count()) as threads:
        return list(threads.map(work, items))
