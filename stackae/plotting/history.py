"""The loss of each phase, epoch after epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from stackae.exceptions import ParameterError
from stackae.plotting.display import OURS, RIVAL, Display

#: A loss that falls by more than this is drawn on a logarithmic axis.
_WIDE = 10
_IN_WORDS = {"pretrain": "pretraining", "finetune": "fine-tuning", "supervised": "learning the labels"}


class HistoryDisplay(Display):
    """Learning curves: the loss of each phase, on training and held-out rows.

    There is one panel per phase, since each phase has its own loss: layer 2 reconstructs the codes of layer
    1. The training loss may exceed the held-out loss, since only training rows are corrupted. The axis is
    logarithmic if the loss falls by a factor of 10 or more.

    Parameters
    ----------
    history : list of dict
        The ``history_`` of an estimator.

    Attributes
    ----------
    phases_ : list of (str, list of dict)
        Title and records of each phase.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import StackedAutoencoder
    >>> from stackae.plotting import HistoryDisplay
    >>> model = StackedAutoencoder((8, 2), random_state=0).fit(load_iris().data)
    >>> display = HistoryDisplay.from_estimator(model)
    >>> [axes.get_title(loc="left") for axes in display.axes_]
    ['layer 1', 'layer 2', 'fine-tuning']
    """

    def __init__(self, history: Sequence[Mapping[str, Any]]) -> None:
        if not history:
            raise ParameterError("no epoch is in the history: nothing was trained that could be drawn")
        self.history = history
        self.phases_ = [
            (_title(*phase), list(epochs))
            for phase, epochs in groupby(history, key=lambda record: (record["phase"], record["layer"]))
        ]

    @classmethod
    def from_estimator(cls, model: Any, *, ax: Any = None) -> Self:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        model : Autoencoder, StackedAutoencoder or an estimator on one
        ax : matplotlib.axes.Axes, sequence of Axes or None, default=None

        Returns
        -------
        HistoryDisplay
        """
        check_is_fitted(model)
        return cls(model.history_).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        n_phases = len(self.phases_)
        axes = self._take_axes(ax, n_phases, height=1.0 + 1.4 * n_phases)
        for own, (title, epochs) in zip(axes, self.phases_, strict=True):
            _draw_phase(own, epochs)
            own.set_title(title, loc="left", fontsize="medium")
            own.set_ylabel("loss")
        axes[-1].set_xlabel("epoch")
        first = next((own for own in axes if len(own.lines) > 1), axes[0])
        first.legend(frameon=False, fontsize="small", loc="upper right")
        return self


def _draw_phase(ax: Any, epochs: Sequence[Mapping[str, Any]]) -> None:
    number = np.arange(1, len(epochs) + 1)
    training = _column(epochs, "loss")
    held_out = _column(epochs, "validation_loss")
    marker = "." if len(epochs) <= 30 else ""
    ax.plot(number, training, color=OURS, marker=marker, label="training")
    if not np.isnan(held_out).all():
        ax.plot(number, held_out, color=RIVAL, marker=marker, linestyle="--", label="held out")
    every = np.concatenate([training, held_out])
    low, high = np.nanmin(every), np.nanmax(every)
    if low > 0 and high > _WIDE * low:
        from matplotlib.ticker import LogLocator, NullFormatter

        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.locator_params(axis="y", nbins=4)
    ax.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def _title(phase: str, layer: int | None) -> str:
    return _IN_WORDS.get(phase, phase) if layer is None else f"layer {layer}"


def _column(epochs: Sequence[Mapping[str, Any]], name: str) -> npt.NDArray[np.float64]:
    return np.array([np.nan if record[name] is None else record[name] for record in epochs], np.float64)
