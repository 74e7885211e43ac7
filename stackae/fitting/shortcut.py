"""Fine-tuning beside a shortcut that starts as PCA."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn.functional import linear

from stackae.fitting.context import FitContext
from stackae.fitting.phases import train_phase
from stackae.fitting.plan import PhasePlan
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.shortcut import PrefixDecoders, Shortcut
from stackae.networks.dense import DenseModule
from stackae.training.batches import BLOCK, Samples
from stackae.training.precision import computing

Products = tuple[Tensor, Tensor]

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
#: The least spread of a number of the code, as a share of the largest component's.
_LEAST_SPREAD = 1e-3
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
    is_ordered = module[len(module) - 1].code is not None
    # A prefix is better of numbers that are all trained.
    shortcut = Shortcut(module.n_inputs, n_units, 0 if is_ordered else int(_KEPT * n_units))
    shortcut.to(samples.device)
    module.shortcut = shortcut
    n_held_out = plan.budget.n_held_out
    held_out, others = samples.hold_out(n_held_out) if n_held_out else (None, samples)
    with computing(samples.device):
        some = _sample(others, context)
        mean, axes = principal_axes(some, n_units)
        spreads = linear(some - mean, axes).std(0, correction=0)
    with torch.no_grad():
        for parameter in _own(module):
            parameter.mul_(_OWN_SHARE)
        _decoder(module).decoder_bias.zero_()
    shortcut.initialise(mean, axes)
    train_phase(module, samples, plan, context, "finetune")
    with computing(samples.device):
        spread_as(spreads, module, some)
    if held_out is not None:
        with computing(samples.device):
            if is_ordered:
                shortcut.prefixes = PrefixDecoders(module.n_inputs, module.widths[0], n_units).to(some.device)
            solve_decoder(module, some, held_out)


def _sample(samples: Samples, context: FitContext) -> Tensor:
    """All samples or, where they have too many values, some of them."""
    most = max(1, min(_MOST_VALUES, context.memory.of_all // 32) // samples.n_features)
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
def spread_as(spreads: Tensor, module: DeepAutoencoder, samples: Tensor) -> None:
    """Give each trained number of the code the spread (a standard deviation) of the component it began as.

    What encodes is scaled and what decodes is divided, so that nothing but the code's units changes. Training
    leaves those as they happen to be, which would decide how much a number counts in a distance of codes.
    """
    shortcut, last = module.shortcut, module[len(module) - 1].network
    assert shortcut is not None
    assert isinstance(last, DenseModule)
    assert last.decoder_weight is not None
    codes = torch.cat([module.encode_scaled(block) for block in torch.split(samples, BLOCK)])
    own = codes.std(0, correction=0)
    wanted = spreads.clamp(min=_LEAST_SPREAD * float(spreads.max()))
    factors = torch.where((own > 0) & (wanted > 0), wanted / own, 1.0)
    factors[: shortcut.n_kept] = 1.0
    last.encoder_weight.mul_(factors[:, None])
    last.encoder_bias.mul_(factors)
    last.decoder_weight.div_(factors)
    shortcut.encoder_weight.mul_(factors[shortcut.n_kept :, None])
    shortcut.decoder_weight.div_(factors)


@torch.no_grad()
def solve_decoder(module: DeepAutoencoder, samples: Tensor, held_out: Tensor) -> None:
    """Solve the map from hidden units and code to the reconstruction, where that is better on those held out.

    Ridge regression, towards zero or towards the trained weights; the hidden units are penalised, what the
    shortcut makes of the code is not. The penalty is that which is best on the held-out samples.
    """
    shortcut, decoder = module.shortcut, _decoder(module)
    assert shortcut is not None
    assert decoder.decoder_weight is not None
    n_hidden = decoder.n_components
    bias = decoder.decoder_bias + shortcut.decoder_bias
    trained = torch.cat([decoder.decoder_weight, shortcut.decoder_weight, bias[:, None]], 1).t().double()
    best = _solved(trained, n_hidden, _products(module, samples), _products(module, held_out))
    decoder.decoder_weight.copy_(best[:n_hidden].t())
    shortcut.decoder_weight.copy_(best[n_hidden:-1].t())
    shortcut.decoder_bias.copy_(best[-1])
    decoder.decoder_bias.zero_()
    if shortcut.prefixes is not None:
        _solve_prefixes(shortcut.prefixes, best, module, samples, held_out)


def _solve_prefixes(
    prefixes: PrefixDecoders, whole: Tensor, module: DeepAutoencoder, samples: Tensor, held_out: Tensor
) -> None:
    """The same for prefixes of an ordered code, the longest first; ``whole`` is the map for all of it."""
    longer, weights = module.widths[-1], whole
    for k, shorter in reversed([*enumerate(prefixes.lengths)]):
        between = _Between(shorter, longer, weights)
        products = (_products(module, some, between) for some in (samples, held_out))
        weights = _solved(weights, prefixes.n_hidden, *products)
        prefixes.weight[k].copy_(weights[:-1].t())
        prefixes.bias[k].copy_(weights[-1])
        longer = shorter


def _solved(trained: Tensor, n_hidden: int, products: Products, judges: Products) -> Tensor:
    """The best map from hidden units, code and one (regressors × features, float64): that which was trained,
    or a ridge regression by the products of samples that errs less on those that judge."""
    gram, cross = products
    scale = gram.diagonal()[:n_hidden].mean()
    penalised = torch.full((len(gram),), _CODE_RIDGE, dtype=gram.dtype, device=gram.device)
    penalised[:n_hidden], penalised[-1] = 1.0, 0.0
    best, least = trained, _squared_error(trained, *judges)
    with computing(gram.device, work=len(gram) ** 2):  # one thread serves so small a system best
        for ridge in _RIDGES:
            penalty = torch.diag(penalised * (ridge * scale) + 1e-8 * (1 + scale))
            for towards in (torch.zeros_like(trained), trained):
                solved = towards + torch.linalg.solve(gram + penalty, cross - gram @ towards)
                error = _squared_error(solved, *judges)
                if error < least:
                    best, least = solved, error
    return best


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


@dataclass(frozen=True)
class _Between:
    """Prefixes of two lengths and of those between; the map for the longer is known."""

    shorter: int
    longer: int
    weights: Tensor

    def lengths(self, n_samples: int) -> Tensor:
        """How long each sample's prefix is (samples × 1): every other the shorter, the rest all in turn."""
        device = self.weights.device
        lengths = torch.full((n_samples, 1), self.shorter, device=device)
        in_turn = torch.arange(n_samples // 2, device=device) % (self.longer - self.shorter)
        lengths[1::2, 0] += in_turn
        return lengths


def _products(module: DeepAutoencoder, samples: Tensor, between: _Between | None = None) -> Products:
    """AᵀA and AᵀX, of samples X and what the reconstruction is a linear map of: hidden units, code, one.

    Between two lengths A and X are what is left to the shorter's map.
    """
    gram = cross = torch.zeros((), dtype=torch.float32)
    for block in torch.split(samples, BLOCK):
        x = block.double()
        if between is None:
            a = _regressors(module, block)
        else:
            lengths = between.lengths(len(block))
            a = _regressors(module, block, lengths)
            share = (between.longer - lengths) / (between.longer - between.shorter)
            a, x = share * a, x - ((1 - share) * a) @ between.weights
        gram, cross = gram + a.t() @ a, cross + a.t() @ x
    return gram, cross


def _regressors(module: DeepAutoencoder, z: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Hidden units, code, one (float64); of each sample's code a prefix of so many numbers, or all of it."""
    code = module.encode_scaled(z)
    if lengths is not None:
        code = code * (torch.arange(code.shape[1], device=code.device) < lengths)
    return torch.cat([module.hidden(code), code, torch.ones_like(code[:, :1])], 1).double()


def _squared_error(weights: Tensor, gram: Tensor, cross: Tensor) -> float:
    """‖A·W - X‖² - ‖X‖², by the products AᵀA and AᵀX."""
    return float((weights * (gram @ weights - 2 * cross)).sum())
