"""Text that is a number, and numbers that name columns."""

from __future__ import annotations

import numpy as np

#: So many numbers do not rise by chance in the first row alone.
_MANY_COLUMNS = 5
#: The words that cells have for truth values.
TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def is_number(cell: str) -> bool:
    """Whether a cell is one; 1_000, which only Python reads, is none."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def counts(row: list[str]) -> bool:
    """Whether numbers are 0, 1, ..., or rise evenly, as wavelengths and years do, or are many and rise."""
    if len(row) < 2 or not all(map(is_number, row)):
        return False
    values = np.array([float(cell) for cell in row])
    if not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        return False
    is_even = np.allclose(np.diff(values), values[1] - values[0], rtol=0.01)
    return (values == np.arange(len(row))).all() or len(row) >= _MANY_COLUMNS or (is_even and len(row) > 2)
