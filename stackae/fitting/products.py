"""In which number format a phase computes its matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from stackae.fitting.context import FitContext
from stackae.fitting.summary import Summary
from stackae.modules.layer import Layer
from stackae.modules.work import multiplications
from stackae.training.parameters import Budget
from stackae.training.precision import uses_bfloat16


def precision_of(
    budget: Budget,
    layers: Sequence[Layer],
    summary: Summary,
    context: FitContext,
    *,
    in_span: bool = False,
    in_pairs: bool = False,
) -> str:
    """The number format of layers that are trained together, "float32" or "bfloat16".

    ``in_span``: the first is given the samples' coordinates in their span, as many as there are samples.
    ``in_pairs``: codes are compared, which eight bits are too few for.
    """
    if in_pairs:
        return "float32"
    of_each = [multiplications(layer) for layer in layers]
    if in_span:
        of_each[0] = of_each[0] * summary.n_samples // summary.n_features
    work = budget.batch_size * sum(of_each)
    return "bfloat16" if uses_bfloat16(context.precision, context.device, work) else "float32"
