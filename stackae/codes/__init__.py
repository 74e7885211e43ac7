"""What happens to the encoder's output before it is the code. Add a code: one file, one line here."""

from stackae.codes.base import Code
from stackae.parts import PartTable

__all__ = ["CODES", "Code"]

CODES: PartTable[Code] = PartTable("code", __name__, {"identity": "identity:IdentityCode"})
