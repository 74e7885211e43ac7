"""Labels spread over the graph of the codes' neighbours."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import cg
from sklearn.neighbors import NearestNeighbors

from stackae._utils.constraints import Integral, Interval, Real
from stackae.exceptions import ParameterError
from stackae.semi.base import Floats, LabelSpread

#: The distance to this neighbour is the scale of a sample's distances.
_SCALE = 7
_RTOL, _MAX_ITER = 1e-10, 2000


class Propagation(LabelSpread):
    """Label propagation: labels spread over the nearest-neighbour graph of the codes. For classifiers.

    Each sample is joined to its nearest neighbours with weights exp(-d² / (σ·σ')), where d is their distance
    and σ, σ' are the distances of either to its 7th neighbour. With the weights normalised to S =
    D^-½·W·D^-½, class scores are (1 - α)·(I - α·S)⁻¹·Y, where Y is the one-hot matrix of the labels: the
    limit of scikit-learn's ``LabelSpreading``. Each unlabelled sample, or the surest of them, joins
    fine-tuning with the class of its largest score, and is visited ``weight`` · (p - 1/K) / (1 - 1/K) times
    as often as a labelled one, where p is the largest of its K normalised scores. This helps if neighbours
    share a class, as images of digits do, and can do harm if not: judge it on held-out labels, or use
    ``semi="auto"``.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours; with fewer samples, all others.
    alpha : float, default=0.99
        How far labels spread, in (0, 1).
    weight : float, default=1.0
        How often a sample with a certain spread label is visited, relative to a labelled one, above 0.
    surest : float, default=1.0
        Of the samples that are assigned to each class, the share, the surest, that are trained with it, in
        (0, 1]; those that are as sure as the last of them, too. The others stay without a label: other
        methods of ``semi`` learn from them, as ``"vat"``, which moves the border between classes to where
        samples are few; else they are left out.

    Notes
    -----
    The neighbours of n codes are found in O(n·log n) for codes of up to 15 numbers, in O(n²) for wider ones;
    60,000 codes of 10 numbers take seconds. All codes are held in memory.

    References
    ----------
    Zhou et al. (2004), Learning with local and global consistency, NIPS 16; Zelnik-Manor & Perona (2004),
    Self-tuning spectral clustering, NIPS 17; Iscen et al. (2019), Label propagation for deep semi-supervised
    learning, CVPR; Zou et al. (2018), Unsupervised domain adaptation for semantic segmentation via
    class-balanced self-training, ECCV (the surest of each class).

    Examples
    --------
    >>> import numpy as np
    >>> from stackae import Propagation
    >>> codes = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    >>> labels = np.array([0, -1, -1, 1, -1, -1])
    >>> Propagation(n_neighbors=2).spread(codes, labels, 2).argmax(1)
    array([0, 0, 0, 1, 1, 1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "weight": [Interval(Real, 0, None, closed="neither")],
        "surest": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self, n_neighbors: int = 10, alpha: float = 0.99, weight: float = 1.0, surest: float = 1.0
    ) -> None:
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.weight = weight
        self.surest = surest

    def spread(self, codes: Floats, labels: npt.NDArray[np.intp], n_classes: int) -> Floats:
        known = np.flatnonzero(labels >= 0)
        given = np.zeros((len(codes), n_classes))
        given[known, labels[known]] = 1
        return shares(self.scores(self.graph(codes), given))

    def graph(self, codes: Floats) -> sparse.csr_array:
        """The normalised weights S between samples (n_samples × n_samples), symmetric."""
        n = len(codes)
        if n < 2:
            raise ParameterError(f"Propagation needs at least 2 rows that differ, got {n}")
        n_neighbors = min(self.n_neighbors, n - 1)
        distances, places = NearestNeighbors(n_neighbors=n_neighbors).fit(codes).kneighbors()
        scale = np.maximum(distances[:, min(_SCALE, n_neighbors) - 1], np.finfo(np.float32).tiny)
        weights = np.exp(-(distances**2) / (scale[:, np.newaxis] * scale[places]))
        ends = np.arange(0, n * n_neighbors + 1, n_neighbors)
        one_way = sparse.csr_array((weights.ravel(), places.ravel(), ends), (n, n))
        both: Any = one_way.maximum(one_way.T)
        root = 1 / np.sqrt(np.maximum(both.sum(1), np.finfo(float).tiny))
        return sparse.csr_array(sparse.diags_array(root) @ both @ sparse.diags_array(root))

    def scores(self, graph: sparse.csr_array, given: Floats, rtol: float = _RTOL) -> Floats:
        """(1 - α)·(I - α·S)⁻¹·Y for each column of Y, by conjugate gradients."""
        system = sparse.eye_array(len(given)) - self.alpha * graph
        columns = [cg(system, column, rtol=rtol, maxiter=_MAX_ITER)[0] for column in given.T]
        spread: Floats = (1 - self.alpha) * np.stack(columns, 1)
        return spread


def shares(scores: Floats) -> Floats:
    """Scores as probabilities; zeros where nothing has come to a sample."""
    positive = np.maximum(scores, 0)
    total = positive.sum(1, keepdims=True)
    found: Floats = np.divide(positive, total, out=np.zeros_like(positive), where=total > 0)
    return found
