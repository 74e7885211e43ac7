"""Virtual adversarial training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch.nn.functional import normalize

from stackae._utils.constraints import Integral, Interval, Real, StrOptions
from stackae.semi.base import Cost, Pass, UnlabelledCost

if TYPE_CHECKING:
    from torch import Tensor

#: How far rows are moved by default, as a share of their length.
_SHARE = 1 / 6


class VirtualAdversarial(UnlabelledCost):
    """Virtual adversarial training: predictions must not change when a row moves a little, in any direction.

    The cost is ``weight`` · D(f(x), f(x + r)), where r is the vector of length ``eps`` that maximises D,
    found by power iteration. D is the Kullback-Leibler divergence of a classifier's probabilities, or half
    the squared distance of a regressor's outputs; no gradient flows through f(x). It needs no labels, and
    keeps the boundary between classes away from dense regions.

    Parameters
    ----------
    eps : float or "auto", default="auto"
        Length of r, above 0, in scaled units. ``"auto"``: a sixth of the root mean square length of the rows.
    weight : float, default=1.0
        Weight, above 0, relative to the mean loss of the rows with a target.
    n_iter : int, default=1
        Number of power iterations, each at the cost of about one and a half passes.

    References
    ----------
    Miyato et al. (2019), Virtual adversarial training: a regularization method for supervised and
    semi-supervised learning, IEEE TPAMI 41.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from stackae import StackedAutoencoderClassifier, VirtualAdversarial
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) % 20 == 0, y, np.nan)
    >>> model = StackedAutoencoderClassifier((64, 16), semi=VirtualAdversarial(), random_state=0)
    >>> bool(model.fit(X / 16, few).score(X / 16, y) > 0.85)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "eps": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "weight": [Interval(Real, 0, None, closed="neither")],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, eps: float | str = "auto", weight: float = 1.0, n_iter: int = 1) -> None:
        self.eps = eps
        self.weight = weight
        self.n_iter = n_iter

    def build(self, predictor: Any, z: Tensor) -> Cost:
        if isinstance(self.eps, str):
            return partial(self._cost, _SHARE * float(z.nan_to_num().square().sum(1).mean().sqrt()))
        return partial(self._cost, float(self.eps))

    def _cost(self, eps: float, predictor: Any, batch: Pass) -> Tensor:
        with torch.no_grad():
            meant = predictor.outputs_scaled(batch.z)
        towards = self.direction(predictor, batch.z, meant, eps, batch.generator)
        moved = predictor.outputs_scaled(batch.z + eps * towards)
        cost: Tensor = self.weight * predictor.divergence(meant, moved).mean()
        return cost

    def direction(
        self, predictor: Any, z: Tensor, meant: Tensor, eps: float, generator: torch.Generator
    ) -> Tensor:
        """The direction of length one in which the outputs of each row change most (samples × features).

        The divergence is zero, and smallest, at the row itself: it grows along the first eigenvector of its
        Hessian, to which a random direction turns when it is replaced by the slope at its end.
        """
        drawn = torch.randn(z.shape, generator=generator, device=z.device, dtype=torch.float32)
        towards = normalize(drawn.to(z.dtype), dim=1)
        for _ in range(self.n_iter):
            towards = predictor.steepest(
                z + eps * towards, lambda outputs: predictor.divergence(meant, outputs).sum()
            )
        return towards
