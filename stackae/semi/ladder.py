"""The ladder network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn
from torch.nn.functional import linear

from stackae._utils.constraints import Interval, Real
from stackae.semi.base import NOISE, Cost, Pass, UnlabelledCost

if TYPE_CHECKING:
    from torch import Tensor

#: Added to the variance of a unit, as a share of the mean over units: some never vary.
_LEAST_VARIANCE = 1e-2


class Ladder(UnlabelledCost):
    """A ladder network: every layer keeps denoising while the head learns to predict.

    The corrupted pass that the head learns from (here ``corruption="auto"`` means ``GaussianNoise(0.2)`` and
    ``Dropout(0.1)``) is decoded again by the layers' own pretrained decoders. At each level a lateral
    connection combines a unit's corrupted value h with the decoded value u to ĥ = m + (h - m)·v, where m and
    v are learned functions of u, so that higher levels need not carry the details of lower ones. At the top,
    u is a linear map of the predictions. The cost is Σₖ weight · decay^k · mean((ĥ - clean)² /
    variance), over levels k from 0 (the input), the mean over units; variances are those of the clean batch.

    Parameters
    ----------
    weight : float, default=1.0
        Weight of the input's level, at least 0, relative to the mean loss of the rows with a target. 0: no
        ladder.
    decay : float, default=0.1
        Weight of each level as a fraction of that of the level below, in [0, 1].
    top : float or None, default=None
        Denoise the last code only, with this weight: the Γ-model. None: every level.

    Notes
    -----
    Rasmus et al. use batch normalisation at each level; here only the cost is normalised, so that fine-tuning
    starts from the pretrained network as it is. The decoder of a shortcut is not used.

    References
    ----------
    Rasmus et al. (2015), Semi-supervised learning with ladder networks, NIPS 28; Pezeshki et al. (2016),
    Deconstructing the ladder network architecture, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Ladder, StackedAutoencoderClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) % 20 == 0, y, np.nan)
    >>> model = StackedAutoencoderClassifier((64, 16), semi=Ladder(), random_state=0)
    >>> bool(model.fit(X / 16, few).score(X / 16, y) > 0.85)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="left")],
        "decay": [Interval(Real, 0, 1, closed="both")],
        "top": [Interval(Real, 0, None, closed="left"), None],
    }
    corruption = NOISE

    def __init__(self, weight: float = 1.0, decay: float = 0.1, top: float | None = None) -> None:
        self.weight = weight
        self.decay = decay
        self.top = top

    def weights(self, n_levels: int) -> list[float]:
        """Of every level, from the input up."""
        if self.top is not None:
            return [0.0] * (n_levels - 1) + [float(self.top)]
        return [float(self.weight * self.decay**k) for k in range(n_levels)]

    @property
    def is_idle(self) -> bool:
        return not any(self.weights(1))

    def build(self, predictor: Any, z: Tensor) -> Cost:
        return _Rungs(self.weights(len(predictor) + 1), predictor).to(z.device)


class _Rungs(nn.Module):
    """What a ladder learns beside the layers: how each level joins what comes from both sides."""

    def __init__(self, weights: list[float], predictor: Any) -> None:
        super().__init__()
        self.weights = weights
        self.lowest = next(k for k, weight in enumerate(weights) if weight)
        widths = [predictor.n_inputs, *predictor.widths]
        self.joints = nn.ModuleList(Combinator(width) for width in widths[self.lowest :])
        #: From outputs to the last code.
        self.from_outputs = nn.Parameter(torch.zeros(widths[-1], predictor.n_outputs, dtype=torch.float32))

    def forward(self, predictor: Any, batch: Pass) -> Tensor:
        """The cost of a batch's pass."""
        clean = [batch.z, *self._clean(predictor, batch.z)]
        noisy = [batch.corrupted, *batch.codes]
        down = linear(predictor.probabilities(batch.outputs), self.from_outputs)
        total = batch.outputs.new_zeros(())
        for k in range(len(clean) - 1, self.lowest - 1, -1):
            joint = self.joints[k - self.lowest]
            if k == 0:
                present = predictor[0].observed(clean[0])
                noisy[0], clean[0] = noisy[0].nan_to_num(), clean[0].nan_to_num()
            else:
                present = None
            denoised = joint(noisy[k], down)
            if self.weights[k]:
                error = _error(denoised, clean[k], present)
                total = total + self.weights[k] * error
            if k > self.lowest:
                layer = predictor[k - 1]
                down = layer.decode_scaled(denoised)[1][:, : layer.n_inputs]
                down = layer.scaling.inverse(down) if k > 1 else down
        return total

    @torch.no_grad()
    def _clean(self, predictor: Any, z: Tensor) -> list[Tensor]:
        codes: list[Tensor] = predictor.codes_scaled(z)
        return codes


class Combinator(nn.Module):
    """Unit by unit ĥ = m(u) + (h - m(u))·v(u), with m and v of the form a·σ(b·u + c) + d·u + e.

    It starts as the mean of what lies on its level and what comes down.
    """

    def __init__(self, n_units: int) -> None:
        super().__init__()

        def filled(*values: float) -> nn.Parameter:
            return nn.Parameter(torch.tensor(values, dtype=torch.float32)[:, None].repeat(1, n_units))

        self.mean = filled(0.0, 1.0, 0.0, 1.0, 0.0)
        self.share = filled(0.0, 1.0, 0.0, 0.0, 0.5)

    def forward(self, own: Tensor, down: Tensor) -> Tensor:
        """Clean values (samples × units) of corrupted ones and of what comes down."""
        mean, share = (
            a * torch.sigmoid(b * down + c) + d * down + e for a, b, c, d, e in (self.mean, self.share)
        )
        joined: Tensor = mean + (own - mean) * share
        return joined


def _error(denoised: Tensor, clean: Tensor, present: Tensor | None) -> Tensor:
    """The mean squared error over units and samples, each unit's by its variance."""
    variance = clean.var(0, unbiased=False)
    squared = (denoised - clean).square() / (variance + _LEAST_VARIANCE * variance.mean() + 1e-12)
    if present is None:
        return squared.mean()
    return (squared * present).sum() / present.sum().clamp(min=1)
