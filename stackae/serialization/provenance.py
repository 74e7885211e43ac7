"""What a figure or a model was made with: versions and machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

#: The distributions whose versions decide a result.
_DISTRIBUTIONS = ("stackae", "torch", "scikit-learn", "numpy")


def versions() -> dict[str, str]:
    """The versions of what decides a result.

    Examples
    --------
    >>> sorted(versions())
    ['numpy', 'python', 'scikit-learn', 'stackae', 'torch']
    """
    return {**{name: version(name) for name in _DISTRIBUTIONS}, "python": platform.python_version()}


def machine() -> dict[str, str | int]:
    """Processor and cores, as far as the system tells."""
    return {"processor": _processor(), "cores": os.cpu_count() or 1, "system": platform.system()}


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
