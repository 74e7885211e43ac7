"""Predictions that two corruptions of a row have in common."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from stackae._utils.constraints import Interval, Real
from stackae.semi.base import NOISE, Cost, Pass, UnlabelledCost, rising

if TYPE_CHECKING:
    from torch import Tensor


class Consistency(UnlabelledCost):
    """Consistency regularisation: two corruptions of a row must give the same prediction.

    The cost is ``weight`` · D(f'(x''), f(x')), where x' and x'' are two copies of a row, corrupted as in
    fine-tuning (here ``corruption="auto"`` means ``GaussianNoise(0.2)`` and ``Dropout(0.1)``), and D is as in
    :class:`~stackae.VirtualAdversarial`. No gradient flows through f', which is f itself (the Π-model) or,
    with ``teacher``, a moving average of f. The weight ramps up over the first fifth of training. It costs
    one more forward pass: less than virtual adversarial training.

    Parameters
    ----------
    weight : float, default=1.0
        Weight, above 0, relative to the mean loss of the rows with a target.
    teacher : float or None, default=None
        Decay of the teacher's moving average per update, in (0, 1), such as 0.99. None: no teacher.

    References
    ----------
    Laine & Aila (2017), Temporal ensembling for semi-supervised learning, ICLR; Tarvainen & Valpola (2017),
    Mean teachers are better role models, NIPS 30.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Consistency, StackedAutoencoderClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) % 20 == 0, y, np.nan)
    >>> model = StackedAutoencoderClassifier((64, 16), semi=Consistency(), random_state=0)
    >>> bool(model.fit(X / 16, few).score(X / 16, y) > 0.85)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="neither")],
        "teacher": [Interval(Real, 0, 1, closed="neither"), None],
    }
    corruption = NOISE

    def __init__(self, weight: float = 1.0, teacher: float | None = None) -> None:
        self.weight = weight
        self.teacher = teacher

    def build(self, predictor: Any, z: Tensor) -> Cost:
        return self._cost if self.teacher is None else _Teaching(self, predictor)

    def _cost(self, predictor: Any, batch: Pass, teacher: Any = None) -> Tensor:
        with torch.no_grad():
            again = predictor.corrupt(batch.z, batch.generator)
            meant = (teacher or predictor).outputs_scaled(again, batch.generator)
        cost: Tensor = predictor.divergence(meant, batch.outputs).mean()
        return self.weight * rising(predictor.fraction) * cost


class _Teaching(nn.Module):
    """A predictor whose weights follow another's."""

    def __init__(self, part: Consistency, predictor: Any) -> None:
        super().__init__()
        self.part, self.kept = part, float(part.teacher or 0)
        self.teacher = deepcopy(predictor).requires_grad_(False)

    def forward(self, predictor: Any, batch: Pass) -> Tensor:
        own = dict(predictor.named_parameters())
        with torch.no_grad():
            for name, parameter in self.teacher.named_parameters():
                parameter.lerp_(own[name], 1 - self.kept)
        self.teacher.corruptions, self.teacher.fraction = predictor.corruptions, predictor.fraction
        return self.part._cost(predictor, batch, self.teacher)
