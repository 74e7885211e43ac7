"""Which columns make a code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stackae.exceptions import ParameterError
from stackae.plotting._samples import numbered
from stackae.plotting.display import SIGNED, Display, bars, shortened


class LoadingsDisplay(Display):
    """The loadings, codes × columns, as a heat map, the strongest columns first; of a single code as bars.

    Parameters
    ----------
    values : array-like of shape (n_codes, n_columns)
    code_names : sequence of str
    column_names : sequence of str
    max_columns : int, default=15
        How many columns are drawn: those of the greatest sum of squares over the codes.

    Attributes
    ----------
    columns_ : ndarray of int
        The columns that are drawn, the strongest first.

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
            Numbers of the codes that are drawn; None: all. Of a single one bars are drawn.
        max_columns : int, default=15
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
        return cls(values, names, found.column_names, max_columns=max_columns).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        n_codes, n_columns = len(self.code_names), len(self.columns_)
        (ax,) = self._take_axes(ax, height=1.1 + 0.22 * n_columns)
        values = self.values[:, self.columns_]
        names = [self.column_names[k] for k in self.columns_]
        more = len(self.column_names) - n_columns
        if n_codes == 1:
            bars(ax, values[0], names, f"loading on code {shortened(self._labels()[0], 20)}")
        else:
            self._draw_map(ax, values, names)
        if more:
            ax.set_title(f"the {n_columns} strongest of {n_columns + more:,} columns", fontsize="medium")
        return self

    def _labels(self) -> list[str]:
        """The codes' names; their numbers alone where that is all that differs, as in an estimator's."""
        found = [re.fullmatch(r"(.*?)(\d+)", name) for name in self.code_names]
        stems = {match and match[1] for match in found}
        return (
            [match[2] for match in found if match]
            if len(stems) == 1 and None not in stems
            else self.code_names
        )

    def _draw_map(self, ax: Any, values: npt.NDArray[np.float64], names: Sequence[str]) -> None:
        largest = float(np.nanmax(np.abs(values))) or 1.0
        image = ax.imshow(values.T, cmap=SIGNED, vmin=-largest, vmax=largest, aspect="auto")
        ax.set_yticks(range(len(names)), [shortened(name, 20) for name in names])
        step = -(-len(self.code_names) // 8)
        codes = [shortened(name, 14) for name in self._labels()[::step]]
        upright = max(map(len, codes)) > 24 // len(codes)
        ax.set_xticks(range(0, len(self.code_names), step), codes, rotation=90 if upright else 0)
        ax.set_xlabel("code")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        bar = ax.get_figure().colorbar(image, ax=ax, label="loading")
        bar.outline.set_visible(False)
