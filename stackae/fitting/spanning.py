"""Which stacks are trained in the span of the samples (:mod:`stackae.modules.span`)."""

from __future__ import annotations

from collections.abc import Sequence

from stackae.corruption.base import Corruption, in_coordinates
from stackae.fitting.summary import Summary
from stackae.losses.squared_error import SquaredError
from stackae.modules.layer import Composition
from stackae.networks.dense import Dense

#: It is worth it where there are so many times more columns than samples.
_SPARED = 2
#: To find axes of more samples takes as long as it spares.
_MOST_AXES = 2000


def has_span(first: Composition, corruptions: Sequence[Corruption], summary: Summary) -> bool:
    """Whether there are few samples, and all that is done to them is known of their coordinates.

    ``first`` is the first layer, resolved; ``corruptions`` those of fine-tuning.
    """
    own = [] if first.corruption is None else [first.corruption]
    return (
        summary.n_samples <= min(summary.n_features // _SPARED, _MOST_AXES)
        and not (summary.is_sparse or first.missing or first.groups)
        and type(first.network) is Dense
        and type(first.loss) is SquaredError
        and first.loss.corrupted == first.loss.intact == 1
        and first.output == "identity"
        and all(penalty.is_rotation_invariant for penalty in first.penalties)
        and in_coordinates([*own, *corruptions], summary.n_features) is not None
    )
