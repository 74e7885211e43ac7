"""What a layer consists of, and what its loss counts, in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from stackae.codes.gaussian import GaussianCode
from stackae.codes.nested import Nested
from stackae.codes.topk import TopK
from stackae.corruption.dropout import Dropout
from stackae.corruption.gaussian import GaussianNoise
from stackae.corruption.masking import Masking
from stackae.corruption.salt_and_pepper import SaltAndPepper
from stackae.corruption.swap import Swap
from stackae.losses.cross_entropy import CrossEntropy
from stackae.losses.huber import Huber
from stackae.losses.per_feature import PerFeature
from stackae.losses.squared_error import SquaredError
from stackae.modules.layer import Composition, Layer
from stackae.networks.batch_normalised import BatchNormalised
from stackae.networks.closed_form import Marginalised, PCAStart
from stackae.networks.convolutional import Convolutional
from stackae.networks.dense import Dense
from stackae.networks.kmeans_filters import KMeansFilters
from stackae.networks.recurrent import Recurrent

#: Parts by their type, exactly: others, which somebody has added, are told as Python writes them.
_WORDS: dict[type, Callable[[Any], str]] = {
    Dense: lambda part: "dense",
    BatchNormalised: lambda part: "dense, batch-normalised",
    PCAStart: lambda part: "dense, started as PCA",
    Marginalised: lambda part: "dense, solved in closed form",
    Convolutional: lambda part: f"convolutional, rows of {_shape(part.image_shape)}",
    KMeansFilters: lambda part: f"filters found by k-means, rows of {_shape(part.image_shape)}",
    Recurrent: lambda part: f"recurrent, rows of {_shape(part.sequence_shape)}",
    Masking: lambda part: f"{_share(part.level)} of the {_place(part)} hidden",
    Dropout: lambda part: f"{_share(part.level)} of the {_place(part)} dropped",
    SaltAndPepper: lambda part: (
        f"{_share(part.level)} of the {_place(part)} at their least or greatest value"
    ),
    Swap: lambda part: f"{_share(part.level)} of the {_place(part)} taken from other rows",
    GaussianNoise: lambda part: f"Gaussian noise of {_falling(part.scale)} on the {_place(part)}",
    TopK: lambda part: (
        f"the {part.k} largest stay" if part.k >= 1 else f"the largest {100 * part.k:g} % stay"
    ),
    GaussianCode: lambda part: "variational",
    Nested: lambda part: "ordered, the first numbers matter most",
    SquaredError: lambda part: "squared error",
    CrossEntropy: lambda part: "cross-entropy",
    Huber: lambda part: f"Huber's loss (linear beyond {part.delta:g})",
    PerFeature: lambda part: "each column by its kind",
}
_SCALES = {
    None: "as they are",
    "standard": "in standard deviations",
    "pareto": "by the roots of their standard deviations",
    "minmax": "from 0 to 1",
    "spread": "in their common standard deviation",
}


def several(n: int, what: str) -> str:
    """So many of something."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def of_part(part: Any) -> str:
    """A network, corruption, code, penalty or loss.

    Examples
    --------
    >>> from stackae import KLSparsity, Masking
    >>> from stackae.report.wording import of_part
    >>> of_part(Masking((0.5, 0.0))), of_part(KLSparsity(weight=3.0))
    ('50 % falling to 0 % of the inputs hidden', 'KL sparsity, weight 3.0')
    """
    if part is None:
        return ""
    if type(part) in _WORDS:
        return _WORDS[type(part)](part)
    name, _, rest = str(part).rstrip(")").partition("(")
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = name.split()
    words = [word if word.isupper() or k == 0 else word.lower() for k, word in enumerate(words)]
    return ", ".join([" ".join(words), *([rest.replace("=", " ")] if rest else [])])


def of_scaling(parts: Composition) -> str:
    """How a layer is given its columns."""
    kept = f", {several(len(parts.kept), 'column')} of 0 and 1 as they are" if parts.kept else ""
    return f"{_SCALES.get(parts.scale, parts.scale)}{kept}"


def of_loss(layer: Layer) -> str:
    """What the loss of a layer is, and of which columns."""
    parts, loss = layer.parts, layer.loss
    if not isinstance(loss, PerFeature):
        return of_part(loss)
    n_numbers, n_binary, n_categories = _kinds(layer)
    numbers = "Huber's loss" if loss.continuous == "huber" else "squared error"
    found = [f"{numbers} of {several(n_numbers, 'number')}"] if n_numbers else []
    found += [f"cross-entropy of {several(n_binary, 'column')} of two values"] if n_binary else []
    if n_categories:
        named = f"{n_categories:,} categor{'y' if n_categories == 1 else 'ies'}"
        found.append(f"softmax and cross-entropy of {named}")
    return f"{of_part(parts.loss)}: {', '.join(found)}"


def n_judged(layer: Layer) -> int:
    """How many columns a layer's loss is a sum over: a category is one, however many columns hold it."""
    return sum(_kinds(layer)) if isinstance(layer.loss, PerFeature) else layer.n_inputs


def _kinds(layer: Layer) -> tuple[int, int, int]:
    """Of a loss by kinds: numbers, columns of two values, categories."""
    loss = layer.loss
    n_of_groups = sum(stop - start for start, stop in loss.groups)
    n_binary = len(set(loss.unit_columns)) - n_of_groups
    return layer.n_inputs - n_of_groups - n_binary, n_binary, len(loss.groups)


def _share(level: Any) -> str:
    return " falling to ".join(f"{100 * own:g} %" for own in _ends(level))


def _falling(scale: Any) -> str:
    return " falling to ".join(f"{own:g}" for own in _ends(scale))


def _ends(level: Any) -> tuple[float, ...]:
    return (level,) if isinstance(level, (int, float)) else tuple(level)


def _place(part: Any) -> str:
    return {"input": "inputs", "hidden": "codes", "both": "inputs and codes"}[part.on]


def _shape(shape: Any) -> str:
    return " × ".join(map(str, shape))
