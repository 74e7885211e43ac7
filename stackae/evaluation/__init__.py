"""Features judged by what simple models make of them, beside PCA's and others'."""

from stackae.evaluation.comparison import Comparison, Record, summary
from stackae.evaluation.experiment import compare, compare_fitted
from stackae.evaluation.held_out import beside_baselines, hold_out
from stackae.evaluation.learning_curve import LabelCurve, label_curve
from stackae.evaluation.measures import Measure
from stackae.evaluation.methods import METHODS
from stackae.evaluation.splits import Split, resplit

__all__ = [
    "METHODS",
    "Comparison",
    "LabelCurve",
    "Measure",
    "Record",
    "Split",
    "beside_baselines",
    "compare",
    "compare_fitted",
    "hold_out",
    "label_curve",
    "resplit",
    "summary",
]
