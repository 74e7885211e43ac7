"""Neighbour embedding: rows that are near one another have codes that are."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any, ClassVar

from stackae._utils.constraints import Integral, Interval, Real
from stackae.penalties.base import CodePenalty

if TYPE_CHECKING:
    from torch import Tensor


#: A batch's penalty is told as that of so many rows.
_ROWS = 256


class NeighborEmbedding(CodePenalty):
    """Neighbour embedding: rows that are near one another get codes that are. For clusters, maps, few labels.

    It is what t-SNE and UMAP minimise, by contrast with other rows (InfoNC-t-SNE), for a code that an encoder
    computes: so new rows have one too. Half of a batch is drawn as always; each of these rows is followed by
    one of the ``n_neighbors`` rows nearest to it. With kᵢⱼ = 1 / (1 + ‖hᵢ - hⱼ‖²) and j(i) the row that i is
    paired with, the penalty is ``weight`` · mean over rows of log(255 · mean of kᵢⱼ over all other rows of
    the batch) - log kᵢⱼ₍ᵢ₎: as if the batch had 256 rows, so that batches of other sizes compare.

    It is meant for the last layer of a stack, whose units must not be bounded; ``activation="auto"`` is then
    ``"identity"``. The larger the batch, the better; it must be even, at least 4, and in memory.

    The nearest rows are found when a phase begins, by the Euclidean distance of what it trains on: scaled
    rows in fine-tuning, codes of the layer below in pretraining. Missing cells count as their column's mean,
    and copies of a row are its neighbours. The time is O(rows² · columns), for 60,000 rows about half a
    minute; of more than 65,536 rows they are looked for in random parts of at most so many. ``partial_fit``
    looks among the rows that it is given.

    Parameters
    ----------
    weight : float, default=100.0
        Weight, at least 0. Where it is large, the code is for neighbours alone, and the decoder follows it.
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
    >>> round(float(NeighborEmbedding(1.0).value(apart)), 4)  # log(255 · (1 + 2 / 10) / 3)
    4.625
    """

    activations = ("identity", "relu", "gelu", "silu", "softplus")
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
            told = log((_ROWS - 1) / (len(pairs) - 1))
            return (logs.logsumexp(1).mean() - _of_partners(logs).mean() + told).mul(self.weight)

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
