"""The bases of all that learns from samples without a target."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from stackae._utils.constraints import Constrained
from stackae.corruption.base import Corruption
from stackae.corruption.dropout import Dropout
from stackae.corruption.gaussian import GaussianNoise

if TYPE_CHECKING:
    from torch import Generator, Tensor

Floats = npt.NDArray[np.float64]

#: What rows and codes meet where a cost lies in what a corruption changes.
NOISE: tuple[Corruption, ...] = (GaussianNoise(0.2), Dropout(0.1))


class Pass(NamedTuple):
    """One batch on its way through a predictor in training.

    Attributes
    ----------
    z : Tensor of shape (samples, features)
        Scaled samples, with a target or without.
    corrupted : Tensor of shape (samples, features)
        What the first encoder was given of them.
    codes : list of Tensor
        Of every layer, as the corruption of hidden units left them.
    outputs : Tensor of shape (samples, outputs)
        The head's.
    generator : Generator
        For what is drawn.
    """

    z: Tensor
    corrupted: Tensor
    codes: list[Tensor]
    outputs: Tensor
    generator: Generator


#: Called with a predictor and a batch's pass through it; gives the cost that is added, a mean over samples.
#: A module, where it owns parameters.
Cost = Callable[[Any, Pass], "Tensor"]


class SemiSupervised(Constrained):
    """The base of all ways to learn from samples without a target: spread labels, or a further cost."""

    #: What ``corruption="auto"`` of the fine-tuning means beside it; empty: what it always means.
    corruption: ClassVar[tuple[Corruption, ...]] = ()

    @property
    def is_idle(self) -> bool:
        """Whether it does nothing, as it is set."""
        return False


class LabelSpread(SemiSupervised):
    """Gives samples without a label one, before the fine-tuning begins."""

    @abstractmethod
    def spread(self, codes: Floats, labels: npt.NDArray[np.intp], n_classes: int) -> Floats:
        """The probability of each class for each sample.

        Parameters
        ----------
        codes : array of shape (n_samples, n_components)
        labels : array of shape (n_samples,)
            From 0; -1 for no label.
        n_classes : int

        Returns
        -------
        array of shape (n_samples, n_classes), float64
            Rows sum to 1, or to 0 if no label reaches the sample.
        """

    #: How often a sample that was given a label is visited, as a share of one that had it, if it is certain.
    weight: float
    #: The share of each class's samples, the surest, that are given their label.
    surest: float = 1.0


class UnlabelledCost(SemiSupervised):
    """Adds a cost that is defined for samples without a target, too."""

    @abstractmethod
    def build(self, predictor: Any, z: Tensor) -> Cost:
        """The cost as a function of a batch's pass.

        Parameters
        ----------
        predictor : Predictor
            Before its fine-tuning.
        z : Tensor of shape (samples, features)
            Some scaled samples.
        """


def rising(fraction: float, until: float = 0.2) -> float:
    """From nearly 0 to 1 while a first part of the training passes, along half of a bell.

    Laine & Aila (2017), Temporal ensembling for semi-supervised learning, ICLR.
    """
    return float(np.exp(-5 * (1 - min(1.0, fraction / until)) ** 2))
