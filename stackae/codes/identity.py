"""The code is the encoder's output itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae.codes.base import Code

if TYPE_CHECKING:
    from torch import Generator, Tensor


class IdentityCode(Code):
    """The encoder's output itself: what ``code=None`` means."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __call__(self, activations: Tensor, generator: Generator | None) -> Tensor:
        return activations
