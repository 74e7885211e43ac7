"""Whether a training step is under way: there batch normalisation goes by the batch."""

from __future__ import annotations

from contextvars import ContextVar

#: Within a step the modules that have taken note of its batch, by their ``id``; None outside of steps.
STEP: ContextVar[set[int] | None] = ContextVar("step", default=None)
