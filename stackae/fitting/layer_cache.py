"""Fitted layers, kept in a folder so that they are fitted once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import torch

from stackae.data.data_set import fingerprint
from stackae.data.matrix import Matrix
from stackae.fitting.context import FitContext
from stackae.fitting.plan import LayerPlan
from stackae.modules.layer import Layer
from stackae.serialization.provenance import versions
from stackae.training.batches import Samples
from stackae.training.phase import EpochRecord, Phase

#: A fitted layer's weights, its history, and the state of the random draws after it.
_Kept = tuple[dict[str, torch.Tensor], list[EpochRecord], torch.Tensor]


class LayerCache:
    """Keeps each layer by what decides how it comes out: data, seed, versions, its plan and those below."""

    def __init__(self, folder: joblib.Memory, data_key: list[Any], context: FitContext) -> None:
        self._folder = folder
        self._data_key = data_key
        self._context = context

    @classmethod
    def of(cls, X: Matrix, weights: npt.NDArray[np.float64] | None, context: FitContext) -> LayerCache | None:
        """The cache of a fit; None where nothing is kept."""
        if context.cache is None:
            return None
        seed = context.generator.get_state().numpy()
        of_weights = None if weights is None else fingerprint(weights)
        where = [str(context.device), torch.get_num_threads(), versions()]
        return cls(context.cache, [fingerprint(X), of_weights, seed, *where], context)

    def fit(
        self,
        layer: Layer,
        plans: Sequence[LayerPlan],
        samples: Samples,
        fit_layer: Callable[[Layer, LayerPlan, Samples, FitContext, int], list[EpochRecord]],
    ) -> None:
        """Fit a layer, or give it the weights that it had when it was fitted before.

        The plans are those of the layers below and, last, its own.
        """
        context, ran = self._context, False

        def fit() -> _Kept:
            nonlocal ran
            ran = True
            history = fit_layer(layer, plans[-1], samples, context, len(plans))
            return layer.state_dict(), history, context.generator.get_state()

        key = joblib.hash([self._data_key, list(plans)])
        state, history, draws = self._folder.cache(_fit_once, ignore=["fit"])(key, fit)
        if ran:
            return
        layer.load_state_dict(state)
        context.generator.set_state(draws)
        context.callback.begin_phase(Phase("pretrain", len(plans), len(history), len(samples)), None)
        for record in history:
            context.callback.end_epoch(record, None)
        context.callback.end_phase(None)


def _fit_once(key: str, fit: Callable[[], _Kept]) -> _Kept:
    """The function whose results a cache keeps, by ``key`` alone."""
    return fit()
