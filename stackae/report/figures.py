"""Displays as figures of a page: a PNG of twice the resolution, and what is seen on it in words."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from struct import unpack
from typing import Any

import numpy as np
import numpy.typing as npt

from stackae.plotting import (
    CodesDisplay,
    HealthDisplay,
    HistoryDisplay,
    LoadingsDisplay,
    ReconstructionDisplay,
    SamplesDisplay,
    ScreeDisplay,
    WeightsDisplay,
)
from stackae.plotting.codes import NO_LABEL, OTHERS
from stackae.plotting.display import Display
from stackae.report.contents import Figure

#: Pixels an inch: of the file, and of the page.
_DPI, _CSS = 200, 100
#: Names that an alternative text lists.
_MOST_NAMES = 12
#: Images in a figure.
_MOST_IMAGES = 5


def of_history(model: Any) -> Figure:
    """The curves of all phases."""
    display = HistoryDisplay.from_estimator(model)
    fell = [
        f"{title} from {epochs[0]['loss']:.3g} to {epochs[-1]['loss']:.3g}"
        for title, epochs in display.phases_
    ]
    alt = f"Curves of the loss, epoch after epoch: {'; '.join(fell)}."
    caption = (
        "The loss of each phase. Training rows may be corrupted, so that their loss can stand above that of"
        " the rows held out."
    )
    return _figure(display, alt, caption)


def of_health(model: Any) -> Figure:
    """The bars of the layers' health."""
    display = HealthDisplay.from_estimator(model)
    layers = [
        f"layer {k}: {', '.join(f'{name} {100 * share:.0f} %' for name, share in shares.items())}"
        for k, shares in enumerate(display.shares_, 1)
    ]
    caption = (
        "Dead: the same code for all rows. Saturated: at a bound for nearly all. Active cells: codes that are"
        " not zero. Effective rank: how many directions the codes use, at best as many as there are units."
    )
    if display.by_itself:
        caption += (
            " R² of its inputs: how well a layer alone reconstructs what it is given, of training rows."
        )
    return _figure(display, f"Bars of each layer's health. {'; '.join(layers)}.", caption)


def of_weights(model: Any, shape: dict[str, Any]) -> Figure:
    """What units of the first layer look for, as images or series."""
    display = WeightsDisplay.from_estimator(model, **shape)
    alt = f"The weights of {len(display.weights)} units of the first layer as {display.kind_}."
    return _figure(display, alt, "What units of the first layer look for.")


def of_reconstructions(
    model: Any, X: Any, which: str, shape: dict[str, Any], numbers: npt.NDArray[np.intp]
) -> Figure:
    """The rows that are reconstructed best, worst or both; ``numbers``: what rows of ``X`` are called."""
    display = ReconstructionDisplay.from_estimator(model, X, samples=which, **shape)
    if display.kind_ == "images":  # as many as are seen well
        display = ReconstructionDisplay.from_estimator(
            model, X, samples=which, n_samples=min(_MOST_IMAGES, len(numbers)), **shape
        )
    display.sample_names = [
        re.sub(r"^\d+", lambda found: str(numbers[int(found[0])]), name) for name in display.sample_names
    ]
    display.plot()
    roles = ", ".join(display.roles_)
    rows = ", ".join(re.sub(r"\D", "", name) for name in display.sample_names)
    alt = f"Rows {rows} as {display.kind_}, each as {roles}."
    told = f"Of the rows that were looked at, those reconstructed {which.replace('both', 'best and worst')}."
    if _has_gaps(model):
        told += " Cells that are missing do not count, and the best are of the fullest rows."
    return _figure(display, alt, told)


def of_codes(model: Any, X: Any, y: Any, name: str | None) -> Figure:
    """The map of the codes, coloured by labels or by errors."""
    by_error = y is None and hasattr(model, "score_samples")
    display = CodesDisplay.from_estimator(model, X, y, errors=by_error, max_samples=None)
    if name is not None and y is not None:
        display.colour_name = name
        display.plot()
    n, (one, two) = len(display.points), display.axis_names
    if display.classes_ is not None:
        named = [name for name in display.classes_ if name not in (NO_LABEL, OTHERS)]
        coloured = f"coloured by {len(named)} classes: {_listed(display.classes_)}"
    else:
        coloured = "coloured by reconstruction error" if by_error else "coloured by label"
    if y is None and not by_error:
        coloured = "in one colour"
    alt = f"{n:,} rows as points, {one} across and {two} up, {coloured}."
    caption = "Rows that are near each other have similar codes."
    return _figure(display, alt, f"{caption} They are {coloured.partition(':')[0]}.")


def of_loadings(values: Any, codes: Sequence[str], columns: Sequence[str]) -> Figure:
    """The heat map of the loadings, the strongest columns first."""
    display = LoadingsDisplay(values, codes, columns).plot()
    strongest = _listed([columns[k] for k in display.columns_])
    shown = "" if len(display.codes_) == len(codes) else f"the {len(display.codes_)} strongest of "
    return _figure(
        display,
        f"Heat map of {shown}{len(codes)} codes and their strongest columns: {strongest}.",
        "By how much each code changes as a column rises by one standard deviation.",
    )


def of_scree(display: ScreeDisplay) -> Figure:
    """R² against the number of codes, beside PCA's."""
    n_codes, r2 = int(display.n_codes[-1]), float(display.r2[-1])
    pca = f"PCA rises to {display.pca_r2[-1]:.3f} with {len(display.pca_r2)} components"
    return _figure(
        display,
        f"R² against the number of codes: the model has {r2:.3f} with {n_codes}; {pca}.",
        "How much is reconstructed. PCA is fitted to these very rows, which favours it.",
    )


def of_samples(model: Any, shape: dict[str, Any]) -> Figure:
    """New samples of a generative model."""
    display = SamplesDisplay.from_estimator(model, random_state=0, **shape)
    return _figure(
        display, f"New {display.kind_}, drawn from the model.", "Drawn from the model; none was given to it."
    )


def _has_gaps(model: Any) -> bool:
    """Whether the model was fitted to rows in which cells may be missing."""
    return bool(model.module_[0].parts.missing)


def _figure(display: Display, alt: str, caption: str) -> Figure:
    file = BytesIO()
    display.save(file, dpi=_DPI)
    picture = file.getvalue()
    width, height = unpack(">II", picture[16:24])  # of the PNG's header
    uri = f"data:image/png;base64,{b64encode(picture).decode()}"
    return Figure(uri, alt, caption, width * _CSS // _DPI, height * _CSS // _DPI)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
