"""A file's own cells, as they are written, with the missing ones filled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stackae.data._numerals import TRUTH
from stackae.data._table import StrPath
from stackae.data.dialects import holds_cells, read_as
from stackae.data.writers import as_texts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["fill_columns", "with_gaps_filled"]


def with_gaps_filled(
    path: StrPath, filled: np.ndarray | pa.Table, names: Sequence[str], **asking: Any
) -> pa.Table | None:
    """The columns of a file, all of them, with the missing cells of some filled.

    Parameters
    ----------
    path : str or path-like
    filled : ndarray or pyarrow.Table of shape (n_rows, n_names)
        Where the missing cells are taken from.
    names : sequence of str
        The columns that are filled.
    **asking
        How the file is read; see :func:`stackae.data.dialects.read_any`.

    Returns
    -------
    pyarrow.Table or None
        Of files of text the cells as they are written, and numbers with as many decimals as the column has;
        of decimal commas, and of other files, the typed columns. None where the file holds arrays, or has no
        columns of these names.
    """
    if not holds_cells(path):
        return None
    typed, dialect = read_as(path, **asking)
    table = typed
    if not set(names) <= set(table.column_names):
        return None
    if dialect.format not in ("Arrow", "Parquet") and dialect.decimal != ",":
        table, _ = read_as(path, as_text=tuple(table.column_names), **asking)
    return fill_columns(table, filled, names, typed)


def fill_columns(
    table: pa.Table, filled: np.ndarray | pa.Table, names: Sequence[str], typed: pa.Table | None = None
) -> pa.Table:
    """A table with the gaps of some columns filled from others; where the gaps are is seen in ``typed``."""
    columns: Any = filled.T if isinstance(filled, np.ndarray) else filled.columns
    for name, own in zip(names, columns, strict=True):
        place = table.column_names.index(name)
        gaps = (table if typed is None else typed).column(place).is_null(nan_is_null=True)
        table = table.set_column(place, name, _filled(table.column(place), gaps, own))
    return table


def _filled(column: Any, gaps: Any, own: Any) -> Any:
    """A column with its gaps filled from another one."""
    import pyarrow as pa
    from pyarrow import compute, types

    if not compute.any(gaps).as_py():
        return column
    if types.is_string(column.type) or types.is_large_string(column.type):
        return compute.if_else(
            gaps, pa.array(_written(own, column.filter(compute.invert(gaps))), column.type), column
        )
    cells = pa.chunked_array([pa.array(own)]) if isinstance(own, np.ndarray) else own
    if types.is_dictionary(column.type):  # which if_else does not take
        kind = column.type.value_type
        return compute.if_else(gaps, cells.cast(kind), column.cast(kind)).dictionary_encode()
    return compute.if_else(gaps, cells.cast(column.type, safe=False), column)


def _written(own: Any, column: Any) -> list[str]:
    """Cells as the column has them."""
    from pyarrow import types

    known = column.drop_null().unique().to_pylist()
    if not isinstance(own, np.ndarray) and types.is_boolean(own.type):
        words = {TRUTH[word.lower()]: word for word in known if word.lower() in TRUTH}
        return [words.get(cell, str(cell).lower()) for cell in own.to_pylist()]
    if not (isinstance(own, np.ndarray) or types.is_floating(own.type)):
        return as_texts(own)
    decimals = [re.fullmatch(r"[^.eE]*(?:\.(\d*))?", word) for word in known]
    if None in decimals:  # such as 1e-5
        return as_texts(own)
    most = max((len(match[1] or "") for match in decimals if match), default=0)
    return [f"{cell:.{most}f}" for cell in np.asarray(own, np.float64)]
