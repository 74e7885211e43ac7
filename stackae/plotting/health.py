"""What state the fitted layers are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from stackae.exceptions import ParameterError
from stackae.plotting.display import COLOURS, Display
from stackae.training.phase import each_by_itself

_DEAD, _SATURATED, _ACTIVE, _RANK, _R2 = (
    "dead units",
    "saturated units",
    "active cells",
    "effective rank",
    "R² of its inputs",
)


class HealthDisplay(Display):
    """The health reports of the layers: dead and saturated units, active cells, rank, variance reconstructed.

    Bars are fractions, with the whole beside them. Few dead and saturated units and a rank close to the
    number of units are good.

    Parameters
    ----------
    reports : list of dict
        One per layer, bottom first, as ``health_`` of a stack: see :class:`stackae.modules.health.Health`.
    n_units : list of int
        Units of each layer.
    by_itself : bool, default=True
        Whether the layers were last trained one by one. False, as in a fine-tuned stack, which reconstructs
        only as a whole: R² per layer is left out.

    Attributes
    ----------
    shares_ : list of dict
        For each layer the fractions drawn, from 0 to 1, by name.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder
    >>> from stackae.plotting import HealthDisplay
    >>> display = HealthDisplay.from_estimator(Autoencoder(8, random_state=0).fit(load_iris().data))
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['dead units', 'saturated units', 'active cells', 'effective rank', 'R² of its inputs']
    """

    def __init__(
        self, reports: Sequence[Mapping[str, Any]], n_units: Sequence[int], *, by_itself: bool = True
    ) -> None:
        if len(reports) != len(n_units) or not reports:
            raise ParameterError(
                f"a report and a number of units a layer, got {len(reports)} and {len(n_units)}"
            )
        self.reports, self.n_units, self.by_itself = reports, n_units, by_itself
        self.shares_ = [
            {
                _DEAD: report["dead_units"],
                _SATURATED: report["saturated_units"],
                _ACTIVE: report["active_cells"],
                _RANK: report["effective_rank"] / units,
                **({_R2: report["variance_reconstructed"]} if by_itself else {}),
            }
            for report, units in zip(reports, n_units, strict=True)
        ]

    @classmethod
    def from_estimator(cls, model: Any, *, ax: Any = None) -> Self:
        """Draw the health reports of a fitted estimator.

        Parameters
        ----------
        model : Autoencoder, StackedAutoencoder or an estimator on one
            For classifiers and regressors, the reports are from before supervised fine-tuning.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        HealthDisplay
        """
        check_is_fitted(model)
        reports = model.health_ if isinstance(model.health_, list) else [model.health_]
        by_itself = each_by_itself(model.history_, len(reports))
        return cls(reports, model.module_.widths, by_itself=by_itself).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        n_layers, names = len(self.reports), list(self.shares_[0])
        (ax,) = self._take_axes(ax, height=1.1 + 0.22 * n_layers * (len(names) + 1))
        thick = 0.8 / n_layers
        for k, (shares, units) in enumerate(zip(self.shares_, self.n_units, strict=True)):
            places = [row - 0.4 + (k + 0.5) * thick for row in range(len(names))]
            values = [min(max(share, 0.0), 1.0) for share in shares.values()]
            label = f"layer {k + 1}, mean activity {self.reports[k]['mean_activity']:.3g}"
            ax.barh(places, values, thick * 0.9, color=COLOURS[k % len(COLOURS)], label=label)
            for place, (name, share) in zip(places, shares.items(), strict=True):
                said = _said(name, share, units)
                ax.annotate(
                    said, (1, place), (4, 0), textcoords="offset points", va="center", fontsize="small"
                )
        ax.set_yticks(range(len(names)), names)
        ax.set(xlim=(0, 1), xlabel="share")
        ax.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize="small")
        return self


def _said(name: str, share: float, n_units: int) -> str:
    if name in (_DEAD, _SATURATED):
        return f"{round(share * n_units):,} of {n_units:,}"
    if name == _RANK:
        return f"{share * n_units:.1f} of {n_units:,}"
    return f"{share:.2f}" if name == _R2 else f"{100 * share:.0f} %"
