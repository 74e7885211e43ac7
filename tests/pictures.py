"""A display of every kind, and what makes a picture readable."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from stackae.evaluation import Comparison, Record
from stackae.plotting import (
    CodesDisplay,
    ComparisonDisplay,
    HealthDisplay,
    HistoryDisplay,
    LoadingsDisplay,
    ReconstructionDisplay,
    SamplesDisplay,
    ScreeDisplay,
    WeightsDisplay,
)


def mixed_table(n: int = 90) -> pd.DataFrame:
    """Numbers, a category, a truth value, gaps, and names that say nothing."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    weight = 70 + 10 * size
    weight[3] = np.nan
    return pd.DataFrame(
        {
            "weight (kg)": weight,
            "a very long name of a column": 3 * size + rng.normal(size=n),
            "city": np.where(size > 0.5, "Rome", np.where(size > -0.5, "Oslo", "Bonn")),
            "smokes": rng.random(n) > 0.5,
            "passport": [f"no {k}" for k in range(n)],
        }
    )


class WithLoadings:
    """A stand-in for a model: its loadings are known."""

    _table = None

    def __init__(self, n_codes: int = 5, n_columns: int = 18) -> None:
        rng = np.random.default_rng(0)
        values = rng.normal(size=(n_codes, n_columns)) * np.linspace(0.1, 2, n_columns)
        codes = [f"stackedautoencoder{k}" for k in range(n_codes)]
        columns = [f"a long name of column {k}" for k in range(n_columns)]
        self.found = SimpleNamespace(values=values, code_names=codes, column_names=columns)

    def loadings(self, X: Any) -> Any:
        return self.found


def _comparison() -> Comparison:
    measures = {"linear_probe": 0.8, "knn_probe": 0.7, "few_labels_20": 0.6}
    names = ("stackae", "PCA", "random features", "raw rows")
    records = [
        Record(
            split,
            name,
            width,
            width,
            {key: value + 0.02 * k + 0.01 * split for key, value in measures.items()},
        )
        for k, name in enumerate(names)
        for width in (2, 8, 32)
        for split in range(3)
    ]
    return Comparison(records, 0.3, few_labels=(20,))


#: A display of every kind, drawn in ``ax`` or in a figure of its own.
DISPLAYS: dict[str, Callable[[Any, Any], Any]] = {
    "history": lambda m, ax: HistoryDisplay.from_estimator(m.stack, ax=ax),
    "health": lambda m, ax: HealthDisplay.from_estimator(m.stack, ax=ax),
    "images": lambda m, ax: ReconstructionDisplay.from_estimator(m.layer, m.X, image_shape=(8, 8), ax=ax),
    "best and worst images": lambda m, ax: ReconstructionDisplay.from_estimator(
        m.convolutional, m.X, samples="both", ax=ax
    ),
    "series": lambda m, ax: ReconstructionDisplay.from_estimator(m.recurrent, m.series, ax=ax),
    "channels": lambda m, ax: ReconstructionDisplay.from_estimator(
        m.of_channels, m.channels, samples="worst", ax=ax
    ),
    "rows": lambda m, ax: ReconstructionDisplay.from_estimator(m.on_table, m.table, samples="both", ax=ax),
    "rows of many columns": lambda m, ax: ReconstructionDisplay.from_estimator(m.stack, m.X, ax=ax),
    "weights as images": lambda m, ax: WeightsDisplay.from_estimator(m.layer, image_shape="square", ax=ax),
    "filters": lambda m, ax: WeightsDisplay.from_estimator(m.convolutional, ax=ax),
    "weights as series": lambda m, ax: WeightsDisplay.from_estimator(m.stack, sequence_shape=(64,), ax=ax),
    "weights of columns": lambda m, ax: WeightsDisplay.from_estimator(m.on_table, ax=ax),
    "codes and classes": lambda m, ax: CodesDisplay.from_estimator(m.stack, m.X, m.y, ax=ax),
    "codes and errors": lambda m, ax: CodesDisplay.from_estimator(m.stack, m.X, errors=True, ax=ax),
    "codes of a table": lambda m, ax: CodesDisplay.from_estimator(
        m.on_table, m.table, m.table["city"], ax=ax
    ),
    "codes and many classes of long names": lambda m, ax: CodesDisplay.from_estimator(
        m.stack, m.X, [f"a class of a long name {k % 30}" for k in range(300)], ax=ax
    ),
    "scree": lambda m, ax: ScreeDisplay.from_estimator([m.stack, m.wide], m.X, ax=ax),
    "new images": lambda m, ax: SamplesDisplay.from_estimator(m.generative, image_shape=(8, 8), ax=ax),
    "new rows": lambda m, ax: SamplesDisplay.from_estimator(m.generative_table, ax=ax),
    "loadings": lambda m, ax: LoadingsDisplay.from_estimator(WithLoadings(), m.X, ax=ax),
    "loadings of a code": lambda m, ax: LoadingsDisplay.from_estimator(WithLoadings(), m.X, codes=[1], ax=ax),
    "comparison": lambda m, ax: ComparisonDisplay(_comparison(), title="some rows").plot(ax),
}


def tick_labels(axis: Any) -> list[str]:
    """What stands at the ticks of an x or y axis, in the order of the ticks."""
    return [label.get_text() for label in axis.get_ticklabels()]


def pixels(display: Any, **options: Any) -> np.ndarray:
    """What is drawn 300 pixels wide (height × width × 4), in [0, 1]."""
    file = BytesIO()
    display.save(file, dpi=75, **options)
    file.seek(0)
    return matplotlib.image.imread(file)


def faults(figure: Any, dpi: float = 75) -> list[str]:
    """Texts that lie upon each other, or leave the figure."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = _not_drawn(figure)
    box, renderer = figure.bbox, canvas.get_renderer()
    boxes = [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]
    found = [
        f"{text!r} leaves the figure"
        for text, own in boxes
        if own.x0 < -1 or own.y0 < -1 or own.x1 > box.width + 1 or own.y1 > box.height + 1
    ]
    for k, (text, own) in enumerate(boxes):
        for other_text, other in boxes[k + 1 :]:
            width = min(own.x1, other.x1) - max(own.x0, other.x0)
            height = min(own.y1, other.y1) - max(own.y0, other.y0)
            if width > 1 and height > 1:
                found.append(f"{text!r} lies upon {other_text!r}")
    return found


def _not_drawn(figure: Any) -> set[Text]:
    """Labels of ticks beyond the ends of their axis."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not axes.axison or not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    hidden |= {tick.label1, tick.label2}
    return hidden
