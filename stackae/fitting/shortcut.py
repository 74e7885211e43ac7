"""Fine-tuning that starts from PCA, beside it, and does not end below it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import sqrt

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from stackae.fitting.finetune import finetune
from stackae.fitting.greedy import Machine
from stackae.modules.autoencoder import UnrolledStack
from stackae.modules.layer import ShallowAutoencoder
from stackae.modules.shortcut import Shortcut
from stackae.networks.dense import DenseModule
from stackae.training.batches import BLOCK, Rows
from stackae.training.callbacks.history import EpochRecord
from stackae.training.distributed import agreed
from stackae.training.parameters import Training
from stackae.training.precision import computing

#: Principal axes and the ridge are found on as many rows as have so many values, at most.
_MOST_VALUES = 2**26
#: Up to so many values PCA is computed in float64.
_FEW_VALUES = 2**24
#: Up to so many columns it is exact, by the eigenvectors of their covariance.
_FEW_COLUMNS = 1000
#: Share of the code that stays principal components.
_KEPT = 0.5
#: At the start, the share of code and answer that is the layers' own.
_OWN_SHARE = 0.1
#: Held-out R² may be so much below PCA's; where it is further below, PCA is what stays.
_MOST_LOST = 0.004
#: Where the sizes of components are correlated by less than this, a code that is not linear has nothing to
#: find: they are noise, or normally distributed, and PCA's are as good as any.
_NOTHING_TO_FIND = 0.02
#: Penalties of the ridge, as shares of the hidden units' mean square.
_RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
#: The penalty on the code, which is what a linear map may use as it likes, as a share of theirs.
_CODE_RIDGE = 1e-6


def new_shortcut(layers: Sequence[ShallowAutoencoder]) -> Shortcut:
    """A shortcut beside fitted layers, not started."""
    first, last = layers[0], layers[-1]
    shortcut = Shortcut(first.n_inputs, last.n_units, int(_KEPT * last.n_units))
    return shortcut.to(next(first.parameters()).device)


def finetune_from_pca(
    stack: UnrolledStack, rows: Rows, training: Training, machine: Machine
) -> list[EpochRecord]:
    """Fine-tune a stack beside a shortcut that starts as PCA.

    The first decoder is then solved by ridge regression. Where the held-out rows show that PCA reconstructs
    better, the stack becomes PCA; at once where there are too few rows for any to be held out, or where the
    components that the layers would replace have nothing to do with each other. With
    ``validation_fraction=0`` it stays what training made of it.

    Parameters
    ----------
    stack : UnrolledStack
        Dense, with a shortcut and at least two layers, the last one's code linear, the loss the squared
        error. Changed in place.
    rows : Rows
        Those on which the first layer was trained.
    training : Training
    machine : Machine
    """
    shortcut, n_units = stack.shortcut, stack.shallow[-1].n_units
    assert shortcut is not None
    n_held_out = training.n_held_out(len(rows))
    if not n_held_out and training.validation_fraction > 0:
        with computing(rows.device):
            become_pca(stack, *principal_axes(sample(rows, machine), n_units))
        return []
    held_out, others = rows.set_aside(n_held_out) if n_held_out else (None, rows)
    with computing(rows.device):
        some = sample(others, machine)
        mean, axes = principal_axes(some, n_units)
        if held_out is not None:
            together = dependence((some - mean) @ axes.t(), shortcut.n_kept)
            if agreed(together, rows.device) < _NOTHING_TO_FIND:
                become_pca(stack, *principal_axes(sample(rows, machine), n_units))
                return []
    with torch.no_grad():
        for parameter in _own(stack):
            parameter.mul_(_OWN_SHARE)
        _decoder(stack).decoder_bias.zero_()
    shortcut.start(mean, axes)
    history = finetune(stack, rows, training, machine)
    if held_out is None:
        return history
    with computing(rows.device):
        solve_decoder(stack, some, held_out)
        if _lost(stack, held_out, mean, axes) > _MOST_LOST:
            become_pca(stack, *principal_axes(sample(rows, machine), n_units))
    return history


def is_below_pca(stack: UnrolledStack, rows: Rows, training: Training, machine: Machine) -> bool:
    """Whether the rows that a training holds out show that PCA of the others reconstructs them better."""
    n_held_out = training.n_held_out(len(rows))
    if not n_held_out:
        return False
    held_out, others = rows.set_aside(n_held_out)
    with computing(rows.device):
        axes = principal_axes(sample(others, machine), stack.shallow[-1].n_units)
        return _lost(stack, held_out, *axes) > _MOST_LOST


def sample(rows: Rows, machine: Machine) -> Tensor:
    """All rows or, where they have too many values, some of them."""
    n_rows = max(1, min(_MOST_VALUES, machine.room.memory // 32) // rows.n_features)
    pieces: list[Tensor] = []
    for piece in rows.shuffled(BLOCK, machine.generator):
        pieces.append(piece[: n_rows - sum(map(len, pieces))])
        if sum(map(len, pieces)) >= n_rows:
            break
    return torch.cat(pieces)


def principal_axes(rows: Tensor, n_components: int) -> tuple[Tensor, Tensor]:
    """Their mean, and the leading principal axes (components × features); zeros where there are fewer."""
    values = rows.cpu().numpy()
    axes = torch.zeros(n_components, rows.shape[1])
    with warnings.catch_warnings():  # of rows that do not vary
        warnings.simplefilter("ignore", RuntimeWarning)
        exact = values.shape[1] <= _FEW_COLUMNS
        solver = "covariance_eigh" if exact else "auto"
        pca = PCA(min(n_components, *values.shape), svd_solver=solver, random_state=0)
        pca.fit(values.astype("float64") if values.size <= _FEW_VALUES else values)
    axes[: len(pca.components_)] = torch.from_numpy(pca.components_)
    return torch.from_numpy(pca.mean_).float().to(rows.device), axes.to(rows.device)


def dependence(components: Tensor, n_kept: int) -> float:
    """How much the sizes of principal components have to do with each other.

    The root of the mean squared correlation between the square of each component from the ``n_kept``-th on
    and the squares of all others, less what chance gives. Principal components are uncorrelated; where they
    are independent as well, as those of normally distributed rows are, their squares are, too. Infinite
    where there is only one component.
    """
    n_rows, n_units = components.shape
    if n_units == 1:
        return float("inf")
    squares = components.double().square()
    squares = squares - squares.mean(0)
    squares /= squares.norm(dim=0).clamp(min=torch.finfo(squares.dtype).tiny)
    correlations = (squares[:, n_kept:].t() @ squares).square()
    correlations[torch.arange(n_units - n_kept), torch.arange(n_kept, n_units)] = 0
    mean = float(correlations.sum()) / ((n_units - n_kept) * (n_units - 1))
    return sqrt(max(0.0, mean - 1 / n_rows))


@torch.no_grad()
def solve_decoder(stack: UnrolledStack, rows: Tensor, held_out: Tensor) -> None:
    """Solve the map from hidden units and code to the answer, where that is better on the held-out rows.

    Ridge regression, towards zero or towards the trained weights; the hidden units are penalised, what the
    shortcut makes of the code is not. The penalty is that which is best on the held-out rows.
    """
    shortcut, decoder = stack.shortcut, _decoder(stack)
    assert shortcut is not None
    assert decoder.decoder_weight is not None
    gram, cross = _products(stack, rows)
    n_hidden, n_all = decoder.n_components, len(gram)
    scale = gram.diagonal()[:n_hidden].mean()
    penalised = torch.full((n_all,), _CODE_RIDGE, dtype=gram.dtype, device=gram.device)
    penalised[:n_hidden], penalised[-1] = 1.0, 0.0
    bias = decoder.decoder_bias + shortcut.decoder_bias
    trained = torch.cat([decoder.decoder_weight, shortcut.decoder_weight, bias[:, None]], 1).t().double()
    judges = _products(stack, held_out)
    best, least = trained, _squared_error(trained, *judges)
    for ridge in _RIDGES:
        penalty = torch.diag(penalised * (ridge * scale) + 1e-8 * (1 + scale))
        for towards in (torch.zeros_like(trained), trained):
            solved = towards + torch.linalg.solve(gram + penalty, cross - gram @ towards)
            error = _squared_error(solved, *judges)
            if error < least:
                best, least = solved, error
    decoder.decoder_weight.copy_(best[:n_hidden].t())
    shortcut.decoder_weight.copy_(best[n_hidden:-1].t())
    shortcut.decoder_bias.copy_(best[-1])
    decoder.decoder_bias.zero_()


@torch.no_grad()
def become_pca(stack: UnrolledStack, mean: Tensor, axes: Tensor) -> None:
    """Leave nothing of the layers' own in code and answer."""
    assert stack.shortcut is not None
    for parameter in _own(stack):
        parameter.zero_()
    stack.shortcut.start(mean, axes)


def is_pca(stack: UnrolledStack) -> bool:
    """Whether code and reconstruction are the shortcut's alone, as :func:`become_pca` leaves them."""
    return stack.shortcut is not None and not any(bool(parameter.any()) for parameter in _own(stack))


def _decoder(stack: UnrolledStack) -> DenseModule:
    """The network of the first layer, whose decoder gives the answer."""
    network = stack.shallow[0].network
    assert isinstance(network, DenseModule)
    return network


def _own(stack: UnrolledStack) -> list[Tensor]:
    """What makes the layers' own share of the code, and of the answer."""
    first, last = _decoder(stack), stack.shallow[-1].network
    assert isinstance(last, DenseModule)
    assert first.decoder_weight is not None
    return [last.encoder_weight, last.encoder_bias, first.decoder_weight, first.decoder_bias]


def _regressors(stack: UnrolledStack, z: Tensor) -> Tensor:
    """What the answer is a linear map of: hidden units, code, one (float64)."""
    code = stack.encode_scaled(z)
    return torch.cat([stack.hidden(code), code, torch.ones_like(code[:, :1])], 1).double()


def _products(stack: UnrolledStack, rows: Tensor) -> tuple[Tensor, Tensor]:
    """AᵀA and AᵀX, of the rows X and what the answer is a linear map of."""
    gram = cross = torch.zeros(())
    for block in torch.split(rows, BLOCK):
        a = _regressors(stack, block)
        gram, cross = gram + a.t() @ a, cross + a.t() @ block.double()
    return gram, cross


def _squared_error(weights: Tensor, gram: Tensor, cross: Tensor) -> float:
    """‖A·W - X‖² - ‖X‖², by the products AᵀA and AᵀX."""
    return float((weights * (gram @ weights - 2 * cross)).sum())


@torch.no_grad()
def _lost(stack: UnrolledStack, held_out: Tensor, mean: Tensor, axes: Tensor) -> float:
    """By how much the stack's R² is below PCA's."""
    centred = held_out - mean
    varied = float(centred.square().sum())
    pca = float((centred - centred @ axes.t() @ axes).square().sum())
    own = float((stack.reconstruct_scaled(held_out) - held_out).square().sum())
    return agreed((own - pca) / varied if varied > 0 else 0.0, held_out.device)
