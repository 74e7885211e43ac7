"""Neighbour embedding: rows that are near one another have codes that are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Integral, Interval, Real
from stackae.penalties.base import CodePenalty

if TYPE_CHECKING:
    from torch import Tensor


class NeighborEmbedding(CodePenalty):
    """Neighbour embedding: rows that are near one another get codes that are. For clusters, maps, few labels.

    It is what t-SNE and UMAP minimise, by contrast with other rows (InfoNC-t-SNE), for a code that an encoder
    computes: so new rows have one too. Half of a batch's rows are drawn as always, each with one of its
    ``n_neighbors`` nearest rows. With kᵢⱼ = 1 / (1 + ‖hᵢ - hⱼ‖²) and j(i) the row that i is paired with, the
    penalty is ``weight`` · mean over rows of -log(kᵢⱼ₍ᵢ₎ / Σⱼ kᵢⱼ), the sum being over all other rows of the
    batch.

    The nearest rows are found once for each phase, by the Euclidean distance of what the phase trains on:
    scaled rows in fine-tuning, codes of the layer below in pretraining. Of more than 65,536 rows they are
    looked for in random parts of at most so many. It is meant for the last layer of a stack, with units
    that are not bounded. The larger the batch, the better.

    Parameters
    ----------
    weight : float, default=100.0
        Weight, at least 0, in loss units per nat. Where it is large, the reconstruction follows the code.
    n_neighbors : int, default=15
        How many of the nearest rows are neighbours, at least 1; all others, where there are fewer.

    References
    ----------
    Van der Maaten (2009), Learning a parametric embedding by preserving local structure, AISTATS; Damrich et
    al. (2023), From t-SNE to UMAP with contrastive learning, ICLR.

    Examples
    --------
    >>> import torch
    >>> from stackae import NeighborEmbedding
    >>> apart = torch.tensor([[0.0], [0.0], [3.0], [3.0]])  # two pairs
    >>> round(float(NeighborEmbedding(1.0).value(apart)), 4)  # log(1 + 2 / 10)
    0.1823
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, weight: float = 100.0, n_neighbors: int = 15) -> None:
        self.weight = weight
        self.n_neighbors = n_neighbors

    def value(self, code: Tensor) -> Tensor:
        import torch

        with torch.autocast(code.device.type, enabled=False):
            pairs = _pairs(code)
            if not len(pairs):
                return code.new_zeros((), dtype=torch.float32)
            logs = _log_kernel(pairs)
            return (logs.logsumexp(1).mean() - _of_partners(logs).mean()).mul(self.weight)

    def gradient(self, code: Tensor) -> Tensor:
        import torch

        gradient = torch.zeros_like(code)
        pairs = _pairs(code)
        if not len(pairs):
            return gradient
        logs = _log_kernel(pairs)
        # The derivative by each squared distance, times the number of rows.
        slopes = logs.softmax(1).neg_()
        _of_partners(slopes).add_(1.0)
        slopes *= logs.exp_()
        slopes = slopes + slopes.t()
        moved = pairs * slopes.sum(1, keepdim=True) - slopes @ pairs
        gradient[: len(pairs)] = moved.mul_(2 * self.weight / len(pairs))
        return gradient


def _pairs(code: Tensor) -> Tensor:
    """The codes that have a partner, all but an odd last one, about their mean, in float32 at least."""
    pairs = code[: len(code) // 2 * 2]
    pairs = pairs if pairs.element_size() > 2 else pairs.float()
    return pairs - pairs.mean(0) if len(pairs) else pairs


def _log_kernel(pairs: Tensor) -> Tensor:
    """log k of all pairs of rows; of a row with itself -∞."""
    squares = pairs.square().sum(1)
    distances = squares[:, None] + squares - 2 * (pairs @ pairs.t())
    logs: Tensor = distances.clamp(min=0.0).log1p().neg()
    return logs.fill_diagonal_(-float("inf"))


def _of_partners(of_rows: Tensor) -> Tensor:
    """Of a matrix of rows × rows the entries of each with its partner, as a view (rows / 2 × 2)."""
    n, step = len(of_rows), of_rows.stride(0)
    # From row 2m to column 2m + 1, and from row 2m + 1 to column 2m.
    return of_rows.as_strided((n // 2, 2), (2 * (step + 1), step - 1), of_rows.storage_offset() + 1)
