"""A loss for tables of mixed columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from stackae._utils.constraints import Integral, Interval, Numbers, Ranges, StrOptions
from stackae._utils.groups import Groups, columns_in, settled_groups
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
    """Each column is judged by what it is: binary ones and categories by cross-entropy, others by an error.

    The decoder gives binary columns by a sigmoid, and they are scaled onto [0, 1], whatever becomes of the
    others. A category is a range of columns, one for each of its values, in which a row holds a one and zeros
    (or shares), or all are missing; they stay as they are. The decoder gives their probabilities by a
    softmax, so that they sum to one, and the range costs one cross-entropy, -Σⱼ xⱼ·log x̂ⱼ, however many
    columns it has. What corruption does to a category, it does to all of its columns.

    Parameters
    ----------
    binary : "auto" or sequence of int, default="auto"
        Positions of the binary columns. ``"auto"``: those that hold nothing but zeros and ones.
    continuous : {"squared_error", "huber"}, default="squared_error"
        How the other columns are judged.
    corrupted, intact : float, default=1.0
        Weights, in training, of the cells that corruption has changed and of the others, at least 0 (Vincent
        et al. 2010, section 3.3).
    groups : sequence of (start, stop), default=()
        The ranges of columns that are one category each, ``stop`` not among them; for the first layer.

    Examples
    --------
    >>> import torch
    >>> from stackae import PerFeature
    >>> loss = PerFeature(binary=[1])
    >>> output = torch.zeros(1, 2)  # half a probability in the second column
    >>> round(float(loss(output, output, torch.tensor([[2.0, 1.0]]))), 4)  # 2² + log 2
    4.6931
    >>> loss = PerFeature(binary=[], groups=[(0, 4)])  # a quarter for each of four values
    >>> round(float(loss(torch.zeros(1, 4), torch.zeros(1, 4), torch.eye(4)[:1])), 4)  # log 4
    1.3863
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "binary": [
            StrOptions({"auto"}),
            Numbers(Interval(Integral, 0, None, closed="left")),
            Interval(Integral, 0, None, closed="left"),
        ],
        "continuous": [StrOptions(set(_CONTINUOUS))],
        "groups": [Ranges()],
        **Loss._parameter_constraints,
    }

    asks_for_binary = True

    def __init__(
        self,
        binary: str | int | Sequence[int] = "auto",
        continuous: str = "squared_error",
        corrupted: float = 1.0,
        intact: float = 1.0,
        groups: Groups = (),
    ) -> None:
        super().__init__(corrupted, intact)
        self.binary = binary
        self.continuous = continuous
        self.groups = groups

    @property
    def unit_columns(self) -> tuple[int, ...]:  # type: ignore[override]
        """The binary columns, and those of the categories."""
        return (*self._binary_columns, *columns_in(self.groups))

    def fitted_to(
        self, n_features: int, binary: npt.NDArray[np.bool_] | None, groups: Groups = ()
    ) -> PerFeature:
        settled: dict[str, Any] = {"groups": settled_groups(self.groups or groups, n_features)}
        of_categories = set(columns_in(settled["groups"]))
        if isinstance(self.binary, str):
            found = [] if binary is None else [int(column) for column in binary.nonzero()[0]]
            settled["binary"] = tuple(column for column in found if column not in of_categories)
            return type(self)(**{**self.get_params(deep=False), **settled})
        if beyond := [column for column in self._binary_columns if column >= n_features]:
            raise ParameterError(
                f"PerFeature(binary=...) must name columns from 0 to {n_features - 1}, got {beyond[0]}"
            )
        if twice := of_categories.intersection(self._binary_columns):
            raise ParameterError(
                f"PerFeature(binary=...) must name no column of its groups, got {min(twice)}; leave it out"
            )
        return type(self)(**{**self.get_params(deep=False), **settled})

    def cells(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        continuous = _CONTINUOUS[self.continuous]().cells(preactivation, reconstruction, target)
        binary = binary_cross_entropy_with_logits(preactivation, target, reduction="none")
        others = torch.where(self._is_binary(target), binary, continuous)
        return self._by_category(others, _cross_entropy, preactivation, target)

    def reconstruction(self, preactivation: Tensor, activation: Activation) -> Tensor:
        others = torch.where(
            self._is_binary(preactivation), preactivation.sigmoid(), activation(preactivation)
        )
        return self._by_category(others, _probabilities, preactivation)

    @property
    def _binary_columns(self) -> tuple[int, ...]:
        if isinstance(self.binary, str):
            raise ParameterError(
                "PerFeature(binary='auto') has not seen the columns; fitted_to() looks at them"
            )
        return (self.binary,) if isinstance(self.binary, int) else tuple(self.binary)

    def _is_binary(self, rows: Tensor) -> Tensor:
        columns = torch.zeros(rows.shape[1], dtype=torch.bool, device=rows.device)
        columns[list(self._binary_columns)] = True
        return columns

    def _by_category(self, others: Tensor, function: Callable[..., Tensor], *given: Tensor) -> Tensor:
        """``others`` with a function of what is given in the columns of each category in their place."""
        if not self.groups:
            return others
        # In one split each, whose derivative is one concatenation.
        bounds = [0, *(bound for group in sorted(self.groups) for bound in group), others.shape[1]]
        widths = [stop - start for start, stop in pairwise(bounds)]
        pieces = list(torch.split(others, widths, 1))
        pieces[1::2] = map(function, *(torch.split(tensor, widths, 1)[1::2] for tensor in given))
        return torch.cat(pieces, 1)


def _probabilities(preactivation: Tensor) -> Tensor:
    return preactivation.softmax(1)


def _cross_entropy(preactivation: Tensor, target: Tensor) -> Tensor:
    return -target * preactivation.log_softmax(1)
