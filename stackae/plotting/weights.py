"""What the units of the first layer look for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from stackae.exceptions import ParameterError
from stackae.networks.layout import Layout
from stackae.plotting import _drawing as drawing
from stackae.plotting._samples import encoded_names, layout_of, numbered, unflattened
from stackae.plotting.display import GREY, SIGNED, WIDTH, Display, bars

_MOST_IMAGES, _MOST_SERIES, _MOST_PANELS = 36, 4, 4
#: Bars of a unit.
_MOST_COLUMNS = 6


class WeightsDisplay(Display):
    """The weights of the first layer's units: as images, as series, or as bars with the columns' names.

    Each image has its own symmetric colour scale. Bars are a unit's largest weights. Weights apply to scaled
    columns: for standardised ones they are per standard deviation.

    Parameters
    ----------
    weights : array
        Images (units × height × width × channels), series (units × steps × channels), or units × columns.
    column_names : sequence of str or None, default=None
        For units × columns; None: their numbers.
    unit_names : sequence of str or None, default=None
        None: their numbers.

    Attributes
    ----------
    kind_ : {"images", "series", "columns"}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder
    >>> from stackae.plotting import WeightsDisplay
    >>> X = load_iris(as_frame=True).data
    >>> display = WeightsDisplay.from_estimator(Autoencoder(2, random_state=0).fit(X))
    >>> sorted(label.get_text() for label in display.ax_.get_yticklabels())
    ['petal length (cm)', 'petal width (cm)', 'sepal length (cm)', 'sepal width (cm)']
    """

    def __init__(
        self,
        weights: npt.NDArray[np.floating],
        column_names: Sequence[str] | None = None,
        unit_names: Sequence[str] | None = None,
    ) -> None:
        kinds = {2: "columns", 3: "series", 4: "images"}
        if weights.ndim not in kinds:
            raise ParameterError(f"weights are units × columns, steps or images, got {weights.ndim} axes")
        self.weights, self.kind_ = weights, kinds[weights.ndim]
        n_columns = weights.shape[1]
        self.column_names = [str(k) for k in range(n_columns)] if column_names is None else list(column_names)
        self.unit_names = [str(k) for k in range(len(weights))] if unit_names is None else list(unit_names)

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        *,
        units: Sequence[int] | None = None,
        image_shape: str | Sequence[int] | None = None,
        sequence_shape: Sequence[int] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw ``components_`` of a fitted estimator.

        Parameters
        ----------
        model : Autoencoder, StackedAutoencoder or an estimator on one
        units : sequence of int or None, default=None
            Numbers of the units to draw. None: the first 36 as images, otherwise the first 4.
        image_shape : "square", (height, width) or (height, width, channels), or None, default=None
            Shape of the image in a row. None: rows are columns. Of a convolutional layer the filters are
            drawn, in their own shape.
        sequence_shape : (steps,) or (steps, channels), or None, default=None
            Shape of the series in a row.
        ax : matplotlib.axes.Axes, sequence of Axes or None, default=None

        Returns
        -------
        WeightsDisplay
        """
        check_is_fitted(model)
        weights, names = model.components_, encoded_names(model)
        layout = _layout_of_filters(model, weights.shape[1])
        if layout is None and weights.shape[1] >= len(names):
            layout = layout_of(model, image_shape, sequence_shape)
        elif image_shape is not None or sequence_shape is not None:
            raise ParameterError("the first layer's filters have a shape of their own; leave the shape out")
        if layout is not None:
            weights = unflattened(weights[:, : layout.n_features], layout)
        elif weights.shape[1] < len(names):
            names = [f"channel {k}" for k in range(weights.shape[1])]
        elif weights.shape[1] > len(names):  # the encoder is told what is missing
            names = [*names, *(f"{name} missing" for name in names)]
        most = {4: _MOST_IMAGES, 3: _MOST_SERIES, 2: _MOST_PANELS}[weights.ndim]
        shown = range(min(most, len(weights))) if units is None else units
        own = numbered("units", shown, len(weights))
        return cls(weights[own], names if layout is None else None, [str(unit) for unit in own]).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        if self.kind_ == "images":
            self._draw_images(ax)
            return self
        panels = self._take_axes(ax, len(self.weights), height=0.6 + len(self.weights) * self._panel_height())
        for own, unit, name in zip(panels, self.weights, self.unit_names, strict=True):
            if self.kind_ == "series":
                _draw_line(own, unit)
            else:
                strongest = np.argsort(-np.abs(unit), kind="stable")[:_MOST_COLUMNS]
                bars(own, unit[strongest], [self.column_names[k] for k in strongest], "")
            own.set_title(f"unit {name}", loc="left", fontsize="medium")
        panels[-1].set_xlabel("step" if self.kind_ == "series" else "weight of the scaled column")
        return self

    def _panel_height(self) -> float:
        return 1.1 if self.kind_ == "series" else 0.6 + 0.2 * min(_MOST_COLUMNS, self.weights.shape[1])

    def _draw_images(self, ax: Any) -> None:
        side = ceil(sqrt(len(self.weights)))
        rows = [self.weights[start : start + side] for start in range(0, len(self.weights), side)]
        height = drawing.tiles_height(len(rows), side, self.weights, WIDTH - 1.2)
        (own,) = self._take_axes(ax, height=0.7 + height)
        if self.weights.shape[-1] in (3, 4):  # colours have no sign: each channel by itself
            rows = [np.concatenate(np.moveaxis(images, -1, 0), axis=2)[..., None] for images in rows]
        drawn = drawing.draw_tiles(own, rows, None, SIGNED)
        first, last, n_units = self.unit_names[0], self.unit_names[-1], len(self.unit_names)
        named = f"{first} to {last}, row by row" if n_units > 8 else ", ".join(self.unit_names)
        own.set_title(f"units {named}", fontsize="medium")
        drawing.colour_bar(own, drawn, "weight, each unit on its scale", own_scales=True)


def _draw_line(ax: Any, unit: npt.NDArray[np.floating]) -> None:
    ax.axhline(0, color=GREY, linewidth=0.8)
    drawing.draw_series(ax, {"sample": unit}, channels=range(min(unit.shape[-1], drawing.MOST_CHANNELS)))
    ax.set_ylabel("weight")


def _layout_of_filters(model: Any, n_weights: int) -> Layout | None:
    """How the weights of filters lie that are passed over an image; None: there are none."""
    layout = model.module_[0].parts.network.layout
    if layout is None or len(layout.space) != 2:
        return None
    side = round(sqrt(n_weights / layout.channels))
    return Layout((side, side), layout.channels, layout.channels_first)
