"""The base of every loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Constrained, Interval, Real

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from stackae._utils.groups import Groups
    from stackae.networks.activations import Activation


class Loss(Constrained):
    """A reconstruction loss: summed over features, averaged over rows.

    Parameters
    ----------
    corrupted : float, default=1.0
        Weight, in training, of the cells changed by the corruption (α in Vincent et al. 2010, section 3.3),
        at least 0. A cell that keeps its value, as a zero does under masking, counts as intact.
    intact : float, default=1.0
        Weight of the other cells (their β), at least 0. In rows without corruption, such as held-out ones,
        every cell has weight 1.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "corrupted": [Interval(Real, 0, None, closed="left")],
        "intact": [Interval(Real, 0, None, closed="left")],
    }

    #: The decoder's output activation that the loss implies; None: any fits.
    output: ClassVar[str | None] = None
    #: Whether its targets must lie in [0, 1].
    needs_unit_interval: ClassVar[bool] = False
    #: Whether ``fitted_to`` asks which columns are binary, which costs a pass over the rows.
    asks_for_binary: ClassVar[bool] = False
    #: Columns that are scaled onto [0, 1], whatever becomes of the others.
    unit_columns: Sequence[int] = ()
    #: Ranges (start, stop) of columns that it judges as one category each.
    groups: Groups = ()

    def __init__(self, corrupted: float = 1.0, intact: float = 1.0) -> None:
        self.corrupted = corrupted
        self.intact = intact

    def fitted_to(self, n_features: int, binary: npt.NDArray[np.bool_] | None, groups: Groups = ()) -> Loss:
        """The loss with what it must know of the columns.

        Parameters
        ----------
        n_features : int
        binary : ndarray of bool or None
            Which columns of the data hold nothing but zeros and ones; None for codes.
        groups : sequence of (start, stop), default=()
            Ranges of columns that are one category each, for a loss that has not been told.
        """
        return self

    @abstractmethod
    def cells(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each cell.

        Parameters
        ----------
        preactivation : Tensor of shape (samples, features)
            The decoder's output before its activation, for losses that are stabler there.
        reconstruction : Tensor of shape (samples, features)
            The same after the activation.
        target : Tensor of shape (samples, features)
            What should have come out.
        """

    def __call__(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the loss of one batch, each cell counted with its weight, or each once."""
        cells = self.cells(preactivation, reconstruction, target)
        return (cells if weights is None else cells * weights).sum().div(target.shape[0])

    def with_gradient(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the loss and its derivative, worked by hand (samples × features).

        The derivative is with respect to the reconstruction or, where ``output`` says which activation the
        loss implies, to the preactivation; a loss that overrides :meth:`reconstruction` may mix the two, and
        overrides :meth:`reconstruction_backward` then. A loss that does not override this is left to
        autograd.
        """
        raise NotImplementedError

    def reconstruction(self, preactivation: Tensor, activation: Activation) -> Tensor:
        """The reconstruction, from the decoder's output before its activation."""
        return activation(preactivation)

    def reconstruction_backward(
        self, gradient: Tensor, reconstruction: Tensor, activation: Activation
    ) -> Tensor:
        """From what :meth:`with_gradient` gave, where ``output`` is None, back to the preactivation."""
        assert activation.backward is not None  # or autograd were asked
        return activation.backward(gradient, reconstruction)

    def emphasis(self, target: Tensor, corrupted: Tensor) -> Tensor | None:
        """The weight of each cell, where ``corrupted`` is what became of it; None: each counts once."""
        if self.corrupted == self.intact == 1:
            return None
        changed = (corrupted != target).to(target.dtype)
        return changed.mul_(self.corrupted - self.intact).add_(self.intact)


def weighted(gradient: Tensor, weights: Tensor | None) -> Tensor:
    """A gradient, each cell counted with its weight, or each once; written over."""
    return gradient if weights is None else gradient.mul_(weights)
