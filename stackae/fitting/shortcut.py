"""Fine-tuning beside a shortcut that starts as PCA."""

from __future__ import annotations

import warnings

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from stackae.fitting.context import FitContext
from stackae.fitting.phases import train_phase
from stackae.fitting.plan import PhasePlan
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.shortcut import Shortcut
from stackae.networks.dense import DenseModule
from stackae.training.batches import BLOCK, Samples
from stackae.training.precision import computing

#: Principal axes and the ridge are found on as many rows as have so many values, at most.
_MOST_VALUES = 2**26
#: Up to so many values PCA is computed in float64.
_FEW_VALUES = 2**24
#: Up to so many columns it is exact, by the eigenvectors of their covariance.
_FEW_COLUMNS = 1000
#: Share of the code that stays principal components.
_KEPT = 0.5
#: At the start, the share of code and reconstruction that is the layers' own.
_OWN_SHARE = 0.1
#: Penalties of the ridge, as shares of the hidden units' mean square.
_RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
#: The penalty on the code, which is what a linear map may use as it likes, as a share of theirs.
_CODE_RIDGE = 1e-6


def finetune_beside_pca(
    module: DeepAutoencoder, samples: Samples, plan: PhasePlan, context: FitContext
) -> None:
    """Fine-tune a stack beside a shortcut that starts as PCA, then solve its first decoder.

    Where samples are held out the decoder is solved by ridge regression, if that is better on them. The
    module is dense, of two layers or more, its code linear, its loss the squared error; it is given the
    shortcut.
    """
    n_units = module.widths[-1]
    shortcut = Shortcut(module.n_inputs, n_units, int(_KEPT * n_units)).to(samples.device)
    module.shortcut = shortcut
    n_held_out = plan.budget.n_held_out
    held_out, others = samples.hold_out(n_held_out) if n_held_out else (None, samples)
    with computing(samples.device):
        some = _sample(others, context)
        mean, axes = principal_axes(some, n_units)
    with torch.no_grad():
        for parameter in _own(module):
            parameter.mul_(_OWN_SHARE)
        _decoder(module).decoder_bias.zero_()
    shortcut.initialise(mean, axes)
    train_phase(module, samples, plan, context, "finetune")
    if held_out is not None:
        with computing(samples.device):
            solve_decoder(module, some, held_out)


def _sample(samples: Samples, context: FitContext) -> Tensor:
    """All samples or, where they have too many values, some of them."""
    most = max(1, min(_MOST_VALUES, context.memory.n_bytes // 32) // samples.n_features)
    pieces: list[Tensor] = []
    for piece in samples.shuffled(BLOCK, context.generator):
        pieces.append(piece[: most - sum(map(len, pieces))])
        if sum(map(len, pieces)) >= most:
            break
    return torch.cat(pieces)


def principal_axes(samples: Tensor, n_components: int) -> tuple[Tensor, Tensor]:
    """Their mean, and the leading principal axes (components × features); zeros where there are fewer."""
    values = samples.cpu().numpy()
    axes = torch.zeros(n_components, samples.shape[1], dtype=torch.float32)
    with warnings.catch_warnings():  # of samples that do not vary
        warnings.simplefilter("ignore", RuntimeWarning)
        exact = values.shape[1] <= _FEW_COLUMNS
        solver = "covariance_eigh" if exact else "auto"
        pca = PCA(min(n_components, *values.shape), svd_solver=solver, random_state=0)
        pca.fit(values.astype("float64") if values.size <= _FEW_VALUES else values)
    axes[: len(pca.components_)] = torch.from_numpy(pca.components_)
    return torch.from_numpy(pca.mean_).float().to(samples.device), axes.to(samples.device)


@torch.no_grad()
def solve_decoder(module: DeepAutoencoder, samples: Tensor, held_out: Tensor) -> None:
    """Solve the map from hidden units and code to the reconstruction, where that is better on those held out.

    Ridge regression, towards zero or towards the trained weights; the hidden units are penalised, what the
    shortcut makes of the code is not. The penalty is that which is best on the held-out samples.
    """
    shortcut, decoder = module.shortcut, _decoder(module)
    assert shortcut is not None
    assert decoder.decoder_weight is not None
    gram, cross = _products(module, samples)
    n_hidden, n_all = decoder.n_components, len(gram)
    scale = gram.diagonal()[:n_hidden].mean()
    penalised = torch.full((n_all,), _CODE_RIDGE, dtype=gram.dtype, device=gram.device)
    penalised[:n_hidden], penalised[-1] = 1.0, 0.0
    bias = decoder.decoder_bias + shortcut.decoder_bias
    trained = torch.cat([decoder.decoder_weight, shortcut.decoder_weight, bias[:, None]], 1).t().double()
    judges = _products(module, held_out)
    best, least = trained, _squared_error(trained, *judges)
    with computing(gram.device, work=n_all**2):  # one thread serves so small a system best
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


def _decoder(module: DeepAutoencoder) -> DenseModule:
    """The network of the first layer, whose decoder gives the reconstruction."""
    network = module[0].network
    assert isinstance(network, DenseModule)
    return network


def _own(module: DeepAutoencoder) -> list[Tensor]:
    """What makes the layers' own share of the code, and of the reconstruction."""
    first, last = _decoder(module), module[len(module) - 1].network
    assert isinstance(last, DenseModule)
    assert first.decoder_weight is not None
    return [last.encoder_weight, last.encoder_bias, first.decoder_weight, first.decoder_bias]


def _regressors(module: DeepAutoencoder, z: Tensor) -> Tensor:
    """What the reconstruction is a linear map of: hidden units, code, one (float64)."""
    code = module.encode_scaled(z)
    return torch.cat([module.hidden(code), code, torch.ones_like(code[:, :1])], 1).double()


def _products(module: DeepAutoencoder, samples: Tensor) -> tuple[Tensor, Tensor]:
    """AᵀA and AᵀX, of samples X and what the reconstruction is a linear map of."""
    gram = cross = torch.zeros((), dtype=torch.float32)
    for block in torch.split(samples, BLOCK):
        a = _regressors(module, block)
        gram, cross = gram + a.t() @ a, cross + a.t() @ block.double()
    return gram, cross


def _squared_error(weights: Tensor, gram: Tensor, cross: Tensor) -> float:
    """‖A·W - X‖² - ‖X‖², by the products AᵀA and AᵀX."""
    return float((weights * (gram @ weights - 2 * cross)).sum())
