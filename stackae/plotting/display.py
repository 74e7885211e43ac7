"""The base of every display: where it is drawn, how it is saved; and the colours of all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write

if TYPE_CHECKING:
    pass

#: Of lines and classes: those of Okabe & Ito that are seen on white, and a grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6D6D6D")
OURS, RIVAL, _, _, _, _, GREY = COLOURS
#: Of more classes, Petroff's ten (arXiv:2107.02270).
TEN_COLOURS = (
    *("#3F90DA", "#FFA90E", "#BD1F01", "#94A4A2", "#832DB6"),
    *("#A96B59", "#E76300", "#B9AC70", "#717581", "#92DADD"),
)
#: Colour maps of signed and of other numbers, which the colour-blind read too.
SIGNED, MEASURED, INK = "RdBu", "cividis", "gray"
#: Inches. Drawn 300 pixels wide, text of 10 points has 10 pixels.
WIDTH = 4.0


class Display(ABC):
    """The base of all displays: computed numbers, and the figure they were last drawn in.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure or SubFigure
    ax_ : matplotlib.axes.Axes
        The only axes, or the first of several.
    axes_ : ndarray of matplotlib.axes.Axes
        All axes.
    """

    figure_: Any
    ax_: Any
    axes_: npt.NDArray[np.object_]
    _owns_figure = False

    @abstractmethod
    def plot(self, ax: Any = None) -> Self:
        """Draw in a new figure or in ``ax``.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, sequence of Axes or None, default=None
            None: a new figure. If the display has several axes, a single one is divided, and a sequence must
            have as many.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            matplotlib is not installed, or the number of axes is wrong.
        """

    def save(
        self, where: str | PathLike[str] | IO[bytes], *, dpi: float = 150, transparent: bool = False
    ) -> None:
        """Write the last figure to a file; if there is none, draw first.

        Parameters
        ----------
        where : path-like or binary file
            A path's suffix is the format: ``.png``, ``.svg``, ``.pdf``. A binary file gets a PNG.
        dpi : float, default=150
            Pixels per inch; figures of displays are 4 inches wide.
        transparent : bool, default=False
            Whether the background is transparent instead of white.

        Raises
        ------
        ParameterError
            matplotlib does not know the format.
        OSError
            The file cannot be written.
        """
        if not hasattr(self, "figure_"):
            self.plot()
        root = self.figure_.figure
        if isinstance(where, (str, PathLike)):
            check_picture(type(self).__name__, where)
            with atomic_write(where) as file:
                root.savefig(file, format=_ending(where), dpi=dpi, transparent=transparent)
        else:
            root.savefig(where, format="png", dpi=dpi, transparent=transparent)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: a figure of the display's own, others are shown already."""
        if not self._owns_figure:
            return None
        file = BytesIO()
        self.save(file, dpi=100)
        return file.getvalue()

    def _take_axes(self, ax: Any, n_axes: int = 1, *, height: float, n_columns: int = 1) -> list[Any]:
        """So many axes, under each other or in columns: of a new figure so many inches high, or of ``ax``."""
        check_picture(type(self).__name__)
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure

        n_rows = -(-n_axes // n_columns)
        self._owns_figure = ax is None
        if ax is None:
            figure = Figure(figsize=(WIDTH, height), layout="constrained")
            axes = [figure.add_subplot(n_rows, n_columns, place + 1) for place in range(n_axes)]
        elif not isinstance(ax, Axes):
            axes = list(np.ravel(np.asarray(ax, dtype=object)))
            if len(axes) != n_axes:
                raise ParameterError(
                    f"{type(self).__name__} has {n_axes} axes to draw, got {len(axes)} in ax"
                )
        elif n_axes == 1:
            axes = [ax]
        else:
            axes = _divided(ax, n_axes, n_rows, n_columns)
        self.axes_ = np.array(axes, dtype=object)
        self.ax_ = axes[0]
        self.figure_ = axes[0].get_figure()
        return axes


def check_picture(what: str, path: str | PathLike[str] | None = None) -> None:
    """Raise ``ParameterError`` where matplotlib is missing, or could not write such a file."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise ParameterError(f"{what} needs matplotlib; pip install 'stackae[plot]'") from None
    known = FigureCanvasBase.get_supported_filetypes()
    if path is not None and _ending(path) not in known:
        raise ParameterError(
            f"{fspath(path)}: unknown ending {_ending(path)!r}; the known ones are {', '.join(sorted(known))}"
        )


def shortened(text: object, width: int) -> str:
    """A text that takes at most so many characters: of a longer one beginning and end, where names differ."""
    whole = " ".join(str(text).split())
    if len(whole) > width:
        n_last = width // 3
        whole = f"{whole[: width - 1 - n_last]}…{whole[len(whole) - n_last :]}"
    return whole.replace("$", r"\$")  # matplotlib reads what stands between two as mathematics


def bars(ax: Any, values: npt.NDArray[np.floating], names: Sequence[str], label: str) -> None:
    """Signed numbers as bars under each other, the first one on top."""
    colours = np.where(values < 0, RIVAL, OURS)
    ax.barh(range(len(values)), values, color=colours, height=0.7)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_yticks(range(len(values)), [shortened(name, 20) for name in names])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=4)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel(label)


def _ending(path: str | PathLike[str]) -> str:
    return Path(path).suffix.lstrip(".").lower()


def _divided(ax: Any, n_axes: int, n_rows: int, n_columns: int) -> list[Any]:
    """Axes in the place of one, which is left empty."""
    spec = ax.get_subplotspec()
    if spec is None:
        raise ParameterError(
            "several axes are to be drawn, and this ax cannot be divided; give one of figure.subplots()"
        )
    ax.set_axis_off()
    grid = spec.subgridspec(n_rows, n_columns)
    return [ax.get_figure().add_subplot(grid[divmod(k, n_columns)]) for k in range(n_axes)]
