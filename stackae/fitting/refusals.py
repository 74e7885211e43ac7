"""What a fit refuses of its data before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from stackae._utils.groups import columns_in
from stackae.exceptions import DataError, ParameterError
from stackae.fitting.context import FitContext
from stackae.fitting.summary import Summary
from stackae.modules.layer import Composition, Layer

#: A batch of one pair has no other rows.
_LEAST_BATCH = 4


def refuse_no_categories(parts: Composition, summary: Summary) -> None:
    """Refuse columns that are said to be a category's values and hold other numbers than shares."""
    for column in columns_in(parts.groups):
        low, high = summary.low[column], summary.high[column]
        if low < 0 or high > 1:
            raise DataError(
                f"column {column}, which groups say is one value of a category, must hold 0 to 1, got values"
                f" from {low:g} to {high:g}; encode the category as one column a value, or leave it out of"
                " groups"
            )


def refuse_outside(first: Layer, summary: Summary) -> None:
    """Refuse data that the loss of a started layer cannot take."""
    low, high = summary.low, summary.high
    scaled = first.scaling.cpu()(torch.from_numpy(np.stack([low, high])))
    columns = slice(None) if first.loss.needs_unit_interval else list(first.loss.unit_columns)
    outside = ((scaled < 0) | (scaled > 1)) & torch.from_numpy(low <= high)  # not where all are missing
    if bool(outside[:, columns].any()):
        raise DataError(
            f"{type(first.loss).__name__} needs every piece within the range of the first, got values"
            f" from {low.min():g} to {high.max():g}; choose loss='squared_error' and scale='standard'"
        )


def refuse_no_pairs(
    layers: Sequence[Layer], batch_size: int, context: FitContext, n_bytes: int, memory: int
) -> None:
    """Refuse to train rows and their neighbours in pairs, as a penalty asks, where there can be none."""
    penalties = [penalty for layer in layers for penalty in layer.parts.penalties]
    asking = next(type(penalty).__name__ for penalty in penalties if penalty.n_neighbors is not None)
    if batch_size % 2 or batch_size < _LEAST_BATCH:
        raise ParameterError(
            f"{asking} trains rows in pairs: batch_size must be even, and at least"
            f" {_LEAST_BATCH}, got {batch_size}; leave it 'auto', or try 256"
        )
    if context.precision == "bfloat16":
        raise ParameterError(
            f"{asking} needs precision='float32' or 'auto', got 'bfloat16', which cannot tell near"
            " codes apart"
        )
    if n_bytes > memory:
        raise ParameterError(
            f"{asking} needs the rows and their codes in memory, {n_bytes:,} bytes, got"
            f" max_memory={memory:,}; raise it, or fit to fewer rows"
        )
    if context.group.size > 1:
        raise ParameterError(
            f"{asking} is trained by one process, got {context.group.size}; start it without torchrun"
        )
