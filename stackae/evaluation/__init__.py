"""Features judged by what simple models make of them, beside PCA's and others'."""

from stackae.evaluation.comparison import Comparison, Record, summary
from stackae.evaluation.experiment import Split, compare, compare_fitted, resplit
from stackae.evaluation.measures import Measure
from stackae.evaluation.methods import METHODS
from stackae.evaluation.picture import draw

__all__ = [
    "METHODS",
    "Comparison",
    "Measure",
    "Record",
    "Split",
    "compare",
    "compare_fitted",
    "draw",
    "resplit",
    "summary",
]
