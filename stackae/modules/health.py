"""What state a fitted layer is in: dead and saturated units, activity, rank, variance kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from stackae._utils.threads import one_thread_for
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.layer import Layer
from stackae.networks import ACTIVATIONS

#: So many rows are looked at, at least and at most, where there are so many; between, a twentieth of the rows
#: that training has passed through, so that the report costs a few percent of it.
_LEAST_ROWS, _MOST_ROWS, _SHARE = 2_000, 10_000, 20
#: The rank, which costs more, is that of so many of them, or of a fifth.
_ROWS_OF_RANK = 500
#: A unit is dead where its code varies by less than this share of the most varying unit's range.
_DEAD = 1e-6
#: A bounded unit is near a bound within this share of the range, and saturated where that many rows are.
_NEAR, _MOST = 0.05, 0.95


class Health(TypedDict):
    """The health report of one layer, on uncorrupted rows of the data it was fitted to."""

    #: Rows used: 2,000 to 10,000, growing with the length of training, or all if there are fewer.
    rows: int
    #: Fraction of units whose code is the same for all rows.
    dead_units: float
    #: Fraction of units that are not dead and, in 95% of the rows, within 5% of a bound of their activation;
    #: 0 for activations without two bounds.
    saturated_units: float
    #: Mean of the codes.
    mean_activity: float
    #: Fraction of the codes' cells that are not zero.
    active_cells: float
    #: exp of the entropy of the centred codes' singular values, normalised to sum 1 (Roy & Vetterli 2007):
    #: between 1 and the number of units. It is computed on 500 of the rows, or a fifth if that is more.
    effective_rank: float
    #: R² of the layer's reconstruction of its inputs, 1 - Σ(z - ẑ)² / Σ(z - mean)², in scaled units; 0 if the
    #: inputs are constant. In a fine-tuned stack, which reconstructs as a whole, the R² of the whole, for
    #: every layer.
    variance_reconstructed: float


@torch.no_grad()
def health_of(module: DeepAutoencoder, z: Tensor, *, together: bool = False) -> list[Health]:
    """The health report of each layer, bottom first, on what the layers below encode.

    Parameters
    ----------
    module : DeepAutoencoder
    z : Tensor of shape (samples, features)
        Scaled samples, without corruption.
    together : bool, default=False
        Whether the layers were trained to reconstruct as a whole, and not each by itself.
    """
    reports, inputs, shortcut = [], z, module.shortcut
    for k, layer in enumerate(module):
        inputs = layer.scaling(inputs) if k else inputs
        joint = partial(shortcut.code, z) if shortcut is not None and k == len(module) - 1 else None
        reports.append(_health_of(layer, inputs, joint))
        inputs = layer.encode_scaled(inputs)
    if together:
        code = module.encode_scaled(z)
        rebuilt = module[0].decode_scaled(module.hidden(code), module.offset(code))[1]
        for report in reports:
            report["variance_reconstructed"] = _share_reconstructed(z, rebuilt)
    return reports


def n_samples_looked_at(n_samples: int, n_epochs: int) -> int:
    """How many of the rows the report is taken on, after so many epochs."""
    return min(n_samples, _MOST_ROWS, max(_LEAST_ROWS, n_samples * n_epochs // _SHARE))


@torch.no_grad()
def _health_of(layer: Layer, z: Tensor, joint: Callable[[Tensor], Tensor] | None = None) -> Health:
    """The report of one layer; ``joint``: from its code to the code that is handed out, beside a shortcut."""
    own = layer.encode_scaled(z)
    code = own if joint is None else joint(own)
    low, high = torch.aminmax(code, dim=0)
    dead = high - low <= _DEAD * (high - low).amax()
    return Health(
        rows=len(z),
        dead_units=float(dead.float().mean()),
        saturated_units=float((_saturated(layer.parts.activation, code) & ~dead).float().mean()),
        mean_activity=float(code.mean(dtype=torch.float64)),
        active_cells=int(code.count_nonzero()) / code.numel(),
        effective_rank=_effective_rank(code[: max(_ROWS_OF_RANK, len(code) // 5)]),
        variance_reconstructed=_share_reconstructed(z, layer.decode_scaled(own)[1]),
    )


def _share_reconstructed(z: Tensor, rebuilt: Tensor) -> float:
    """R² over all cells that are there; indicators may stand behind those that are rebuilt."""
    error = (rebuilt[:, : z.shape[1]] - z).square().nansum(dtype=torch.float64)
    variance = (z - z.nanmean(0)).square().nansum(dtype=torch.float64)
    return float(1 - error / variance) if variance > 0 else 0.0


def _saturated(activation: str, code: Tensor) -> Tensor:
    if not ACTIVATIONS[activation].bounded:
        return torch.zeros(code.shape[1], dtype=torch.bool, device=code.device)
    low, high = ACTIVATIONS[activation].low, ACTIVATIONS[activation].high
    margin = _NEAR * (high - low)
    near = (code < low + margin) | (code > high - margin)
    return near.float().mean(0) >= _MOST


def _effective_rank(code: Tensor) -> float:
    centred = (code - code.mean(0)).double()
    gram = centred.t() @ centred if len(code) > code.shape[1] else centred @ centred.t()
    with one_thread_for(len(gram) ** 3):  # by numpy, since torch's own threads are not told
        squares = torch.from_numpy(np.linalg.eigvalsh(gram.cpu().numpy()))
    singular = squares.clamp(min=0).sqrt()
    # Roundings of a zero eigenvalue are no direction.
    singular = singular[singular > singular.amax() * 1e-7]
    shares = singular / singular.sum()
    return float(torch.special.entr(shares).sum().exp()) if len(shares) else 1.0
