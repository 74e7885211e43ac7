"""A loss for tables of mixed columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from stackae._utils.constraints import Integral, Interval, Numbers, StrOptions
from stackae.exceptions import ParameterError
from stackae.losses.base import Loss
from stackae.losses.huber import Huber
from stackae.losses.squared_error import SquaredError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stackae.networks.activations import Activation

_CONTINUOUS: dict[str, type[Loss]] = {"squared_error": SquaredError, "huber": Huber}


class PerFeature(Loss):
    """Each column is judged by what it is: a binary one by cross-entropy, any other by an error.

    The decoder gives binary columns by a sigmoid, and they are scaled onto [0, 1], whatever becomes of
    the others.

    Parameters
    ----------
    binary : "auto" or sequence of int, default="auto"
        Positions of the binary columns. ``"auto"``: those that hold nothing but zeros and ones.
    continuous : {"squared_error", "huber"}, default="squared_error"
        How the other columns are judged.
    corrupted, intact : float, default=1.0
        Weights, in training, of the cells that corruption has changed and of the others, at least 0 (Vincent
        et al. 2010, section 3.3).

    Examples
    --------
    >>> import torch
    >>> from stackae import PerFeature
    >>> loss = PerFeature(binary=[1])
    >>> output = torch.zeros(1, 2)  # half a probability in the second column
    >>> round(float(loss(output, output, torch.tensor([[2.0, 1.0]]))), 4)  # 2² + log 2
    4.6931
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "binary": [
            StrOptions({"auto"}),
            Numbers(Interval(Integral, 0, None, closed="left")),
            Interval(Integral, 0, None, closed="left"),
        ],
        "continuous": [StrOptions(set(_CONTINUOUS))],
        **Loss._parameter_constraints,
    }

    asks_for_binary = True

    def __init__(
        self,
        binary: str | int | Sequence[int] = "auto",
        continuous: str = "squared_error",
        corrupted: float = 1.0,
        intact: float = 1.0,
    ) -> None:
        super().__init__(corrupted, intact)
        self.binary = binary
        self.continuous = continuous

    @property
    def unit_columns(self) -> tuple[int, ...]:  # type: ignore[override]
        """The binary columns."""
        if isinstance(self.binary, str):
            raise ParameterError(
                "PerFeature(binary='auto') has not seen the columns; fitted_to() looks at them"
            )
        return (self.binary,) if isinstance(self.binary, int) else tuple(self.binary)

    def fitted_to(self, n_features: int, binary: npt.NDArray[np.bool_] | None) -> Loss:
        if isinstance(self.binary, str):
            found = [] if binary is None else [int(column) for column in binary.nonzero()[0]]
            return PerFeature(tuple(found), self.continuous, self.corrupted, self.intact)
        if beyond := [column for column in self.unit_columns if column >= n_features]:
            raise ParameterError(
                f"PerFeature(binary=...) must name columns from 0 to {n_features - 1}, got {beyond[0]}"
            )
        return self

    def cells(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        continuous = _CONTINUOUS[self.continuous]().cells(preactivation, reconstruction, target)
        binary = binary_cross_entropy_with_logits(preactivation, target, reduction="none")
        return torch.where(self._is_binary(target), binary, continuous)

    def reconstruction(self, preactivation: Tensor, activation: Activation) -> Tensor:
        return torch.where(self._is_binary(preactivation), preactivation.sigmoid(), activation(preactivation))

    def _is_binary(self, rows: Tensor) -> Tensor:
        columns = torch.zeros(rows.shape[1], dtype=torch.bool, device=rows.device)
        columns[list(self.unit_columns)] = True
        return columns
