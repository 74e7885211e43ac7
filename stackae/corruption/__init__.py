"""What the encoder sees instead of x (Vincent et al. 2010). Add a corruption: one file, one line here."""

from stackae.corruption.base import Corruption
from stackae.parts import PartTable

__all__ = ["CORRUPTIONS", "Corruption"]

CORRUPTIONS: PartTable[Corruption] = PartTable(
    "corruption",
    __name__,
    {
        "masking": "masking:Masking",
        "gaussian": "gaussian:GaussianNoise",
        "salt-and-pepper": "salt_and_pepper:SaltAndPepper",
    },
)
