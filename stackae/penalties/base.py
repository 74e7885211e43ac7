"""The base of every penalty."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from stackae.constraints import Constrained

if TYPE_CHECKING:
    from torch import Tensor, nn


class Penalty(Constrained):
    """A scalar added to the loss, whose unit is the loss's: a sum over features, a mean over rows."""

    #: The activations whose codes it is defined for; None: any. ``activation="auto"`` takes the first.
    activations: ClassVar[tuple[str, ...] | None] = None

    @abstractmethod
    def __call__(self, batch: Tensor, code: Tensor, reconstruction: Tensor, module: nn.Module) -> Tensor:
        """Return the penalty of one batch.

        Parameters
        ----------
        batch : Tensor of shape (rows, features)
            What the layer reconstructs, uncorrupted.
        code : Tensor of shape (rows, units)
            The code of the corrupted batch.
        reconstruction : Tensor of shape (rows, features)
            The decoder's answer.
        module : Module
            The layer itself, for penalties on weights or derivatives.
        """

    def gradient(self, code: Tensor) -> Tensor:
        """Return the derivative with respect to the code, worked by hand (rows × units).

        For penalties that depend on nothing else; one that does not override this is left to autograd.
        """
        raise NotImplementedError
