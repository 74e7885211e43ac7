"""What happens to the encoder's output before it is the code. Add a code: one file, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae._utils.part_table import PartTable

if TYPE_CHECKING:
    from stackae.codes.base import Code

__all__ = ["CODES"]

CODES: PartTable[Code] = PartTable(
    "code",
    __name__,
    {"topk": "topk:TopK", "variational": "gaussian:GaussianCode", "nested": "nested:Nested"},
)
