"""Samples drawn: images as tiles, series as lines, tables as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stackae.plotting.display import COLOURS, GREY, INK, OURS

Floats = npt.NDArray[np.floating]
#: Of a tile, between it and the next one.
_GAP = 0.08
#: Characters of a line of text that is as wide as the figure.
_CHARACTERS = 46
#: Channels of a series that are drawn.
MOST_CHANNELS = 3


def tiles_height(n_rows: int, n_columns: int, images: Floats, width: float) -> float:
    """Inches that tiles need which are so wide together, their labels not counted."""
    _, height, image_width, channels = images.shape
    sides = 1 if channels in (1, 3, 4) else channels
    return float(np.clip(width / n_columns * n_rows * height / (image_width * sides), 0.4, 8.0))


def as_picture(image: Floats) -> Floats:
    """An image as matplotlib takes it: of one channel, of colours, or with its channels side by side."""
    channels = image.shape[-1]
    if channels == 1:
        return image[..., 0]
    return image if channels in (3, 4) else np.concatenate(np.moveaxis(image, -1, 0), axis=1)


def value_range(images: Floats) -> tuple[float, float]:
    """From black to white: 0 to 1 where all values are within it, else the values' range."""
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high if high > low else low + 1)


def draw_tiles(ax: Any, rows: Sequence[Floats], limits: tuple[float, float] | None, cmap: str = INK) -> Any:
    """Rows of images (each images × height × width × channels), in one axes; the last mappable.

    ``limits`` are those of the colours; None: every image has its own, symmetrical ones.
    """
    drawn = None
    for place, images in enumerate(rows):
        for k, image in enumerate(images):
            picture = as_picture(image)
            low, high = limits or (-_largest(picture), _largest(picture))
            if picture.ndim == 3:
                picture = np.clip((picture - low) / (high - low), 0, 1)
            aspect = picture.shape[0] / picture.shape[1]
            extent = (
                k + _GAP / 2,
                k + 1 - _GAP / 2,
                (place + 1 - _GAP / 2) * aspect,
                (place + _GAP / 2) * aspect,
            )
            drawn = ax.imshow(picture, cmap=cmap, vmin=low, vmax=high, extent=extent, interpolation="nearest")
    ax.set(xlim=(0, max(map(len, rows))), ylim=(len(rows) * aspect, 0), xticks=[], yticks=[])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return drawn


def name_tiles(ax: Any, rows: Sequence[str], columns: Sequence[str]) -> None:
    """What rows and columns of tiles are."""
    bottom = ax.get_ylim()[0]
    ax.set_yticks((np.arange(len(rows)) + 0.5) * bottom / len(rows), rows)
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns)


def colour_bar(ax: Any, drawn: Any, label: str, *, own_scales: bool = False) -> None:
    """What the colours mean; where every image has its own scale, from minus to plus its greatest."""
    bar = ax.get_figure().colorbar(drawn, ax=ax, label=label, fraction=0.05, pad=0.03, aspect=15)
    if own_scales:
        bar.set_ticks([drawn.norm.vmin, 0, drawn.norm.vmax], labels=["−max", "0", "max"])
    else:
        bar.ax.locator_params(axis="y", nbins=4)
    bar.outline.set_visible(False)


def draw_series(ax: Any, roles: Mapping[str, Floats], *, channels: Sequence[int]) -> None:
    """One series as it was, as it was seen and as it came back (each steps × channels)."""
    styles = {"original": ("-", 1.2), "seen": (":", 1.0), "reconstruction": ("--", 1.6)}
    alone = len(channels) == 1
    for role, values in roles.items():
        style, width = styles.get(role, ("-", 1.2))
        for k, channel in enumerate(channels):
            colour = COLOURS[k]
            if alone:
                colour = OURS if role in ("reconstruction", "sample") else GREY
            ax.plot(
                values[:, channel],
                style,
                color=colour,
                linewidth=width,
                label=role if alone or k == 0 else None,
            )
    ax.margins(x=0.02)
    ax.locator_params(axis="y", nbins=4)
    ax.spines[["top", "right"]].set_visible(False)


def draw_cells(
    ax: Any,
    title: str,
    head: Sequence[str],
    lines: Sequence[Sequence[str]],
    shares: Sequence[float] | None = None,
) -> None:
    """Lines of text in columns, the first to the left; ``shares``: a bar at the end of each line."""
    widths = [max(len(text) for text in column) for column in zip(head, *lines, strict=True)]
    for_bars = 10 if shares is not None else 0
    spare = max(_CHARACTERS - for_bars - sum(widths), 2 * len(widths))
    spaces = spare / max(len(widths) - 1, 1)
    ends = np.cumsum([width + spaces * (k > 0) for k, width in enumerate(widths)])
    ends = ends / (ends[-1] + for_bars)
    ax.set(xlim=(0, 1), ylim=(len(lines) + 0.5, -1.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="left", fontsize="medium")
    for place, line in enumerate([head, *lines], -1):
        how = {"va": "center", "fontsize": "small", "color": GREY if place < 0 else None}
        how = {key: value for key, value in how.items() if value is not None}
        ax.text(0, place, line[0], ha="left", **how)
        for end, text in zip(ends[1:], line[1:], strict=True):
            ax.text(end, place, text, ha="right", **how)
    ax.axhline(-0.5, color=GREY, linewidth=0.8)
    if shares is not None:
        start = float(ends[-1]) + 0.03
        ax.text(start, -1, "error", ha="left", va="center", fontsize="small", color=GREY)
        ax.barh(range(len(lines)), np.asarray(shares) * (1 - start), left=start, height=0.5, color=COLOURS[1])


def left_out(n_shown: int, n_all: int, what: str) -> str:
    """That there are more than are shown."""
    return f", {n_shown} of {n_all:,} {what}" if n_shown < n_all else ""


def _largest(picture: Floats) -> float:
    return float(np.nanmax(np.abs(picture))) or 1.0
