"""Samples beside what the model makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from stackae.data.matrix import Matrix
from stackae.exceptions import ParameterError
from stackae.plotting import _drawing as drawing
from stackae.plotting._samples import (
    FIRST,
    Cells,
    cells_of,
    choose,
    errors_of,
    in_words,
    layout_of,
    refuse_unless,
    samples_of,
    shown_columns,
    take_rows,
    unflattened,
)
from stackae.plotting.display import COLOURS, WIDTH, Display, shortened

Floats = npt.NDArray[np.floating]
#: Samples that are drawn: images, series, rows of a table.
_MOST_IMAGES, _MOST_SERIES, _MOST_ROWS = 8, 3, 2
#: Columns of a table, the worst first.
_MOST_COLUMNS = 8


class ReconstructionDisplay(Display):
    """Samples beside their corrupted copies and their reconstructions.

    Images are drawn in rows above each other, series as lines in one panel per sample; of table rows the
    columns with the worst reconstruction are listed.

    Parameters
    ----------
    original, reconstruction : array or dict
        Images (samples × height × width × channels), series (samples × steps × channels), or the columns of
        a table by their names, each a list of cells.
    seen : array or dict or None, default=None
        The corrupted samples; None: not drawn.
    sample_names : sequence of str or None, default=None
        None: their numbers.
    sample_label : str, default="row"
        Label of the names under images.
    errors : array of shape (n_samples, n_columns) or None, default=None
        Of a table, the error of each column, drawn as a bar, the largest first. None: columns in their order.

    Attributes
    ----------
    kind_ : {"images", "series", "table"}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from stackae import Autoencoder
    >>> from stackae.plotting import ReconstructionDisplay
    >>> X = load_digits().data[:200] / 16
    >>> model = Autoencoder(16, corruption="masking", random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(model, X, image_shape=(8, 8))
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['original', 'seen', 'reconstruction']
    """

    def __init__(
        self,
        original: Any,
        reconstruction: Any,
        seen: Any = None,
        *,
        sample_names: Sequence[str] | None = None,
        sample_label: str = "row",
        errors: Any = None,
    ) -> None:
        self.original, self.reconstruction, self.seen = original, reconstruction, seen
        self.roles_ = {"original": original, "seen": seen, "reconstruction": reconstruction}
        self.roles_ = {role: values for role, values in self.roles_.items() if values is not None}
        self.kind_ = kind_of(original)
        n_samples = len(next(iter(original.values()))) if self.kind_ == "table" else len(original)
        self.sample_names = [str(k) for k in range(n_samples)] if sample_names is None else list(sample_names)
        self.sample_label, self.errors = sample_label, errors

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Any,
        *,
        samples: str | Sequence[int] = FIRST,
        n_samples: int | None = None,
        image_shape: str | Sequence[int] | None = None,
        sequence_shape: Sequence[int] | None = None,
        random_state: int = 0,
        ax: Any = None,
    ) -> Self:
        """Reconstruct some samples and draw them.

        Parameters
        ----------
        model : Autoencoder, StackedAutoencoder or StackedAutoencoderDetector
        X : array-like of shape (n_samples, n_features)
        samples : {"first", "best", "worst", "both"} or sequence of int, default="first"
            The first rows, those with the highest or lowest ``score_samples``, half of each, or rows by
            number.
        n_samples : int or None, default=None
            How many, if ``samples`` is a word. None: 8 images, 3 series, or 2 rows of a table.
        image_shape : "square", (height, width) or (height, width, channels), or None, default=None
            Shape of the image in a row. None: that of a convolutional first layer; without one, rows are
            those of a table.
        sequence_shape : (steps,) or (steps, channels), or None, default=None
            Shape of the series in a row. None: that of a recurrent first layer, if there is one.
        random_state : int, default=0
            Seeds the corruption.
        ax : matplotlib.axes.Axes, sequence of Axes or None, default=None

        Returns
        -------
        ReconstructionDisplay

        Raises
        ------
        ParameterError
            The model does not reconstruct, the shape does not fit, or matplotlib is missing.
        """
        refuse_unless(model, "reconstruct", cls.__name__, "reconstructs")
        matrix, layout = samples_of(model, X), layout_of(model, image_shape, sequence_shape)
        most = _MOST_ROWS if layout is None else _MOST_IMAGES if len(layout.space) == 2 else _MOST_SERIES
        chosen = choose(model, matrix, samples, n_samples, most)
        kept = matrix.take(chosen.rows)
        back = model._apply(kept, lambda module, x: module(x), model.module_.n_inputs)
        if layout is not None:
            seen = _seen(model, kept, random_state)
            given, *others = [
                None if values is None else unflattened(values, layout) for values in (kept[:], back, seen)
            ]
            names = chosen.names if len(layout.space) == 1 else [str(row) for row in chosen.rows]
            return cls(given, *others, sample_names=names, sample_label=chosen.told).plot(ax)
        columns = [place for _, place in shown_columns(model)]
        return cls(
            cells_of(model, take_rows(model, X, matrix, chosen.rows)),
            cells_of(model, back),
            sample_names=chosen.names,
            errors=errors_of(model, kept)[:, columns],
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        if self.kind_ == "images":
            self._draw_images(ax)
        elif self.kind_ == "series":
            self._draw_series(ax)
        else:
            self._draw_table(ax)
        return self

    def _draw_images(self, ax: Any) -> None:
        n_rows, n_columns = len(self.roles_), len(self.original)
        height = drawing.tiles_height(n_rows, n_columns, self.original, WIDTH - 1.6)
        (own,) = self._take_axes(ax, height=0.7 + height)
        limits = drawing.value_range(self.original)
        drawn = drawing.draw_tiles(own, list(self.roles_.values()), limits)
        drawing.name_tiles(own, list(self.roles_), self.sample_names)
        own.set_xlabel(self.sample_label)
        if n_columns > 4 and max(map(len, self.sample_names)) > 2:
            own.tick_params(axis="x", rotation=90)
        if self.original.shape[-1] not in (3, 4):
            drawing.colour_bar(own, drawn, "value")

    def _draw_series(self, ax: Any) -> None:
        n_samples = len(self.original)
        axes = self._take_axes(ax, n_samples, height=0.9 + 1.2 * n_samples)
        error = np.nanmean(np.square(self.reconstruction - self.original), axis=(0, 1))
        worst = np.argsort(-error, kind="stable")[: drawing.MOST_CHANNELS].tolist()
        n_channels = self.original.shape[-1]
        for k, own in enumerate(axes):
            roles = {role: values[k] for role, values in self.roles_.items()}
            drawing.draw_series(own, roles, channels=worst)
            own.set_title(f"row {self.sample_names[k]}", loc="left", fontsize="medium")
            own.set_ylabel("value")
        axes[-1].set_xlabel("step")
        self._legend(axes[0], worst, n_channels)

    def _legend(self, ax: Any, channels: Sequence[int], n_channels: int) -> None:
        """The lines' meanings above the first panel, channels by their colours."""
        handles, names = ax.get_legend_handles_labels()
        from matplotlib.lines import Line2D
        from matplotlib.transforms import offset_copy

        if len(channels) > 1:
            handles += [Line2D([], [], color=COLOURS[k], linewidth=4) for k in range(len(channels))]
            names += [f"channel {channel}" for channel in channels]
        more = drawing.left_out(len(channels), n_channels, "channels, the worst")
        ax.legend(
            handles,
            names,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            # Above the title.
            bbox_transform=offset_copy(ax.transAxes, ax.get_figure(), y=16, units="points"),
            borderaxespad=0.0,
            ncols=2 if len(channels) > 1 else 3,
            columnspacing=1.0,
            frameon=False,
            fontsize="small",
            title=more.lstrip(", ") or None,
        )

    def _draw_table(self, ax: Any) -> None:
        names, n_samples = list(self.original), len(self.sample_names)
        n_shown = min(_MOST_COLUMNS, len(names))
        axes = self._take_axes(ax, n_samples, height=0.2 + n_samples * (0.75 + 0.2 * n_shown))
        errors = np.zeros((n_samples, len(names))) if self.errors is None else np.nan_to_num(self.errors)
        largest = errors.max() or 1.0
        which = "first" if self.errors is None else "worst"
        told = f": the {n_shown} {which} of {len(names):,} columns" if n_shown < len(names) else ""
        for k, own in enumerate(axes):
            order = np.argsort(-errors[k], kind="stable")[:n_shown]
            lines = [
                [
                    shortened(names[column], 18),
                    *(in_words(cells[names[column]][k]) for cells in self._cells()),
                ]
                for column in order
            ]
            shares = None if self.errors is None else errors[k][order] / largest
            head = ["column", *(role.replace("reconstruction", "model") for role in self.roles_)]
            drawing.draw_cells(own, f"row {self.sample_names[k]}{told}", head, lines, shares)

    def _cells(self) -> list[Cells]:
        return list(self.roles_.values())


def kind_of(values: Any) -> str:
    """What samples are that are to be drawn."""
    if isinstance(values, Mapping):
        return "table"
    kinds = {3: "series", 4: "images"}
    if np.ndim(values) not in kinds:
        raise ParameterError(
            "samples are images (rows × height × width × channels), series (rows × steps × channels) or"
            f" a dict of columns, got an array of {np.ndim(values)} axes"
        )
    return kinds[np.ndim(values)]


def _seen(model: Any, matrix: Matrix, seed: int) -> Floats | None:
    """The samples as the first layer is shown them in training; None where it is shown them as they are."""
    corruption = model.module_[0].parts.corruption
    if corruption is None or not corruption.damages("input"):
        return None
    generator = torch.Generator(next(model.module_.parameters()).device).manual_seed(seed)

    def corrupted(module: Any, x: torch.Tensor) -> torch.Tensor:
        layer = module[0]
        z = layer.corrupt((corruption,), layer.scaling(x), generator, 1.0)
        result: torch.Tensor = layer.scaling.inverse(z)
        return result

    seen: Floats = model._apply(matrix, corrupted, model.module_.n_inputs)
    return seen
