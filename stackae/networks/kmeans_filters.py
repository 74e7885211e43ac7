"""Convolution with filters that k-means finds among patches of the images: no training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear, normalize, pad, unfold

from stackae._utils.constraints import Constrained, Interval, Real
from stackae.corruption.base import Corruption
from stackae.exceptions import ParameterError
from stackae.networks.base import Blocks, NetworkModule
from stackae.networks.convolutional import Convolutional, Shape
from stackae.networks.initialisation import draw_uniform
from stackae.networks.layout import Layout

#: Patches that are drawn, and how often their clusters are found anew.
_N_PATCHES, _N_ROUNDS = 200_000, 10
#: Images, at most, to which the decoder is fitted.
_N_IMAGES = 10_000
#: What is added to a patch's standard deviation, as a share of the typical one, so that noise in even places
#: stays small; to the variances before whitening; and to means before their root is taken.
_FLOOR, _RIDGE, _SHIFT = 0.2, 0.5, 1e-3
#: Responses that are held at once, which stay in a processor's cache.
_AT_ONCE = 2**22


class KMeansFilters(Convolutional):
    """A convolutional layer whose filters are found by k-means, for classifying images by linear models.

    ``n_components`` is the number of filters. Patches of the images, all channels together, are brought to
    mean 0 and variance 1 and whitened, and spherical k-means finds as many directions among them. At each
    place of an image the response r of each filter becomes two numbers, max(0, r - threshold) and
    max(0, -r - threshold). The code holds the square roots of their means, one for each cell of ``pool`` ×
    ``pool`` places. A mean is taken around the middle of the cell, over its neighbours too, with the weights
    of a Gaussian of standard deviation ``pool`` / 2 (``pool=1``: of each place alone). The code has two units
    per filter and cell: height / ``pool`` × width / ``pool`` (rounded up) × 2 · filters, flattened with the
    filters last, usually more than there are pixels. The decoder is the least-squares map from each cell to
    its part of the image, of 10,000 images at most; reconstructions are coarse.

    The layer is not trained: fitting takes two passes over the rows, and O(n_components³). In a
    :class:`StackedAutoencoder` fine-tuning would change it; give the layer ``frozen=True``.
    ``scale="auto"`` divides all columns by one number, unless they are within [0, 1]. It takes no corruption,
    code or penalty and no tied weights. With ``partial_fit`` the filters are those of the first batch, the
    decoder that of the last.

    Choose patches of about a third of the image (3 of 8, 9 of 28), and ``pool`` so that 2 × 2 to 4 × 4 cells
    are left. For a linear support vector machine centre the codes, for logistic regression standardise them.

    Parameters
    ----------
    image_shape : "auto" or tuple of 2 or 3 int, default="auto"
        As in :class:`Convolutional`.
    kernel_size : int, default=5
        Height and width of a patch; odd.
    pool : int, default=4
        Height and width of a cell, in places.
    channels_first : bool, default=False
        As in :class:`Convolutional`.
    threshold : float, default=0.7
        Responses nearer to 0 count as 0. Their variance is near 1, so that above 3 hardly any is left.

    References
    ----------
    Coates, Lee & Ng (2011), An analysis of single-layer networks in unsupervised feature learning, AISTATS.
    Coates & Ng (2012), Learning feature representations with k-means, in Neural networks: tricks of the
    trade.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Autoencoder, KMeansFilters
    >>> X = load_digits().data / 16
    >>> model = Autoencoder(16, network=KMeansFilters((8, 8), kernel_size=3), random_state=0)
    >>> model.fit_transform(X).shape, model.n_iter_  # 2 · 2 · 2 · 16
    ((1797, 128), 1)
    """

    activations = ("relu",)
    can_tie = False
    loss = "squared_error"
    keeps_proportions = True
    initialised_from_data = True
    is_trained = False

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Convolutional._parameter_constraints,
        "threshold": [Interval(Real, 0, 5, closed="both")],
    }

    def __init__(
        self,
        image_shape: Any = "auto",
        kernel_size: int = 5,
        pool: int = 4,
        channels_first: bool = False,
        threshold: float = 0.7,
    ) -> None:
        super().__init__(image_shape, kernel_size, pool, channels_first)
        self.threshold = threshold

    def refuse(self, corruption: Corruption | None, others: Iterable[Constrained]) -> None:
        for part in (*([] if corruption is None else [corruption]), *others):
            raise ParameterError(
                f"network='kmeans_filters' finds its filters without training, and takes no"
                f" {type(part).__name__}; leave one of them out"
            )

    def code_shape(self, n_components: int) -> Shape:
        height, width, _ = super().code_shape(n_components)
        return height, width, 2 * n_components

    def _module(self, n_components: int, activation: str, *, tied_weights: bool, heads: int) -> NetworkModule:
        return _KMeansFiltersModule(
            self.layout,
            self.code_shape(n_components),
            self.kernel_size,
            self.pool,
            float(self.threshold),
        )


class _KMeansFiltersModule(NetworkModule):
    """The module of :class:`KMeansFilters`. Within, channels come second, in codes last."""

    #: What a patch's variance is increased by.
    floor: Tensor
    #: How much each row of places counts in each row of cells (cells × places), and columns in columns.
    down: Tensor
    across: Tensor
    #: Which rows of places a patch covers around each (places × places), and which columns.
    near_down: Tensor
    near_across: Tensor

    def __init__(self, image: Layout, code: Shape, kernel_size: int, pool: int, threshold: float) -> None:
        super().__init__()
        self.image, self.code, self.kernel_size, self.pool, self.threshold = (
            image,
            code,
            kernel_size,
            pool,
            threshold,
        )
        n_filters, cell = code[2] // 2, pool**2 * image.channels
        self.encoder_weight = nn.Parameter(
            torch.empty(n_filters, image.channels, kernel_size, kernel_size, dtype=torch.float32)
        )
        self.encoder_bias = nn.Parameter(torch.empty(code[2], dtype=torch.float32))
        self.decoder_weight = nn.Parameter(torch.empty(cell, code[2], dtype=torch.float32))
        self.decoder_bias = nn.Parameter(torch.empty(cell, dtype=torch.float32))
        self.register_buffer("floor", torch.zeros((), dtype=torch.float64))
        # No part of a model file: the shapes say them.
        for name, n_places, n_cells in zip(("down", "across"), image.space, code[:2], strict=True):
            self.register_buffer(name, _pooling(n_places, n_cells, pool), persistent=False)
            self.register_buffer(f"near_{name}", _within(n_places, kernel_size), persistent=False)
        self._seed = 0

    @property
    def filters(self) -> Tensor:
        weight = self.encoder_weight
        return (weight if self.image.channels_first else weight.permute(0, 2, 3, 1)).flatten(1)

    @property
    def multiplications(self) -> int:
        height, width = self.image.space
        cells = self.code[0] * self.code[1]
        return height * width * self.encoder_weight.numel() + cells * self.decoder_weight.numel()

    @torch.no_grad()
    def initialise(self, generator: Generator) -> None:
        draw_uniform(self.encoder_weight, self.encoder_weight[0].numel(), generator)
        draw_uniform(self.decoder_weight, self.decoder_weight.shape[1], generator)
        self.encoder_bias.fill_(-self.threshold)
        self.decoder_bias.zero_()
        self.floor.fill_(1.0)
        self._seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))

    # Codes ---------------------------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            return self._encode(x)
        height, width = self.image.space
        size = max(1, _AT_ONCE // (height * width * len(self.encoder_weight)))
        return torch.cat([self._encode(rows) for rows in torch.split(x, size)])

    def _encode(self, x: Tensor) -> Tensor:
        image, n_filters = self.image.unflatten(x).movedim(3, 1), len(self.encoder_weight)
        spread = (self._variances(image) + self.floor).sqrt().to(x.dtype).flatten(1)
        # Patches at all places, zeros beyond the border: samples × places × values. Their means are left to
        # the filters, whose weights sum to 0. What can be is done in place: there are many responses.
        patches = unfold(image, self.kernel_size, padding=self.kernel_size // 2).transpose(1, 2)
        responses = linear(patches, self.encoder_weight.flatten(1)).div_(spread[:, :, None])
        above, below = torch.split(self.encoder_bias, n_filters)
        halves = [self._pooled(torch.relu_(own)) for own in (responses + above, below - responses)]
        means = torch.cat(halves, 3).flatten(1)
        code: Tensor = torch.sqrt(means + _SHIFT) - _SHIFT**0.5
        return code

    def _variances(self, image: Tensor) -> Tensor:
        """Of the patch around each place (samples × height × width), by sums in float64."""
        image = image.double()
        n = self.encoder_weight[0].numel()
        both = torch.stack([image.sum(1), image.square().sum(1)])
        down, across = self.near_down.to(both.dtype), self.near_across.to(both.dtype)
        mean, of_squares = (down @ both @ across / n).unbind()
        return (of_squares - mean.square()).clamp(min=0)

    def _pooled(self, responses: Tensor) -> Tensor:
        """Means around the cells' middles: samples × height × width × filters."""
        (height, width), n_down = self.image.space, self.code[0]
        rows = responses.reshape(-1, height, width * len(self.encoder_weight))
        of_rows = (self.down.to(rows.dtype) @ rows).view(-1, n_down, width, len(self.encoder_weight))
        return self.across.to(rows.dtype) @ of_rows

    def decode(self, code: Tensor) -> Tensor:
        height, width, _ = self.code
        cells = linear(code.view(-1, *self.code), self.decoder_weight, self.decoder_bias)
        cells = cells.view(-1, height, width, self.pool, self.pool, self.image.channels).transpose(2, 3)
        whole = cells.reshape(-1, height * self.pool, width * self.pool, self.image.channels)
        return self.image.flatten(whole[:, : self.image.space[0], : self.image.space[1]])

    # Fitting -------------------------------------------------------------------------------------------

    @torch.no_grad()
    def initialise_from(self, blocks: Blocks, corruption: Corruption | None, *, warm_start: bool) -> None:
        if not warm_start:
            generator = Generator().manual_seed(self._seed)
            patches = self._drawn(blocks, generator).double()
            patches -= patches.mean(1, keepdim=True)
            variances = patches.square().mean(1)
            floor = _FLOOR**2 * variances.mean()
            self.floor.copy_(floor if floor > 0 else torch.ones_like(floor))
            patches /= (variances + self.floor.cpu()).sqrt()[:, None]
            values, axes = torch.linalg.eigh(patches.t() @ patches / len(patches))
            whitening = (axes * (values.clamp(min=0) + _RIDGE).rsqrt()) @ axes.t()
            directions = _centroids(patches.float() @ whitening.float(), len(self.encoder_weight), generator)
            filters = directions @ whitening.float()
            filters -= filters.mean(1, keepdim=True)
            self.encoder_weight.copy_(filters.view_as(self.encoder_weight))
        self._solve_decoder(blocks)

    def _drawn(self, blocks: Blocks, generator: Generator) -> Tensor:
        """Patches from random places, in proportion to the rows of each block."""
        n_rows, (height, width), side = sum(map(len, blocks())), self.image.space, self.kernel_size
        n_all = min(_N_PATCHES, n_rows * height * width)
        steps = torch.arange(side)
        found = []
        for block in blocks():
            images = pad(self.image.unflatten(block.cpu()).movedim(3, 1), [side // 2] * 4)
            n = -(-n_all * len(block) // n_rows)
            row, top, left = (
                torch.randint(m, (n, 1, 1), generator=generator) for m in (len(block), height, width)
            )
            own = images.movedim(1, 3)[row, top + steps[:, None], left + steps]
            found.append(own.movedim(3, 1).flatten(1))
        return torch.cat(found)

    def _solve_decoder(self, blocks: Blocks) -> None:
        """The linear map from pooled cells to parts of images with the least squared error."""
        width = self.code[2] + 1
        products = self.decoder_weight.new_zeros(width, width + len(self.decoder_bias), dtype=torch.float64)
        every = -(-sum(map(len, blocks())) // _N_IMAGES)
        for cells, parts in self._cells(block[::every] for block in blocks()):
            products.addmm_(cells.t(), torch.cat([cells, parts], 1))
        of_cells = products[:, :width]
        ridge = 1e-6 * of_cells.diagonal().mean()
        of_cells = of_cells + ridge * torch.eye(width, dtype=torch.float64, device=of_cells.device)
        solved = torch.linalg.solve(of_cells, products[:, width:]).t()
        self.decoder_weight.copy_(solved[:, :-1])
        self.decoder_bias.copy_(solved[:, -1])

    def _cells(self, blocks: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Pooled cells, with a 1 behind them, and the parts of the images that they stand for, in float64."""
        height, width, depth = self.code
        beyond = [
            own * self.pool - space for own, space in zip((height, width), self.image.space, strict=True)
        ]
        for block in blocks:
            for x in torch.split(block, 1024):
                cells = self.encode(x).view(-1, depth).double()
                image = pad(self.image.unflatten(x).movedim(3, 1), [0, beyond[1], 0, beyond[0]])
                parts = unfold(image, self.pool, stride=self.pool)  # samples × (channels × cell) × places
                parts = parts.view(len(x), self.image.channels, self.pool**2, height * width)
                parts = parts.permute(0, 3, 2, 1).reshape(len(cells), -1).double()
                yield torch.cat([cells, torch.ones_like(cells[:, :1])], 1), parts


def _pooling(n_places: int, n_cells: int, pool: int) -> Tensor:
    """How much each place counts in the mean of each cell (cells × places), along one axis."""
    if pool == 1:
        return torch.eye(n_places, device="cpu", dtype=torch.float32)
    middles = pool * torch.arange(n_cells, device="cpu", dtype=torch.float64) + (pool - 1) / 2
    distances = torch.arange(n_places, device="cpu", dtype=torch.float64) - middles[:, None]
    weights = torch.exp(-2 * (distances / pool).square())
    return (weights / weights.sum(1, keepdim=True)).float()


def _within(n_places: int, side: int) -> Tensor:
    """Ones where two places along one axis are in a patch around either (places × places)."""
    places = torch.arange(n_places, device="cpu")
    return ((places - places[:, None]).abs() <= side // 2).double()


def _centroids(rows: Tensor, n_clusters: int, generator: Generator) -> Tensor:
    """Directions by spherical k-means: each the sum of its rows, by how far they lie along it."""

    def drawn(n: int) -> Tensor:
        return rows[torch.randint(len(rows), (n,), generator=generator)]

    found = normalize(drawn(n_clusters))
    for _ in range(_N_ROUNDS):
        along, nearest = (rows @ found.t()).max(1)
        sums = torch.zeros_like(found).index_add_(0, nearest, rows * along[:, None])
        is_empty = torch.linalg.vector_norm(sums, dim=1) < 1e-6
        sums[is_empty] = drawn(int(is_empty.sum()))
        found = normalize(sums)
    return found
