"""A loss for tables of mixed columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from stackae._utils.constraints import Integral, Interval, Numbers, Ranges, StrOptions
from stackae._utils.groups import Groups, columns_in, settled_groups
from stackae.exceptions import ParameterError
from stackae.losses._arrangement import Arrangement, arranged
from stackae.losses.base import Loss
from stackae.losses.cross_entropy import CrossEntropy
from stackae.losses.huber import Huber
from stackae.losses.squared_error import SquaredError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stackae.networks.activations import Activation

_CONTINUOUS: dict[str, type[Loss]] = {"squared_error": SquaredError, "huber": Huber}


class PerFeature(Loss):
    """A loss for mixed columns: cross-entropy for binary ones and categories, an error for the others.

    Binary columns are scaled to [0, 1], whatever ``scale`` is, and decoded by a sigmoid. A category is a
    one-hot encoded range of columns (its rows may also hold probabilities, or be missing as a whole), which
    is not scaled; it is decoded by a softmax and costs one cross-entropy, -Σⱼ xⱼ·log x̂ⱼ, however many
    columns it has. Corruption acts on a category as a whole.

    Parameters
    ----------
    binary : "auto" or sequence of int, default="auto"
        Indices of the binary columns. ``"auto"``: the columns of zeros and ones.
    continuous : {"squared_error", "huber"}, default="squared_error"
        The loss of all other columns.
    corrupted, intact : float, default=1.0
        Weights, in training, of the cells changed by the corruption and of the others, at least 0 (Vincent
        et al. 2010, section 3.3).
    groups : sequence of (start, stop), default=()
        The range of columns of each category, ``stop`` excluded. Only for the first layer.

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
        groups = settled_groups(self.groups or groups, n_features)
        of_categories = set(columns_in(groups))
        columns: str | int | Sequence[int] = self.binary
        if isinstance(self.binary, str):
            found = [] if binary is None else [int(column) for column in binary.nonzero()[0]]
            columns = tuple(column for column in found if column not in of_categories)
        elif beyond := [column for column in self._binary_columns if column >= n_features]:
            raise ParameterError(
                f"PerFeature(binary=...) must name columns from 0 to {n_features - 1}, got {beyond[0]}"
            )
        elif twice := of_categories.intersection(self._binary_columns):
            raise ParameterError(
                f"PerFeature(binary=...) must name no column of its groups, got {min(twice)}; leave it out"
            )
        return type(self)(**{**self.get_params(deep=False), "binary": columns, "groups": groups})

    def cells(self, preactivation: Tensor, reconstruction: Tensor, target: Tensor) -> Tensor:
        columns = self._arranged(target)
        numbers, binary, *categories = zip(
            *map(columns.split, (preactivation, reconstruction, target)), strict=True
        )
        return columns.join(
            [
                _CONTINUOUS[self.continuous]().cells(*numbers),
                CrossEntropy().cells(*binary),
                *(_cross_entropy(logits, x) for logits, _, x in categories),
            ]
        )

    def reconstruction(self, preactivation: Tensor, activation: Activation) -> Tensor:
        columns = self._arranged(preactivation)
        numbers, binary, *categories = columns.split(preactivation)
        return columns.join(
            [activation(numbers), binary.sigmoid(), *(logits.softmax(1) for logits in categories)]
        )

    def with_gradient(
        self, preactivation: Tensor, reconstruction: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        columns = self._arranged(target)
        given = [preactivation, reconstruction, target, *([] if weights is None else [weights])]
        numbers, binary, *categories = zip(*map(columns.split, given), strict=True)
        found = [
            _CONTINUOUS[self.continuous]().with_gradient(*numbers),
            CrossEntropy().with_gradient(*binary),
            *(_category_with_gradient(*own) for own in categories),
        ]
        loss = torch.stack([own for own, _ in found]).sum()
        return loss, columns.join(gradient for _, gradient in found)

    def reconstruction_backward(
        self, gradient: Tensor, reconstruction: Tensor, activation: Activation
    ) -> Tensor:
        if not activation.function:
            return gradient
        columns = self._arranged(gradient)
        numbers, *others = columns.split(gradient)
        through = super().reconstruction_backward(numbers, columns.split(reconstruction)[0], activation)
        return columns.join([through, *others])

    @property
    def _binary_columns(self) -> tuple[int, ...]:
        if isinstance(self.binary, str):
            raise ParameterError(
                "PerFeature(binary='auto') has not seen the columns; fitted_to() looks at them"
            )
        return (self.binary,) if isinstance(self.binary, int) else tuple(self.binary)

    def _arranged(self, rows: Tensor) -> Arrangement:
        groups = tuple((start, stop) for start, stop in self.groups)
        return arranged(self._binary_columns, groups, rows.shape[1], rows.device)


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Of categories (samples × values × ...), each cell's part."""
    return -target * logits.log_softmax(1, dtype=target.dtype)


def _category_with_gradient(
    logits: Tensor, probabilities: Tensor, target: Tensor, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The loss of such categories, averaged over samples, and its derivative with respect to the logits."""
    n_samples = target.shape[0]
    share = target if weights is None else target * weights
    loss = _cross_entropy(logits, share).sum().div(n_samples)
    return loss, (probabilities * share.sum(1, keepdim=True)).sub_(share).div_(n_samples)
