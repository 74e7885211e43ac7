"""Work on several threads, where numpy and Arrow let others run; warnings come in order all the same.

And little work on one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Lock
from typing import TypeVar

from joblib import cpu_count
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Below this many multiplications in a step, starting a second thread costs more than it saves, and so do
#: conversions to bfloat16. A layer of 784-256 stands at the boundary with 50 rows, one of 64-256 with 600.
LITTLE_WORK = 2e7
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


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, always the next one made on another thread while the last one is used."""
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="stackae-ahead") as thread:
        coming = thread.submit(next, source, None)
        while (ready := coming.result()) is not None:
            coming = thread.submit(next, source, None)
            yield ready
            del ready


class SharedSetting:
    """A setting of the whole process for a while, by several threads at once.

    The first to come changes it, the last to leave restores it, so that they do not restore it under each
    other.

    Parameters
    ----------
    change : callable
        Changes the setting, and returns what restores it.
    """

    def __init__(self, change: Callable[[], Callable[[], object]]) -> None:
        self._change = change
        self._lock = Lock()
        self._users = 0
        self._restore: Callable[[], object] = lambda: None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._users:
                self._restore = self._change()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._restore()


_one_thread = SharedSetting(lambda: threadpool_limits(1).restore_original_limits)


def one_thread_for(work: float) -> AbstractContextManager[None]:
    """Leave BLAS and OpenMP one thread, if a step has so few multiplications that a second is no help.

    On processors that are busy, threads that wait for each other after every small product take ten times as
    long as one.
    """
    return nullcontext() if work >= LITTLE_WORK else _one_thread()
