"""Which columns make a code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stackae.exceptions import ParameterError
from stackae.plotting._samples import directed_names, numbered
from stackae.plotting.display import SIGNED, Display, bars, shortened

#: Codes that are shown of more: each has to be named then.
MOST_CODES = 12


class LoadingsDisplay(Display):
    """A heat map of the loadings, codes × columns, the strongest columns first; of a single code, bars.

    Parameters
    ----------
    values : array-like of shape (n_codes, n_columns)
    code_names : sequence of str
    column_names : sequence of str
    max_columns : int, default=15
        Maximum number of columns: those with the largest sum of squares over the codes.
    max_codes : int or None, default=12
        Maximum number of codes: those with the largest sum of squares over the columns. None: all.

    Attributes
    ----------
    columns_ : ndarray of int
        The columns drawn, the strongest first.
    codes_ : ndarray of int
        The codes drawn: all in their order, or a selection with the strongest first.

    Examples
    --------
    >>> from stackae.plotting import LoadingsDisplay
    >>> display = LoadingsDisplay([[0.1, -2.0], [0.3, 1.0]], ["code 0", "code 1"], ["age", "income"]).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['income', 'age']
    """

    def __init__(
        self,
        values: Any,
        code_names: Sequence[str],
        column_names: Sequence[str],
        *,
        max_columns: int = 15,
        max_codes: int | None = MOST_CODES,
    ) -> None:
        self.values: npt.NDArray[np.float64] = np.asarray(values, np.float64)
        if self.values.shape != (len(code_names), len(column_names)):
            raise ParameterError(
                f"loadings are codes × columns: {len(code_names)} × {len(column_names)} names, got shape"
                f" {self.values.shape}"
            )
        self.code_names = [str(name) for name in code_names]
        self.column_names = [str(name) for name in column_names]
        self.max_columns = max_columns
        strength = np.square(self.values).sum(0)
        self.columns_ = np.argsort(-strength, kind="stable")[:max_columns]
        self.max_codes = max_codes
        self.codes_ = strongest_codes(self.values, len(self.values) if max_codes is None else max_codes)

    @classmethod
    def from_estimator(
        cls, model: Any, X: Any, *, codes: Sequence[int] | None = None, max_columns: int = 15, ax: Any = None
    ) -> Self:
        """Draw ``model.loadings(X)``.

        Parameters
        ----------
        model : Autoencoder, StackedAutoencoder or an estimator on one
        X : array-like of shape (n_samples, n_features)
        codes : sequence of int or None, default=None
            Numbers of the codes to draw. None: all, or the 12 strongest. A single one is drawn as bars.
        max_columns : int, default=15
            Maximum number of columns: the strongest.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        LoadingsDisplay
        """
        found = model.loadings(X)
        n_codes = len(found.code_names)
        own = numbered("codes", range(n_codes) if codes is None else codes, n_codes)
        names = [found.code_names[code] for code in own]
        values = found.values[own]
        columns = directed_names(model, found.column_names)
        most = MOST_CODES if codes is None else None
        return cls(values, names, columns, max_columns=max_columns, max_codes=most).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        n_codes, n_columns = len(self.codes_), len(self.columns_)
        (ax,) = self._take_axes(ax, height=1.1 + 0.22 * n_columns)
        values = self.values[np.ix_(self.codes_, self.columns_)]
        names = [self.column_names[k] for k in self.columns_]
        more = len(self.column_names) - n_columns
        if n_codes == 1:
            bars(ax, values[0], names, f"loading on code {shortened(self._labels()[0], 20)}")
        else:
            self._draw_map(ax, values, names)
        shown = [f"{n_columns} of {n_columns + more:,} columns"] if more else []
        if n_codes < len(self.code_names):
            shown.append(f"{n_codes} of {len(self.code_names):,} codes")
        if shown:
            ax.set_title(f"the strongest {', '.join(shown)}", fontsize="medium")
        return self

    def _labels(self) -> list[str]:
        """The codes' names; their numbers alone where that is all that differs, as in an estimator's."""
        names = [self.code_names[k] for k in self.codes_]
        found = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
        stems = {match and match[1] for match in found}
        return [match[2] for match in found if match] if len(stems) == 1 and None not in stems else names

    def _draw_map(self, ax: Any, values: npt.NDArray[np.float64], names: Sequence[str]) -> None:
        largest = float(np.nanmax(np.abs(values))) or 1.0
        image = ax.imshow(values.T, cmap=SIGNED, vmin=-largest, vmax=largest, aspect="auto")
        ax.set_yticks(range(len(names)), [shortened(name, 20) for name in names])
        every = [shortened(name, 14) for name in self._labels()]
        are_in_order = bool((np.diff(self.codes_) > 0).all())
        step = -(-len(every) // 8) if are_in_order else 1  # else each has to be named
        codes = every[::step]
        upright = max(map(len, codes)) > 20 // len(codes)
        ax.set_xticks(range(0, len(every), step), codes, rotation=90 if upright else 0)
        ax.set_xlabel("code")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        bar = ax.get_figure().colorbar(image, ax=ax, label="loading")
        bar.outline.set_visible(False)


def strongest_codes(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.intp]:
    """All codes (rows of ``values``) in their order or, of more than ``most``, those of the greatest sum of
    squares, the greatest first."""
    if len(values) <= most:
        return np.arange(len(values))
    return np.argsort(-np.square(values).sum(1), kind="stable")[:most]
