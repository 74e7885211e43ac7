"""Encoders with a head: what is fine-tuned where there are labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from stackae.modules.autoencoder import DeepEncoder
from stackae.modules.layer import Layer
from stackae.modules.scaling import Scaling
from stackae.modules.shortcut import Shortcut
from stackae.semi.base import Cost, Pass

#: The number of no class.
_NONE = -100


class _Head(nn.Linear):
    """An affine map that starts at zero, where torch's would move the global generator."""

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Predictor(DeepEncoder):
    """Encoders 1 to n and, on the last code, an affine head that starts at zero.

    It is trained on samples whose last columns are the targets.

    Parameters
    ----------
    layers : sequence of Layer
        Bottom first. Their weights are changed by training.
    n_outputs : int
        Numbers that the head gives.
    adversarial : float, default=0.0
        In training, how far each sample is moved, in the layer's own units, to where its cost is larger.
    shortcut : Shortcut or None, default=None
        As that of :class:`~stackae.modules.autoencoder.DeepEncoder`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        n_outputs: int,
        adversarial: float = 0.0,
        *,
        shortcut: Shortcut | None = None,
    ) -> None:
        super().__init__(layers, shortcut=shortcut)
        self.adversarial = adversarial
        self.n_outputs = n_outputs
        #: Brings the code to mean 0 and about standard deviation 1, as it was before fine-tuning.
        self.code_scaling = Scaling.identity(layers[-1].n_units)
        self.head = _Head(layers[-1].n_units, n_outputs, dtype=torch.float32)
        self.add_costs([])

    @abstractmethod
    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean cost of outputs (samples × outputs) where the targets were meant; of samples without any
        target there is none."""

    @abstractmethod
    def cost_with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and its gradient with respect to the outputs, worked by hand."""

    @abstractmethod
    def divergence(self, meant: Tensor, outputs: Tensor) -> Tensor:
        """How far outputs are from those that were meant, a number of at least 0 for each sample."""

    @abstractmethod
    def probabilities(self, outputs: Tensor) -> Tensor:
        """What outputs say, of the same shape: probabilities, or the numbers themselves."""

    def add_costs(self, costs: Sequence[Cost]) -> None:
        """Train with costs that ask for no target, too."""
        self.costs = tuple(costs)
        self.cost_modules = nn.ModuleList(cost for cost in costs if isinstance(cost, nn.Module))

    def forward(self, x: Tensor) -> Tensor:
        """Samples in the user's units to the head's outputs (samples × outputs)."""
        outputs: Tensor = self.head(self.code_scaling(self.encode(x)))
        return outputs

    def outputs_scaled(self, z: Tensor, generator: Generator | None = None) -> Tensor:
        """Scaled samples to outputs; in training (a generator is given) as the corruptions leave codes."""
        outputs: Tensor = self.head(self.code_scaling(self.encode_scaled(z, generator)))
        return outputs

    def corrupt(self, z: Tensor, generator: Generator) -> Tensor:
        """What the first encoder is given of scaled samples, their targets left out."""
        return super().corrupt(z[:, : self.n_inputs], generator)

    def objective(
        self, z: Tensor, corrupted: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """The cost of one batch.

        Parameters
        ----------
        z : Tensor of shape (samples, features + targets)
            Scaled samples, and their targets behind.
        corrupted : Tensor of shape (samples, features) or None
            What :meth:`corrupt` made of them, or None for the samples themselves.
        generator : Generator or None
            Given in training, for what is damaged inside.
        """
        z, targets = z[:, : self.n_inputs], z[:, self.n_inputs :]
        corrupted = z if corrupted is None else corrupted
        if generator is not None and self.adversarial > 0:
            away = self.steepest(corrupted, lambda outputs: self.cost(outputs, targets))
            corrupted = corrupted + self.adversarial * away
        codes = self.codes_scaled(corrupted, generator)
        outputs = self.head(self.code_scaling(codes[-1]))
        total = self.cost(outputs, targets)
        if generator is not None:
            for cost in self.costs:
                total = total + cost(self, Pass(z, corrupted, codes, outputs, generator))
        return total

    def steepest(self, z: Tensor, cost: Callable[[Tensor], Tensor]) -> Tensor:
        """The direction of length one in which a cost of the outputs grows fastest, for each sample."""
        moved = [parameter for parameter in self.parameters() if parameter.requires_grad]
        for parameter in moved:  # their gradients, half of the products, are not asked for
            parameter.requires_grad_(False)
        try:
            inputs = z.detach().requires_grad_()
            (slope,) = torch.autograd.grad(cost(self.outputs_scaled(inputs)), inputs)
        finally:
            for parameter in moved:
                parameter.requires_grad_(True)
        slope = slope.nan_to_num()
        largest = slope.abs().amax(1, keepdim=True)  # of sure predictions so small that its square is zero
        return normalize(slope / largest.clamp_min(torch.finfo(slope.dtype).tiny), dim=1)

    def freeze_unused(self, rows: Tensor) -> None:
        """Leave out of training what nothing that is minimised depends on: the decoders, as a rule."""
        parameters = list(self.parameters())
        for parameter in parameters:
            parameter.requires_grad_(True)
        drawn = torch.Generator(rows.device).manual_seed(0) if self.costs else None
        with torch.enable_grad():
            gradients = torch.autograd.grad(
                self.objective(rows, generator=drawn), parameters, allow_unused=True
            )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)


class ClassPredictor(Predictor):
    """Answers with a logit a class; the target is the class's number.

    Parameters
    ----------
    layers, n_outputs, adversarial
        As those of :class:`Predictor`.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes (Szegedy et al. 2016).
    shortcut
        As that of :class:`Predictor`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        n_outputs: int,
        adversarial: float = 0.0,
        label_smoothing: float = 0.0,
        *,
        shortcut: Shortcut | None = None,
    ) -> None:
        super().__init__(layers, n_outputs, adversarial, shortcut=shortcut)
        self.label_smoothing = label_smoothing

    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        labels = targets[:, 0]
        unknown = labels.isnan()
        return cross_entropy(
            outputs,
            torch.where(unknown, _NONE, labels.nan_to_num()).long(),
            ignore_index=_NONE,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        ).div((~unknown).sum().clamp(min=1))

    def cost_with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        labels = targets[:, :1]
        known = ~labels.isnan()
        share = known.float() / known.sum().clamp(min=1)
        meant = torch.full_like(outputs, self.label_smoothing / self.n_outputs, dtype=torch.float32)
        own = torch.full_like(labels, 1 - self.label_smoothing, dtype=torch.float32)
        meant.scatter_add_(1, labels.nan_to_num().long(), own)
        logs = outputs.float().log_softmax(1)
        return -(logs * meant * share).sum(), (logs.exp() - meant) * share

    def divergence(self, meant: Tensor, outputs: Tensor) -> Tensor:
        expected = meant.log_softmax(1)
        return (expected.exp() * (expected - outputs.log_softmax(1))).sum(1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(1)


class ValuePredictor(Predictor):
    """Answers with a number an output; a target that is missing (NaN) is left out.

    It is trained on scaled targets, and answers in their own units.

    Parameters
    ----------
    layers, n_outputs, adversarial, shortcut
        As those of :class:`Predictor`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        n_outputs: int,
        adversarial: float = 0.0,
        *,
        shortcut: Shortcut | None = None,
    ) -> None:
        super().__init__(layers, n_outputs, adversarial, shortcut=shortcut)
        #: Between the targets' units and those of the head, in which each has standard deviation 1.
        self.target_scaling = Scaling.identity(n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.target_scaling.inverse(super().forward(x))

    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        error = torch.where(targets.isnan(), 0.0, outputs - targets)
        return error.square().sum().div((~targets.isnan().all(1)).sum().clamp(min=1))

    def cost_with_gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        error = torch.where(targets.isnan(), 0.0, outputs - targets)
        n_known = (~targets.isnan().all(1)).sum().clamp(min=1)
        return error.square().sum() / n_known, 2 * error / n_known

    def divergence(self, meant: Tensor, outputs: Tensor) -> Tensor:
        return (outputs - meant).square().sum(1) / 2

    def probabilities(self, outputs: Tensor) -> Tensor:
        return outputs
