"""What the encoder sees instead of x (Vincent et al. 2010). Add a corruption: one file, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackae._utils.part_table import PartTable

if TYPE_CHECKING:
    from stackae.corruption.base import Corruption

__all__ = ["CORRUPTIONS"]

CORRUPTIONS: PartTable[Corruption] = PartTable(
    "corruption",
    __name__,
    {
        "masking": "masking:Masking",
        "gaussian": "gaussian:GaussianNoise",
        "salt-and-pepper": "salt_and_pepper:SaltAndPepper",
        "swap": "swap:Swap",
        "dropout": "dropout:Dropout",
    },
)
