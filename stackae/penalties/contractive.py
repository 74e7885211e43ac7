"""The contractive penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Interval, Real
from stackae._utils.draws import by_rows
from stackae.penalties.base import Penalty

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Contractive(Penalty):
    """Contractive penalty: ``weight`` · mean over rows of ‖J‖², so that codes are insensitive to the input.

    J is the encoder's Jacobian, ‖·‖ the Frobenius norm. For a dense encoder with sigmoid, tanh, relu,
    softplus or identity it has a cheap closed form, for sigmoid units Σᵢ (hᵢ(1-hᵢ))²·Σⱼ Wᵢⱼ². For any other
    encoder it is estimated without bias by ‖Jᵀv‖², with a random sign vector v per row, at about the cost of
    two more passes through the encoder.

    It works best in a sigmoid layer with tied weights: relu units can shrink all slopes together and stay
    linear.

    Parameters
    ----------
    weight : float, default=0.1
        Weight, at least 0.

    References
    ----------
    Rifai et al. (2011), Contractive auto-encoders: explicit invariance during feature extraction, ICML.
    The estimate: Hutchinson (1990), A stochastic estimator of the trace of the influence matrix.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder, Contractive
    >>> layer = Autoencoder(8, activation="sigmoid", penalty=Contractive(0.5), random_state=0)
    >>> layer.fit_transform(load_iris().data).shape
    (150, 8)
    """

    is_rotation_invariant = True
    by_rows = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {"weight": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def __call__(
        self,
        batch: Tensor,
        code: Tensor,
        reconstruction: Tensor,
        module: nn.Module,
        *,
        corrupted: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        squared_norms = module.squared_jacobian(code)  # type: ignore[operator]
        if squared_norms is None:
            corrupted = batch if corrupted is None else corrupted
            squared_norms = _estimate(module, corrupted, generator)
        mean: Tensor = squared_norms.mean()
        return mean * self.weight


def _estimate(module: nn.Module, corrupted: Tensor, generator: Generator | None) -> Tensor:
    """An unbiased estimate of each row's ‖J‖²."""
    import torch

    if generator is None:
        generator = torch.Generator(corrupted.device).manual_seed(0)
    with torch.enable_grad():
        inputs = corrupted.detach().requires_grad_()
        code: Tensor = module.encode_scaled(inputs)  # type: ignore[operator]

        def draw(n_rows: int) -> Tensor:
            return torch.randint(0, 2, (n_rows, *code.shape[1:]), generator=generator, device=code.device)

        signs = by_rows(draw, len(code), generator)
        projected = (code * (2 * signs - 1)).sum()
        (derivative,) = torch.autograd.grad(projected, inputs, create_graph=True)
    return derivative.square().sum(1)
