"""L1 penalty on the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Interval, Real
from stackae.penalties.base import CodePenalty

if TYPE_CHECKING:
    from torch import Tensor


class L1(CodePenalty):
    """L1 penalty on the code, for sparse codes: ``weight`` · mean over rows of Σⱼ \\|hⱼ\\|.

    Parameters
    ----------
    weight : float, default=0.01
        Weight, at least 0, in loss units per unit of code.

    Examples
    --------
    >>> import torch
    >>> from stackae import L1
    >>> code = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    >>> float(L1(0.5).value(code))
    1.5
    """

    by_rows = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {"weight": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, weight: float = 0.01) -> None:
        self.weight = weight

    def value(self, code: Tensor) -> Tensor:
        return code.abs().sum(1).mean().mul(self.weight)

    def gradient(self, code: Tensor) -> Tensor:
        return code.sign().mul_(self.weight / len(code))
