"""Stacks of which widths follow from the columns, or whose depth or last width is chosen by the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from stackae._utils.constraints import Integral
from stackae.data.matrix import Matrix
from stackae.estimators._depth import as_numbers, choose_layers
from stackae.estimators._fitting import BaseAutoencoder
from stackae.estimators._validation import Floats
from stackae.estimators.autoencoder import Autoencoder
from stackae.exceptions import ParameterError
from stackae.fitting.context import FitContext
from stackae.fitting.defaults.parts import default_widths
from stackae.fitting.defaults.trainings import RECIPES
from stackae.fitting.fit import FittedStack
from stackae.fitting.plan import Plan
from stackae.modules.truncation import truncated
from stackae.training.callbacks.progress import say_between

#: What the last of ``layers`` may be instead of a width.
AUTO_WIDTH = "auto"
#: Such a code is fitted with so many numbers at most, and cut to the fewest that lose no more than so much of
#: the R² of all.
_WIDEST, _LOST = 32, 0.01


class ChoosingWidths(BaseAutoencoder):
    """The part of a stack that settles ``layers``."""

    layers: Sequence[int | str | Autoencoder] | int | str | None
    tol: float
    depth_scores_: list[float]
    #: The widths that the fit chose.
    _auto_layers: tuple[int, ...]

    @property
    def n_components_(self) -> int:
        """Numbers in the code."""
        check_is_fitted(self)
        return self.module_.widths[-1]

    @property
    def _follows_columns(self) -> bool:
        """Whether widths follow from the number of columns."""
        return self.layers is None or isinstance(self.layers, Integral)

    @property
    def _listed(self) -> Sequence[int | str | Autoencoder]:
        """The layers, where they are given one by one; else none."""
        layers: Any = () if isinstance(self.layers, str) or self._follows_columns else self.layers
        return cast(Sequence[int | str | Autoencoder], layers)

    @property
    def _chooses_width(self) -> bool:
        """Whether the last width is chosen."""
        return len(self._listed) > 0 and str(self._listed[-1]) == AUTO_WIDTH

    @property
    def _chooses(self) -> bool:
        """Whether widths are found by trying."""
        return isinstance(self.layers, str) or self._chooses_width

    def _settle(
        self, X: Matrix, y: Floats | None, weights: Floats | None, *, classes: bool
    ) -> tuple[Self, dict[str, Any]]:
        if not isinstance(self.layers, str):
            return self, {}
        layers, scores = choose_layers(self, X, weights, y, classes=classes, tol=self.tol)
        chosen: Self = clone(self).set_params(layers=layers)
        chosen._analytic = self._analytic
        return chosen, {"_auto_layers": layers, "depth_scores_": scores}

    def _numbers(self, y: Any, n_samples: int) -> tuple[Floats | None, bool]:
        chooses = isinstance(self.layers, str) and y is not None
        return as_numbers(y, n_samples) if chooses else (None, False)

    def _make_plan(self, X: Matrix, weights: Floats | None, context: FitContext, **going_on: Any) -> Plan:
        if isinstance(self.layers, str):
            raise ParameterError("layers='auto' is settled by trying, which fit does; give the layers")
        if self._follows_columns:
            settled = {"layers": self._widths_for(X.shape[1])}
        elif self._chooses_width:
            settled = self._params_of_width(max(1, min(_WIDEST, X.shape[1] - 1, len(X) - 1)))
        else:
            return super()._make_plan(X, weights, context, **going_on)
        given: Self = clone(self).set_params(**settled)
        given._analytic = self._analytic
        return given._make_plan(X, weights, context, **going_on)

    def _widths_for(self, n_features: int) -> tuple[int, int]:
        """The widths that follow from so many columns."""
        return default_widths(n_features, None if self.layers is None else int(cast(int, self.layers)))

    def _set_stack(self, fitted: FittedStack, X: Matrix, weights: Floats | None) -> Self:
        super()._set_stack(fitted, X, weights)
        if self._chooses_width:
            if fitted.judges is not None:
                enough = self.prefix_r2_ >= self.prefix_r2_[-1] - _LOST
                self.module_ = truncated(self.module_, int(np.argmax(enough)) + 1)
                kept, all_ = (self.prefix_r2_[own] for own in (int(np.argmax(enough)), -1))
                say_between(
                    f"layers: {self.module_.widths[-1]} is taken for the last 'auto', R² {kept:.3f};"
                    f" {len(enough)} would have {all_:.3f}",
                    self.verbose,
                )
            self._auto_layers = tuple(layer.parts.n_components for layer in self.module_)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        self.check_parameters()
        if self._chooses:
            what = "depths" if isinstance(self.layers, str) else "widths"
            raise ParameterError(f"partial_fit cannot compare {what} on a piece of the rows; give the layers")
        return super().partial_fit(X, y, sample_weight)

    def _asked_widths(self) -> list[int] | None:
        if self._follows_columns:
            fitted = getattr(self, "module_", None)
            return None if fitted is None else list(self._widths_for(fitted.n_inputs))
        layers: Any = self._auto_layers if self._chooses else self._listed
        return [int(layer.n_components if isinstance(layer, Autoencoder) else layer) for layer in layers]

    def _params_of_width(self, n_components: int) -> dict[str, Any]:
        *below, last = self._listed if len(self._listed) else self._asked_widths() or ()
        if isinstance(last, Autoencoder):
            return {"layers": (*below, clone(last).set_params(n_components=n_components))}
        own = {"ordered": True} if last == AUTO_WIDTH else {}
        return {"layers": (*below, n_components), **own}

    def _kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = {**super()._kept(), "recipe": self._recipe}
        if self._chooses:
            kept["layers"] = list(self._auto_layers)
        if isinstance(self.layers, str):
            kept["depth_scores_"] = self.depth_scores_
        return kept

    def _take_kept(self, kept: Mapping[str, Any]) -> None:
        super()._take_kept(kept)
        recipe = kept.get("recipe")
        self._recipe = recipe if recipe in RECIPES else None
        if self._chooses:
            self._auto_layers = tuple(int(width) for width in kept["layers"])
        if isinstance(self.layers, str):
            self.depth_scores_ = [float(score) for score in kept["depth_scores_"]]
