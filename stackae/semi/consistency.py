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
    """Predictions that stay under another corruption of the same row: the Π-model, or a mean teacher.

    The cost is ``weight`` · D(f'(x''), f(x')): x' and x'' are two corruptions of a row, as fine-tuning has
    them (``corruption="auto"`` means ``GaussianNoise(0.2)`` and ``Dropout(0.1)`` here), D is as in
    :class:`~stackae.VirtualAdversarial`, and f' is held fixed: f itself (the Π-model) or, with ``teacher``,
    the same network with weights that follow those of f slowly. The weight rises in the first fifth of the
    training. Cheaper than virtual adversarial training: one more pass.

    Parameters
    ----------
    weight : float, default=1.0
        Factor, above 0, relative to the mean cost of the rows with a target.
    teacher : float or None, default=None
        What of the teacher's weights stays after each update, in (0, 1), such as 0.99. None: there is none.

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
