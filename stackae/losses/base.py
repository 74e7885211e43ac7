"""The base of every loss."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from stackae.constraints import Constrained

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Constrained):
    """A reconstruction loss: summed over features, averaged over rows."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    #: The decoder's output activation that the loss implies; None: any fits.
    output: ClassVar[str | None] = None
    #: Whether its targets must lie in [0, 1].
    needs_unit_interval: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of one batch.

        Parameters
        ----------
        preactivation : Tensor of shape (rows, features)
            The decoder's output before its activation, for losses that are stabler there.
        reconstruction : Tensor of shape (rows, features)
            The same after the activation.
        target : Tensor of shape (rows, features)
            What should have come out.
        """

    def with_gradient(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss and its derivative, worked by hand (rows × features).

        The derivative is with respect to the reconstruction or, where ``output`` says which activation the
        loss implies, to the preactivation. A loss that does not override this is left to autograd.
        """
        raise NotImplementedError
