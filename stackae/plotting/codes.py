"""A map of the codes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_random_state

from stackae.data.labels import REGRESS, as_cells, as_labels, task_of
from stackae.evaluation.nonlinear import umap_class
from stackae.exceptions import DataError, ParameterError
from stackae.plotting._samples import refuse_unless, samples_of
from stackae.plotting.display import COLOURS, GREY, MEASURED, TEN_COLOURS, Display, shortened

_METHODS = ("auto", "codes", "pca", "tsne", "umap")
_MARKERS = ("o", "^", "s")
#: Classes that have a colour and a shape of their own; the others share a grey.
_MOST_CLASSES = 20
NO_LABEL, OTHERS = "no label", "others"


class CodesDisplay(Display):
    """A scatter plot of codes: two of their numbers, or PCA, t-SNE or UMAP of all.

    Parameters
    ----------
    points : array of shape (n_samples, 2)
    y : array-like of shape (n_samples,) or None, default=None
        Colours: classes, with a legend, or numbers, with a colour bar.
    axis_names : (str, str), default=("code 0", "code 1")
    colour_name : str or None, default=None
        Title of the colours. None: the name of a pandas or polars series.
    with_ticks : bool, default=True
        Whether to show ticks, which mean nothing for t-SNE and UMAP.

    Attributes
    ----------
    classes_ : list of str or None
        The classes in the order of the legend; None without any.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import StackedAutoencoder
    >>> from stackae.plotting import CodesDisplay
    >>> iris = load_iris()
    >>> model = StackedAutoencoder((8, 2), random_state=0).fit(iris.data)
    >>> display = CodesDisplay.from_estimator(model, iris.data, iris.target_names[iris.target])
    >>> display.classes_
    ['setosa', 'versicolor', 'virginica']
    """

    def __init__(
        self,
        points: npt.NDArray[np.floating],
        y: Any = None,
        *,
        axis_names: Sequence[str] = ("code 0", "code 1"),
        colour_name: str | None = None,
        with_ticks: bool = True,
    ) -> None:
        if np.ndim(points) != 2 or points.shape[1] != 2:
            raise ParameterError(f"points are rows × 2, got shape {np.shape(points)}")
        if y is not None and len(y) != len(points):
            raise DataError(f"y must have one label a row, {len(points)}, got {len(y)}")
        self.points, self.y = points, y
        self.axis_names, self.colour_name, self.with_ticks = axis_names, colour_name, with_ticks
        self._labels = None if y is None else as_labels(y, unlabelled=None)
        self._are_numbers = self._labels is not None and task_of(self._labels).task == REGRESS
        self.classes_ = None if self._labels is None or self._are_numbers else self._classes()

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Any,
        y: Any = None,
        *,
        method: str = "auto",
        components: Sequence[int] = (0, 1),
        errors: bool = False,
        max_samples: int | None = 2000,
        random_state: int = 0,
        ax: Any = None,
    ) -> Self:
        """Encode samples and draw them.

        Parameters
        ----------
        model : Autoencoder, StackedAutoencoder or an estimator on one
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or None, default=None
            Labels or numbers that colour the points.
        method : {"auto", "codes", "pca", "tsne", "umap"}, default="auto"
            ``"codes"``: two numbers of the code. The others: a projection of all of them, unscaled.
            ``"auto"``: ``"codes"`` if there are two, otherwise ``"pca"``.
        components : (int, int), default=(0, 1)
            Which numbers, or principal components; not for t-SNE and UMAP.
        errors : bool, default=False
            Whether to colour by reconstruction error (minus ``score_samples``); not together with ``y``.
        max_samples : int or None, default=2000
            Maximum number of rows, drawn at random; None: all.
        random_state : int, default=0
            Seeds the choice of rows, t-SNE and UMAP.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        CodesDisplay

        Raises
        ------
        ParameterError
            The code has one number only, the model does not reconstruct (``errors``), or matplotlib or
            umap-learn is missing.
        """
        if method not in _METHODS:
            raise ParameterError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
        if errors and y is not None:
            raise ParameterError("points are coloured by y or by errors, not by both; leave one out")
        matrix, given = samples_of(model, X), y
        n = len(matrix)
        if y is not None and len(y) != n:
            raise DataError(f"y must have one label a row, {n}, got {len(y)}")
        if max_samples is not None and n > max_samples:
            index = np.sort(check_random_state(random_state).permutation(n)[:max_samples])
            matrix = matrix.take(index)
            y = None if y is None else as_cells(y)[index]
        name = getattr(given, "name", None)
        if errors:
            refuse_unless(model, "score_samples", cls.__name__ + "(errors=True)", "reconstructs")
            y, name = -model._scores(matrix), "reconstruction error"
        codes = model._apply(matrix, model._features, model._n_features_out)
        if codes.shape[1] < 2:
            raise ParameterError(f"CodesDisplay needs two code numbers or more, got {codes.shape[1]}")
        if method == "auto":
            method = "codes" if codes.shape[1] == 2 else "pca"
        points, axis_names = _placed(codes, method, components, random_state)
        ticks = method in ("codes", "pca")
        return cls(points, y, axis_names=axis_names, colour_name=name, with_ticks=ticks).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        rows = (len(self.classes_ or ()) + 1) // 2 + 1
        (own,) = self._take_axes(ax, height=3.2 + (0.16 * rows if self._legend_is_below else 0))
        size = float(np.clip(2000 / max(len(self.points), 1), 5, 24))
        if self._labels is None:
            own.scatter(*self.points.T, s=size, color=COLOURS[0], linewidths=0)
        elif self._are_numbers:
            self._draw_numbers(own, size)
        else:
            self._draw_classes(own, size)
        own.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        own.spines[["top", "right"]].set_visible(False)
        if self.with_ticks:
            own.locator_params(nbins=5)
        else:
            own.set(xticks=[], yticks=[])
        return self

    def _classes(self) -> list[str]:
        assert self._labels is not None
        values, counts = np.unique(self._labels.values, return_counts=True)
        names = [str(value) for value in values]
        if len(names) > _MOST_CLASSES:
            most = np.sort(np.argsort(-counts, kind="stable")[: _MOST_CLASSES - 1])
            names = [*(names[k] for k in most), OTHERS]
        return names if self._labels.known.all() else [*names, NO_LABEL]

    def _draw_classes(self, ax: Any, size: float) -> None:
        assert self._labels is not None
        assert self.classes_ is not None
        named = np.full(len(self.points), NO_LABEL, dtype=object)
        named[self._labels.known] = [str(value) for value in self._labels.values]
        if OTHERS in self.classes_:
            named[~np.isin(named.astype(str), self.classes_)] = OTHERS
        greys = [name for name in self.classes_ if name in (NO_LABEL, OTHERS)]
        colours = COLOURS[:-1] if len(self.classes_) < len(COLOURS) else TEN_COLOURS
        for place, name in enumerate(self.classes_):
            row, colour = divmod(place, len(colours))
            how = {"color": GREY, "marker": "x", "zorder": 1, "linewidths": 0.8}
            if name not in greys:
                how = {"color": colours[colour], "marker": _MARKERS[row], "zorder": 2, "linewidths": 0}
            ax.scatter(*self.points[named == name].T, s=size, label=shortened(name, 16), **how)
        self._legend(ax, size)

    @property
    def _legend_is_below(self) -> bool:
        """Whether the names would take too much room beside the points."""
        return len(self.classes_ or ()) > 12 or max(map(len, self.classes_ or [""])) > 12

    def _legend(self, ax: Any, size: float) -> None:
        from matplotlib.transforms import offset_copy

        below = self._legend_is_below
        ax.legend(
            title=self.colour_name,
            loc="upper left" if below else "center left",
            bbox_to_anchor=(0, 0) if below else (1, 0.5),
            # Under what stands at the axis.
            bbox_transform=offset_copy(ax.transAxes, ax.get_figure(), y=-32 if below else 0, units="points"),
            ncols=2 if below else 1,
            frameon=False,
            fontsize="small",
            markerscale=(30 / size) ** 0.5,
            handletextpad=0.2,
            columnspacing=1.0,
        )

    def _draw_numbers(self, ax: Any, size: float) -> None:
        assert self._labels is not None
        known = self._labels.known
        if not known.all():
            crosses = {"color": GREY, "marker": "x", "linewidths": 0.8}
            ax.scatter(*self.points[~known].T, s=size, label=NO_LABEL, **crosses)
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize="small", borderpad=0)
        values = np.asarray(self._labels.values, np.float64)
        order = np.argsort(values, kind="stable")  # the greatest are seen
        low, high = np.percentile(values, [1, 99])
        drawn = ax.scatter(
            *self.points[known][order].T,
            c=values[order],
            cmap=MEASURED,
            vmin=low,
            vmax=high,
            s=size,
            linewidths=0,
        )
        extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        outside = bool(values.min() < low), bool(values.max() > high)
        bar = ax.get_figure().colorbar(drawn, ax=ax, label=self.colour_name or "y", extend=extend[outside])
        bar.outline.set_visible(False)
        bar.ax.locator_params(axis="y", nbins=5)


def _placed(
    codes: npt.NDArray[np.floating], method: str, components: Sequence[int], seed: int
) -> tuple[npt.NDArray[np.floating], tuple[str, str]]:
    """Points of codes, and what the axes are."""
    n_codes = codes.shape[1]
    if method in ("codes", "pca"):
        if len(components) != 2 or not all(0 <= k < min(codes.shape) for k in components):
            raise ParameterError(
                f"components must be two numbers below {min(codes.shape)}, got {components!r}"
            )
        one, two = components
        if method == "codes":
            return codes[:, [one, two]], (f"code {one}", f"code {two}")
        pca = PCA(max(one, two) + 1, random_state=seed).fit(codes)
        names = [f"PC {k + 1} of {n_codes} codes, {pca.explained_variance_ratio_[k]:.0%}" for k in (one, two)]
        return pca.transform(codes)[:, [one, two]], (names[0], names[1])
    if tuple(components) != (0, 1):
        raise ParameterError(
            f"components are those of codes and PCA, got {components!r} beside method={method!r}"
        )
    name = "t-SNE" if method == "tsne" else "UMAP"
    if method == "tsne":
        perplexity = min(30.0, (len(codes) - 1) / 3)
        points = TSNE(random_state=seed, perplexity=perplexity, init="pca").fit_transform(codes)
    else:
        points = _umap(codes, seed)
    return points, (f"{name} 1 of {n_codes} codes", f"{name} 2")


def _umap(codes: npt.NDArray[np.floating], seed: int) -> npt.NDArray[np.floating]:
    umap = umap_class("method='umap'")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # a seed needs one
        points: npt.NDArray[np.floating] = umap(random_state=seed).fit_transform(codes)
    return points
