"""New samples, drawn from a generative model."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any, Self

from stackae.plotting import _drawing as drawing
from stackae.plotting._samples import cells_of, in_words, layout_of, refuse_unless, unflattened
from stackae.plotting.display import WIDTH, Display, shortened
from stackae.plotting.reconstruction import kind_of

_MOST_IMAGES, _MOST_SERIES, _MOST_ROWS = 16, 3, 3
_MOST_COLUMNS = 20


class SamplesDisplay(Display):
    """New samples drawn from a generative model: images, series, or rows of a table.

    Parameters
    ----------
    samples : array or dict
        Images (samples × height × width × channels), series (samples × steps × channels), or the columns of
        a table by their names, each a list of cells.

    Attributes
    ----------
    kind_ : {"images", "series", "table"}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Autoencoder
    >>> from stackae.plotting import SamplesDisplay
    >>> X = load_digits().data[:200] / 16
    >>> model = Autoencoder(4, code="variational", random_state=0).fit(X)
    >>> display = SamplesDisplay.from_estimator(model, n_samples=9, image_shape=(8, 8))
    >>> len(display.ax_.images)
    9
    """

    def __init__(self, samples: Any) -> None:
        self.samples = samples
        self.kind_ = kind_of(samples)

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        *,
        n_samples: int | None = None,
        image_shape: str | Sequence[int] | None = None,
        sequence_shape: Sequence[int] | None = None,
        random_state: int | None = None,
        ax: Any = None,
    ) -> Self:
        """Sample new rows and plot them.

        Parameters
        ----------
        model : Autoencoder or StackedAutoencoder
            Its last layer has ``code="variational"`` or ``penalty="adversarial"``.
        n_samples : int or None, default=None
            None: 16 images, 3 series, or 3 rows of a table.
        image_shape : "square", (height, width) or (height, width, channels), or None, default=None
            Shape of the image in a row. None: that of a convolutional first layer; without one, rows are
            those of a table.
        sequence_shape : (steps,) or (steps, channels), or None, default=None
            Shape of the series in a row. None: that of a recurrent first layer, if there is one.
        random_state : int or None, default=None
            As in ``sample``.
        ax : matplotlib.axes.Axes, sequence of Axes or None, default=None

        Returns
        -------
        SamplesDisplay

        Raises
        ------
        ParameterError
            The model has no prior to sample from, the shape does not fit, or matplotlib is missing.
        """
        refuse_unless(model, "sample", cls.__name__, "can be sampled from")
        layout = layout_of(model, image_shape, sequence_shape)
        most = _MOST_ROWS if layout is None else _MOST_IMAGES if len(layout.space) == 2 else _MOST_SERIES
        drawn = model.sample(n_samples or most, random_state)
        return cls(cells_of(model, drawn) if layout is None else unflattened(drawn, layout)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        if self.kind_ == "images":
            self._draw_images(ax)
        elif self.kind_ == "series":
            self._draw_series(ax)
        else:
            self._draw_table(ax)
        return self

    def _draw_images(self, ax: Any) -> None:
        side = ceil(sqrt(len(self.samples)))
        rows = [self.samples[start : start + side] for start in range(0, len(self.samples), side)]
        (own,) = self._take_axes(
            ax, height=0.6 + drawing.tiles_height(len(rows), side, self.samples, WIDTH - 1.0)
        )
        drawn = drawing.draw_tiles(own, rows, drawing.value_range(self.samples))
        own.set_title(f"{len(self.samples):,} new samples", fontsize="medium")
        if self.samples.shape[-1] not in (3, 4):
            drawing.colour_bar(own, drawn, "value")

    def _draw_series(self, ax: Any) -> None:
        axes = self._take_axes(ax, len(self.samples), height=0.8 + 1.1 * len(self.samples))
        n_channels = self.samples.shape[-1]
        channels = range(min(n_channels, drawing.MOST_CHANNELS))
        for k, (own, series) in enumerate(zip(axes, self.samples, strict=True)):
            drawing.draw_series(own, {"sample": series}, channels=channels)
            own.set_title(f"new sample {k + 1}", loc="left", fontsize="medium")
            own.set_ylabel("value")
        axes[-1].set_xlabel("step")
        if n_channels > 1:
            names = [f"channel {channel}" for channel in channels]
            axes[0].legend(axes[0].lines, names, frameon=False, fontsize="small", loc="upper right")

    def _draw_table(self, ax: Any) -> None:
        names = list(self.samples)[:_MOST_COLUMNS]
        n_samples = len(self.samples[names[0]])
        (own,) = self._take_axes(ax, height=0.7 + 0.2 * len(names))
        cells = [[in_words(cell) for cell in self.samples[name]] for name in names]
        lines = [[shortened(name, 18), *line] for name, line in zip(names, cells, strict=True)]
        head = ["column", *(f"new {k + 1}" for k in range(n_samples))]
        title = f"{n_samples} new rows{drawing.left_out(len(names), len(self.samples), 'columns')}"
        drawing.draw_cells(own, title, head, lines)
