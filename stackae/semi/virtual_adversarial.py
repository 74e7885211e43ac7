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
    """Predictions that stay where a row is moved a little, in the direction in which they change most.

    The cost is ``weight`` · D(f(x), f(x + r)): D is the Kullback-Leibler divergence of a classifier's
    probabilities, half the squared distance of a regressor's outputs; f(x) is held fixed, and r is the vector
    of length ``eps`` that makes D largest, found by power iteration. It asks no label, so that classes are
    not parted where rows are dense.

    Parameters
    ----------
    eps : float or "auto", default="auto"
        Length of r, above 0, in the units in which the model works. ``"auto"``: a sixth of the rows'
        length (the root of its mean square).
    weight : float, default=1.0
        Factor, above 0, relative to the mean cost of the rows with a target.
    n_iter : int, default=1
        Power iterations, a pass and a half each.

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
