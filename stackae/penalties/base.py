"""The base of every penalty."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from stackae._utils.constraints import Constrained

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

#: What is called as a penalty is: the penalty itself or, where it owns parameters, the module it builds.
PenaltyFunction = Callable[..., "Tensor"]


class Penalty(Constrained):
    """The base of all penalties: a scalar added to the loss, in its units (a mean over rows)."""

    #: The activations whose codes it is defined for; None: any. ``activation="auto"`` takes the first.
    activations: ClassVar[tuple[str, ...] | None] = None
    #: Whether it is the same of samples and of their coordinates along orthonormal axes.
    is_rotation_invariant: ClassVar[bool] = False
    #: See :func:`stackae._utils.draws.is_by_rows`. A mean over the batch is then that of shares.
    by_rows: ClassVar[bool] = False
    #: Each two rows of a batch are to be a row and one of so many nearest to it; None: rows come one by one.
    n_neighbors: int | None = None

    @abstractmethod
    def __call__(
        self,
        batch: Tensor,
        code: Tensor,
        reconstruction: Tensor,
        module: nn.Module,
        *,
        corrupted: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the penalty of one batch.

        Parameters
        ----------
        batch : Tensor of shape (samples, features)
            What the layer reconstructs, uncorrupted.
        code : Tensor of shape (samples, units)
            The code of the corrupted batch.
        reconstruction : Tensor of shape (samples, features)
            What the decoder makes of the code.
        module : Module
            The layer itself, for penalties on weights or derivatives.
        corrupted : Tensor of shape (samples, features) or None
            The corrupted batch; None where it is the batch itself.
        generator : Generator or None
            For penalties that draw; None outside of training, where the same batch must have one answer.
        """

    def build(self, n_units: int) -> PenaltyFunction:
        """What a layer with a code of so many units calls: a module, where the penalty owns parameters."""
        return self

    def sample(self, n_samples: int, n_units: int, generator: Generator) -> Tensor | None:
        """Codes (samples × units) drawn from the prior, where the penalty has one."""
        return None


class CodePenalty(Penalty):
    """A penalty that depends on nothing but the code."""

    is_rotation_invariant = True

    @abstractmethod
    def value(self, code: Tensor) -> Tensor:
        """Return the penalty of a batch's code (samples × units)."""

    def gradient(self, code: Tensor) -> Tensor:
        """Return the derivative with respect to the code, worked by hand (samples × units).

        A penalty that does not override this is left to autograd.
        """
        raise NotImplementedError

    def __call__(
        self,
        batch: Tensor,
        code: Tensor,
        reconstruction: Tensor,
        module: nn.Module,
        *,
        corrupted: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        return self.value(code)
