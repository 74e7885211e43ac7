"""Dense networks whose weights have a closed form: principal components, marginalised denoising."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from stackae._utils.constraints import Constrained
from stackae.corruption.base import Corruption
from stackae.exceptions import ParameterError
from stackae.networks.base import Blocks, NetworkModule
from stackae.networks.dense import Dense, DenseModule

#: What is added to the variances before a matrix is inverted, as a share of their mean.
_RIDGE = 1e-7


class PCAStart(Dense):
    """A linear dense layer that is initialised as PCA and trained from there.

    On the rows of the fit, in scaled units, its squared error starts as that of PCA with as many components
    and never ends higher: if training does not lower it, the PCA solution is kept. Alone, with a linear
    decoder, the layer cannot beat PCA; use it in a stack, as the starting point of fine-tuning. Initialising
    costs one pass over the rows and an eigendecomposition, O(n_features³).

    References
    ----------
    Baldi & Hornik (1989), Neural networks and principal component analysis, Neural Networks 2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from stackae import Autoencoder
    >>> X = load_iris().data
    >>> model = Autoencoder(2, network="pca", scale=None, random_state=0).fit(X)
    >>> error = ((model.reconstruct(X) - X) ** 2).sum()
    >>> pca = PCA(2).fit(X)
    >>> bool(error <= ((pca.inverse_transform(pca.transform(X)) - X) ** 2).sum() * 1.000001)
    True
    """

    activations = ("identity",)
    loss = "squared_error"
    initialised_from_data = True

    def refuse(self, corruption: Corruption | None, others: Iterable[Constrained]) -> None:
        for part in others:
            if getattr(part, "heads", 1) > 1:
                raise ParameterError(
                    f"network='pca' has no closed form for {type(part).__name__}; use 'dense'"
                )

    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> NetworkModule:
        _refuse_wider(type(self).__name__, n_inputs, n_components)
        return _StartedModule(n_inputs, n_components, activation=activation, tied_weights=tied_weights)


class Marginalised(Dense):
    """A marginalised denoising layer: solved in closed form, in expectation over the corruption.

    The linear map of rank ``n_components`` that best reconstructs rows from corrupted copies, in expectation,
    follows from the mean and covariance of the rows (reduced-rank regression). Its first factor, followed by
    the activation, is the encoder; the decoder is the least-squares map from codes to rows. This takes one
    pass over the rows (two with a nonlinear activation) and an eigendecomposition, O(n_features³), and no
    gradient descent. Without corruption it is PCA.

    The layer's ``corruption`` must be masking, gaussian, swap or dropout, on the input; a pair of levels
    counts as its last. Units of a nonlinear code have variance 1 before their activation. With
    ``partial_fit`` the moments of all batches count, but the decoder of a nonlinear code is fitted to the
    last batch alone.

    References
    ----------
    Chen, Xu, Weinberger & Sha (2012), Marginalized denoising autoencoders for domain adaptation, ICML.
    Izenman (1975), Reduced-rank regression for the multivariate linear model.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Autoencoder
    >>> X = load_digits().data / 16
    >>> model = Autoencoder(32, network="marginalised", corruption="masking")
    >>> model.fit_transform(X).shape, model.n_iter_
    ((1797, 32), 1)
    """

    activations = ("tanh", "identity", "sigmoid", "relu", "gelu", "silu", "softplus")
    can_tie = False
    loss = "squared_error"
    initialised_from_data = True
    is_trained = False

    def refuse(self, corruption: Corruption | None, others: Iterable[Constrained]) -> None:
        for part in others:
            raise ParameterError(
                f"network='marginalised' is solved in closed form, which {type(part).__name__} has not;"
                " leave one of them out"
            )
        if corruption is not None and type(corruption).moments is Corruption.moments:
            raise ParameterError(
                "network='marginalised' averages the corruption out, which has no closed form for"
                f" {type(corruption).__name__}; choose masking, gaussian, swap or dropout"
            )
        if corruption is not None and corruption.damages("hidden"):
            raise ParameterError(
                f"network='marginalised' averages out what damages the input, got {corruption!r};"
                " set on='input'"
            )

    def build(
        self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool, heads: int = 1
    ) -> NetworkModule:
        _refuse_wider(type(self).__name__, n_inputs, n_components)
        return _MarginalisedModule(n_inputs, n_components, activation=activation, tied_weights=False)


def _refuse_wider(name: str, n_inputs: int, n_components: int) -> None:
    if n_components > n_inputs:
        raise ParameterError(
            f"{name} has at most as many components as there are features, {n_inputs}, got {n_components}"
        )


class _StartedModule(DenseModule):
    """Starts as PCA."""

    def initialise_from(self, blocks: Blocks, corruption: Corruption | None, *, warm_start: bool) -> None:
        if warm_start:
            return
        _, mean, scatter = _moments(blocks, self.encoder_weight.shape[1])
        axes = _leading(scatter, self.n_components)
        with torch.no_grad():
            self.encoder_weight.copy_(axes.t())
            self.encoder_bias.copy_(-(mean @ axes))
            if self.decoder_weight is not None:
                self.decoder_weight.copy_(axes)
            self.decoder_bias.copy_(mean)


class _MarginalisedModule(DenseModule):
    """Solved from the first two moments of the rows, which it keeps for the pieces to come."""

    n_rows: Tensor
    mean: Tensor
    covariance: Tensor

    def __init__(self, n_inputs: int, n_components: int, *, activation: str, tied_weights: bool) -> None:
        super().__init__(n_inputs, n_components, activation=activation, tied_weights=tied_weights)
        self.register_buffer("n_rows", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(n_inputs, dtype=torch.float64))
        self.register_buffer("covariance", torch.zeros(n_inputs, n_inputs, dtype=torch.float64))

    @torch.no_grad()
    def initialise_from(self, blocks: Blocks, corruption: Corruption | None, *, warm_start: bool) -> None:
        self._take_in(*_moments(blocks, len(self.mean)), warm_start=warm_start)
        mean, covariance = self.mean, self.covariance
        corrupted_mean, cross, corrupted = (
            (mean, 1.0, covariance) if corruption is None else corruption.moments(mean, covariance)
        )
        # The best linear restoration, of full rank: Cov(x, x̃)·Cov(x̃)⁻¹.
        ridged = corrupted + torch.diag(_ridge(corrupted))
        restoration = torch.linalg.solve(ridged, cross * covariance).t()
        axes = _leading(restoration @ corrupted @ restoration.t(), self.n_components)
        encoder = axes.t() @ restoration
        if self.activation.function:
            spread = (encoder * (encoder @ corrupted)).sum(1).clamp(min=0).sqrt()
            encoder = encoder / torch.where(spread > 0, spread, 1.0)[:, None]
        self.encoder_weight.copy_(encoder)
        self.encoder_bias.copy_(-(encoder @ corrupted_mean))
        if self.activation.function:
            decoder, bias = self._least_squares(blocks)
        else:
            decoder, bias = axes, mean
        self.decoder_weight.copy_(decoder)  # type: ignore[union-attr]
        self.decoder_bias.copy_(bias)

    def _take_in(self, n_samples: int, mean: Tensor, covariance: Tensor, *, warm_start: bool) -> None:
        """Add the moments of a piece to those of the pieces before."""
        before = int(self.n_rows) if warm_start else 0
        total = before + n_samples
        difference = mean - self.mean
        if before:
            spread = torch.outer(difference, difference) * (before * n_samples / total**2)
            covariance = (before * self.covariance + n_samples * covariance) / total + spread
            mean = self.mean + difference * (n_samples / total)
        self.n_rows.fill_(total)
        self.mean.copy_(mean)
        self.covariance.copy_(covariance)

    def _least_squares(self, blocks: Blocks) -> tuple[Tensor, Tensor]:
        """The linear map from codes to rows with the least squared error, and its bias."""

        def joined() -> Iterable[Tensor]:
            for block in blocks():
                yield torch.cat([self.encode(block), block], 1)

        width = self.n_components
        _, mean, covariance = _moments(joined, width + len(self.mean))
        of_codes = covariance[:width, :width]
        ridged = of_codes + torch.diag(_ridge(of_codes))
        decoder = torch.linalg.solve(ridged, covariance[:width, width:]).t()
        return decoder, mean[width:] - decoder @ mean[:width]


def _ridge(covariance: Tensor) -> Tensor:
    """A little more variance for every column, so that constant ones do no harm."""
    mean = covariance.diagonal().mean()
    return torch.full_like(covariance.diagonal(), float(mean) * _RIDGE if mean > 0 else 1.0)


@torch.no_grad()
def _moments(blocks: Blocks, width: int) -> tuple[int, Tensor, Tensor]:
    """Number, mean and covariance of the rows, in float64, in one pass."""
    origin = next(iter(blocks()))[:1].double()  # so that a mean far from zero costs no digits
    n_samples, total, products = 0, torch.zeros_like(origin[0]), origin.new_zeros(width, width)
    for block in blocks():
        rows = block.double() - origin
        n_samples += len(rows)
        total += rows.sum(0)
        products.addmm_(rows.t(), rows)
    mean = total / n_samples
    return n_samples, mean + origin[0], products / n_samples - torch.outer(mean, mean)


def _leading(covariance: Tensor, n_components: int) -> Tensor:
    """The eigenvectors of the largest eigenvalues, largest first, as columns."""
    vectors = torch.linalg.eigh((covariance + covariance.t()) / 2).eigenvectors
    leading = vectors.flip(1)[:, :n_components]
    # Of the two directions, the one whose largest entry is positive.
    strongest = leading.gather(0, leading.abs().argmax(0, keepdim=True))
    result: Tensor = leading * torch.where(strongest < 0, -1.0, 1.0)
    return result
