"""What is measured of features: what results call it, and what people read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stackae.data.labels import CLASSIFY


@dataclass(frozen=True)
class Measure:
    """A measure of a method's features.

    Parameters
    ----------
    key : str
        Its name in records and JSON, which stays the same.
    title : str
        Its name in tables, verdicts and figures.
    is_share : bool, default=True
        Whether it is a fraction, shown as a percentage. False: R² or seconds.
    n_labels : int or None, default=None
        Number of labels of the linear probe. None: all, or it is another measure.
    """

    key: str
    title: str
    is_share: bool = True
    n_labels: int | None = None


LINEAR = Measure("linear_probe", "linear probe")
NEIGHBOURS = Measure("knn_probe", "k-NN probe")
HEAD = Measure("head", "head")
CLUSTERS = Measure("clusters", "clusters")
R2 = Measure("r2", "R²", is_share=False)
FIT = Measure("fit_seconds", "fit seconds", is_share=False)
TRANSFORM = Measure("transform_seconds", "transform seconds", is_share=False)
#: Those that are tested sample by sample, and that decide whether features are worth it.
PROBES = (LINEAR, NEIGHBOURS)


def few_labels_measure(n_labels: int) -> Measure:
    """The accuracy (R²) of the linear probe with so few labels."""
    return Measure(f"few_labels_{n_labels}", f"{n_labels:,} labels", n_labels=n_labels)


def measures_of(task: str, few_labels: Iterable[int] = ()) -> list[Measure]:
    """What features are judged by, in the order of the table: accuracies of classes, R² of targets."""
    asked = [*PROBES, *map(few_labels_measure, sorted(set(few_labels))), HEAD]
    if task == CLASSIFY:
        return [*asked, CLUSTERS, R2]
    return [*(replace(measure, is_share=False) for measure in asked), replace(R2, title="reconstruction")]
