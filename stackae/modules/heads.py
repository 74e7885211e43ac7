"""Encoders with a head: what is fine-tuned where there are labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from stackae.modules.autoencoder import DeepEncoder
from stackae.modules.layer import Layer
from stackae.modules.scaling import Scaling
from stackae.modules.shortcut import Shortcut


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

    @abstractmethod
    def cost(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean cost of outputs (samples × outputs) where the targets were meant."""

    def forward(self, x: Tensor) -> Tensor:
        """Samples in the user's units to the head's outputs (samples × outputs)."""
        outputs: Tensor = self.head(self.code_scaling(self.encode(x)))
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
        targets = z[:, self.n_inputs :]
        corrupted = z[:, : self.n_inputs] if corrupted is None else corrupted
        if generator is not None and self.adversarial > 0:
            corrupted = corrupted + self.adversarial * self._worst_direction(corrupted, targets)
        code = self.encode_scaled(corrupted, generator)
        return self.cost(self.head(self.code_scaling(code)), targets)

    def _worst_direction(self, z: Tensor, targets: Tensor) -> Tensor:
        """The direction of length one in which each sample's cost grows fastest."""
        moved = [parameter for parameter in self.parameters() if parameter.requires_grad]
        for parameter in moved:  # their gradients, half of the products, are not asked for
            parameter.requires_grad_(False)
        try:
            inputs = z.detach().requires_grad_()
            outputs = self.head(self.code_scaling(self.encode_scaled(inputs)))
            (slope,) = torch.autograd.grad(self.cost(outputs, targets), inputs)
        finally:
            for parameter in moved:
                parameter.requires_grad_(True)
        return normalize(slope.nan_to_num(), dim=1, eps=torch.finfo(slope.dtype).tiny)

    def freeze_unused(self, rows: Tensor) -> None:
        """Leave out of training what no answer depends on: the decoders."""
        parameters = list(self.parameters())
        for parameter in parameters:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            gradients = torch.autograd.grad(self.objective(rows), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)


class ClassPredictor(Predictor):
    """Answers with a logit a class; the target is the class's number.

    Parameters
    ----------
    layers, n_outputs, adversarial, shortcut
        As those of :class:`Predictor`.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes (Szegedy et al. 2016).
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
        return cross_entropy(outputs, targets[:, 0].long(), label_smoothing=self.label_smoothing)


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
        return error.square().sum().div(len(outputs))
