"""How much memory a piece of work may take."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from stackae.exceptions import ParameterError

_UNITS = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "KI": 2**10,
    "MI": 2**20,
    "GI": 2**30,
    "TI": 2**40,
}
_LEAST = 2**24
#: Where a container's limit stands, in either version of control groups.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def parse_memory(max_memory: int | str | None) -> int:
    """An amount of memory in bytes.

    Parameters
    ----------
    max_memory : int, str or None
        Bytes; or a number with a unit, as ``"500MB"``, ``"1.5GB"`` or ``"2GiB"``; None: half of the machine's
        memory, or of what its container may take.

    Raises
    ------
    ParameterError
        The text is no amount, or the amount is under 16 MiB.

    Examples
    --------
    >>> parse_memory("1GB"), parse_memory("64 MiB")
    (1000000000, 67108864)
    """
    if max_memory is None:
        return machine_memory() // 2
    if isinstance(max_memory, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?|)B?\s*", max_memory.upper())
        if match is None:
            raise ParameterError(
                f"max_memory must be bytes or a text like '500MB' or '2GiB', got {max_memory!r}"
            )
        amount = int(float(match[1]) * _UNITS[match[2]])
    else:
        amount = int(max_memory)
    if amount < _LEAST:
        raise ParameterError(f"max_memory must be at least 16MiB, got {max_memory!r}")
    return amount


def machine_memory() -> int:
    """Bytes of memory that this process can have."""
    limits = [_physical_memory()]
    for path in map(Path, _LIMITS):
        try:
            limits.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(limits)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not tell: assume a small machine
        return 2**33


class MemoryBudget(NamedTuple):
    """What samples and codes may take.

    Parameters
    ----------
    n_bytes : int
        In this process.
    folder : path-like or None
        Where codes are kept that are too many for it; None: the system's temporary folder.
    shared : int or None, default=None
        What all processes of the machine may take together; None: this is the only one.
    """

    n_bytes: int
    folder: str | os.PathLike[str] | None = None
    shared: int | None = None

    @classmethod
    def of(cls, max_memory: int | str | None, folder: str | os.PathLike[str] | None = None) -> MemoryBudget:
        """Of the amount that a machine may give (:func:`parse_memory`) each process takes an equal part."""
        of_all = parse_memory(max_memory)
        return cls(of_all // n_local_processes(), folder, of_all)

    @property
    def of_all(self) -> int:
        """Bytes that the processes of this machine may take together."""
        return self.n_bytes if self.shared is None else self.shared


def n_local_processes() -> int:
    """How many processes torchrun has started on this machine; 1 where it has not."""
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
