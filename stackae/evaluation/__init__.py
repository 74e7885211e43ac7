"""Features judged by what simple models make of them, beside PCA's."""

from stackae.evaluation.comparison import Comparison, Result, compare_with_pca

__all__ = ["Comparison", "Result", "compare_with_pca"]
